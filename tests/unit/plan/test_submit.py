"""What submitting a plan writes down and sends, and what a dry run shows of it."""

import json
import sys

import pytest
from config_files import local_entry, write_config
from plans import CPU, work

from launchers import SlurmArgs, cpu, parse
from launchers.plan import Chain, Map, Parallel, Plan, PlanError, Step
from launchers.plan.submit import submit
from launchers.plan.tree import Pinned, RetryPolicy
from launchers.runs.folder import create_folder
from launchers.runs.journal import Intent, Submitted
from launchers.runs.results import read_call, read_item
from launchers.runs.run import open_run


def send(root, tmp_path, **keys):
    options = {"config": None, "tags": (), "folder": tmp_path / "runs", **keys}
    return submit(Plan("p", root), **options)


def test_a_step_is_written_down_whole(queue, tmp_path):
    step = Step("a", "cpu(cores=2) & duration=1h", work, 1, x=2)
    step.retry, step.identity, step.srun, step.rivals = RetryPolicy(2, "cores*2"), "digest", False, ("b",)
    items = Map("m", CPU, work, ["x", "y"], fail_fast=True, on="any")
    run = send(Chain(step, items), tmp_path)
    one, other = run.record.steps
    assert (one.name, one.waits, one.count, one.place, one.seconds) == ("a", (), 1, "c", 3600)
    assert (one.function, one.need, one.options) == ("work", "duration=1h & cpu(cores=2)", ())
    assert (one.retry, one.identity, one.fail_fast, one.srun, one.rivals) == (
        (2, "cores*2"), "digest", False, False, ("b",),
    )  # fmt: skip
    assert (other.name, other.waits, other.count, other.place) == ("m", (("a", "any"),), 2, "batch")
    assert (other.need, other.retry, other.fail_fast, other.srun) == (None, None, True, True)
    assert open_run(run.folder).record.steps == run.record.steps


@pytest.mark.parametrize(("need", "plans_need", "recorded", "options"), [
    (None, None, "cpu(cores=1)", ()),
    (None, "cpu(cores=3)", "cpu(cores=3)", ()),
    ("cpu(cores=2) | cpu(cores=3)", None, "cpu(cores=2) | cpu(cores=3)", ()),
    (Pinned(cpu(cores=2), (("partition", "c"),)), None, "cpu(cores=2)", (("partition", "c"),)),
    (SlurmArgs(time=5), None, None, ()),
    ({"timeout_min": 5}, None, None, ()),
])  # fmt: skip
def test_the_need_that_is_written_down(queue, tmp_path, need, plans_need, recorded, options):
    plan = Plan("p", Step("a", need, work), need=plans_need)
    (step,) = submit(plan, config=None, tags=(), folder=tmp_path).record.steps
    assert (step.need, step.options) == (recorded, options)


def test_the_run_folder(queue, tmp_path):
    run = send(Chain(Step("a", CPU, work, 1, x=2), Map("m", CPU, work, ["x", "y"])), tmp_path, jobs=3)
    assert run.folder.parent == tmp_path / "runs"
    record = run.record
    assert (record.plan, record.scheduler, record.group, record.jobs) == ("p", "slurm", None, 3)
    assert record.command == (sys.executable, *sys.argv)
    assert record.cwd == str(tmp_path)
    call = read_call(run.folder / "steps" / "a")
    assert (call["func"].__name__, call["args"], call["kwargs"]) == ("work", (1,), {"x": 2})
    assert [read_item(run.folder / "steps" / "m", number) for number in (0, 1)] == ["x", "y"]
    tickets = {path.parent.name: json.loads(path.read_text()) for path in run.folder.glob("jobs/*/ticket.json")}
    assert set(tickets) == {"a", "m"}
    assert tickets["m"]["parents"] == [{"submission": "a", "kind": "afterok", "index": None}]
    assert not (run.folder / "lock").exists()


def test_an_intent_is_written_before_what_was_done(queue, tmp_path):
    events = send(Chain(Step("a", CPU, work), Step("b", CPU, work)), tmp_path).record.folder.journal.events()
    kinds = [type(event) for event in events]
    assert kinds == [Intent, Submitted, Intent, Submitted]
    assert [event.submissions for event in events[::2]] == [["a"], ["b"]]
    assert [event.jobs for event in events[1::2]] == [{"a": "1"}, {"b": "2"}]


def test_a_group_is_written_down(queue, tmp_path):
    run = send(Step("a", "cpu(cores=1)", work), tmp_path)
    assert (run.record.group, run.record.scheduler) == ("far", "slurm")


def test_a_folder_and_a_command_that_somebody_else_chose(queue, tmp_path):
    folder, id = create_folder(tmp_path, "other")
    run = send(Step("a", CPU, work), tmp_path, into=(folder, id), command=["flow", "***"])
    assert (run.folder, run.record.id, run.record.command) == (folder.path, id, ("flow", "***"))


def test_nothing_is_written_of_a_plan_that_is_wrong(queue, tmp_path):
    with pytest.raises(PlanError):
        send(Step("a", "cpu(cores=999)", work), tmp_path)
    assert not (tmp_path / "runs").exists()
    assert queue.sent == []


def test_a_dry_run_on_slurm_is_the_scripts(queue):
    first = Parallel(Step("a", CPU, work), Step("b", CPU, work))
    plan = Plan("p", Chain(first, Step("c", SlurmArgs(time=5), work), Map("m", CPU, work, range(4), on="any")))
    text = plan.dry_run()
    assert [line for line in text.splitlines() if line.startswith("# ----")] == [
        "# ---- a: a, b", "# ---- c: c", "# ---- m.0: m", "# ---- m.1: m",
    ]  # fmt: skip
    assert text.count("#!/bin/bash") == 4
    assert "#SBATCH --dependency='afterok:<a>'\n" in text
    assert text.count("#SBATCH --dependency='afterany:<c>'\n") == 2
    assert "#SBATCH --array=0-2%3\n" in text
    assert "launchers-dry-run-0" in text
    assert queue.sent == []


def test_a_dry_run_on_this_machine_says_where(here):
    plan = Plan("p", Chain(Step("a", None, work), Map("m", None, work, [1, 2])))
    assert plan.dry_run() == "a: on box\nm.0: on box\nm.1: on box\n"
    assert not (here / "runs").exists()


def test_a_dry_run_looks_where_it_is_told(here):
    other = write_config(here, name="other.yaml", local=[local_entry("big", cores=9, tags=["t"])])
    plan = Plan("p", Step("a", "cpu(cores=9)", work))
    assert plan.dry_run(config=other) == "a: on big\n"
    assert plan.dry_run(config=other, tags=["t"]) == "a: on big\n"
    for wrong in ({"config": other, "tags": ["x"]}, {}):
        with pytest.raises(PlanError):
            plan.dry_run(**wrong)


def test_a_need_is_the_same_after_it_was_written_down(queue, tmp_path):
    need = parse("duration=4 days & cuda(mem=24G)*2 & cpu(mem=64G, cores=8) | cpu(cores=2)")
    (step,) = send(Step("a", need, work), tmp_path).record.steps
    assert parse(step.need) == need
