"""A run as its folder has it: how it is read back, and what is looked up in it."""

import os

import pytest
from attrs import evolve
from fake_backend import after, step, stored_run, submission

from launchers.errors import ForeignRunError, RunError
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


# -- whose it is -------------------------------------------------------------------------------------------------

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="LOUD: only root can give files to another user")
OTHER = 54321


@pytest.fixture
def run(tmp_path):
    """A run with all that a run folder may hold."""
    stored = stored_run(tmp_path, submission("a"))
    tmp_path.chmod(0o755)
    folder = stored.folder.path
    folder.chmod(0o755)
    for name in ("steps/a", "jobs/a", "local/1"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for path in (folder / name, (folder / name).parent):
            path.chmod(0o755)  # everybody may look
    for name in ("journal.jsonl", "seen.json", "local/1/jobs.jsonl"):
        (folder / name).touch(mode=0o644)
    return stored


PARTS = (".", "plan.json", "journal.jsonl", "seen.json", "steps", "jobs", "local", "steps/a", "jobs/a", "local/1",
         "local/1/jobs.jsonl")  # fmt: skip


@as_root
@pytest.mark.parametrize("part", PARTS)
def test_a_run_of_which_a_part_belongs_to_another_user_is_only_looked_at(run, part):
    path = run.folder.path / part
    assert load_run(run.folder.path).own
    os.chown(path, OTHER, -1)
    with pytest.raises(ForeignRunError) as caught:
        load_run(run.folder.path)
    assert str(caught.value) == (
        f"{path} belongs to uid {OTHER}, not to root (uid 0);"
        f" to look at the run once: launchers status --trust {run.folder}"
    )
    again = load_run(run.folder.path, trust=True)
    assert not again.own
    assert dumps(again) == dumps(run)


@pytest.mark.parametrize("part", PARTS)
def test_a_run_of_which_others_can_write_a_part_is_only_looked_at(run, part):
    path = run.folder.path / part
    path.chmod(path.stat().st_mode | 0o002)
    with pytest.raises(ForeignRunError, match="can be written by every user"):
        load_run(run.folder.path)
    assert not load_run(run.folder.path, trust=True).own


@as_root
@pytest.mark.parametrize("part", PARTS)
def test_a_link_counts_as_what_it_leads_to(run, part, tmp_path):
    path, elsewhere = run.folder.path / part, tmp_path / "elsewhere"
    if part == ".":
        link = tmp_path / "link"
        link.symlink_to(run.folder.path)
        assert load_run(link).own
        os.chown(run.folder.path, OTHER, -1)
        with pytest.raises(ForeignRunError):
            load_run(link)
        return
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert load_run(run.folder.path).own
    os.chown(elsewhere, OTHER, -1)
    with pytest.raises(ForeignRunError):
        load_run(run.folder.path)


@as_root
def test_a_hard_link_to_a_file_of_another_user_is_that_users(run, tmp_path):
    foreign = tmp_path / "foreign.json"
    foreign.write_bytes(run.folder.plan_path.read_bytes())
    os.chown(foreign, OTHER, -1)
    run.folder.plan_path.unlink()
    os.link(foreign, run.folder.plan_path)
    with pytest.raises(ForeignRunError):
        load_run(run.folder.path)


@as_root
def test_what_root_left_in_ones_own_run_is_trusted(run, monkeypatch):
    for path in (run.folder.path, *run.folder.path.rglob("*")):
        os.chown(path, OTHER, -1)
    os.chown(run.folder.seen_path, 0, -1)
    monkeypatch.setattr("launchers.files.owner.os.geteuid", lambda: OTHER)
    assert load_run(run.folder.path).own
    os.chown(run.folder.path, 0, -1)
    with pytest.raises(ForeignRunError, match="belongs to root"):
        load_run(run.folder.path)


@pytest.mark.parametrize("target", ["fifo", "/dev/zero", "/dev/null"])
def test_a_plan_that_is_no_file(run, target):
    run.folder.plan_path.unlink()
    if target == "fifo":
        os.mkfifo(run.folder.plan_path)
    else:
        run.folder.plan_path.symlink_to(target)
    with pytest.raises(RunError, match=r"plan\.json|null|zero"):
        load_run(run.folder.path)
