"""Which jobs need not run: parts of the graph, earlier successes, and what is up to date."""

import os
from pathlib import Path

import pytest
from flows import flow, job, page, sweep

from launchers.flow.compile import job_identities, lay_out
from launchers.flow.run import run_flow
from launchers.flow.up_to_date import (
    EarlierSuccess,
    earlier_runs,
    newest_success,
    newest_successes,
    select_jobs,
    up_to_date_jobs,
)

GRAPH = [
    job("last", depends_on=["left", "right"]),
    job("left", depends_on="first"),
    job("alone"),
    job("right", depends_on="afterany:first"),
    job("first"),
]


@pytest.mark.parametrize(
    ("part", "jobs"),
    [
        ({}, "first left right last alone"),
        ({"start": ["left"]}, "left last"),
        ({"start": ["first"]}, "first left right last"),
        ({"end": ["left"]}, "first left"),
        ({"start": ["left", "alone"]}, "left last alone"),
        ({"start": ["first"], "end": ["right"]}, "first right"),
        ({"only": ["last", "alone"]}, "last alone"),
        ({"only": ["last", "alone"], "start": ["left"]}, "last"),
        ({"only": ["last", "alone"], "end": ["alone"]}, "alone"),
        ({"start": ["left"], "end": ["right"]}, ""),
    ],
)
def test_a_part_is_of_the_graph_and_not_of_the_order_in_the_file(part, jobs):
    assert select_jobs(flow(*GRAPH), **part) == set(jobs.split())


# -- successes ---------------------------------------------------------------------------------------------------

OLD, NEW = Path("/runs/old"), Path("/runs/new")


def test_a_job_has_succeeded_where_all_its_steps_have_in_one_run():
    layout = lay_out(flow(job("a", cpus_per_task="{{ n }}"), **sweep([1, 2])))
    first, second = EarlierSuccess(OLD, "i", 1), EarlierSuccess(OLD, "i", 1)
    assert newest_success(layout, "a", {"a-0": first, "a-1": second}) == first
    assert newest_success(layout, "a", {"a-0": first}) is None
    assert newest_success(layout, "a", {"a-1": second}) is None
    assert newest_success(layout, "a", {"a-0": first, "a-1": EarlierSuccess(NEW, "i", 1)}) is None


def test_a_job_has_succeeded_where_it_had_as_many_cells():
    layout = lay_out(flow(job("a"), job("b", "ls {{ n }}"), **sweep()))
    for count in (1, 2, 3):
        success = EarlierSuccess(OLD, "i", count)
        assert (newest_success(layout, "a", {"a": success}) is not None) == (count == 1)
        assert (newest_success(layout, "b", {"b": success}) is not None) == (count == 3)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text("local: [{id: here}]\n")
    return tmp_path


def done(*jobs, **keys):
    run = run_flow("f", text=page(*jobs, **keys))
    run.wait(60, check=False)
    return run


def test_the_newest_success_of_each_step_counts(here):
    old = done(job("a"), job("b"), job("c", "exit 1"))
    new = done(job("a"), job("b", "exit 1"), job("c", "exit 1"))
    other = done(job("a"), name="x-y")
    (here / "runs" / "x-nonsense").mkdir()
    (here / "runs" / "x-nonsense" / "plan.json").write_text("{}")
    runs = earlier_runs(Path("runs"), "x")
    assert [run.folder for run in runs] == [new.folder, old.folder]
    assert [run.folder for run in earlier_runs(Path("runs"), "x-y")] == [other.folder]
    found = newest_successes(runs, ["a", "b", "c"])
    assert {name: success.folder for name, success in found.items()} == {"a": new.folder, "b": old.folder}
    assert newest_successes(runs, ["a"]).keys() == {"a"}
    assert found["a"] == EarlierSuccess(new.folder, job_identities(flow(job()))["a"], 1)


def test_a_step_that_was_not_needed_counts_as_a_success(here):
    done(job("a"), job("b", depends_on="afternotok:a"))
    assert newest_successes(earlier_runs(Path("runs"), "x"), ["a", "b"])["b"].left_out


# -- what is up to date ------------------------------------------------------------------------------------------


def left_out(here, *jobs, times=None, successes=None, **keys):
    """The jobs that are up to date after a run `old` in which all succeeded; `times` are those of files in seconds."""
    found = flow(*jobs, **keys)
    layout, identities = lay_out(found), job_identities(found)
    for name, seconds in (times or {}).items():
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (seconds, seconds))
    counts = {name: len(found.cells) if name not in layout.shared else 1 for name in found.jobs}
    known = {name: EarlierSuccess(here / "old", identities[name], counts[name]) for name in found.jobs}
    return set(up_to_date_jobs(layout, identities, {**known, **(successes or {})}))


