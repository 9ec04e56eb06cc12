"""Who holds what of this machine."""

import json
import os
import subprocess
import threading

import pytest
from local_jobs import job

from launchers.local.jobs import Capacity, Wanted
from launchers.local.ledger import Ledger, LedgerError, Shortage, ledger_folder, locked, resources_of
from launchers.processes import born

ME = (os.getpid(), born(os.getpid()))
DEVICES = (("cuda", "GPU-a", "A100", 40 << 30), ("cuda", "GPU-b", "V100", 16 << 30), ("rocm", "0", None, None))
CAPACITY = Capacity(4, 4 << 30, DEVICES, (("licence", 2),))


def ledger(*jobs):
    """A ledger in which this process holds what these jobs ask for."""
    book = Ledger([])
    for number, held in enumerate(jobs):
        granted = book.grant(held, CAPACITY)
        assert not isinstance(granted, Shortage), number
        book.claim(held, granted, *ME)
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


def test_what_is_released_is_free():
    book = ledger(job("a", cores=4))
    book.release(ME[0] + 1)
    assert isinstance(book.grant(job("b"), CAPACITY), Shortage)
    book.release(ME[0])
    assert book.grant(job("b"), CAPACITY) == ()


def test_the_claims_of_processes_that_are_gone_are_dropped():
    gone = subprocess.Popen(["true"])
    gone.wait()
    book = Ledger([])
    book.claim(job("a", cores=4), (), gone.pid, 1)
    book.claim(job("b", cores=1), (), ME[0], ME[1] + 1)  # another process had this pid
    book.claim(job("c", cores=1), (), ME[0], None)  # it was gone at once
    book.claim(job("d", cores=1), (), *ME)
    book.changed = False
    assert book.grant(job("e", cores=3), CAPACITY) == ()
    assert ([claim.cores for claim in book.claims], book.changed) == ([1], True)
    book.changed = False
    book.grant(job("e", cores=3), CAPACITY)
    assert not book.changed


# -- the file --------------------------------------------------------------------------------------------------


def test_claims_are_kept_for_others(tmp_path):
    with locked(tmp_path) as book:
        book.claim(job("a", cores=3, memory=5, tokens=(("x", 2),)), ("GPU-a",), *ME)
    assert json.loads((tmp_path / "claims.json").read_text()) == [
        {"pid": ME[0], "born": ME[1], "cores": 3, "memory": 5, "devices": ["GPU-a"], "tokens": {"x": 2}}
    ]
    written = (tmp_path / "claims.json").stat().st_ino
    with locked(tmp_path) as book:
        assert book.grant(job("b", cores=2), CAPACITY).resource == "cores"
    assert (tmp_path / "claims.json").stat().st_ino == written  # nothing changed
    with locked(tmp_path) as book:
        book.release(ME[0])
    assert json.loads((tmp_path / "claims.json").read_text()) == []


@pytest.mark.parametrize(
    "text", ["", "{", "5", "[5]", '[{"pid": 1}]', '{"pid": 1}', '[{"pid": "x", "born": 1, "cores": 1}]']
)
def test_claims_that_cannot_be_read_are_none(tmp_path, text):
    (tmp_path / "claims.json").write_text(text)
    with locked(tmp_path) as book:
        assert book.claims == []


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


def test_nothing_is_kept_of_what_failed(tmp_path):
    def fail():
        with locked(tmp_path) as book:
            book.claim(job("a"), (), *ME)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with locked(tmp_path) as book:
        assert book.claims == []


# -- its folder ------------------------------------------------------------------------------------------------


def test_where_the_ledger_is(tmp_path, monkeypatch):
    monkeypatch.setenv("LAUNCHERS_LOCAL_STATE", str(tmp_path / "deep" / "named"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert ledger_folder() == tmp_path / "deep" / "named"
    monkeypatch.delenv("LAUNCHERS_LOCAL_STATE")
    assert ledger_folder() == tmp_path / "launchers"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nothing"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert ledger_folder() == tmp_path / f"launchers-{os.getuid()}"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert ledger_folder() == tmp_path / f"launchers-{os.getuid()}"
    assert ledger_folder().stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o701, 0o710])
def test_a_folder_that_others_can_enter_is_not_trusted(tmp_path, monkeypatch, mode):
    path = tmp_path / "open"
    path.mkdir()
    path.chmod(mode)
    monkeypatch.setenv("LAUNCHERS_LOCAL_STATE", str(path))
    with pytest.raises(LedgerError, match=f"{path} has to be a folder of yours that others cannot enter"):
        ledger_folder()


def test_a_link_is_not_trusted(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    monkeypatch.setenv("LAUNCHERS_LOCAL_STATE", str(tmp_path / "link"))
    with pytest.raises(LedgerError):
        ledger_folder()


def test_a_folder_of_another_user_is_not_trusted(tmp_path, monkeypatch):
    path = tmp_path / "own"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("LAUNCHERS_LOCAL_STATE", str(path))
    assert ledger_folder() == path
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(LedgerError):
        ledger_folder()
