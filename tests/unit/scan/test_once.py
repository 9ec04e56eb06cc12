"""A task of a scan runs once, and not at all once it was cancelled; by hand it runs as often as one likes."""

import subprocess
from pathlib import Path

import pytest
from scans import WORKER, outputs, plain_environment, scan

from launchers import SubmitError, open_run, run_scan
from launchers.local.jobs import read_table
from launchers.runs.gate import runners
from launchers.runs.send import resume
from launchers.scan import running as room

COUNTS = WORKER + 'open("ran", "a").write(n)\n'


@pytest.fixture
def unsent(monkeypatch):
    """The folder of a scan whose client ended before anything was sent."""

    def die(run):
        raise SubmitError("the client ended", transient=True)

    with monkeypatch.context() as patch:
        patch.setattr(room, "submit_pending", die)
        file = scan("A", worker=COUNTS)
        with pytest.raises(SubmitError):
            run_scan(file)
    (folder,) = Path("A").absolute().glob("wrkdir.*")
    return folder


def states(folder):
    return [(member.item, member.info.state) for member in open_run(folder).status()[0].members]


def ran(folder):
    """The tasks that ran, in any order."""
    path = folder / "cwd" / "ran"
    return sorted(path.read_text()) if path.exists() else []


def test_what_was_cancelled_before_it_was_sent_does_not_run_when_it_is(unsent):
    open_run(unsent).cancel()
    run = resume(unsent)
    assert not run.wait(check=False)
    assert ran(unsent) == []
    assert states(unsent) == [(0, "CANCELLED"), (1, "CANCELLED"), (2, "CANCELLED")]


def test_a_task_runs_once_whatever_comes_for_it(unsent):
    """Its job has its name; by hand it has none to take."""
    assert resume(unsent).wait()
    names = {task: runners(unsent / "jobs" / f"scan.{task}")[task].job for task in range(3)}
    id = open_run(unsent).record.id
    assert names == {task: f"{id}_{task}" for task in range(3)}
    job = read_table(unsent / "local" / "1")[1]["scan.1"]
    gate, folder, number, _, script = job.argv
    again = subprocess.run([gate, folder, number, "another", script], cwd=job.cwd, check=False, env=dict(job.env))
    assert again.returncode == 113
    assert ran(unsent) == ["0", "1", "2"]
    by_hand = {**plain_environment(), "SLURM_ARRAY_TASK_ID": "1"}
    by_hand["PATH"] = f"{unsent}/local/1/bin:{by_hand['PATH']}"
    subprocess.run(["../sbatch.sh"], cwd=unsent / "cwd", env=by_hand, check=True)
    assert ran(unsent) == ["0", "1", "1", "2"]
    assert outputs(unsent) == ["0", "2", "8"]


def test_a_name_that_cannot_be_taken_is_a_failure(unsent):
    """A file is where the folder of the names belongs; root may write to what is read-only."""
    (unsent / "jobs").mkdir()
    (unsent / "jobs" / "scan.1").touch()
    assert not resume(unsent).wait(check=False)
    assert states(unsent) == [(0, "COMPLETED"), (1, "FAILED"), (2, "COMPLETED")]
    assert open_run(unsent).status()[0].members[1].info.exit == "74"
    assert ran(unsent) == ["0", "2"]
