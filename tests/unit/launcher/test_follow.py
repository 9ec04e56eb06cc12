"""A command that is a job: what the node does, and following it from here."""

import re
import time
from types import SimpleNamespace

import pytest
from submitit_jobs import FakeJob, FakeScheduler

from launchers.jobs.backend import JobAnswer, JobInfo
from launchers.launcher import follow as follow_module
from launchers.launcher.follow import Tail, follow, on_node, output_path


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(follow_module, "TICK", 0.01)
    monkeypatch.setattr(follow_module, "ASK", 0.02)
    monkeypatch.setattr(follow_module, "LOST_AFTER", 0.05)


RUNNING = JobInfo("RUNNING")


@pytest.mark.parametrize(("values", "status"), [([0], 0), ([3], 3), ([-9], 137), ([0, 2, 1], 2), ([1, -15, 0], 143)])
def test_the_status_is_the_highest_of_all_nodes(tmp_path, quick, values, status):
    job = FakeJob(tmp_path, len(values))
    job.end(*values)
    assert follow(job, FakeScheduler(RUNNING), "tok") == status


def test_output_is_copied_as_it_comes(tmp_path, quick, capfd):
    job = FakeJob(tmp_path)
    output_path(job.paths, "out").write_text("one\n")
    output_path(job.paths, "err").write_text("two\n")
    job.end(0)
    follow(job, FakeScheduler(RUNNING), "tok")
    assert capfd.readouterr() == ("one\n", "two\n")


@pytest.mark.parametrize(("info", "words"), [
    (JobInfo("CANCELLED"), "ended CANCELLED"), (JobInfo("TIMEOUT"), "ended TIMEOUT"),
    (None, "is lost: the scheduler does not know it (any more)"),
])  # fmt: skip
def test_a_job_that_ended_without_its_result(tmp_path, quick, capfd, info, words):
    scheduler = FakeScheduler(RUNNING, info)
    assert follow(FakeJob(tmp_path), scheduler, "tok") == 1
    assert capfd.readouterr().err == f"launchers: job 12 {words} before its command did; log: {tmp_path}/log.err\n"
    assert scheduler.asked[0] == {"12": "tok"}


def test_a_job_has_to_have_ended_for_several_looks(tmp_path, quick):
    """A file system may be slower than the scheduler; and a job that is queued again has not ended."""
    failed = JobInfo("FAILED")
    scheduler = FakeScheduler(*[failed] * 3, RUNNING, *[failed] * 3, RUNNING, JobInfo("TIMEOUT"))
    assert follow(FakeJob(tmp_path), scheduler, "tok") == 1
    assert scheduler.infos == [JobInfo("TIMEOUT")]


def test_a_result_that_comes_late_counts(tmp_path, quick):
    looks = FakeScheduler(*[JobInfo("FAILED")] * 3, RUNNING)
    job = FakeJob(tmp_path)

    def running_then_done(run, jobs):
        if len(looks.infos) == 1:
            job.end(0)
        return FakeScheduler.states(looks, run, jobs)

    assert follow(job, SimpleNamespace(states=running_then_done, title="Slurm"), "tok") == 0


@pytest.mark.parametrize("error", [RuntimeError("Job (task=0) failed"), EOFError(), ValueError("no pickle")])
def test_a_result_that_cannot_be_read(tmp_path, quick, capfd, error):
    job = FakeJob(tmp_path)
    job.end(0)
    job.values = error
    assert follow(job, FakeScheduler(RUNNING), "tok") == 1
    words = f"left no exit status that can be read ({type(error).__name__})"
    assert capfd.readouterr().err == f"launchers: job 12 {words}; log: {tmp_path}/log.err\n"


# -- a scheduler that is away --------------------------------------------------------------------------------------


def test_a_scheduler_that_is_away_is_waited_for(tmp_path, quick, monkeypatch, capfd):
    """That it cannot be asked is said once, and that it can again; the job is neither ended nor lost."""
    monkeypatch.setattr(follow_module, "LOST_AFTER", 0.0)
    away = ["squeue: away"] * 8
    job = FakeJob(tmp_path)
    assert follow(job, FakeScheduler(RUNNING, *away, RUNNING, *away, JobInfo("FAILED")), "tok") == 1
    lines = capfd.readouterr().err.splitlines()
    assert [re.sub(r"[0-9:]{8}", "TIME", line) for line in lines[:4]] == [
        "launchers: cannot reach Slurm since TIME: squeue: away", "launchers: Slurm answers again",
    ] * 2  # fmt: skip
    assert "ended FAILED" in lines[4]


def test_what_is_known_in_part_is_known(tmp_path, quick, capfd):
    job = FakeJob(tmp_path)
    known = iter([JobInfo("RUNNING"), JobInfo("TIMEOUT")])
    last = []

    def states(run, jobs):
        last[:] = [next(known, *last)]
        return JobAnswer({("12", None): last[0]}, "squeue: away")

    assert follow(job, SimpleNamespace(states=states, title="Slurm"), "tok") == 1
    assert "cannot reach" not in capfd.readouterr().err


def test_a_job_is_lost_only_when_it_is_missing_for_long(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(follow_module, "LOST_AFTER", 0.15)
    started = time.monotonic()
    scheduler = FakeScheduler(None, None, RUNNING, None, "away", None, RUNNING, None)
    assert follow(FakeJob(tmp_path), scheduler, "tok") == 1
    assert scheduler.infos == [None]
    assert time.monotonic() - started > 0.15


def test_a_slow_scheduler_is_asked_less_often(tmp_path, quick, monkeypatch):
    """The output is copied meanwhile."""
    now = [0.0]
    monkeypatch.setattr(follow_module.time, "monotonic", lambda: now[0])

    def states(run, jobs):
        now[0] += 20
        return JobAnswer(problem="away")

    watch = follow_module._QueueWatch("12", "tok", tmp_path, SimpleNamespace(states=states, title="Slurm"))
    watch.look()
    for then, asked in ((59, False), (61, True)):
        now[0] = then
        watch.look()
        assert (now[0] != then) is asked


@pytest.mark.parametrize(("reason", "words"), [
    ("Dependency", "waits for another job"), ("None", "is waiting in the queue (no reason given yet)"),
    ("", "is waiting in the queue (no reason given yet)"),
])  # fmt: skip
def test_why_a_job_waits_is_said_once_to_a_person(tmp_path, quick, monkeypatch, capsys, reason, words):
    waiting = JobInfo("PENDING", reason)
    follow_waiting = FakeScheduler(waiting, waiting, JobInfo("FAILED"))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(follow_module.os, "write", lambda *_: None)
    follow(FakeJob(tmp_path), follow_waiting, "tok")
    assert capsys.readouterr().err.splitlines()[0] == f"launchers: job 12 {words}"
    follow(FakeJob(tmp_path), FakeScheduler(waiting, waiting, JobInfo("FAILED")), "tok")
    assert capsys.readouterr().err.count(words) == 1
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    follow(FakeJob(tmp_path), FakeScheduler(waiting, JobInfo("FAILED")), "tok")
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
