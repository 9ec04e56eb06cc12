"""A run folder, and working on it alone."""

import errno
import os
import subprocess

import pytest

from launchers.errors import RunError
from launchers.runs.folder import create_folder


@pytest.fixture
def folder(tmp_path):
    """A run folder."""
    return create_folder(tmp_path, "p")[0]


def test_a_lock_names_its_owner(folder):
    with folder.lock(), pytest.raises(RunError, match=f"process {os.getpid()} on this machine"):
        folder.lock().__enter__()
    (folder.path / "lock").write_text("elsewhere 1 2 abc\n")
    with pytest.raises(RunError, match="process 1 on elsewhere"):
        folder.lock().__enter__()
    with folder.lock(break_lock=True):
        pass
    gone = subprocess.Popen(["true"])
    gone.wait()
    (folder.path / "lock").write_text(f"{os.uname().nodename} {gone.pid} 1 abc\n")
    with folder.lock():
        pass


def test_a_lock_that_cannot_be_taken_is_told(folder, monkeypatch):

    def refuse(source, target):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", refuse)  # as file systems without hard links have it
        with pytest.raises(RunError, match="cannot be locked: Operation not permitted; the lock needs hard links"):
            folder.lock().__enter__()
    (folder.path / "lock").mkdir()
    with pytest.raises(RunError, match=r"cannot be locked: Is a directory$"):
        folder.lock().__enter__()


def test_a_run_folder_is_for_its_user_alone(tmp_path):
    first, id = create_folder(tmp_path / "runs", "p")
    second, other = create_folder(tmp_path / "runs", "p")
    assert first.path == tmp_path / "runs" / f"p-{id}"
    assert (first.name, str(first)) == (f"p-{id}", str(first.path))
    assert id != other
    assert [path.stat().st_mode & 0o777 for path in (first.path, first.path / "steps", first.path / "jobs")] == [
        0o700
    ] * 3
    assert second.path.parent == first.path.parent


def test_where_no_run_folder_can_be_made(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(RunError, match=r"cannot make .*runs, the folder for run folders: File exists"):
        create_folder(tmp_path / "runs", "p")


def test_whether_somebody_works_on_it(folder):
    assert not folder.is_locked
    with folder.lock():
        assert folder.is_locked
    assert not folder.is_locked
