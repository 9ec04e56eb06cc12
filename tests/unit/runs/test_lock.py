"""The lock of a run folder: one holder at a time, whoever is killed, and whoever comes at the same moment."""

import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launchers.processes import born
from launchers.runs.lock import HeldError, hold, is_held

CLIENTS = 4
TAKES = 10_000 if os.environ.get("LAUNCHERS_LONG") == "1" else 1_500  # `make long` tries more


# -- clients: this file as a program, which has no threads and so may fork -------------------------------------


def forked(work):
    """A process that does some work and ends with status 0, or 1 if that raises."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


def ended(children):
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def take(path, witness):
    """Take the lock once, however often that is tried; raises BlockingIOError when another process is inside.

    The kernel's lock on the witness goes with its process, so a killed holder is not taken for a second one.
    """
    while True:
        try:
            with hold(path), witness.open("a") as inside:
                fcntl.flock(inside, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except HeldError:
            time.sleep(0.0005)


def take_often(folder):
    def client():
        for _ in range(TAKES):
            take(folder / "lock", folder / "witness")

    assert ended([forked(client) for _ in range(CLIENTS)]) == [0] * CLIENTS


def take_and_be_killed(folder):
    def client():
        while True:
            take(folder / "lock", folder / "witness")

    chance = random.Random(1)
    clients = [forked(client) for _ in range(CLIENTS)]
    for _ in range(200):
        time.sleep(chance.uniform(0, 0.01))
        victim = clients.pop(chance.randrange(CLIENTS))
        os.kill(victim, signal.SIGKILL)
        assert ended([victim]) == [-signal.SIGKILL]
        clients.append(forked(client))
    for process in clients:
        os.kill(process, signal.SIGKILL)
    assert ended(clients) == [-signal.SIGKILL] * CLIENTS


def replace_one_that_is_gone(folder):
    gone = forked(lambda: None)
    assert ended([gone]) == [0]
    for round in range(100):
        path, start = folder / f"lock{round}", time.monotonic() + 0.01
        path.write_text(f"{socket.gethostname()} {gone} 1 {round:016x}\n")

        def client(path=path, start=start):
            while time.monotonic() < start:
                pass
            take(path, folder / "witness")

        assert ended([forked(client) for _ in range(3)]) == [0, 0, 0]


def run(clients, folder):
    subprocess.run([sys.executable, __file__, clients.__name__, str(folder)], check=True)


@pytest.mark.timeout(600)  # 18 s on two cores that have much else to do
def test_never_two_holders(tmp_path):
    run(take_often, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["witness"]


def test_never_two_holders_while_some_are_killed(tmp_path):
    """Each killed client leaves the lock as it was at that moment; the others go on, and remove what it left.

    Nobody can tell whose an empty file is: that of a client that was killed before it had written its name stays.
    """
    run(take_and_be_killed, tmp_path)
    take(tmp_path / "lock", tmp_path / "witness")
    assert [path.name for path in tmp_path.iterdir() if path.read_bytes()] == []
    assert not (tmp_path / "lock").exists()


def test_many_clients_find_the_lock_of_one_that_is_gone(tmp_path):
    """Only one of those who see at the same moment that the holder is gone gets the lock."""
    run(replace_one_that_is_gone, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["witness"]


def test_who_holds_it_is_in_the_error(tmp_path):
    path = tmp_path / "lock"
    with hold(path):
        assert is_held(path)
        with pytest.raises(HeldError) as caught, hold(path):
            pass
        assert caught.value.holder.pid == os.getpid()
        with pytest.raises(HeldError), hold(path, break_lock=True):  # not one that is known to be alive
            pass
    assert not is_held(path)


@pytest.mark.parametrize("text", ["elsewhere 1 2 abc\n", "", "\0\0\0", "what is this\n"])
def test_a_lock_of_elsewhere_or_of_nobody_is_broken_only_on_demand(tmp_path, text):
    path = tmp_path / "lock"
    path.write_text(text)
    assert is_held(path)
    with pytest.raises(HeldError), hold(path):
        pass
    assert path.read_text() == text
    with hold(path, break_lock=True):
        assert path.read_text().split()[1] == str(os.getpid())
    assert list(tmp_path.iterdir()) == []


def test_whose_lock_was_broken_leaves_that_of_the_other(tmp_path):
    path = tmp_path / "lock"
    with hold(path):
        path.unlink()
        path.write_text("elsewhere 1 2 abc\n")
    assert path.read_text() == "elsewhere 1 2 abc\n"
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_full_disk_keeps_no_lock(tmp_path):
    """What is given back is written nowhere."""
    small = tmp_path / "small"
    small.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=False).returncode
    ):
        pytest.skip("LOUD: a full disk is NOT tried: it takes root, who may mount one")
    try:
        with hold(small / "lock"), pytest.raises(OSError, match="No space left"):
            (small / "big").write_bytes(bytes(1 << 20))
        assert sorted(path.name for path in small.iterdir()) == ["big"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


# -- one step at a time ----------------------------------------------------------------------------------------


@pytest.fixture
def gone():
    """A process of this machine that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return f"{socket.gethostname()} {process.pid} 1"


