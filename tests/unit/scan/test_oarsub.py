"""oarsub.sh, run by hand where there is no OAR; tests/oar/test_scan.py submits it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from scans import WORKER, YAML, executable, folder_of, scan

from launchers.cli import main

NEEDS = "worker: work.py\nneeds: cpu(cores=2) & duration=90 min\nparameters: {list: [{x: 0}, {x: 1}, {x: 4}]}\n"
FAILS = '#!/usr/bin/env python3\nimport os\nif os.environ["SLURM_ARRAY_TASK_ID"] == "1":\n    raise SystemExit(113)\n'


@pytest.fixture(autouse=True)
def grid(tmp_path, monkeypatch):
    """An OAR that takes everything, writes down what it was asked, and runs nothing."""
    monkeypatch.chdir(tmp_path)
    asked = tmp_path / "asked"
    jobs = {id: {"Job_Id": id, "array_id": 7, "array_index": id - 6, "state": "Running"} for id in (7, 8, 9)}
    takes = f'#!/bin/sh\npwd > {asked}\nprintf "%s\\n" "$@" >> {asked}\necho OAR_JOB_ID=7\n'
    executable(tmp_path / "bin" / "oarsub", takes)
    executable(tmp_path / "bin" / "oarstat", f"#!/bin/sh\necho '{json.dumps(jobs)}'\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "launchers.yaml").write_text(
        "oar: [{id: grid, nodes: [{hosts: 'n[1-2]', cpu: {cores: 4, memory: 9G}}]}]\n"
    )


def submitted(capfd, file):
    assert main(["scan", "run", file]) == 0, capfd.readouterr().err
    return folder_of(capfd, file)


def task(folder, number):
    """Run one task as OAR would; its exit status."""
    env = {"PATH": "/usr/bin:/bin", "OAR_ARRAY_ID": "7"}
    return subprocess.run(["../oarsub.sh", str(number)], cwd=folder / "cwd", env=env, check=False).returncode


def test_what_is_asked_and_what_runs(capfd):
    folder = submitted(capfd, scan("A", yaml=NEEDS, worker="#!/usr/bin/env python3\n" + WORKER))
    lines = (folder / "oarsub.sh").read_text().splitlines()
    assert lines[:7] == [
        "#!/bin/sh", "#OAR -n A", "#OAR -l /host=1/core=2,walltime=1:30:00", "#OAR -q default", "#OAR --array-param-file ../oar/tasks",
        "#OAR -O ../oar/%jobid%", "#OAR -E ../oar/%jobid%",
    ]  # fmt: skip
    assert (folder / "oar" / "tasks").read_text() == "0\n1\n2\n"
    cwd, scans, _, name, *rest = Path("asked").read_text().splitlines()
    assert (cwd, scans, rest) == (f"{folder}/cwd", "-S", ["-d", f"{folder}/cwd", "../oarsub.sh"])
    assert name.startswith("A.scan.launchers-")
    assert "oarsub -S ../oarsub.sh" in (folder / "README").read_text()
    assert task(folder, 2) == 0
    assert (folder / "cwd" / "out.2").read_text() == "8"
    assert (folder / "cwd" / "oar-7_2.out").read_text() == "task 2 has 4\n"
    assert [one.name for one in (folder / "oar").glob("ok.*")] == ["ok.2"]


def test_a_task_looks_whether_all_that_is_required_succeeded(capfd, monkeypatch):
    monkeypatch.setattr("launchers.scan.oarsub.RESULT_PATIENCE", 0)
    a = submitted(capfd, scan("it is A", yaml=NEEDS, worker=FAILS))
    b = submitted(capfd, scan("B", yaml=NEEDS, worker="#!/bin/sh\n", more="requires: {data: ../it is A/scan.yaml}\n"))
    assert "-a\n7\n-a\n8\n-a\n9\n" in Path("asked").read_text()
    assert [task(a, number) for number in range(3)] == [0, 1, 0]  # 113 would stand for a parent that failed
    assert task(b, 0) == 113
    assert (b / "cwd" / "oar-7_0.out").read_text() == f"cancelled: task 1 of {a} did not succeed\n"
    (a / "work.py").write_text("#!/bin/sh\n")
    assert task(a, 1) == 0
    assert task(b, 0) == 0
    shutil.rmtree(a)
    assert task(b, 0) == 113


@pytest.mark.parametrize(
    ("folder", "yaml", "said"),
    [("A", YAML, "A/template.sh is an sbatch file, and grid is OAR"), ("it's", NEEDS, "OAR cannot work in ")],
)
def test_what_cannot_go_to_oar_is_refused(folder, yaml, said, capfd):
    assert main(["scan", "run", scan(folder, yaml=yaml)]) == 1
    assert said in capfd.readouterr().err
    assert not list(Path(folder).glob("wrkdir.*"))
    assert not Path("asked").exists()
