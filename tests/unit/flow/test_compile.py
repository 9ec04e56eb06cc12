"""A flow as a plan: what becomes one job, an array or many jobs, what waits for what, and what each job needs."""

from pathlib import Path

import pytest
from flows import flow, job, only_job, plan_of, steps_of, sweep, tasks_of

from launchers.flow.compile import RETRY_DELAY, job_identities, job_need, lay_out
from launchers.flow.on_node import run_cell
from launchers.plan.tree import Map, Pinned

N = "ls {{ n }}"

# -- steps and what they wait for --------------------------------------------------------------------------------


def test_what_is_the_same_in_all_cells_runs_once_and_the_others_are_arrays():
    found = flow(
        job("a"),
        job("b", N, depends_on="a"),
        job("c", depends_on="b"),
        job("d", depends_on="afterany:c", once=True),
        **sweep(max_parallel=2, fail_fast=True),
    )
    assert tasks_of(found) == {
        "a": (1, {}), "b": (3, {"a": "ok"}), "c": (3, {"b": "each"}), "d": (1, {"c": "any"}),
    }  # fmt: skip
    step = steps_of(found)["b"]
    assert isinstance(step, Map)
    assert (step.func, step.at_once, step.fail_fast, step.srun) == (run_cell, 2, True, False)


def test_an_array_without_bounds():
    step = steps_of(flow(job("b", N), **sweep(max_parallel=0)))["b"]
    assert (step.at_once, step.fail_fast) == (None, False)


def test_the_same_job_after_a_job_that_differs_has_cells_too():
    assert tasks_of(flow(job("a", N), job("b", depends_on="a"), **sweep()))["b"] == (3, {"a": "each"})


def test_a_job_that_differs_in_the_last_cell_only_has_cells():
    assert tasks_of(flow(job("a", "ls {{ n > 2 }}"), **sweep()))["a"] == (3, {})


def test_jobs_differ_by_what_they_need_read_and_write_too():
    for keys in ({"inputs": ["{{ n }}"]}, {"outputs": ["{{ n }}"]}, {"account": "a{{ n }}"}):
        assert len(lay_out(flow(job(**keys), **sweep())).shared) == 0, keys
    assert lay_out(flow(job(exports={"A": "{{ n }}"}), **sweep())).shared == {"a"}


def apart(**more):
    """Cells that ask for different things, so that they are jobs of their own."""
    jobs = [
        job("a"),
        job("b", cpus_per_task="{{ n }}", depends_on="a"),
        job("c", depends_on="b"),
        job("d", depends_on="c", once=True),
    ]
    return flow(*jobs, **sweep(**more))


def test_cells_that_ask_for_different_things_are_jobs_of_their_own():
    assert tasks_of(apart()) == {
        "a": (1, {}),
        "b-0": (1, {"a": "ok"}), "b-1": (1, {"a": "ok"}), "b-2": (1, {"a": "ok"}),
        "c-0": (1, {"b-0": "ok"}), "c-1": (1, {"b-1": "ok"}), "c-2": (1, {"b-2": "ok"}),
        "d": (1, {"c-0": "ok", "c-1": "ok", "c-2": "ok"}),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("most", "turns"),
    [(1, {1: 0, 2: 1}), (2, {2: 0}), (3, {}), (0, {})],
)
def test_jobs_of_a_cell_wait_until_an_earlier_cell_has_ended(most, turns):
    tasks = tasks_of(apart(max_parallel=most))
    for cell in range(3):
        before = turns.get(cell)
        waits = {} if before is None else {f"b-{before}": "any", f"c-{before}": "any"}
        assert tasks[f"b-{cell}"][1] == {**waits, "a": "ok"}
        assert tasks[f"c-{cell}"][1] == {f"b-{cell}": "ok"}, "the first job of the cell has waited"


def test_turns_are_of_the_jobs_that_run():
    tasks = tasks_of(apart(max_parallel=2), {"a": None, "b": None})
    assert tasks["c-2"][1] == {"c-0": "any"}


