"""Who holds what of this machine."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from effort import LONG
from local_jobs import job, wait_until

from launchers.local import ledger as ledger_module
from launchers.local.jobs import Capacity, Wanted
from launchers.local.ledger import Claim, Ledger, LedgerError, Shortage, ledger_folders, locked, resources_of

DEVICES = (("cuda", "GPU-a", "A100", 40 << 30), ("cuda", "GPU-b", "V100", 16 << 30), ("rocm", "0", None, None))
CAPACITY = Capacity(4, 4 << 30, DEVICES, (("licence", 2),))


def ledger(*jobs):
    """A ledger in which somebody holds what these jobs ask for."""
    book = Ledger(None, [])
    for number, one in enumerate(jobs):
        granted = book.grant(one, CAPACITY)
        assert not isinstance(granted, Shortage), number
        book.claims.append(Claim(one.id, one.cores, one.memory, list(granted), dict(one.tokens)))
    return book


# -- granting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "wanted", "shortage"),
    [
        ({"cores": 3}, {"cores": 1}, None),
        ({"cores": 3}, {"cores": 2}, Shortage("cores", "cores: 3 of 4 are in use")),
        ({"memory": 3 << 30}, {"memory": 1 << 30}, None),
        ({"memory": 3 << 30}, {"memory": (1 << 30) + 1}, Shortage("memory", "memory: 3072 of 4096 MiB are in use")),
        ({"tokens": (("licence", 1),)}, {"tokens": (("licence", 1),)}, None),
        ({"tokens": (("licence", 2),)}, {"tokens": (("licence", 1),)},
         Shortage("token licence", "token licence: 2 of 2 are in use")),
        ({"tokens": (("licence", 2),)}, {"tokens": (("other", 9),)}, None),
        ({"wanted": (Wanted("cuda"), Wanted("cuda"))}, {"wanted": (Wanted("rocm"),)}, None),
        ({"wanted": (Wanted("cuda"), Wanted("cuda"))}, {"wanted": (Wanted("cuda"),)},
         Shortage("accelerators", "accelerators: 1 of 3 are free")),
    ],
)  # fmt: skip
def test_what_is_held_is_not_granted(held, wanted, shortage):
    granted = ledger(job("a", **held)).grant(job("b", **wanted), CAPACITY)
    assert (granted if isinstance(granted, Shortage) else None) == shortage


def test_without_limits_everything_is_granted():
    assert ledger(job("a", cores=4)).grant(job("b", cores=999, memory=2**50, tokens=(("x", 9),)), Capacity()) == ()


@pytest.mark.parametrize(
    ("wanted", "handles"),
    [
        ((), ()),
        ((Wanted("cuda"),), ("GPU-b",)),  # the smallest that fits
        ((Wanted("cuda", 20 << 30),), ("GPU-a",)),
        ((Wanted("cuda", model="A100"),), ("GPU-a",)),
        ((Wanted("cuda"), Wanted("cuda", 20 << 30)), ("GPU-b", "GPU-a")),
        ((Wanted("rocm"), Wanted("cuda", 20 << 30)), ("0", "GPU-a")),
    ],
)
def test_which_devices_are_granted(wanted, handles):
    assert ledger().grant(job("a", wanted=wanted), CAPACITY) == handles


def test_no_device_is_granted_twice():
    first = job("a", wanted=(Wanted("cuda"),))
    book = ledger(first)
    assert book.grant(first, CAPACITY) == ("GPU-a",)
    assert ledger(first, first).grant(job("b", wanted=(Wanted("cuda"),)), CAPACITY).resource == "accelerators"


def test_what_a_job_takes():
    assert resources_of(job("a")) == {"cores"}
    assert resources_of(job("a", memory=1, wanted=(Wanted(),), tokens=(("x", 1), ("y", 1)))) == {
        "cores", "memory", "accelerators", "token x", "token y",
    }  # fmt: skip


# -- claims ----------------------------------------------------------------------------------------------------


def claim(folder, one, *handles, holder="try"):
    with locked(folder) as book:
        return book.claim(one, handles, holder)


def claims(folder):
    with locked(folder) as book:
        return book.claims


def test_claims_are_seen_by_others_until_they_are_given_back(tmp_path):
    held = claim(tmp_path, job("a", cores=3, memory=5, tokens=(("x", 2),)), "GPU-a", holder="/run/tries/a.1")
    assert claims(tmp_path) == [Claim("/run/tries/a.1", 3, 5, ["GPU-a"], {"x": 2})]
    with locked(tmp_path) as book:
        assert book.grant(job("b", cores=2), CAPACITY).resource == "cores"
        assert (book.is_claimed_for("/run/tries/a.1"), book.is_claimed_for("a.1")) == (True, False)
    assert not held.is_missing()
    held.release()
    assert claims(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_claim_lives_as_long_as_the_process_that_inherits_it(tmp_path):
    held = claim(tmp_path, job("a", cores=4))
    with subprocess.Popen(["sleep", "60"], pass_fds=(held.file.fileno(),)) as child:
        held.file.close()  # as if the process that made it were gone
        assert len(claims(tmp_path)) == 1
        child.kill()
        child.wait()
    assert claims(tmp_path) == []


def test_a_claim_may_be_inherited_as_input(tmp_path):
    """As the shell of a job does, which does not hand it on."""
    held = claim(tmp_path, job("a"))
    argv = ["sh", "-c", f"sleep 60 </dev/null & echo $! >{tmp_path}/pid; wait"]
    with subprocess.Popen(argv, stdin=held.file, start_new_session=True) as child:
        held.file.close()
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        assert len(claims(tmp_path)) == 1
        child.kill()
        child.wait()
        wait_until(lambda: claims(tmp_path) == [])  # what is left behind holds nothing
        os.killpg(child.pid, signal.SIGKILL)


def test_what_is_given_back_is_free_even_if_somebody_has_it_still_open(tmp_path):
    held = claim(tmp_path, job("a"))
    with subprocess.Popen(["sleep", "60"], pass_fds=(held.file.fileno(),)) as daemon:
        held.release()
        assert claims(tmp_path) == []
        daemon.kill()


def test_a_claim_whose_file_was_removed(tmp_path):
    held = claim(tmp_path, job("a"))
    held.path.unlink()
    assert held.is_missing()
    again = claim(tmp_path, job("a"))
    assert held.is_missing()
    held.release()  # which is not the new one
    assert len(claims(tmp_path)) == 1
    again.release()
    again.release()
    assert again.is_missing()


CLAIMING = """
import sys, time
from launchers.local.jobs import LocalJob
from launchers.local.ledger import locked
with locked() as ledger:
    held = ledger.claim(LocalJob("a", (), "/", "/", "/", cores=4), (), "x")
    print("claimed", flush=True)
    time.sleep(float(sys.argv[1]))
