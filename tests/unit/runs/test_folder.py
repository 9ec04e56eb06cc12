"""A run folder: where things are in it, and working on it alone."""

import errno
import os
import subprocess

import pytest
from lock_clients import name_of, stand_in

from launchers.errors import RunError
from launchers.processes import place
from launchers.runs.folder import RunFolder, create_folder

# -- the folder ------------------------------------------------------------------------------------------------


def test_where_things_are(tmp_path):
    folder = RunFolder(tmp_path / "p-1")
    assert (str(folder), folder.name) == (str(tmp_path / "p-1"), "p-1")
    assert folder.plan_path == tmp_path / "p-1" / "plan.json"
    assert folder.seen_path == tmp_path / "p-1" / "seen.json"
    assert folder.journal.path == tmp_path / "p-1" / "journal.jsonl"
    assert folder.job_folder("a") == tmp_path / "p-1" / "jobs" / "a"
    assert folder.step_folder("a") == tmp_path / "p-1" / "steps" / "a"


def test_a_new_folder_is_for_its_user_alone(tmp_path):
    before = os.umask(0)
    folder, id = create_folder(tmp_path / "deep" / "runs", "p")
    os.umask(before)
    assert folder.path == tmp_path / "deep" / "runs" / f"p-{id}"
    for path in (folder.path, folder.path / "jobs", folder.path / "steps"):
        assert path.stat().st_mode & 0o777 == 0o700


def test_a_new_folder_is_not_one_that_is_there(tmp_path, monkeypatch):
    tokens = iter(["1", "1", "2"])
    monkeypatch.setattr("launchers.runs.folder.secrets.token_hex", lambda size: next(tokens))
    monkeypatch.chdir(tmp_path)
    assert [create_folder(tmp_path, "p")[1] for _ in "ab"] == ["1", "2"]


def test_a_relative_folder_is_found_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    folder, _ = create_folder((tmp_path / "runs").relative_to(tmp_path), "p")
    assert folder.path.is_absolute()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=f"cannot make a run folder in {tmp_path}/file/runs: Not a directory"):
        create_folder(tmp_path / "file" / "runs", "p")


@pytest.mark.parametrize("name", ["%j", "100%", "a\\b", "a\nb", os.fsdecode(b"\xe9")])
def test_a_folder_whose_files_would_be_elsewhere_is_not_made(tmp_path, name):
    with pytest.raises(RunError, match="use another folder for run folders"):
        create_folder(tmp_path / name, "p")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_of_the_run(tmp_path, monkeypatch):
    def full(self, mode=0o777):
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(type(tmp_path), "mkdir", lambda self, mode=0o777, **_: None if self == tmp_path else full(self))
    with pytest.raises(RunError, match=r"cannot make a run folder in .*: No space left on device"):
        create_folder(tmp_path, "p")


def test_nothing_is_submitted_from_a_folder_that_was_moved_to_such_a_name(tmp_path):
    folder, _ = create_folder(tmp_path, "p")
    moved = RunFolder(folder.path.rename(tmp_path / "p-%j"))
    with pytest.raises(RunError, match="has a % sign in it"):
        moved.lock().__enter__()


def test_where_no_run_folder_can_be_made(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(RunError, match=r"cannot make a run folder in .*runs: File exists"):
        create_folder(tmp_path / "runs", "p")


# -- its lock --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    return create_folder(tmp_path, "p")[0]


def test_who_works_on_a_run(folder):
    assert not folder.is_locked
    with folder.lock():
        assert folder.is_locked
        with pytest.raises(RunError, match=f"process {os.getpid()} on this machine is working on {folder}: wait"):
            folder.lock().__enter__()
    assert not folder.is_locked


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (name_of(pid=7), "process 7 on elsewhere is working on {0}; if it is gone: launchers resume --break-lock {0}"),
        ("x", "{0}/lock does not name the process that works on the run; if none does: launchers resume --break-lock {0}"),
    ],
)  # fmt: skip
def test_a_lock_that_is_broken_only_on_demand(folder, name, message):
    stand_in(folder.path / "lock", name)
    with pytest.raises(RunError) as caught:
        folder.lock().__enter__()
    assert str(caught.value) == message.format(folder)
    with folder.lock(break_lock=True):
        pass
    assert not folder.is_locked


def test_the_lock_of_a_process_that_is_gone_is_taken_over(folder):
    gone = subprocess.Popen(["true"])
    gone.wait()
    stand_in(folder.path / "lock", name_of(pid=gone.pid, when=1, there=place()))
    assert not folder.is_locked
    with folder.lock():
        assert folder.is_locked


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EROFS, errno.EXDEV])
def test_a_lock_that_cannot_be_taken(folder, monkeypatch, number):
    def refuse(source, target):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(RunError) as caught:
        folder.lock().__enter__()
    assert str(caught.value) == f"{folder} cannot be locked: {os.strerror(number)}"


def test_what_is_raised_while_the_lock_is_held_goes_on(folder):
    with pytest.raises(ZeroDivisionError), folder.lock():
        raise ZeroDivisionError
    assert not folder.is_locked


def test_a_folder_in_the_lock_is_not_removed(folder):
    (folder.path / "lock" / "x").mkdir(parents=True)
    with pytest.raises(RunError, match="cannot be locked: Is a directory"):
        folder.lock(break_lock=True).__enter__()
