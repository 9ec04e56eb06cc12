"""What is asked of the scheduler of a folder, which is not started here."""

import os
import signal
import socket
import subprocess

import pytest
from local_jobs import job

from launchers.errors import RunError
from launchers.events import append, line_of
from launchers.local import control
from launchers.local.control import (
    cancel_jobs,
    cancelled_ids,
    name_scheduler,
    resume_scheduler,
    revive_scheduler,
    submit_jobs,
    unname_scheduler,
)
from launchers.local.jobs import Capacity, Wanted, read_table, write_table
from launchers.local.journal import JOB_EVENTS, JobEnd, journal_path
from launchers.processes import born

GONE = f"{2**22 + 1} 1 {socket.gethostname()}\n"


@pytest.fixture
def started(monkeypatch):
    """The commands that were started instead."""
    commands = []
    monkeypatch.setattr(control.subprocess, "Popen", lambda argv, **more: commands.append((argv[1:], more)))
    return commands


@pytest.fixture
def folder(tmp_path):
    """A folder with a job, and no scheduler."""
    write_table(tmp_path, Capacity(cores=2), [job("a", "true")])
    return tmp_path


@pytest.fixture
def signals():
    """The signals that come."""
    came = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
    yield came
    signal.signal(signal.SIGUSR1, before)


# -- submitting ------------------------------------------------------------------------------------------------


def test_jobs_are_written_and_a_scheduler_started(tmp_path, started):
    submit_jobs(tmp_path / "r", Capacity(cores=2), [job("a", "true"), job("b", "true")])
    assert list(read_table(tmp_path / "r")[1]) == ["a", "b"]
    ((argv, more),) = started
    assert argv == ["-m", "launchers.local.scheduler", str(tmp_path / "r")]
    assert more["start_new_session"]
    assert (tmp_path / "r" / "scheduler.log").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (job("x", "true", cores=9), "job x can never run here: it asks for 9 cores; this machine offers 2"),
        (
            job("x", "true", name="train", wanted=(Wanted(),)),
            "job train can never run here: it asks for 1 accelerators",
        ),
    ],
)
def test_what_can_never_run_is_refused_before_anything_is_written(tmp_path, started, wrong, message):
    with pytest.raises(ValueError, match=message):
        submit_jobs(tmp_path / "r", Capacity(cores=2), [job("a", "true"), wrong])
    assert not (tmp_path / "r").exists()
    assert started == []


# -- cancelling ------------------------------------------------------------------------------------------------


def test_nothing_was_to_be_cancelled(folder):
    assert cancelled_ids(folder) == []


def test_the_scheduler_is_told_of_jobs_to_cancel(folder, started, signals):
    name_scheduler(folder)
    cancel_jobs(folder, ["a", "b"])
    cancel_jobs(folder, ["c"])
    assert cancelled_ids(folder) == ["a", "b", "c"]
    assert signals == [signal.SIGUSR1] * 2
    assert started == []


def test_a_line_that_is_being_written_is_left_for_later(folder):
    (folder / "cancel").write_text("a\nb")
    assert cancelled_ids(folder) == ["a"]


@pytest.mark.parametrize("text", [GONE, None, "", "7 1 elsewhere\n"])
def test_without_a_scheduler_one_is_started_to_cancel(folder, started, signals, text):
    if text is not None:
        (folder / "scheduler.pid").write_text(text)
    cancel_jobs(folder, ["a"])
    assert cancelled_ids(folder) == ["a"]
    assert (len(started), signals) == (1, [])


# -- reviving --------------------------------------------------------------------------------------------------


def test_which_process_it_is(folder):
    name_scheduler(folder)
    assert (folder / "scheduler.pid").read_text() == f"{os.getpid()} {born(os.getpid())} {socket.gethostname()}\n"
    assert sorted(path.name for path in folder.iterdir()) == ["capacity.json", "jobs.jsonl", "scheduler.pid"]
    unname_scheduler(folder)
    unname_scheduler(folder)
    assert not (folder / "scheduler.pid").exists()


def test_a_scheduler_that_was_killed_is_started_again(folder, started):
    (folder / "scheduler.pid").write_text(GONE)
    revive_scheduler(folder)
    assert len(started) == 1


@pytest.mark.parametrize("text", [None, "", GONE.rstrip(), "7 1 elsewhere\n", "one two three\n", f"{GONE}{GONE}"])
def test_a_scheduler_that_is_not_known_to_be_gone_is_left_alone(folder, started, text):
    if text is not None:
        (folder / "scheduler.pid").write_text(text)
    revive_scheduler(folder)
    assert started == []


def test_a_scheduler_that_runs_is_left_alone(folder, started):
    name_scheduler(folder)
    revive_scheduler(folder)
    assert started == []


def test_a_scheduler_that_never_came_up_is_started_by_who_resumes(folder, started):
    revive_scheduler(folder)
    assert started == []
    resume_scheduler(folder)
    assert len(started) == 1
    append(journal_path(folder), line_of(JobEnd("a", "COMPLETED", 0), JOB_EVENTS))
    resume_scheduler(folder)
    assert len(started) == 1  # there is nothing left to run


@pytest.mark.parametrize(("text", "number"), [(GONE, 1), ("7 1 elsewhere\n", 0), ("", 0)])
def test_to_resume_starts_what_was_killed_and_no_more(folder, started, text, number):
    (folder / "scheduler.pid").write_text(text)
    resume_scheduler(folder)
    assert len(started) == number


@pytest.mark.parametrize("name", ["jobs.jsonl", "events.jsonl", "capacity.json"])
@pytest.mark.parametrize("ask", [revive_scheduler, resume_scheduler, lambda folder: cancel_jobs(folder, ["a"])])
def test_no_scheduler_is_started_that_could_not_read_its_files(folder, started, name, ask):
    (folder / "scheduler.pid").write_text(GONE)
    (folder / name).write_text("?\n")
    with pytest.raises(RunError, match=name):
        ask(folder)
    assert (started, cancelled_ids(folder)) == ([], [])


def test_a_table_that_is_gone(folder, started):
    (folder / "jobs.jsonl").unlink()
    with pytest.raises(RunError, match=r"jobs\.jsonl is missing, so its jobs cannot run: restore it"):
        revive_scheduler(folder)
    assert started == []


def test_a_started_scheduler_needs_no_client(folder):
    """It has its own session, and its messages go to scheduler.log."""
    (folder / "capacity.json").write_text("?")
    control.start_scheduler(folder)
    for _ in range(500):
        if "BadLineError" in (folder / "scheduler.log").read_text():
            return
        subprocess.run(["sleep", "0.02"], check=True)
    raise AssertionError((folder / "scheduler.log").read_text())
