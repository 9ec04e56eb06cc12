"""The lock of a run folder: one holder at a time, whoever is killed, and whoever comes at the same moment."""

import contextlib
import errno
import os
import shutil
import subprocess
import sys

import pytest
from lock_clients import name_of, stand_in, take_often
from nfs import nfs

from launchers import processes
from launchers.processes import Place, born, place
from launchers.runs import lock
from launchers.runs.lock import HeldError, hold, is_held

LONG = os.environ.get("LAUNCHERS_LONG") == "1"  # `make long` tries more
TAKES = 20_000 if LONG else 600
SHARED = 3_000 if LONG else 150
"""On the folder as NFS has it, where each takes a hundred times as long."""
CLIENTS = 8


# -- many at once ----------------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
def test_never_two_holders(tmp_path):
    tally = take_often([tmp_path / "lock"] * CLIENTS, TAKES)
    assert (tally.doubled, tally.failed, tally.blocked) == (0, 0, False)


@pytest.mark.timeout(600)
def test_never_two_holders_while_some_are_killed(tmp_path):
    """Each killed client leaves the lock as it was at that moment; the others go on, and remove what it left."""
    tally = take_often([tmp_path / "lock"] * CLIENTS, TAKES, disturbances=TAKES // 10)
    assert (tally.doubled, tally.failed, tally.blocked) == (0, 0, False)
    assert tally.killed > TAKES // 40
    with hold(tmp_path / "lock"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(600)
def test_never_two_holders_on_a_folder_that_machines_share(tmp_path):
    """Three machines see what was there a while ago; their requests are repeated, and some come late."""
    with nfs(tmp_path, clients=3) as folders:
        clients = [folders[number % 3] / "lock" for number in range(CLIENTS)]
        tally = take_often(clients, SHARED, disturbances=SHARED // 10)
        assert (tally.doubled, tally.failed, tally.blocked) == (0, 0, False)
        with hold(folders[0] / "lock"):
            assert is_held(tmp_path / "server" / "lock")
        assert not is_held(tmp_path / "server" / "lock")


# -- one at a time ---------------------------------------------------------------------------------------------


def names(folder):
    return sorted(path.name for path in folder.iterdir())


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


@pytest.mark.parametrize("name", [name_of(), "what is this", "a.1.2.3", name_of(when=0, there=place())])
def test_a_lock_of_elsewhere_or_of_nobody_is_broken_only_on_demand(tmp_path, name):
    path = tmp_path / "lock"
    stand_in(path, name)
    assert is_held(path)
    with pytest.raises(HeldError), hold(path):
        pass
    assert names(path) == [name]
    with hold(path, break_lock=True):
        assert name not in names(path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_its_place_is_broken_only_on_demand(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    assert is_held(path)
    with pytest.raises(HeldError), hold(path):
        pass
    with hold(path, break_lock=True):
        assert path.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_whose_lock_was_broken_leaves_that_of_the_other(tmp_path):
    path = tmp_path / "lock"
    with hold(path):
        (mine,) = path.iterdir()
        mine.rename(path / name_of())
    assert names(path) == [name_of()]
    assert names(tmp_path) == ["lock"]


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


# -- who is gone -----------------------------------------------------------------------------------------------


@pytest.fixture
def gone():
    """The name of a process of here that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return name_of(pid=process.pid, when=1, there=place())


@pytest.fixture
def other():
    """The name of a process of here that runs."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield name_of(os.uname().nodename, process.pid, born(process.pid), place())
        process.kill()


def test_what_a_lock_has(tmp_path):
    path = tmp_path / "lock"
    with hold(path):
        (first,) = names(path)
        here = place()
        assert first.startswith(
            f"{os.uname().nodename}.{os.getpid()}.{born(os.getpid())}.{here.boot}.{here.pids}.{here.machine}."
        )
        assert names(tmp_path) == ["lock"]
    with hold(path):
        assert names(path) != [first]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["", "a b/c", "x" * 64, "é" * 30, "a%2Fb..c"])
def test_any_name_of_a_host_is_part_of_a_name_of_a_file(tmp_path, monkeypatch, host):
    monkeypatch.setattr("socket.gethostname", lambda: host)
    with hold(tmp_path / "lock"), pytest.raises(HeldError) as caught:
        hold(tmp_path / "lock").__enter__()
    assert caught.value.holder.pid == os.getpid()


def test_the_lock_is_given_back_whatever_happens(tmp_path):
    with pytest.raises(ZeroDivisionError), hold(tmp_path / "lock"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_forked_does_not_give_it_back(tmp_path):
    code = """
import os, sys
from pathlib import Path
from launchers.runs.lock import hold, is_held
with hold(Path("lock")):
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
        assert list(Path("lock").iterdir())
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("break_lock", [False, True])
def test_the_lock_of_a_process_that_runs_is_not_taken(tmp_path, other, break_lock):
    path = tmp_path / "lock"
    stand_in(path, other)
    with pytest.raises(HeldError, match=f"{path} is held by process {other.split('.')[1]} on {os.uname().nodename}"):
        hold(path, break_lock=break_lock).__enter__()
    assert (names(path), names(tmp_path)) == ([other], ["lock"])


def test_the_lock_of_a_process_that_is_gone_is_taken(tmp_path, gone):
    stand_in(tmp_path / "lock", gone)
    assert not is_held(tmp_path / "lock")
    with hold(tmp_path / "lock"):
        assert gone not in names(tmp_path / "lock")


def test_a_process_that_was_born_later_is_another_one(tmp_path, other):
    host, pid, when, *rest = other.split(".")
    stand_in(tmp_path / "lock", ".".join([host, pid, str(int(when) - 1), *rest]))
    assert not is_held(tmp_path / "lock")
    with hold(tmp_path / "lock"):
        pass


@pytest.mark.parametrize(
    ("there", "is_gone"),
    [
        ({"boot": "e0"}, True),  # this machine before it was booted: the pid and the birth may be the same
        ({"boot": "e0", "pids": "e1"}, True),
        ({"boot": "e0", "machine": "e2"}, False),  # another machine
        ({"boot": "e0", "machine": ""}, False),  # another machine, or a container there
        ({"pids": "e1"}, False),  # another container of this machine
        ({"pids": ""}, False),
        ({"boot": "", "pids": "", "machine": ""}, False),
    ],
)
def test_a_process_of_another_place_is_gone_only_when_that_is_this_machine_in_an_earlier_boot(
    tmp_path, gone, there, is_gone
):
    here = Place("b0", "a0", "c0")
    pid = gone.split(".")[1]
    holder = name_of(pid=pid, there=Place(**{"boot": "b0", "pids": "a0", "machine": "c0", **there}))
    stand_in(tmp_path / "lock", holder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "place", lambda: here)
        assert is_held(tmp_path / "lock") != is_gone


def test_where_the_name_of_the_host_is_another_now(tmp_path, gone, monkeypatch):
    """As a laptop gets one from each network: the boot says which machine it is."""
    stand_in(tmp_path / "lock", gone)
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    assert not is_held(tmp_path / "lock")


def test_what_is_known_of_a_place(monkeypatch):
    here = place()
    assert here == place()
    assert here.shares_pids(here)
    assert not here.is_before(here)
    real = processes._link
    monkeypatch.setattr(processes, "_link", lambda name: "pid:[4026532999]" if name == "ns/pid" else real(name))
    container = place()
    assert (container.boot, container.machine) == (here.boot, "")  # which machine nobody knows there
    assert not container.shares_pids(here)
    monkeypatch.setattr(processes, "_link", lambda name: "1" if not name else real(name))  # /proc of another namespace
    assert place() == Place()
    assert not place().shares_pids(place())


def test_machines_that_are_copies_of_each_other_are_told_apart_by_their_names(monkeypatch):
    machines = set()
    for host in ("a", "b", "localhost", "localhost.localdomain"):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        machines.add(place().machine)
    if machines == {""}:
        pytest.skip("LOUD: which machine it is is not known here: there is no /etc/machine-id, or it is a container")
    assert len(machines) == 3
    assert "" in machines  # those named localhost


def test_a_process_of_a_container_does_not_see_those_of_others(tmp_path):
    """A process in a pid namespace of its own holds the lock: from here nobody knows whether it is alive."""
    code = """
from pathlib import Path
from launchers.runs.lock import hold
with hold(Path("lock")):
    print(1, flush=True)
    input()
"""
    argv = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code]
    with subprocess.Popen(argv, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdout.readline() != b"1\n":
            pytest.skip("LOUD: a container is NOT tried: it takes root and unshare")
        assert is_held(tmp_path / "lock")
        with pytest.raises(HeldError), hold(tmp_path / "lock"):
            pass
        look = "from pathlib import Path; from launchers.runs.lock import is_held; print(is_held(Path('lock')))"
        beside = [*argv[:-1], look]
        assert subprocess.run(beside, cwd=tmp_path, capture_output=True, text=True).stdout == "True\n"
        process.communicate(b"\n")
    with hold(tmp_path / "lock", break_lock=True):
        pass


# -- one step at a time, as network file systems have it ---------------------------------------------------------


def repeat(monkeypatch, function):
    """Have a request done twice, as its first answer was lost."""
    real = getattr(os, function)

    def act(*args, **kwargs):
        with contextlib.suppress(OSError):
            real(*args, **kwargs)
        return real(*args, **kwargs)

    monkeypatch.setattr(os, function, act)


@pytest.mark.parametrize(
    "functions", [["mkdir"], ["rename"], ["unlink"], ["rmdir"], ["mkdir", "rename", "unlink", "rmdir"]]
)
def test_requests_that_are_repeated(tmp_path, monkeypatch, gone, functions):
    stand_in(tmp_path / "lock", gone)
    for function in functions:
        repeat(monkeypatch, function)
    for _ in range(2):
        with hold(tmp_path / "lock"), pytest.raises(HeldError):
            hold(tmp_path / "lock").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_taken_and_cannot_be_seen_yet(tmp_path, monkeypatch):
    """The answer was lost, and what this machine sees of the lock is from before."""
    repeat(monkeypatch, "rename")
    real, looks = lock._holders, []

    def look(path):
        looks.append(path)
        return real(path) if len(looks) > 4 else []

    monkeypatch.setattr(lock, "_holders", look)
    with hold(tmp_path / "lock"):
        assert is_held(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_who_sees_a_holder_that_is_gone_does_not_take_the_lock_of_the_next(tmp_path, monkeypatch, gone, other):
    """Not even when that lasts: what is removed is the name of the one that is gone."""
    path = tmp_path / "lock"
    stand_in(path, other)
    monkeypatch.setattr(lock, "_holders", lambda _: [lock._holder(gone)])
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    with pytest.raises(HeldError, match="on an unknown machine"):
        hold(path).__enter__()
    assert (names(path), names(tmp_path)) == ([other], ["lock"])


def test_a_folder_that_another_machine_replaces_is_looked_for_again(tmp_path, monkeypatch):
    for function in ("unlink", "listdir"):
        real, failures = getattr(os, function), [errno.ESTALE] * 3

        def act(*args, real=real, failures=failures, **kwargs):
            if failures:
                raise OSError(failures.pop(), "Stale file handle")
            return real(*args, **kwargs)

        monkeypatch.setattr(os, function, act)
    with hold(tmp_path / "lock"):
        assert is_held(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_this_process_that_a_late_request_made_holds_nothing(tmp_path):
    path = tmp_path / "lock"
    with hold(path):
        (mine,) = names(path)
        with pytest.raises(HeldError):
            hold(path).__enter__()
    stand_in(path, mine)
    assert not is_held(path)
    with hold(path):
        assert mine not in names(path)


def test_a_run_folder_that_is_removed_meanwhile(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    real = os.rename

    def rename(source, target):
        shutil.rmtree(folder)
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(FileNotFoundError):
        hold(folder / "lock").__enter__()


def test_a_file_system_that_refuses(tmp_path, monkeypatch):
    def rename(source, target):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError, match="cross-device"):
        hold(tmp_path / "lock").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_removed(tmp_path, gone, other):
    left = [f"lock.{gone}", f"lock.{other}", f"other.{gone}", f"lock.{gone[:-1]}0"]
    for name in left[:3]:
        stand_in(tmp_path / name, name.partition(".")[2])
    (tmp_path / left[3]).mkdir()
    with hold(tmp_path / "lock"):
        pass
    assert names(tmp_path) == sorted(left[1:3])