def test_the_first_failure_cancels_the_other_cells():
    steps = steps_of(apart(fail_fast=True))
    assert steps["b-1"].rivals == ("b-0", "b-2")
    assert steps["d"].rivals == ()
    assert steps_of(apart())["b-1"].rivals == ()


def test_aftercorr_is_about_the_same_cell_where_there_are_cells():
    jobs = [
        job("a"),
        job("b", N, depends_on="aftercorr:a"),
        job("c", depends_on="aftercorr:b"),
        job("d", depends_on="aftercorr:c", once=True),
    ]
    assert tasks_of(flow(*jobs, **sweep())) == {
        "a": (1, {}), "b": (3, {"a": "ok"}), "c": (3, {"b": "each"}), "d": (1, {"c": "ok"}),
    }  # fmt: skip
    assert tasks_of(flow(*jobs, args={"n": 0}))["c"] == (1, {"b": "ok"})


def test_other_kinds_of_dependency_within_a_cell_make_jobs_of_the_cells():
    found = flow(job("a", N), job("b", depends_on="afternotok:a"), **sweep())
    assert tasks_of(found)["b-1"] == (1, {"a-1": "failed"})
    found = flow(job("a"), job("b", N, depends_on="afternotok:a"), **sweep())
    assert tasks_of(found)["b"] == (3, {"a": "failed"}), "that is not within a cell"


def test_jobs_that_are_left_out_are_not_waited_for():
    found = flow(job("a"), job("b", depends_on="a"), job("c", depends_on=["a", "b"]))
    assert tasks_of(found, {"a": None}) == {"b": (1, {}), "c": (1, {"b": "ok"})}


def test_the_step_of_a_job_in_a_cell():
    mapped = lay_out(flow(job("a"), job("b", N), **sweep()))
    assert (mapped.steps("a"), mapped.step("a", 2)) == (["a"], ("a", None))
    assert (mapped.steps("b"), mapped.step("b", 2)) == (["b"], ("b", 2))
    single = lay_out(apart())
    assert (single.steps("b"), single.step("b", 2)) == (["b-0", "b-1", "b-2"], ("b-2", None))


def test_a_thousand_cells_are_compiled_in_seconds():
    found = flow(
        job("a", N, exports={"X": "{{ n }}"}), job("b", "echo {{ deps.a.X }}", depends_on="a"), **sweep(range(1000))
    )
    assert tasks_of(found)["b"] == (1000, {"a": "each"})


# -- what runs on the node ---------------------------------------------------------------------------------------


def shell_of(found, name, left_out=None):
    return steps_of(found, left_out)[name].func


def test_a_job_gets_the_values_of_the_jobs_that_it_waits_for():
    found = flow(job("a"), job("b"), job("c", depends_on=["a", "afterany:b"]))
    assert shell_of(found, "c").parents == (("", "a", None), ("", "b", None))
    assert shell_of(found, "c", {"a": Path("/old"), "b": None}).parents == (("/old", "a", None),)


def test_a_cell_gets_the_values_of_its_own_cell():
    jobs = [job("a"), job("b", N, depends_on="a"), job("c", depends_on="b"), job("d", depends_on=["a", "b"], once=True)]
    steps = steps_of(flow(*jobs, **sweep()))
    assert [shell.parents for shell in steps["c"].items] == [(("", "b", 0),), (("", "b", 1),), (("", "b", 2),)]
    assert steps["b"].items[1].parents == (("", "a", None),)
    assert steps["d"].func.parents == (("", "a", None),), "values of several cells cannot be variables of one job"
    assert "ls 2" in steps["b"].items[1].script


def test_retries_in_the_same_allocation():
    shell = shell_of(flow(job("a", retry=2, retry_delay=0)), "a")
    assert (shell.retry, shell.delay) == (2, 0)
    shell = shell_of(flow(job("a")), "a")
    assert (shell.retry, shell.delay) == (0, RETRY_DELAY)
    assert RETRY_DELAY == 60


