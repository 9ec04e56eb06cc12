"""Scans on the real OAR: the run folder's own oarsub.sh is what is submitted, and what can be submitted again."""

import json
import os
import subprocess
import time
from pathlib import Path

from scans import WAITS, WORKER, folder_of, scan, shown

from launchers.cli import main
from launchers.runs.run import open_run

YAML = "worker: work.py\nneeds: cpu(cores=1, mem=100M) & duration=5m\nparameters: {product: {x: [0, 1, 4]}}\n"
PYTHON = "#!/usr/bin/env python3\n"


def submitted(folder):
    """The ids of all jobs of a run."""
    return list(open_run(folder).store.submitted().values())


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.3)


def outputs(folder):
    return [(folder / "cwd" / f"out.{n}").read_text() for n in range(3)]


def test_a_scan_runs_and_can_be_submitted_again_with_oarsub_alone(oar, capfd):
    file = scan("a folder", yaml=YAML, worker=PYTHON + WORKER)
    assert main(["scan", "run", file, "--tag", "grid"]) == 0, capfd.readouterr().err
    folder = folder_of(capfd, file)
    assert main(["wait", str(folder)]) == 0, list((folder / "oar").iterdir())
    (id,) = submitted(folder)
    assert (folder / "__esis__" / "jobid.tx").read_text() == f"{id}\n"
    assert outputs(folder) == ["0", "2", "8"]
    capfd.readouterr()
    assert main(["logs", str(folder), "scan:2"]) == 0
    assert capfd.readouterr().out == "task 2 has 4\n"
    assert main(["scan", "run", file, "--tag", "grid"]) == 0
    assert "nothing changed, so nothing is submitted; its run is COMPLETED" in capfd.readouterr().out
    for n in range(3):
        (folder / "cwd" / f"out.{n}").unlink()
    env = {"PATH": "/usr/bin:/bin", "USER": os.environ["USER"], "PWD": f"{folder}/cwd"}
    subprocess.run(["oarsub", "-S", "../oarsub.sh"], cwd=folder / "cwd", env=env, check=True, capture_output=True)
    until(lambda: all((folder / "cwd" / f"out.{n}").exists() for n in range(3)))
    until(lambda: outputs(folder) == ["0", "2", "8"])


def test_at_most_so_many_tasks_at_once(oar, capfd):
    """Also in a retry; a task that fails stops none of the others."""
    worker = (
        PYTHON
        + WORKER
        + (
            "import time\n"
            "start = time.time()\n"
            "time.sleep(1)\n"
            'with open(f"span.{n}", "w") as out: out.write(f"{start} {time.time()}")\n'
            'if n in "04" and not os.path.exists(f"again.{n}"):\n'
            '    open(f"again.{n}", "w")\n'
            "    raise SystemExit(1)\n"
        )
    )
    yaml = YAML.replace("[0, 1, 4]", "[0, 1, 4, 9, 16]") + "at_once: 2\n"
    file = scan("A", yaml=yaml, worker=worker)
    assert main(["scan", "run", file, "--tag", "grid"]) == 0, capfd.readouterr().err
    folder = folder_of(capfd, file)
    assert len(submitted(folder)) == 3
    assert main(["wait", str(folder)]) == 1
    assert open_run(folder).status()[0].counts == {"COMPLETED": 3, "FAILED": 2}
    spans = [[float(one) for one in path.read_text().split()] for path in (folder / "cwd").glob("span.*")]
    assert max(sum(a <= t < b for a, b in spans) for t, _ in spans) == 2
    assert main(["retry", str(folder)]) == 0
    assert main(["wait", str(folder)]) == 0
    assert len(submitted(folder)) == 5
    last = open_run(folder).store.units[-1]
    assert (last.name, [(one.kind, one.unit) for one in last.parents]) == ("scan.2~2", [("afterany", "scan.0~2")])
    assert shown(capfd, file)["state"] == "COMPLETED"


def test_one_failed_task_fails_the_run_and_is_all_that_is_retried(oar, capfd):
    """With the exit status that stands for a required run that has failed, of all numbers."""
    worker = (
        PYTHON
        + WORKER
        + 'if n == "1" and not os.path.exists("again"):\n    open("again", "w")\n    raise SystemExit(113)\n'
    )
    file = scan("A", yaml=YAML, worker=worker)
    assert main(["scan", "run", file, "--tag", "grid"]) == 0, capfd.readouterr().err
    folder = folder_of(capfd, file)
    assert main(["wait", str(folder)]) == 1
    assert open_run(folder).status()[0].counts == {"COMPLETED": 2, "FAILED": 1}
    assert main(["retry", str(folder), "--escalate", "cores*2"]) == 2
    assert f"{folder}/oarsub.sh says itself what it asks for" in capfd.readouterr().err
    assert main(["retry", str(folder)]) == 0
    assert main(["wait", str(folder)]) == 0
    assert (folder / "oar" / "tasks.scan~2").read_text() == "1\n"
    assert len(list((folder / "cwd").glob(f"oar-{submitted(folder)[1]}_*.out"))) == 1
    assert shown(capfd, file)["state"] == "COMPLETED"
    assert main(["logs", str(folder), "scan:1"]) == 0
    assert "task 1 has 1\n" in capfd.readouterr().out


def test_what_is_required_is_waited_for_and_has_to_succeed(oar, capfd):
    """B is submitted while one task of A has ended and two run; C, after a task of A has failed, does not run."""
    gate = Path("gate").absolute()
    early = 'import os\nif os.environ["SLURM_ARRAY_TASK_ID"] != "0":\n    '
    waits = (
        early
        + f'import time\n    while not os.path.exists("{gate}"): time.sleep(0.05)\n    if open("{gate}").read(): raise SystemExit(1)\n'
    )
    for said, state in (("", "COMPLETED"), ("fail", "CANCELLED")):
        a = scan(f"A{said}", yaml=YAML, worker=PYTHON + waits + WORKER)
        b = scan(f"B{said}", yaml=YAML, worker=PYTHON + WORKER, more=f"requires: {{data: ../A{said}/scan.yaml}}\n")
        assert main(["scan", "run", a, "--tag", "grid"]) == 0, capfd.readouterr().err
        first = folder_of(capfd, a)
        until(lambda first=first: open_run(first).status()[0].counts == {"COMPLETED": 1, "RUNNING": 2})
        assert main(["scan", "run", b, "--tag", "grid"]) == 0, capfd.readouterr().err
        second = folder_of(capfd, b)
        assert open_run(second).status()[0].counts == {"PENDING": 3}
        Path("new").write_text(said)
        Path("new").rename(gate)
        assert main(["wait", str(second)]) == (1 if said else 0)
        assert open_run(second).status()[0].counts == {state: 3}
        assert (second / "cwd" / "out.0").exists() == (not said)
        gate.unlink()


def test_status_and_cancel(oar, capfd):
    gate = Path("gate").absolute()
    file = scan("A", yaml=YAML, worker=PYTHON + WAITS.format(gate=gate) + WORKER)
    assert main(["scan", "run", file, "--tag", "grid"]) == 0, capfd.readouterr().err
    folder = folder_of(capfd, file)
    until(lambda: open_run(folder).status()[0].counts["RUNNING"] == 3)
    capfd.readouterr()
    assert main(["status", str(folder), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert len({one["job"] for one in told["steps"][0]["jobs"]}) == 3
    assert main(["cancel", str(folder)]) == 0
    assert main(["wait", str(folder)]) == 1
    assert open_run(folder).status()[0].counts == {"CANCELLED": 3}
    assert main(["report", str(folder)]) == 0