"""


def test_a_process_that_is_killed_while_it_claims_holds_nothing():
    with subprocess.Popen([sys.executable, "-c", CLAIMING, "60"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "claimed\n"
        child.kill()
        child.wait()
        assert claims(None) == []


FOREIGN = ["", "{", "5", "[5]", '[{"pid": 1}]', '{"holder": 1}', "\0" * 100, "[" * 100_000, '{"cores": NaN}', "\xff" * 9,
           '{"holder": "x", "cores": "4", "memory": 0, "devices": [], "tokens": {}}']  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN)
@pytest.mark.parametrize("name", ["claims.json", "claim-1", "claim-x y"])
def test_whatever_stands_in_a_file_it_holds_nothing_up(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    assert claims(tmp_path) == []
    with (tmp_path / name).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert claims(tmp_path) == []


def test_what_is_no_file_holds_nothing_up(tmp_path):
    (tmp_path / "claim-folder").mkdir()
    (tmp_path / "claims.json").mkdir()
    (tmp_path / "claim-loop").symlink_to("claim-loop")
    os.mkfifo(tmp_path / "claim-pipe")
    assert claims(tmp_path) == []


@pytest.fixture
def full(tmp_path):
    """A folder on a file system that has room for nothing more."""
    folder = tmp_path / "full"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "none", folder], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_claim_that_has_no_room_is_none(full):
    claim(full, job("a")).release()
    (full / "filler").write_bytes(bytes(16 << 10))
    with pytest.raises(LedgerError, match=r"claim-\w+ cannot be written: No space left on device"):
        claim(full, job("a"))
    (full / "filler").unlink()
    assert claims(full) == []
    claim(full, job("a")).release()


# -- one at a time ---------------------------------------------------------------------------------------------


def test_one_at_a_time(tmp_path):
    inside = []

    def enter():
        with locked(tmp_path):
            inside.append("second")

    with locked(tmp_path):
        other = threading.Thread(target=enter)
        other.start()
        other.join(0.2)
        inside.append("first")
    other.join(10)
    assert inside == ["first", "second"]


def test_a_process_that_was_stopped_with_the_ledger_keeps_nobody_for_ever(monkeypatch):
    monkeypatch.setattr(ledger_module, "PATIENCE", 0.1)
    with locked(), pytest.raises(LedgerError, match=r"has had .*lock locked for 0 s: was it stopped\?"), locked():
        pass


def test_a_lock_that_is_removed_while_it_is_waited_for(tmp_path):
    """As where a cleaner removes the folder: two processes must not lock two files."""
    entered = []

    def enter():
        with locked(tmp_path):
            entered.append((tmp_path / "lock").stat().st_ino)

    with locked(tmp_path):
        other = threading.Thread(target=enter)
        other.start()
        other.join(0.1)
        (tmp_path / "lock").unlink()
        (tmp_path / "lock").touch()
        there = (tmp_path / "lock").stat().st_ino
    other.join(10)
    assert entered == [there]


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to(path)])
def test_a_lock_that_is_no_file(tmp_path, make):
    make(tmp_path / "lock")
    with pytest.raises(LedgerError, match="lock cannot be used as a lock: "), locked(tmp_path):
        pass


# -- its folder ------------------------------------------------------------------------------------------------


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Two places, as /tmp and /var/tmp are, and a home."""
    import pwd

    roots = (tmp_path / "tmp", tmp_path / "var")
    for root in roots:
        root.mkdir()
    monkeypatch.delenv("LAUNCHERS_LOCAL_STATE")
    monkeypatch.setattr(ledger_module, "ROOTS", roots)
    entry = pwd.struct_passwd(("me", "x", os.geteuid(), 1, "", str(tmp_path / "home"), ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: entry)
    return roots


def usual(root):
    return root / f"launchers-{os.geteuid()}"


def test_the_ledger_is_where_it_is_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setenv("LAUNCHERS_LOCAL_STATE", str(tmp_path / "deep" / "named"))
    assert ledger_folders() == [tmp_path / "deep" / "named"]
    assert (tmp_path / "deep" / "named").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["XDG_RUNTIME_DIR", "XDG_STATE_HOME", "TMPDIR", "HOME"])