def test_a_job_that_escalates_is_submitted_again_instead():
    steps = steps_of(flow(job("a", retry=2, escalate="mem*2"), job("b", escalate="mem*3"), job("c", retry=2)))
    assert (steps["a"].func.retry, steps["a"].retry.times, steps["a"].retry.escalate) == (0, 2, "mem*2")
    assert (steps["b"].func.retry, steps["b"].retry.times) == (0, 1)
    assert steps["c"].retry is None


# -- what is the same job ----------------------------------------------------------------------------------------


def test_a_job_is_another_job_when_its_definition_changes():
    identity = job_identities(flow(job()))["a"]
    assert identity == job_identities(flow(job(), job("b")))["a"]
    for keys in ({"command": "ls -l"}, {"account": "x"}, {"inputs": ["i"]}, {"outputs": ["o"]}, {"setup": "x"}):
        assert job_identities(flow(job(**keys)))["a"] != identity, keys
    assert job_identities(flow(job(depends_on="b"), job("b")))["a"] != identity


def test_the_definition_of_all_cells_counts():
    assert (
        job_identities(flow(job("a", N), **sweep([1, 2])))["a"]
        != job_identities(flow(job("a", N), **sweep([1, 3])))["a"]
    )


def test_steps_know_what_they_are_made_of():
    found = flow(job("a"), job("b", N), **sweep())
    identities = job_identities(found)
    assert {name: step.identity for name, step in steps_of(found).items()} == identities
    assert plan_of(found).name == "x"


# -- what a job needs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "requirement"),
    [
        ({}, "cpu(cores=1)"),
        ({"cpus_per_task": 3}, "cpu(cores=3)"),
        ({"cpus_per_task": 3, "gpus_per_node": 1}, "cpu(cores=3) & gpu()"),
        ({"gpus_per_node": 2}, "gpu() * 2"),
        ({"gpus_per_node": 0}, "cpu(cores=1)"),
        ({"nodes": 2, "memory_per_node": "1G"}, "nodes=2 & cpu(mem=1G, cores=1)"),
        ({"nodes": 1}, "cpu(cores=1)"),
        ({"time_limit": 30}, "duration=30m & cpu(cores=1)"),
        ({"time_limit": "1-00:00:00"}, "duration=1d & cpu(cores=1)"),
        ({"time_limit": 0}, "cpu(cores=1)"),
        ({"needs": "cuda()|mps()", "time_limit": "30"}, "duration=30m & cuda() | duration=30m & mps()"),
        ({"needs": "cuda() & duration=1h"}, "duration=1h & cuda()"),
    ],
)
def test_the_requirement_of_a_job(keys, requirement):
    assert str(job_need(only_job(**keys))) == requirement


@pytest.mark.parametrize(
    ("keys", "requirement", "options"),
    [
        ({"ntasks_per_node": 2}, "cpu(cores=2)", {"ntasks_per_node": 2, "cpus_per_task": 1}),
        ({"ntasks_per_node": 2, "cpus_per_task": 3}, "cpu(cores=6)", {"ntasks_per_node": 2, "cpus_per_task": 3}),
        (
            {"ntasks_per_node": 2, "gpus_per_node": 1},
            "cpu(cores=2) & gpu()",
            {"ntasks_per_node": 2, "cpus_per_task": 1},
        ),
        ({"gres": "gpu:a100:2,tmp:5"}, "gpu() * 2", {"gres": "gpu:a100:2,tmp:5"}),
        ({"gres": "tmp:5"}, "cpu(cores=1)", {"gres": "tmp:5"}),
        ({"account": "a", "mail_user": "u"}, "cpu(cores=1)", {"account": "a", "mail_user": "u"}),
    ],
)
def test_options_that_are_passed_on(keys, requirement, options):
    need = job_need(only_job(**keys))
    assert (str(need.requirement), dict(need.options)) == (requirement, options)


def test_one_task_is_no_option():
    assert not isinstance(job_need(only_job(ntasks_per_node=1)), Pinned)
