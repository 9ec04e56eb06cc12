"""One try of a job: it starts once, its exit status is kept, and only its own process is signalled."""

import os
import signal
import subprocess
import time

import pytest
from attrs import evolve
from local_jobs import job, wait_until

from launchers.local import attempt as attempt_module
from launchers.local.attempt import JobProcess, NotStartedError, Try
from launchers.processes import Process, process


@pytest.fixture
def attempt(tmp_path):
    return Try(tmp_path / "tries" / "a.1")


def start(attempt, *argv, environment=None, cwd="/"):
    one = evolve(job("a", *argv), cwd=cwd)
    attempt.prepare()
    with open(os.devnull) as claim, open(one.stdout, "ab") as out, open(one.stderr, "ab") as err:
        return attempt.start(one, environment or dict(os.environ), claim, out, err)


# -- starting --------------------------------------------------------------------------------------------------


def test_a_try_keeps_its_process_and_exit_status(attempt):
    assert (attempt.process(), attempt.exit_status()) == (None, None)
    child = start(attempt, "sh", "-c", "sleep 0.2; exit 7")
    assert attempt.process() == process(child.pid)
    assert attempt.exit_status() is None
    assert child.wait() == 7
    assert (attempt.process().pid, attempt.exit_status()) == (child.pid, 7)
    assert attempt.folder.stat().st_mode & 0o777 == 0o700


def test_what_a_job_is_started_with(tmp_path, attempt):
    attempt.prepare()
    named = evolve(job("a", "sh", "-c", 'pwd; echo "$X $0 $1" >&2; cat', "b c", "d"), cwd=str(tmp_path))
    (tmp_path / "claim").write_text("not for the job\n")
    with open(tmp_path / "claim") as claim, open(tmp_path / "out", "ab") as out, open(tmp_path / "err", "ab") as err:
        assert attempt.start(named, {"X": "1", "PATH": os.environ["PATH"]}, claim, out, err).wait() == 0
    assert (tmp_path / "out").read_text() == f"{tmp_path}\n"  # and stdin is empty
    assert (tmp_path / "err").read_text() == "1 b c d\n"


def test_a_job_has_none_of_its_schedulers_files(tmp_path, attempt):
    assert start(attempt, "sh", "-c", f"ls /proc/$$/fd >{tmp_path}/fds").wait() == 0
    assert set((tmp_path / "fds").read_text().split()) <= {"0", "1", "2", "10"}  # where dash keeps what it redirects


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
    assert start(attempt, "sh", "-c", script).wait() == 0
    first = attempt.process()
    (attempt.folder / "ready").unlink()  # as another client has it that sees an old folder
    with pytest.raises(NotStartedError, match=r"the name .*/tries/a\.1/pid cannot be taken"):
        start(attempt, "sh", "-c", script)
    assert (tmp_path / "log").read_text() == "x\n"
    assert (attempt.process(), attempt.exit_status()) == (first, 0)


def test_a_job_that_cannot_be_started(tmp_path, attempt):
    attempt.prepare()
    with pytest.raises(FileNotFoundError):
        start(attempt, "true", cwd=str(tmp_path / "nothing"))
    assert attempt.process() is None
    with pytest.raises(OSError, match="Argument list too long"):
        start(attempt, "echo", "x" * (1 << 20))
    with pytest.raises(ValueError, match="null byte"):
        start(Try(tmp_path / "tries" / "a.2"), "echo", "\0")


