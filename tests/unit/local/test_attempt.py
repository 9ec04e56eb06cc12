"""One try of a job: it starts once, its exit status is kept, and only its own process is signalled."""

import os
import signal
import subprocess
import threading
import time

import pytest
from attrs import evolve
from local_jobs import job, wait_until

from launchers.local import attempt as attempt_module
from launchers.local.attempt import JobProcess, Try
from launchers.processes import alive, born


@pytest.fixture
def attempt(tmp_path):
    return Try(tmp_path / "deep" / "a.1")


def start(attempt, *argv, environment=None, **more):
    return attempt.start(job("a", *argv, **more), environment or dict(os.environ))


# -- starting --------------------------------------------------------------------------------------------------


def test_a_try_keeps_its_pid_and_exit_status(attempt):
    assert (attempt.pid(), attempt.exit_status()) == (None, None)
    child = start(attempt, "sh", "-c", "exit 7")
    assert child.wait() == 7
    assert (attempt.pid(), attempt.exit_status()) == (child.pid, 7)
    assert attempt.folder.stat().st_mode & 0o777 == 0o700


def test_what_a_job_is_started_with(tmp_path, attempt):
    more = {"cwd": str(tmp_path), "stdout": str(tmp_path / "out"), "stderr": str(tmp_path / "err")}
    (tmp_path / "out").write_text("before\n")
    named = evolve(job("a", "sh", "-c", 'pwd; echo "$X $0 $1" >&2; cat', "b c", "d"), **more)
    assert attempt.start(named, {"X": "1", "PATH": os.environ["PATH"]}).wait() == 0
    assert (tmp_path / "out").read_text() == f"before\n{tmp_path}\n"  # and stdin is empty
    assert (tmp_path / "err").read_text() == "1 b c d\n"


def test_a_job_is_in_a_group_of_its_own(attempt):
    child = start(attempt, "sleep", "60")
    assert os.getpgid(child.pid) == child.pid
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert attempt.exit_status() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2])
def test_the_shell_outlives_what_is_meant_for_the_job(attempt, number):
    before = signal.signal(number, signal.SIG_DFL)  # nohup has it ignored, and then no shell can trap it
    try:
        child = start(attempt, "sh", "-c", f"trap 'exit 5' {number.value}; touch {attempt.folder}/up; sleep 60 & wait")
    finally:
        signal.signal(number, before)
    wait_until((attempt.folder / "up").exists)
    os.killpg(child.pid, number)
    assert child.wait() == 5
    assert attempt.exit_status() == 5


def test_a_try_starts_once(tmp_path, attempt):
    script = f"echo x >> {tmp_path}/log"
    for _ in range(2):
        assert start(attempt, "sh", "-c", script).wait() == 0
    assert (tmp_path / "log").read_text() == "x\n"


def test_a_job_that_cannot_be_started(tmp_path, attempt):
    with pytest.raises(FileNotFoundError):
        attempt.start(evolve(job("a", "true"), cwd=str(tmp_path / "nothing")), {})
    with pytest.raises(FileNotFoundError):
        attempt.start(evolve(job("a", "true"), stdout=str(tmp_path / "nothing" / "out")), {})


# -- preventing ------------------------------------------------------------------------------------------------


def test_what_was_prevented_never_starts(tmp_path, attempt):
    assert attempt.prevent()
    assert attempt.prevent()  # by another scheduler
    assert start(attempt, "sh", "-c", f"touch {tmp_path}/ran").wait() == 0
    assert not (tmp_path / "ran").exists()
    assert (attempt.pid(), attempt.exit_status()) == (0, None)


def test_what_has_started_cannot_be_prevented(attempt):
    start(attempt, "true").wait()
    assert not attempt.prevent()


def test_a_shell_that_has_its_name_and_has_not_written_yet(attempt):
    attempt.folder.mkdir(parents=True)
    (attempt.folder / "pid").touch()
    late = threading.Timer(0.1, lambda: (attempt.folder / "pid").write_text("77\n"))
    late.start()
    assert not attempt.prevent()
    assert attempt.pid() == 77
    late.join()


@pytest.mark.parametrize("text", ["", "12", "x\n", "-1\n", "1 2\n"])
def test_a_pid_that_is_never_whole(attempt, monkeypatch, text):
    monkeypatch.setattr(attempt_module, "HALF_WRITTEN", 0.05)
    attempt.folder.mkdir(parents=True)
    (attempt.folder / "pid").write_text(text)
    (attempt.folder / "exit").write_text(text)
    started = time.monotonic()
    assert (attempt.prevent(), attempt.pid(), attempt.exit_status()) == (False, None, None)
    assert time.monotonic() - started < 5


# -- signals ---------------------------------------------------------------------------------------------------


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:
        yield child
        child.kill()


def test_a_child_of_ours_is_signalled(sleeper):
    JobProcess(sleeper.pid, None, sleeper).send_signal(signal.SIGTERM)
    assert sleeper.wait(10) == -signal.SIGTERM


def test_the_process_of_an_earlier_scheduler_is_signalled(sleeper):
    JobProcess(sleeper.pid, born(sleeper.pid), None).send_signal(signal.SIGTERM)
    assert sleeper.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize("when", [None, 1])
def test_another_process_with_its_pid_is_not_signalled(sleeper, when):
    JobProcess(sleeper.pid, when, None).send_signal(signal.SIGKILL)
    time.sleep(0.1)
    assert alive(sleeper.pid, born(sleeper.pid))


def test_a_process_that_is_gone_is_not_signalled(sleeper):
    sleeper.kill()
    sleeper.wait()
    JobProcess(sleeper.pid, None, sleeper).send_signal(signal.SIGTERM)