def test_there_is_one_ledger_whatever_the_environment_says(tmp_path, monkeypatch, roots, name):
    monkeypatch.setattr("tempfile.tempdir", None)
    for value in (tmp_path / "a", tmp_path / "b", tmp_path / "none"):
        if value.name != "none":
            value.mkdir()
        monkeypatch.setenv(name, str(value))
        assert ledger_folders() == [usual(roots[0])]
    monkeypatch.delenv(name)
    assert ledger_folders() == [usual(roots[0])]
    assert usual(roots[0]).stat().st_mode & 0o777 == 0o700


def test_it_is_not_in_a_folder_that_goes_at_logout(monkeypatch):
    monkeypatch.delenv("LAUNCHERS_LOCAL_STATE")
    assert [str(path.parent) for path in ledger_module._places()][:2] == ["/tmp", "/var/tmp"]


def be_open(path):
    path.mkdir()
    path.chmod(0o755)


def be_a_link(path):
    target = path.with_name("target")
    target.mkdir(mode=0o700)
    path.symlink_to(target)


OF_OTHERS = [be_open, be_a_link, Path.touch, lambda path: path.symlink_to("nowhere"), os.mkfifo]


@pytest.mark.parametrize("make", OF_OTHERS)
def test_what_somebody_else_puts_there_blocks_nobody(tmp_path, roots, make):
    make(usual(roots[0]))
    assert ledger_folders() == [usual(roots[1])]
    assert ledger_folders() == [usual(roots[1])]
    usual(roots[0]).rename(tmp_path / "theirs")  # and is taken away again
    assert ledger_folders() == [usual(roots[1])]


