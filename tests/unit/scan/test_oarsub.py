"""oarsub.sh, run by hand where there is no OAR; tests/cluster/oar/test_scan.py submits it."""

import shutil
import subprocess
from pathlib import Path

import pytest
from fake_oar import fake_oar
from scans import WORKER, outputs, scan, start

from launchers.oar.args import OarArgs
from launchers.runs.gate import withhold
from launchers.scan import ScanError, load_definition, run_scan
from launchers.scan.oarsub import render_oarsub

NEED = {"worker": "work.py", "needs": "cpu(cores=2) & duration=90 min"}
ENTRIES = {**NEED, "parameters": {"list": [{"x": 0}, {"x": 1}, {"x": 4}]}}
FAILS = '#!/usr/bin/env python3\nimport os\nif os.environ["SLURM_ARRAY_TASK_ID"] == "1":\n    raise SystemExit(113)\n'


@pytest.fixture(autouse=True)
def asked(tmp_path, monkeypatch):
    """What OAR, which has one array of three jobs, was asked for."""
    return fake_oar(tmp_path, monkeypatch, {7: (7, 1), 8: (7, 2), 9: (7, 3)})


def run_task(folder, number, *name, array="7"):
    """Run one task as OAR would; its exit status."""
    env = {"PATH": "/usr/bin:/bin", "OAR_ARRAY_ID": array}
    words = ["../oarsub.sh", str(number), *name]
    return subprocess.run(words, cwd=folder / "cwd", env=env, check=False).returncode


def test_what_is_asked_for_and_what_runs(capfd, asked):
    folder = start(capfd, scan("A", entries=ENTRIES, worker="#!/usr/bin/env python3\n" + WORKER))
    lines = (folder / "oarsub.sh").read_text().splitlines()
    assert lines[:7] == [
        "#!/bin/sh", "#OAR -n A", "#OAR -l /host=1/core=2,walltime=1:30:00", "#OAR -q default", "#OAR --array-param-file ../oar/tasks",
        "#OAR -O ../oar/%jobid%", "#OAR -E ../oar/%jobid%",
    ]  # fmt: skip
    assert (folder / "oar" / "tasks").read_text() == "0\n1\n2\n"
    cwd, scans, _, name, *rest = asked.read_text().splitlines()
    tasks = ["--array-param-file", "../oar/tasks.scan"]
    assert (cwd, scans, rest) == (f"{folder}/cwd", "-S", ["-d", f"{folder}/cwd", *tasks, "../oarsub.sh"])
    assert name.startswith("A.scan.launchers-")
    assert "oarsub -S ../oarsub.sh" in (folder / "README").read_text()
    assert [run_task(folder, number) for number in range(3)] == [0, 0, 0]
    assert outputs(folder) == ["0", "2", "8"]
    assert (folder / "cwd" / "oar-7_2.out").read_text() == "task 2 has 4\n"
    assert sorted(path.name for path in (folder / "oar").glob("ok.*")) == ["ok.0", "ok.1", "ok.2"]


def test_a_worker_finds_the_variables_of_a_slurm_array(capfd):
    folder = start(capfd, scan("A", entries=ENTRIES, worker="#!/bin/sh\nenv | grep SLURM_ARRAY | sort\n"))
    run_task(folder, 1)
    assert (folder / "cwd" / "oar-7_1.out").read_text() == (
        "SLURM_ARRAY_TASK_COUNT=3\nSLURM_ARRAY_TASK_ID=1\nSLURM_ARRAY_TASK_MAX=2\nSLURM_ARRAY_TASK_MIN=0\n"
    )


def test_a_task_checks_that_all_required_tasks_succeeded(capfd, asked, monkeypatch):
    monkeypatch.setattr("launchers.scan.oarsub.RESULT_PATIENCE", 0)
    a = start(capfd, scan("it is A", entries=ENTRIES, worker=FAILS))
    b = start(capfd, scan("B", {"requires": {"data": "../it is A/scan.yaml"}}, entries=ENTRIES, worker="#!/bin/sh\n"))
    assert "-a\n7\n-a\n8\n-a\n9\n" in asked.read_text()
    assert [run_task(a, number) for number in range(3)] == [0, 1, 0]  # 113 would stand for a parent that failed
    assert run_task(b, 0) == 113
    assert (b / "cwd" / "oar-7_0.out").read_text() == f"cancelled: task 1 of {a} did not succeed\n"
    (a / "work.py").write_text("#!/bin/sh\n")
    assert run_task(a, 1) == 0
    assert run_task(b, 0) == 0
    shutil.rmtree(a)
    assert run_task(b, 0) == 113


def test_a_task_that_was_submitted_twice_runs_once(capfd):
    """OAR submits a job again with the same array, and a retry is a submission of its own."""
    folder = start(capfd, scan("A", entries=ENTRIES, worker="#!/bin/sh\necho ran >> ran\n"))
    of_one = (folder / "oar" / "tasks.scan").read_text().splitlines()[1].split()[1:]
    assert [run_task(folder, 1, *of_one, array=array) for array in ("7", "10", "7")] == [0, 113, 0]
    assert run_task(folder, 1, "../jobs/scan~2", "0", array="20") == 0
    assert (folder / "cwd" / "ran").read_text() == "ran\n" * 3
    taken = "launchers: job 7 runs this already, so job 10 does not\n"
    assert (folder / "cwd" / "oar-10_1.out").read_text() == taken
    assert run_task(folder, 1) == 0  # by hand, as often as one likes
    withhold(folder / "jobs" / "scan", 2, "cancelled before it was submitted")
    assert run_task(folder, 2, of_one[0], "2") == 113
    assert (folder / "cwd" / "ran").read_text() == "ran\n" * 4


def test_a_folder_that_oar_cannot_enter(asked):
    with pytest.raises(ScanError, match=r"^the run folder .*/it's/.* has a quote \('\) in it.*workdir: sets it"):
        run_scan(scan("it's", entries=ENTRIES))
    assert not list(Path("it's").glob("wrkdir.*"))
    assert not asked.exists()


def test_a_line_break_cannot_be_passed_on():
    definition = load_definition(scan("A", entries=ENTRIES))
    with pytest.raises(ScanError, match=r"^OAR cannot pass on a line break: '/a\\nb'$"):
        render_oarsub(definition, OarArgs(), 1, ["/a\nb"])


def test_a_long_name_is_cut():
    definition = load_definition(scan("A", {"name": "n" * 200}, entries=ENTRIES))
    name = render_oarsub(definition, OarArgs(), 1, []).splitlines()[1]
    assert name.startswith("#OAR -n nnn")
    assert len(name) < 200
