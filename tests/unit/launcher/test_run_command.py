"""One command where a launcher leads, from Python: in the foreground, left running, and as a job of a cluster."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from submitit_jobs import FakeJob, FakeScheduler

from launchers import LauncherNotFoundError, detach_command, find_launcher, run_command
from launchers.commands import CommandError
from launchers.launcher.follow import on_node
from launchers.launcher.launcher import Launcher


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


def test_no_command_at_all(here):
    for run in (run_command, detach_command):
        with pytest.raises(ValueError, match="no command"):
            run(here, [])


def test_a_time_limit(gpus, capfd):
    started = time.monotonic()
    assert run_command(find_launcher("cpu(cores=1) & duration=1s"), ["sleep", "60"]) == 128 + 15
    assert time.monotonic() - started < 20
    assert capfd.readouterr().err == "launchers: time limit of 1 s reached\n"


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


@pytest.fixture
def far(gpus, monkeypatch):
    """A launcher on the cluster that hands out a job of the test's, and the executor's parameters."""
    job = FakeJob(gpus)
    asked = {}
    monkeypatch.setattr(Launcher, "executor", lambda _, **keys: asked.update(keys) or "executor")
    monkeypatch.setattr(Launcher, "submit_with", lambda _, executor, *call: asked.update(call=call) or job)
    return find_launcher("cuda(mem=80G)", tags=["slurm"]), job, asked


def test_a_command_of_a_cluster_is_a_job(far, gpus):
    launcher, job, asked = far
    job.end(5)
    assert run_command(launcher, ["/usr/bin/env", "true"]) == 5
    assert asked.pop("token").startswith("launchers-")
    assert asked == {
        "name": "launchers-env",
        "early_signal": False,
        "call": (on_node, ["/usr/bin/env", "true"], str(gpus)),
    }
    run_command(launcher, ["/bin/" + "x" * 100])
    assert asked["name"] == f"launchers-{'x' * 50}"


@pytest.fixture
def scheduler(far, monkeypatch):
    """The scheduler of the cluster, while Ctrl-C comes: when the job is followed, or before it has an id."""
    scheduler = FakeScheduler(None)
    assert far[0].resources
    monkeypatch.setattr(Launcher, "backend", scheduler)
    monkeypatch.setattr("launchers.launcher.run_command.LOOKS", (0.0, 0.0))
    monkeypatch.setattr("launchers.launcher.run_command.follow", interrupted)
    return scheduler


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_ctrl_c_cancels_the_job(far, scheduler, capsys):
    launcher, _, asked = far
    assert run_command(launcher, ["true"]) == 130
    assert scheduler.cancelled == [([("12", None)], {"12": asked["token"]})]
    assert capsys.readouterr().err == "launchers: job 12 is cancelled\n"


@pytest.mark.parametrize(("error", "words"), [
    (CommandError("scancel 12: away"), "could not be cancelled and may still wait or run: scancel 12: away"),
    (KeyboardInterrupt(), "may still wait or run: interrupted while it was being cancelled"),
])  # fmt: skip
def test_a_cancellation_that_failed_is_told(far, scheduler, monkeypatch, capsys, error, words):
    def fail(*_):
        raise error

    monkeypatch.setattr(scheduler, "cancel", fail)
    assert run_command(far[0], ["true"]) == 130
    assert capsys.readouterr().err == f"launchers: job 12 {words}\n"


@pytest.mark.parametrize(("found", "words"), [
    ("12", "job 12 is cancelled"), (None, "no job was submitted"),
    (CommandError("squeue: away"), "the job (token {token}) could not be cancelled and may still wait or run: squeue: away"),
])  # fmt: skip
def test_ctrl_c_while_the_job_is_submitted(far, scheduler, monkeypatch, capsys, found, words):
    """Its token tells whether there is one."""
    tokens = []

    def find_token(token, since):
        tokens.append(token)
        if isinstance(found, Exception):
            raise found
        return found if len(tokens) > 1 else None

    monkeypatch.setattr(scheduler, "find_token", find_token)
    monkeypatch.setattr(Launcher, "submit_with", interrupted)
    assert run_command(far[0], ["true"]) == 130
    assert capsys.readouterr().err == f"launchers: {words.format(token=tokens[0])}\n"


def test_sigterm_is_as_ctrl_c(far, scheduler, monkeypatch):
    monkeypatch.setattr("launchers.launcher.run_command.follow", lambda *_: os.kill(os.getpid(), signal.SIGTERM) or 0)
    before = signal.getsignal(signal.SIGTERM)
    assert run_command(far[0], ["true"]) == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_that_gets_no_signals_can_run_a_command_too(far):
    launcher, job, _ = far
    job.end(5)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(run_command, launcher, ["true"]).result() == 5


def test_a_job_that_is_left_running(far, gpus):
    launcher, _, _ = far
    detached = detach_command(launcher, ["true"])
    assert (detached.id, detached.stdout, detached.stderr) == ("12", gpus / "12_command.out", gpus / "12_command.err")


def test_a_cluster_that_cannot_be_reached(gpus, no_slurm):
    for run in (run_command, detach_command):
        with pytest.raises(LauncherNotFoundError, match="far matches but cannot be reached"):
            run(find_launcher("cuda(mem=80G)", tags=["slurm"]), ["true"])


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