@pytest.fixture
def other():
    """A process of this machine that runs."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield f"{socket.gethostname()} {process.pid} {born(process.pid)}"
        process.kill()


def test_what_a_lock_has(tmp_path):
    path = tmp_path / "lock"
    with hold(path):
        host, pid, when, token = path.read_text().split()
        assert (host, int(pid), int(when)) == (socket.gethostname(), os.getpid(), born(os.getpid()))
        assert [file.name for file in tmp_path.iterdir()] == ["lock"]
    with hold(path):
        assert path.read_text().split()[3] != token
    assert list(tmp_path.iterdir()) == []


def test_the_lock_is_given_back_whatever_happens(tmp_path):
    with pytest.raises(ZeroDivisionError), hold(tmp_path / "lock"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("break_lock", [False, True])
def test_the_lock_of_a_process_that_runs_is_not_taken(tmp_path, other, break_lock):
    path = tmp_path / "lock"
    path.write_text(f"{other} abc\n")
    with pytest.raises(HeldError, match=f"{path} is held by process {other.split()[1]} on {socket.gethostname()}"):
        hold(path, break_lock=break_lock).__enter__()
    assert path.read_text() == f"{other} abc\n"
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]


def test_a_process_that_was_born_later_is_another_one(tmp_path, other):
    host, pid, when = other.split()
    (tmp_path / "lock").write_text(f"{host} {pid} {int(when) - 1} abc\n")
    assert not is_held(tmp_path / "lock")
    with hold(tmp_path / "lock"):
        pass


def test_a_lock_without_a_birth_is_of_a_process_that_is_gone(tmp_path):
    (tmp_path / "lock").write_text(f"{socket.gethostname()} {os.getpid()} 0 abc\n")
    assert not is_held(tmp_path / "lock")


def test_the_right_to_replace_a_lock_is_a_lock_itself(tmp_path, gone, other):
    path, right = tmp_path / "lock", tmp_path / "lock.abc"
    path.write_text(f"{gone} abc\n")
    right.write_text(f"{other} def\n")  # another process is taking it
    with pytest.raises(HeldError):
        hold(path).__enter__()
    assert (path.read_text(), right.read_text()) == (f"{gone} abc\n", f"{other} def\n")
    right.write_text(f"{gone} def\n")  # that process was killed
    with hold(path):
        assert path.read_text().split()[1] == str(os.getpid())
        assert [file.name for file in tmp_path.iterdir()] == ["lock"]


def test_whoever_comes_second_leaves_the_lock_of_the_first(tmp_path, gone, other, monkeypatch):
    """Between the look at who holds it and the right to replace it, another process has replaced it."""
    path = tmp_path / "lock"
    path.write_text(f"{gone} abc\n")
    real = os.link

    def link(source, target):
        real(source, target)
        if Path(target).name == "lock.abc":
            path.write_text(f"{other} def\n")

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(HeldError):
        hold(path).__enter__()
    assert path.read_text() == f"{other} def\n"
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]


def test_a_network_file_system_that_makes_the_link_and_loses_its_answer(tmp_path, monkeypatch):
    real, lost = os.link, []

    def link(source, target):
        real(source, target)
        if not lost:
            lost.append(target)
            raise FileExistsError

    monkeypatch.setattr(os, "link", link)
    with hold(tmp_path / "lock"):
        assert is_held(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_given_back_while_it_is_looked_at(tmp_path, monkeypatch):
    path, real, tries = tmp_path / "lock", os.link, []

    def link(source, target):
        tries.append(target)
        if len(tries) == 1:
            raise FileExistsError  # and then it is gone
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    with hold(path):
        assert len(tries) == 2


def test_what_killed_processes_left_is_removed(tmp_path, gone, other):
    files = {
        "lock.new-1": f"{gone} 1\n", "lock.2": f"{gone} 3\n", "lock.new-4": f"{other} 4\n", "lock.new-5": "",
        "other.new-6": f"{gone} 6\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with hold(tmp_path / "lock"):
        pass
    assert sorted(file.name for file in tmp_path.iterdir()) == ["lock.new-4", "lock.new-5", "other.new-6"]


def test_a_lock_is_left_to_who_takes_it_while_it_is_given_back(tmp_path, other):
    path = tmp_path / "lock"
    with hold(path):
        right = path.with_name(f"lock.{path.read_text().split()[3]}")
        right.write_text(f"{other} def\n")
    assert (path.exists(), right.exists()) == (True, True)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