def test_a_folder_that_was_removed_is_not_made_again(tmp_path):
    for act in (Try.prepare, Try.prevent):
        with pytest.raises(FileNotFoundError):
            act(Try(tmp_path / "gone" / "tries" / "a.1"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("known", [True, False])
def test_a_link_whose_answer_was_lost_counts(tmp_path, attempt, monkeypatch, known):
    """As a network file system does: the name is taken, and the answer says that it was already, or an error."""
    link = os.link

    def losing(source, target):
        link(source, target)
        raise FileExistsError if known else OSError(5, "Input/output error")

    monkeypatch.setattr(attempt_module.os, "link", losing)
    child = start(attempt, "sh", "-c", f"echo x >>{tmp_path}/log")
    assert child.wait() == 0
    assert (tmp_path / "log").read_text() == "x\n"
    assert attempt.exit_status() == 0
    assert Try(tmp_path / "tries" / "a.2").prevent()


def test_a_name_that_cannot_be_taken_is_no_start(tmp_path, attempt, monkeypatch):
    def failing(source, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(attempt_module.os, "link", failing)
        with pytest.raises(NotStartedError):
            start(attempt, "touch", str(tmp_path / "ran"))
        with pytest.raises(OSError, match="No space left"):
            attempt.prevent()
    assert (attempt.process(), attempt.exit_status()) == (None, None)
    assert start(attempt, "touch", str(tmp_path / "ran")).wait() == 0  # with room, it starts
    assert (tmp_path / "ran").exists()


# -- a disk without room ---------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own; `fill` takes all room of one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = "size=256k,nr_inodes=64,mode=700"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    with (folder / "filler").open("ab", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def test_a_full_disk_is_noticed_before_there_is_a_process(disk):
    fill(disk)
    with pytest.raises(OSError, match="No space left on device"):
        Try(disk / "tries" / "a.1").prepare()
    (disk / "filler").unlink()
    Try(disk / "tries" / "a.1").prepare()


def test_what_was_prepared_needs_no_more_room(disk):
    """A disk that is full by then loses neither the process nor the exit status; nor does it keep a try from being shut."""
    attempt, other = Try(disk / "tries" / "a.1"), Try(disk / "tries" / "b.1")
    other.prepare()
    attempt.prepare()
    fill(disk)
    child = start_prepared(attempt, "sh", "-c", "exit 9")
    assert child.wait() == 9
    assert (attempt.process().pid, attempt.exit_status()) == (child.pid, 9)
    assert other.prevent()


def test_a_read_only_disk_loses_no_exit_status_of_a_child(disk):
    attempt = Try(disk / "tries" / "a.1")
    attempt.prepare()
    child = start_prepared(attempt, "sh", "-c", f"while [ ! -e {disk.parent}/go ]; do sleep 0.02; done; exit 6")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    (disk.parent / "go").touch()
    assert child.wait() == 6
    assert attempt.exit_status() is None


def test_a_disk_without_inodes_starts_nothing(disk, tmp_path):
    attempt = Try(disk / "tries" / "a.1")
    attempt.prepare()
    try:
        for number in range(100):
            (disk / f"f{number}").touch()
    except OSError:
        pass
    with pytest.raises(NotStartedError):
        start_prepared(attempt, "touch", str(tmp_path / "ran"))
    assert not (tmp_path / "ran").exists()
    assert attempt.process() is None


def start_prepared(attempt, *argv):
    with open(os.devnull) as claim, open(os.devnull, "ab") as out:
        return attempt.start(job("a", *argv), dict(os.environ), claim, out, out)


# -- preventing ------------------------------------------------------------------------------------------------


def test_what_was_prevented_never_starts(tmp_path, attempt):
    attempt.prepare()
    for _ in range(2):  # by another scheduler
        assert attempt.prevent()
    with pytest.raises(NotStartedError):
        start(attempt, "sh", "-c", f"touch {tmp_path}/ran")
    assert not (tmp_path / "ran").exists()
    assert (attempt.process(), attempt.exit_status()) == (None, None)


def test_what_has_started_cannot_be_prevented(attempt):
    start(attempt, "true").wait()
    assert not attempt.prevent()


def test_what_is_prevented_between_its_two_steps_never_starts(attempt, monkeypatch):
    """The process has written who it is, and the name goes to somebody else."""
    attempt.prepare()
    link = os.link

    def late(source, target):
        if source.name == "ready":
            link(attempt.folder.parent / "shut", target)
        link(source, target)

    monkeypatch.setattr(attempt_module.os, "link", late)
    with pytest.raises(NotStartedError):
        start(attempt, "true")
    assert attempt.prevent()


@pytest.mark.parametrize("text", ["", "12", "x\n", "-1\n", "1 2\n", "\0" * 120, "1 2 a/b" + " " * 112 + "\n0"])
def test_what_is_not_whole_is_no_evidence(attempt, text):
    attempt.prepare()
    (attempt.folder / "pid").write_text(text)
    assert (attempt.prevent(), attempt.exit_status()) == (False, None)
    assert attempt.process() in (None, Process(1, 2, "a", "b"))


# -- signals ---------------------------------------------------------------------------------------------------


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:
        yield child
        child.kill()


def test_a_child_of_ours_is_signalled(sleeper):
    JobProcess(process(sleeper.pid), sleeper).send_signal(signal.SIGTERM)
    assert sleeper.wait(10) == -signal.SIGTERM


def test_the_process_of_an_earlier_scheduler_is_signalled(sleeper):
    JobProcess(process(sleeper.pid), None).send_signal(signal.SIGTERM)
    assert sleeper.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize("change", [{"born": 1}, {"boot": "0" * 16}, {"pids": "0" * 16}])
def test_another_process_with_its_pid_is_not_signalled(sleeper, change):
    other = evolve(process(sleeper.pid), **change)
    JobProcess(other, None).send_signal(signal.SIGKILL)
    time.sleep(0.1)
    assert process(sleeper.pid).is_alive()


def test_a_process_that_is_gone_is_not_signalled(sleeper):
    gone = process(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    JobProcess(gone, sleeper).send_signal(signal.SIGTERM)
    JobProcess(gone, None).send_signal(signal.SIGTERM)


# -- what others wrote -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"\n\n", b"1 2 /\n000", b"1 2 /\n0\n", b"1 2 /\n0000\n", b"1 2 /\n000\n000\n", b"1 2 /\nabc\n", b"\xff\n\xff\n"],
)  # fmt: skip
def test_what_is_no_exit_status(attempt, content):
    attempt.prepare()
    (attempt.folder / "pid").write_bytes(content)
    assert attempt.exit_status() is None


@pytest.mark.no_coverage  # it measures time
@pytest.mark.parametrize("content", [b" " * 1_000_000, b" " * 1_000_000 + b"x\n", b"\n" * 1_000_000, b"7" * 1_000_000])
def test_a_long_file_of_a_try_is_read_in_time(attempt, content):
    attempt.prepare()
    (attempt.folder / "pid").write_bytes(content)
    before = time.process_time()
    assert (attempt.process(), attempt.exit_status()) == (None, None)
    assert time.process_time() - before < 0.5


def test_a_pipe_in_the_place_of_a_try_is_not_waited_for(attempt):
    attempt.prepare()
    os.mkfifo(attempt.folder / "pid")
    assert (attempt.process(), attempt.exit_status()) == (None, None)
