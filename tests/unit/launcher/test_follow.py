"""A command that is a job: what the node does, and following it from here."""

from types import SimpleNamespace

import pytest
from submitit_jobs import FakeJob, FakeScheduler

from launchers.jobs.backend import JobInfo
from launchers.launcher import follow as follow_module
from launchers.launcher.follow import Tail, follow, on_node, output_path


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(follow_module, "TICK", 0.01)
    monkeypatch.setattr(follow_module, "ASK", 0.02)


RUNNING = JobInfo("RUNNING")


@pytest.mark.parametrize(("values", "status"), [([0], 0), ([3], 3), ([-9], 137), ([0, 2, 1], 2), ([1, -15, 0], 143)])
def test_the_status_is_the_highest_of_all_nodes(tmp_path, quick, values, status):
    job = FakeJob(tmp_path, len(values))
    job.end(*values)
    assert follow(job, FakeScheduler(RUNNING)) == status


def test_output_is_copied_as_it_comes(tmp_path, quick, capfd):
    job = FakeJob(tmp_path)
    output_path(job.paths, "out").write_text("one\n")
    output_path(job.paths, "err").write_text("two\n")
    job.end(0)
    follow(job, FakeScheduler(RUNNING))
    assert capfd.readouterr() == ("one\n", "two\n")


@pytest.mark.parametrize(("info", "state"), [
    (JobInfo("CANCELLED"), "CANCELLED"), (JobInfo("TIMEOUT"), "TIMEOUT"), (None, "UNKNOWN"),
])  # fmt: skip
def test_a_job_that_ended_without_its_result(tmp_path, quick, capfd, info, state):
    assert follow(FakeJob(tmp_path), FakeScheduler(RUNNING, info)) == 1
    assert capfd.readouterr().err == (
        f"launchers: job 12 ended {state} before its command did; log: {tmp_path}/log.err\n"
    )


def test_a_job_counts_as_lost_after_several_looks(tmp_path, quick):
    """A file system may be slower than the scheduler; and a job that is there again is not lost."""
    scheduler = FakeScheduler(*[None] * 3, RUNNING, *[None] * 3, RUNNING, JobInfo("FAILED"))
    assert follow(FakeJob(tmp_path), scheduler) == 1
    assert scheduler.infos == [JobInfo("FAILED")]
    looks = FakeScheduler(*[JobInfo("FAILED")] * 3, RUNNING)
    job = FakeJob(tmp_path)

    def running_then_done(run, jobs):
        if len(looks.infos) == 1:
            job.end(0)
        return FakeScheduler.states(looks, run, jobs)

    assert follow(job, SimpleNamespace(states=running_then_done)) == 0


@pytest.mark.parametrize(("reason", "words"), [
    ("Dependency", "waits for another job"), ("None", "is waiting in the queue (no reason given yet)"),
    ("", "is waiting in the queue (no reason given yet)"),
])  # fmt: skip
def test_why_a_job_waits_is_said_once_to_a_person(tmp_path, quick, monkeypatch, capsys, reason, words):
    waiting = JobInfo("PENDING", reason)
    follow_waiting = FakeScheduler(waiting, waiting, JobInfo("FAILED"))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(follow_module.os, "write", lambda *_: None)
    follow(FakeJob(tmp_path), follow_waiting)
    assert capsys.readouterr().err.splitlines()[0] == f"launchers: job 12 {words}"
    follow(FakeJob(tmp_path), FakeScheduler(waiting, waiting, JobInfo("FAILED")))
    assert capsys.readouterr().err.count(words) == 1
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    follow(FakeJob(tmp_path), FakeScheduler(waiting, JobInfo("FAILED")))
    assert words not in capsys.readouterr().err


# -- on the node ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("argv", "status", "out", "err"), [
    (["sh", "-c", "echo out; echo err >&2; exit 3"], 3, "out\n", "err\n"),
    (["sh", "-c", "kill -9 $$"], -9, "", ""),
    (["no-such-command"], 127, "", "launchers: cannot run no-such-command: No such file or directory\n"),
    (["sh", "-c", "pwd; cat; echo $SUBMITIT_X$OTHER"], 0, "/\nother\n", ""),
])  # fmt: skip
def test_what_the_job_does(tmp_path, monkeypatch, argv, status, out, err):
    """Its input is empty, and submitit's variables are not the command's."""
    paths = SimpleNamespace(folder=tmp_path, job_id="12")
    monkeypatch.setattr("submitit.JobEnvironment", lambda: SimpleNamespace(paths=paths))
    monkeypatch.setenv("SUBMITIT_X", "submitit")
    monkeypatch.setenv("OTHER", "other")
    assert on_node(argv, "/") == status
    assert (output_path(paths, "out").read_text(), output_path(paths, "err").read_text()) == (out, err)


def test_a_tail_copies_what_is_new(tmp_path):
    path, copy = tmp_path / "log", (tmp_path / "copy").open("w")
    tail = Tail(path, copy)
    tail.copy()
    for text in ("one\n", "", "two"):
        with path.open("a") as file:
            file.write(text)
        tail.copy()
    assert (tmp_path / "copy").read_text() == "one\ntwo"
    assert tail.position == len("one\ntwo")
