"""A run as its folder has it: how it is read back, and what is looked up in it."""

import pytest
from attrs import evolve
from fake_backend import after, step, stored_run, submission

from launchers.errors import RunError
from launchers.jobs.backend import Wait
from launchers.runs.record import dumps
from launchers.runs.stored import load_run, write_run

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
