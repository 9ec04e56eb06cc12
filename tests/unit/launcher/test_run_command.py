"""One command where a launcher leads, from Python: in the foreground, left running, and as a job of a cluster."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from submitit_jobs import FakeJob

from launchers import LauncherNotFoundError, detach_command, find_launcher, run_command
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
