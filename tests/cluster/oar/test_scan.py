"""Scans on the real OAR: the run folder's own oarsub.sh is what is submitted, and what can be submitted again."""

import json
import os
import subprocess
from pathlib import Path

from following import until
from scans import WAITS, WORKER, outputs, scan, show, start

from launchers.cli import main
from launchers.runs.run import open_run

NEED = {"worker": "work.py", "needs": "cpu(cores=1, mem=100M) & duration=5m"}
ENTRIES = {**NEED, "parameters": {"product": {"x": [0, 1, 4]}}}
PYTHON = "#!/usr/bin/env python3\n"


def job_ids(folder):
    """The ids of all jobs of a run."""
    return list(open_run(folder).record.folder.journal.state().jobs.values())


def test_a_scan_runs_and_can_be_submitted_again_with_oarsub_alone(oar, capfd):
    file = scan("a folder", entries=ENTRIES, worker=PYTHON + WORKER)
    folder = start(capfd, file, "--tag", "grid")
    assert main(["wait", str(folder)]) == 0, list((folder / "oar").iterdir())
    (id,) = job_ids(folder)
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
    until(lambda: all((folder / "cwd" / f"out.{n}").exists() for n in range(3)), 60, 0.3)
    until(lambda: outputs(folder) == ["0", "2", "8"], 60, 0.3)


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
    five = {"parameters": {"product": {"x": [0, 1, 4, 9, 16]}}, "at_once": 2}
    file = scan("A", five, entries=NEED, worker=worker)
    folder = start(capfd, file, "--tag", "grid")
    assert len(job_ids(folder)) == 3
    assert main(["wait", str(folder)]) == 1
    assert open_run(folder).status()[0].counts == {"COMPLETED": 3, "FAILED": 2}
    spans = [[float(text) for text in path.read_text().split()] for path in (folder / "cwd").glob("span.*")]
    assert max(sum(a <= t < b for a, b in spans) for t, _ in spans) <= 2
    assert main(["retry", str(folder)]) == 0
    assert main(["wait", str(folder)]) == 0
    assert len(job_ids(folder)) == 5
    last = open_run(folder).record.submissions[-1]
    assert (last.name, [(parent.kind, parent.submission) for parent in last.parents]) == (
        "scan.2~2",
        [("afterany", "scan.0~2")],
    )
    assert show(capfd, file)["state"] == "COMPLETED"


def test_one_failed_task_fails_the_run_and_is_all_that_is_retried(oar, capfd):
    """With the exit status that stands for a required run that has failed, of all numbers."""
    worker = (
        PYTHON
        + WORKER
        + 'if n == "1" and not os.path.exists("again"):\n    open("again", "w")\n    raise SystemExit(113)\n'
    )
    file = scan("A", entries=ENTRIES, worker=worker)
    folder = start(capfd, file, "--tag", "grid")
    assert main(["wait", str(folder)]) == 1
    assert open_run(folder).status()[0].counts == {"COMPLETED": 2, "FAILED": 1}
    assert main(["retry", str(folder), "--escalate", "cores*2"]) == 2
    assert f"{folder}/oarsub.sh; change them there, then run retry again" in capfd.readouterr().err
    assert main(["retry", str(folder)]) == 0
    assert main(["wait", str(folder)]) == 0
    assert (folder / "oar" / "tasks.scan~2").read_text() == "1 ../jobs/scan~2 0\n"
    assert len(list((folder / "cwd").glob(f"oar-{job_ids(folder)[1]}_*.out"))) == 1
    assert show(capfd, file)["state"] == "COMPLETED"
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
    for word, state in (("", "COMPLETED"), ("fail", "CANCELLED")):
        a = scan(f"A{word}", entries=ENTRIES, worker=PYTHON + waits + WORKER)
        more = {"requires": {"data": f"../A{word}/scan.yaml"}}
        b = scan(f"B{word}", more, entries=ENTRIES, worker=PYTHON + WORKER)
        first = start(capfd, a, "--tag", "grid")
        until(lambda first=first: open_run(first).status()[0].counts == {"COMPLETED": 1, "RUNNING": 2}, 60, 0.3)
        second = start(capfd, b, "--tag", "grid")
        assert open_run(second).status()[0].counts == {"PENDING": 3}
        Path("new").write_text(word)
        Path("new").rename(gate)
        assert main(["wait", str(second)]) == (1 if word else 0)
        assert open_run(second).status()[0].counts == {state: 3}
        assert (second / "cwd" / "out.0").exists() == (not word)
        gate.unlink()


def test_status_and_cancel(oar, capfd):
    gate = Path("gate").absolute()
    file = scan("A", entries=ENTRIES, worker=PYTHON + WAITS.format(gate=gate) + WORKER)
    folder = start(capfd, file, "--tag", "grid")
    until(lambda: open_run(folder).status()[0].counts["RUNNING"] == 3, 60, 0.3)
    capfd.readouterr()
    assert main(["status", str(folder), "--json"]) == 0
    status = json.loads(capfd.readouterr().out)
    assert len({entry["job"] for entry in status["steps"][0]["jobs"]}) == 3
    assert main(["cancel", str(folder)]) == 0
    assert main(["wait", str(folder)]) == 1
    assert open_run(folder).status()[0].counts == {"CANCELLED": 3}
    assert main(["report", str(folder)]) == 0