@pytest.mark.parametrize("make", OF_OTHERS)
def test_where_others_have_taken_all_places_it_is_at_home(tmp_path, roots, make):
    for root in roots:
        make(usual(root))
    (folder,) = ledger_folders()
    assert folder.parent == tmp_path / "home" / ".local" / "state"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_user_is_not_used(roots):
    user = os.geteuid()
    usual(roots[0]).mkdir(mode=0o700)
    os.chown(usual(roots[0]), user + 1, -1)
    assert ledger_folders() == [usual(roots[1])]


def test_a_user_without_a_home_and_without_a_place(monkeypatch, roots):
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    assert ledger_folders() == [usual(roots[0])]
    usual(roots[0]).rmdir()
    for root in roots:
        be_open(usual(root))
    with pytest.raises(
        LedgerError, match=r"none of .*launchers-.*, .*launchers-.* can be made, or is a folder of yours"
    ):
        ledger_folders()


def test_claims_of_all_folders_count(roots):
    """There are two where somebody has taken the first place and left it, just while two processes made theirs."""
    for root in roots:
        usual(root).mkdir(mode=0o700)
    held = claim(usual(roots[1]), job("a", cores=4))
    with locked() as book:
        assert book.grant(job("b"), CAPACITY).resource == "cores"
        held.release()
    mine = claim(None, job("b"))
    assert mine.path.parent == usual(roots[0])
    mine.release()


@pytest.mark.parametrize("make", OF_OTHERS)
def test_a_named_folder_that_is_not_private_is_refused(tmp_path, monkeypatch, make):
    make(tmp_path / "named")
    monkeypatch.setenv("LAUNCHERS_LOCAL_STATE", str(tmp_path / "named"))
    with pytest.raises(LedgerError, match=f"{tmp_path}/named (has to be a folder of yours|cannot be made: )"):
        ledger_folders()


# -- many at once ----------------------------------------------------------------------------------------------

TAKING = """
import os, sys, time
from launchers.local.jobs import Capacity, LocalJob
from launchers.local.ledger import Shortage, locked
capacity = Capacity(tokens=(("x", 1),))
job = LocalJob("a", (), "/", "/", "/", cores=1, tokens=(("x", 1),))
while True:
    with locked() as ledger:
        granted = ledger.grant(job, capacity)
        held = None if isinstance(granted, Shortage) else ledger.claim(job, granted, str(os.getpid()))
    if held:
        os.close(os.open(sys.argv[1], os.O_CREAT | os.O_EXCL))  # fails where another one is inside
        time.sleep(0.001)
        os.unlink(sys.argv[1])
        held.release()
"""


def test_processes_that_are_killed_at_any_moment_never_hold_a_token_twice(tmp_path):
    """A process that is killed inside leaves the mark of its visit, which is removed before the next one may come."""
    import random

    dice = random.Random(5)
    mark = tmp_path / "inside"
    takers = [subprocess.Popen([sys.executable, "-c", TAKING, str(mark)], stderr=subprocess.PIPE) for _ in range(3)]
    try:
        for _ in range(100 if LONG else 6):
            wait_until(mark.exists)
            wait_until(lambda: not mark.exists())
            assert [taker.poll() for taker in takers] == [None] * 3, takers[0].stderr.read()
            index = dice.randrange(3)
            with locked():  # nobody takes it before the mark of the dead is gone
                takers[index].kill()
                takers[index].wait()
                takers[index].stderr.close()
                others = [taker for taker in takers if taker.poll() is None]
                assert len(others) == 2
                if not any(str(taker.pid) == one.holder for one in claims_of_others() for taker in others):
                    mark.unlink(missing_ok=True)
            takers[index] = subprocess.Popen([sys.executable, "-c", TAKING, str(mark)], stderr=subprocess.PIPE)
    finally:
        for taker in takers:
            taker.kill()
            taker.wait()
            taker.stderr.close()


def claims_of_others():
    (folder,) = ledger_folders()
    return ledger_module._read_claims(folder)