def test_outputs_that_are_not_older_than_inputs(here):
    a = job(inputs=["i", "j"], outputs=["o", "p"])
    assert left_out(here, a, times={"i": 10, "j": 10, "o": 10, "p": 11}) == {"a"}
    assert left_out(here, a, times={"i": 10, "j": 11, "o": 10, "p": 11}) == set()
    (here / "p").unlink()
    assert left_out(here, a, times={"i": 1, "j": 1, "o": 10}) == set(), "an output is missing"
    (here / "j").unlink()
    assert left_out(here, a, times={"i": 1, "o": 10, "p": 10}) == set(), "an input is missing"


def test_a_job_without_outputs_is_as_old_as_what_it_handed_on(here):
    a = job(inputs=["i"])
    assert left_out(here, a, times={"i": 10, "old/steps/a/output": 10}) == {"a"}
    assert left_out(here, a, times={"i": 11, "old/steps/a/output": 10}) == set()


def test_the_script_is_an_input(here):
    a = job(command=None, script="s.sh", outputs=["o"])
    assert left_out(here, a, times={"s.sh": 10, "o": 10}) == {"a"}
    assert left_out(here, a, times={"s.sh": 11, "o": 10}) == set()


def test_files_are_those_of_the_folder_that_the_job_runs_in_and_of_its_run(here):
    a = job(work_dir=str(here / "work"), outputs=["o", "{{ run.dir }}/p"])
    assert left_out(here, a, times={"work/o": 10, "old/p": 10}) == {"a"}
    (here / "work" / "o").unlink()
    assert left_out(here, a, times={"o": 10}) == set()


def test_a_job_that_is_defined_otherwise_runs_again_and_so_do_those_behind_it(here):
    jobs = [job(name, outputs=[name], depends_on=parents) for name, parents in (("a", []), ("b", ["a"]), ("c", ["b"]))]
    times = dict.fromkeys("abc", 10)
    assert left_out(here, *jobs, times=times) == {"a", "b", "c"}
    changed = {"b": EarlierSuccess(here / "old", "another", 1)}
    assert left_out(here, *jobs, times=times, successes=changed) == {"a"}


def test_a_job_that_was_not_needed_has_no_outputs(here):
    a = job(outputs=["o"])
    identity = job_identities(flow(a))["a"]
    success = EarlierSuccess(here / "old", identity, 1, left_out=True)
    assert left_out(here, a, successes={"a": success}) == {"a"}
    assert left_out(here, a) == set()


def test_all_cells_have_to_be_up_to_date(here):
    a = job("a", "ls {{ n }}", inputs=["i"])
    old = {f"old/steps/a/output.{cell}": 10 for cell in range(3)}
    assert left_out(here, a, times={"i": 10, **old}, **sweep()) == {"a"}
    assert left_out(here, a, times={"i": 10, **old, "old/steps/a/output.2": 9}, **sweep()) == set()


# -- as a person resumes a flow ----------------------------------------------------------------------------------


def steps(**options):
    """The jobs that ran, none if there was nothing to run."""
    run = run_flow("f", **options)
    if run is None:
        return []
    assert run.wait(60)
    return [task.name for task in run.record.steps]


def test_resume_leaves_out_what_is_up_to_date(here):
    jobs = [
        job("make", "cat source > made", inputs=["source"], outputs=["made"]),
        job("use", "cat made > used", inputs=["made"], depends_on="make"),
        job("train", "echo {{ lr }}", depends_on="use"),
    ]
    text = page(*jobs, args={"lr": 1})
    Path("source").write_text("1")
    assert steps(text=text, resume=True) == ["make", "use", "train"]
    assert steps(text=text, resume=True) == []
    assert steps(text=text, resume=True, args={"lr": 2}) == ["train"], "another job now"
    Path("source").write_text("2")
    assert steps(text=text, resume=True) == ["make", "use", "train"], "a newer input, and what depends on it"
    assert steps(text=text.replace("cat made > used", "cp made used"), resume=True) == ["use", "train"]
    assert steps(text=text) == ["make", "use", "train"], "all of it without resume"


def test_resume_after_a_failure(here):
    text = page(job("a"), job("b", "test -e allowed", depends_on="a"))
    assert not run_flow("f", text=text).wait(60, check=False)
    Path("allowed").touch()
    assert steps(text=text, resume=True) == ["b"]
