"""The state of a run: that of all its tasks, or of a job that ESIS submitted."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from scans import WORKER, scan

from launchers import open_run, run_scan
from launchers.jobs.backend import JobAnswer, JobInfo
from launchers.scan import runs as room
from launchers.scan.runs import may_have_jobs, run_folders, run_hash, run_state


def finished_state(**scripts):
    """Run a scan whose tasks end as they will; its folder, and its state."""
    (outcome,) = run_scan(scan("A", **scripts))
    outcome.run.wait(check=False)
    return outcome.identity.folder, run_state(outcome.identity.folder)


def test_it_is_completed_when_all_tasks_are():
    folder, state = finished_state()
    assert state == "COMPLETED"
    assert (folder / "__esis__" / "jobid.tx").read_text().strip()


def test_one_failed_task_is_enough_whatever_the_others_write():
    worker = WORKER + 'open("../__esis__/completed.state", "w").write("1")\nraise SystemExit(n == "2")\n'
    folder, state = finished_state(worker=worker)
    assert state == "FAILED"
    assert open_run(folder).status()[0].counts == {"COMPLETED": 2, "FAILED": 1}


def make_esis_run(job="12345", completed=None):
    """A run folder as ESIS makes it."""
    private = Path("wrkdir.0a/__esis__")
    private.mkdir(parents=True)
    (private / "jobid.tx").write_text(f"{job}\n")
    if completed is not None:
        (private / "completed.state").write_text(completed)
    return private.parent


@pytest.mark.parametrize(
    ("completed", "state"), [("1", "COMPLETED"), ("1\n", "COMPLETED"), ("0", "UNKNOWN"), (None, "UNKNOWN")]
)
def test_a_job_that_no_scheduler_knows_has_the_state_that_it_wrote(completed, state, no_slurm):
    assert run_state(make_esis_run(completed=completed)) == state


def test_a_folder_without_a_job_is_missing():
    assert run_state(Path("wrkdir.gone")) == "MISSING"
    Path("wrkdir.half/__esis__").mkdir(parents=True)
    assert run_state(Path("wrkdir.half")) == "MISSING"


@pytest.mark.parametrize(("problem", "why"), [
    ("squeue: away", "may still be running, which cannot be found out now: squeue: away"), ("", ""),
])  # fmt: skip
def test_a_run_that_cannot_be_asked_about_may_still_have_jobs(problem, why, monkeypatch):
    slurm = SimpleNamespace(states=lambda folder, jobs: JobAnswer(problem=problem))
    monkeypatch.setattr(room, "backend", {"slurm": slurm}.get)
    folder = make_esis_run()
    assert run_state(folder) == "UNKNOWN"
    assert may_have_jobs(folder, "UNKNOWN") == why
    assert may_have_jobs(folder, "RUNNING") == "is still running"
    assert may_have_jobs(folder, "FAILED") == ""


@pytest.mark.parametrize("reachable", [True, False])
def test_a_run_of_ours_that_cannot_be_asked_about(reachable, monkeypatch):
    member = SimpleNamespace(
        info=JobInfo("UNKNOWN", "Slurm cannot be asked"), is_unreachable=not reachable, job="7", ended=False
    )
    folder = SimpleNamespace(is_locked=False)
    run = SimpleNamespace(status=lambda: [SimpleNamespace(members=[member])], record=SimpleNamespace(folder=folder))
    monkeypatch.setattr(room, "open_run", lambda folder: run)
    Path("plan.json").touch()
    assert bool(may_have_jobs(Path(), "UNKNOWN")) is not reachable


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (["COMPLETED", "COMPLETED"], "COMPLETED"),
        (["COMPLETED", "RUNNING"], "RUNNING"),
        (["PENDING"], "RUNNING"),
        (["COMPLETED", "RUNNING", "FAILED"], "FAILED"),
        (["TIMEOUT"], "FAILED"),
    ],
)
def test_the_job_of_esis_has_the_state_of_its_tasks(states, state, monkeypatch):
    asked = []

    class Slurm:
        def states(self, folder, jobs):
            asked.append((folder, jobs))
            return JobAnswer({("12345", n): JobInfo(state=state) for n, state in enumerate(states)})

    monkeypatch.setattr(room, "backend", {"slurm": Slurm()}.get)
    assert run_state(make_esis_run(completed="1")) == state
    assert asked == [(Path("wrkdir.0a"), {"12345": ""})]


@pytest.mark.parametrize(
    ("state", "words"), [("RUNNING", "is still running"), ("PENDING", "is still running"), ("FAILED", "")]
)
def test_a_run_has_jobs_while_one_of_them_has_not_ended(state, words, monkeypatch):
    """It is FAILED as soon as one task is."""
    members = [
        SimpleNamespace(info=JobInfo(state), is_unreachable=False, job=f"7_{n}", ended=state == "FAILED")
        for n, state in enumerate(["FAILED", state])
    ]
    folder = SimpleNamespace(is_locked=False)
    run = SimpleNamespace(status=lambda: [SimpleNamespace(members=members)], record=SimpleNamespace(folder=folder))
    monkeypatch.setattr(room, "open_run", lambda folder: run)
    Path("plan.json").touch()
    assert may_have_jobs(Path(), "FAILED") == words
    folder.is_locked = True
    assert may_have_jobs(Path(), "FAILED") == "is being worked on"


def test_what_is_no_job_id_is_not_asked_for(monkeypatch):
    monkeypatch.setattr(room, "backend", lambda name: pytest.fail("asked"))
    assert run_state(make_esis_run(job="no job")) == "UNKNOWN"


def test_run_folders_are_those_with_a_name_and_an_identity():
    for seconds, name in enumerate(("wrkdir.b", "wrkdir.a", "wrkdir.c", "other")):
        mark = Path(name, "__esis__", "wf_status")
        mark.parent.mkdir(parents=True)
        mark.write_text("")
        os.utime(mark, (seconds, seconds))
    Path("wrkdir.c/__esis__/wf_status").unlink()
    assert run_folders(Path()) == [Path("wrkdir.b"), Path("wrkdir.a")]
    assert run_hash(Path("x/wrkdir.a.1")) == "a.1"
