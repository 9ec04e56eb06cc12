"""One command where a launcher leads, from Python: in the foreground, left running, and as a job of a cluster."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from launchers import LauncherNotFoundError, detach_command, find_launcher, run_command
from launchers.jobs.backend import JobInfo
from launchers.launcher import follow as follow_module
from launchers.launcher.follow import Tail, follow, on_node, output_path
from launchers.launcher.foreground import start_failure_status
from launchers.launcher.launcher import Launcher
from launchers.local.ledger import locked


@pytest.fixture
def here(gpus):
    """A launcher on this machine, for one core."""
    return find_launcher("cpu(cores=1)", tags=["local"])


# -- on this machine -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_status_is_the_commands(here, script, status):
    assert run_command(here, ["sh", "-c", script]) == status


def test_the_output_is_the_commands(here, capfd):
    run_command(here, ("sh", "-c", "echo out; echo err >&2"))
    assert capfd.readouterr() == ("out\n", "err\n")


def test_a_command_sees_its_devices(gpus, capfd):
    run_command(find_launcher("cuda(mem=14G)*2"), ["sh", "-c", "echo $CUDA_VISIBLE_DEVICES"])
    assert capfd.readouterr().out == "0,1\n"


def test_a_command_that_is_not_there(here, capfd, tmp_path):
    assert run_command(here, ["no-such-command"]) == 127
    assert capfd.readouterr().err == "launchers: cannot run no-such-command: No such file or directory\n"
    (tmp_path / "plain").touch(mode=0o600)
    assert run_command(here, [str(tmp_path / "plain")]) == 126


@pytest.mark.parametrize(("error", "status"), [(FileNotFoundError(), 127), (PermissionError(), 126), (OSError(), 126)])
def test_the_status_of_what_cannot_start_is_a_shells(error, status):
    assert start_failure_status(error) == status


def test_no_command_at_all(here):
    for run in (run_command, detach_command):
        with pytest.raises(ValueError, match="no command"):
            run(here, [])


def test_a_time_limit(gpus, capfd):
    started = time.monotonic()
    assert run_command(find_launcher("cpu(cores=1) & duration=1s"), ["sleep", "60"]) == 128 + 15
    assert time.monotonic() - started < 20
    assert capfd.readouterr().err == "launchers: time limit of 1 s reached\n"


def test_what_a_command_takes_is_given_back(here):
    run_command(here, ["true"])
    run_command(here, ["no-such-command"])
    with locked() as ledger:
        assert ledger.claims == []


def test_handlers_of_signals_are_put_back(here):
    import signal

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    run_command(here, ["true"])
    run_command(here, ["no-such-command"])
    assert [signal.getsignal(number) for number in numbers] == before


def test_what_is_left_running(here, gpus):
    job = detach_command(here, ["sh", "-c", "pwd; echo err >&2"])
    assert len(job.id) == 12
    deadline = time.monotonic() + 30
    while not (job.stderr.exists() and job.stderr.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert job.stdout.read_text() == f"{gpus}\n"
    assert job.stderr.read_text() == "err\n"
    assert job.stdout.parent.parent == gpus / ".launchers" / "jobs"


# -- on a cluster --------------------------------------------------------------------------------------------------


class FakeJob:
    """A submitit job of `tasks` tasks, whose results a test writes."""

    def __init__(self, folder, tasks=1):
        self.job_id, self.num_tasks, self.values, self.cancelled = "12", tasks, [], False
        self.paths = SimpleNamespace(
            folder=folder, job_id="12", stderr=folder / "log.err", result_pickle=folder / "0.pkl"
        )
        self.folder = folder

    def task(self, number):
        return SimpleNamespace(paths=SimpleNamespace(result_pickle=self.folder / f"{number}.pkl"))

    def results(self):
        return self.values

    def end(self, *values):
        self.values = list(values)
        for number in range(len(values)):
            (self.folder / f"{number}.pkl").touch()

    def cancel(self, check=True):
        self.cancelled = True


class FakeScheduler:
    """Says the states of a job, one after the other; the last one for ever."""

    def __init__(self, *infos):
        self.infos = list(infos)

    def states(self, run, jobs):
        info = self.infos.pop(0) if len(self.infos) > 1 else self.infos[0]
        return {("12", None): info} if info else {}


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


@pytest.fixture
def far(gpus, monkeypatch):
    """A launcher on the cluster that hands out a job of the test's, and the executor's parameters."""
    job = FakeJob(gpus)
    asked = {}
    monkeypatch.setattr(Launcher, "executor", lambda _, **keys: asked.update(keys) or "executor")
    monkeypatch.setattr(Launcher, "submit_with", lambda _, executor, *call: asked.update(call=call) or job)
    return find_launcher("cuda(mem=80G)", tags=["slurm"]), job, asked


def test_a_command_of_a_cluster_is_a_job(far, gpus, quick):
    launcher, job, asked = far
    job.end(5)
    assert run_command(launcher, ["/usr/bin/env", "true"]) == 5
    assert asked == {
        "name": "launchers-env",
        "early_signal": False,
        "call": (on_node, ["/usr/bin/env", "true"], str(gpus)),
    }
    run_command(launcher, ["/bin/" + "x" * 100])
    assert asked["name"] == f"launchers-{'x' * 50}"


def test_ctrl_c_cancels_the_job(far, monkeypatch, capsys):
    launcher, job, _ = far

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("launchers.launcher.run_command.follow", interrupted)
    assert run_command(launcher, ["true"]) == 130
    assert job.cancelled
    assert capsys.readouterr().err == "launchers: job 12 is cancelled\n"


def test_a_job_that_is_left_running(far, gpus):
    launcher, job, _ = far
    detached = detach_command(launcher, ["true"])
    assert (detached.id, detached.stdout, detached.stderr) == ("12", gpus / "12_command.out", gpus / "12_command.err")
    assert not job.cancelled


def test_a_cluster_that_cannot_be_reached(gpus, no_slurm):
    for run in (run_command, detach_command):
        with pytest.raises(LauncherNotFoundError, match="far matches but cannot be reached"):
            run(find_launcher("cuda(mem=80G)", tags=["slurm"]), ["true"])


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


CLIENT = """
import sys
from launchers import find_launcher, run_command
sys.exit(run_command(find_launcher("cpu(cores=1)", tags=["local"]), ["sh", "-c", "trap 'exit 9' TERM; touch on; while :; do sleep 0.05; done"]))
"""


def test_a_signal_goes_on_to_the_command(gpus):
    client = subprocess.Popen([sys.executable, "-c", CLIENT])
    while not Path("on").exists():
        assert client.poll() is None
        time.sleep(0.02)
    os.kill(client.pid, 15)
    assert client.wait(20) == 9
