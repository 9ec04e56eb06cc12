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

from launchers.runs.lock import HeldError, hold, is_held

CLIENTS, TAKES = 4, 10_000


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
    for one in clients:
        os.kill(one, signal.SIGKILL)
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


def test_who_holds_it_is_told(tmp_path):
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


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
