"""A run as its folder has it: where things are, how it is read back, and what is looked up in it."""

import errno
import os
import subprocess

import pytest
from attrs import evolve
from fake_backend import after, step, stored_run, submission

from launchers.errors import RunError
from launchers.jobs.backend import Wait
from launchers.runs.folder import RunFolder, create_folder
from launchers.runs.record import dumps
from launchers.runs.stored import load_run, write_run

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
    os.umask(0)
    folder, id = create_folder(tmp_path / "deep" / "runs", "p")
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
    with pytest.raises(
        RunError, match=f"cannot make {tmp_path}/file/runs, the folder for run folders: Not a directory"
    ):
        create_folder(tmp_path / "file" / "runs", "p")


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
    ("text", "message"),
    [
        ("elsewhere 7 2 abc\n", "process 7 on elsewhere is working on {0}; if it is gone: launchers resume --break-lock {0}"),
        ("", "{0}/lock does not name the process that works on the run; if none does: launchers resume --break-lock {0}"),
    ],
)  # fmt: skip
def test_a_lock_that_is_broken_only_on_demand(folder, text, message):
    (folder.path / "lock").write_text(text)
    with pytest.raises(RunError) as caught:
        folder.lock().__enter__()
    assert str(caught.value) == message.format(folder)
    with folder.lock(break_lock=True):
        pass
    assert not folder.is_locked


def test_the_lock_of_a_process_that_is_gone_is_taken_over(folder):
    gone = subprocess.Popen(["true"])
    gone.wait()
    (folder.path / "lock").write_text(f"{os.uname().nodename} {gone.pid} 1 abc\n")
    assert not folder.is_locked
    with folder.lock():
        assert folder.is_locked


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.EPERM, True), (errno.EOPNOTSUPP, True), (errno.ENOSYS, True), (errno.EACCES, False), (errno.ENOSPC, False)],
)
def test_a_lock_that_cannot_be_taken(folder, monkeypatch, number, hint):
    def refuse(source, target):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)  # as file systems without hard links have it
    with pytest.raises(RunError) as caught:
        folder.lock().__enter__()
    why = "; the lock needs hard links: put run folders on another file system"
    assert str(caught.value) == f"{folder} cannot be locked: {os.strerror(number)}{why if hint else ''}"


def test_what_is_raised_while_the_lock_is_held_goes_on(folder):
    with pytest.raises(ZeroDivisionError), folder.lock():
        raise ZeroDivisionError
    assert not folder.is_locked


# -- reading ---------------------------------------------------------------------------------------------------


def test_a_run_is_read_as_it_was_written(tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("m", after("a", "aftercorr", 0), items=[0, 1]), jobs=3)
    again = load_run(run.folder.path)
    assert dumps(again) == dumps(run)
    assert (again.folder, again.id, again.jobs) == (run.folder, run.id, 3)


def test_a_folder_is_found_from_elsewhere(tmp_path, monkeypatch):
    run = stored_run(tmp_path, submission("a"))
    monkeypatch.chdir(tmp_path)
    assert load_run(run.folder.name).folder == run.folder


def test_what_is_no_run(tmp_path):
    with pytest.raises(RunError, match=f"{tmp_path} is not a run folder: it has no plan.json"):
        load_run(tmp_path)
    (tmp_path / "steps").mkdir()
    with pytest.raises(RunError, match="its client ended before anything was submitted: submit the plan again"):
        load_run(tmp_path)
    (tmp_path / "plan.json").write_bytes(b"{\n\n\xff")
    with pytest.raises(RunError, match=f"{tmp_path}/plan.json:3: this is not UTF-8 text"):
        load_run(tmp_path)
    (tmp_path / "plan.json").unlink()
    (tmp_path / "plan.json").mkdir()
    with pytest.raises(RunError, match=r"plan\.json cannot be read: Is a directory"):
        load_run(tmp_path)


# -- looking things up -----------------------------------------------------------------------------------------


def test_steps_and_submissions_by_name(tmp_path):
    one = submission("m.0", steps=["m"])
    run = stored_run(tmp_path, one, steps=[step("m")])
    assert run.step("m").name == "m"
    assert run.submissions_by_name == {"m.0": one}
    with pytest.raises(KeyError):
        run.step("m.0")


def test_an_attempt_that_was_added_counts(tmp_path):
    first, second = submission("m", items=[0, 1]), evolve(submission("m", items=[1]), name="m~2", attempt=2)
    run = stored_run(tmp_path, first, submission("wait", barrier=True))
    assert run.latest() == {("m", 0): (first, 0), ("m", 1): (first, 1)}
    assert "m~2" not in run.submissions_by_name
    run.add_submissions((second,))
    assert run.submissions_by_name["m~2"] is second
    assert run.latest() == {("m", 0): (first, 0), ("m", 1): (second, 0)}
    write_run(run)
    assert [one.name for one in load_run(run.folder.path).submissions] == ["m", "wait", "m~2"]


def test_what_the_scheduler_is_told_of_a_submission(tmp_path):
    one, barrier = submission("m", items=[0, 1, 2]), submission("wait", barrier=True)
    run = stored_run(tmp_path, one, barrier, jobs=2)
    waits = (Wait("afterok", ("7", None)),)
    request = run.request(one, waits)
    assert (request.submission, request.waits, request.count, request.jobs) == (one, waits, 3, 2)
    assert (request.run, request.run_id, request.plan, request.cwd) == (run.folder.path, run.id, "p", "/")
    assert request.submissions == {"m": one, "wait": barrier}
    assert run.request(barrier).count == 1
    assert run.request(barrier).waits == ()


def test_the_backend_of_a_run(tmp_path):
    from launchers.slurm.backend import SlurmBackend

    run = stored_run(tmp_path, submission("a"))
    assert isinstance(run.backend, SlurmBackend)
    assert run.backend is load_run(run.folder.path).backend
