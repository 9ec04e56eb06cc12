"""The tree that a person builds: steps take no order but theirs, and what is wrong is said where it is written."""

import pytest
from plans import CPU, work

from launchers import Plan, SlurmArgs, cpu, parse
from launchers.plan import Chain, Dag, Map, Parallel, PlanError, ResultOf, Step, result_of
from launchers.plan.tree import Pinned, RetryPolicy, StepTree, read_need
from launchers.requirement import RequirementSyntaxError


def test_a_step_is_a_name_a_need_and_a_call():
    step = Step("x", CPU, work, 1, name="n", need="m", func="f")
    assert (step.name, step.need, step.func) == ("x", CPU, work)
    assert (step.args, step.kwargs) == ((1,), {"name": "n", "need": "m", "func": "f"})
    assert (step.on, step.count) == ("ok", 1)
    assert (step.retry, step.identity, step.srun, step.rivals) == (None, "", True, ())


def test_a_need_may_be_text_or_left_to_the_plan():
    assert Step("x", "cpu(cores=2)", work).need == parse("cpu(cores=2)")
    assert Step("x", None, work, CPU).need is None
    assert Step("x", None, work, CPU).args == (CPU,)


@pytest.mark.parametrize("need", [None, cpu(cores=1), CPU, {"timeout_min": 5}, Pinned(cpu(cores=1), ())])
def test_what_a_need_may_be(need):
    assert read_need(need) is need


@pytest.mark.parametrize("need", [5, ["cpu()"], work, ("cpu()",)])
def test_what_a_need_may_not_be(need):
    with pytest.raises(
        TypeError, match=r"step a: a need is .* SlurmArgs, .* or a dict .*; write Step\(name, need, func"
    ):
        Step("a", need, work)


@pytest.mark.parametrize("arguments", [(work, CPU), (work, "cpu(cores=1)"), (work, None), (work, CPU, "en")])
def test_the_function_before_the_need_is_refused(arguments):
    """planit's Step took them in this order, too; guessing went wrong where an argument was a need itself."""
    with pytest.raises(TypeError, match=r"step a: .* is not a function; write Step\(name, need, func, \*args\)"):
        Step("a", *arguments)


@pytest.mark.parametrize("arguments", [(CPU, "not a function"), (work, "en"), (None, None)])
def test_what_is_no_function_is_refused_with_the_order_to_write(arguments):
    with pytest.raises(TypeError, match=r"write Step\(name, need, func, \*args\), with None for the plan's need"):
        Step("a", *arguments)


def test_what_was_given_is_shown_shortly():
    for arguments in ((work, {"key": "x" * 1000}), (["x" * 1000] * 10, work)):
        with pytest.raises(TypeError) as caught:
            Step("a", *arguments)
        assert len(str(caught.value)) < 400


def test_a_need_cannot_be_left_out():
    with pytest.raises(TypeError, match="func"):
        Step("a", work)


def test_a_map_refuses_the_other_orders_too():
    with pytest.raises(TypeError, match=r"step m: .* is not a function; write Map\(name, need, func, items\)"):
        Map("m", work, CPU, [1])


def test_a_requirement_that_cannot_be_read():
    with pytest.raises(RequirementSyntaxError):
        Step("a", "cpu(cores=", work)


@pytest.mark.parametrize("make", [
    lambda: Step("a", CPU, work, on="never"),
    lambda: Step.command("a", CPU, "true", on="never"),
    lambda: Map("a", CPU, work, [1], on="never"),
    lambda: Chain(on="never"),
    lambda: Parallel(on="never"),
    lambda: Dag(Step("a", CPU, work), Step("b", CPU, work), after={"b": {"a": "never"}}),
])  # fmt: skip
def test_a_condition_that_there_is_not(make):
    with pytest.raises(ValueError, match="on='never' is not a condition; write one of ok, any, failed, started, each"):
        make()


def test_a_command_is_a_list_or_for_the_shell():
    assert Step.command("a", None, ["ls", 3]).func.argv == ("ls", "3")
    assert Step.command("a", None, "ls | wc").func.argv == ("/bin/sh", "-c", "ls | wc", "sh")
    assert Step.command("a", CPU, "ls", on="any").need is CPU
    assert Step.command("a", CPU, "ls", on="any").on == "any"
    assert Step.command("a", CPU, ["ls"], on="failed").on == "failed"


def test_a_map_counts_its_items_once():
    of_a_generator = Map("m", CPU, work, (n for n in range(3)), at_once=2, fail_fast=True, on="any")
    assert (of_a_generator.items, of_a_generator.count) == ([0, 1, 2], 3)
    assert (of_a_generator.at_once, of_a_generator.fail_fast, of_a_generator.on) == (2, True, "any")
    plain = Map("m", CPU, work, [])
    assert (plain.count, plain.at_once, plain.fail_fast, plain.on) == (0, None, False, "ok")


def test_reprs_are_short():
    assert repr(Step("a", CPU, work, "x" * 1000)) == "Step('a')"
    assert repr(Map("m", CPU, work, range(1000))) == "Map('m', 1000 items)"


def test_a_dag_puts_parents_first():
    steps = [Step(name, CPU, work) for name in ("d", "c", "b", "a")]
    dag = Dag(*steps, after={"d": {"b": "any", "c": "ok"}, "c": {"a": "ok"}, "b": {"a": "failed"}})
    assert [step.name for step in dag.nodes] == ["a", "b", "c", "d"]


def test_a_dag_is_not_changed_by_what_it_was_made_of():
    after = {"b": {"a": "ok"}}
    dag = Dag(Step("a", CPU, work), Step("b", CPU, work), after=after)
    after["b"]["a"] = "failed"
    assert dag.after == {"b": {"a": "ok"}}


def test_edges_that_cannot_be():
    steps = [Step(name, CPU, work) for name in "abc"]
    with pytest.raises(PlanError, match="wait for each other: a -> b -> c -> a"):
        Dag(*steps, after={"a": {"b": "ok"}, "b": {"c": "ok"}, "c": {"a": "ok"}})
    with pytest.raises(PlanError, match="wait for each other: a -> a"):
        Dag(*steps, after={"a": {"a": "ok"}})
    with pytest.raises(PlanError) as caught:
        Dag(*steps, after={"a": {"x": "ok"}, "y": {"a": "ok"}})
    assert caught.value.problems == ("there is no step x here: a, b, c", "there is no step y here: a, b, c")


def test_a_circle_is_named_from_end_to_end():
    names = [f"s{number}" for number in range(3000)]
    circle = {name: {before: "ok"} for name, before in zip(names, [names[-1], *names], strict=False)}
    with pytest.raises(PlanError, match=r"s0 -> s2999 -> .* -> s1 -> s0$"):
        Dag(*[Step(name, CPU, work) for name in names], after=circle)


def test_a_tree_reads_its_need():
    assert StepTree("p", Chain(), need="cpu(cores=2)").need == parse("cpu(cores=2)")
    assert StepTree("p", Chain()).need is None
    with pytest.raises(TypeError, match="a need is"):
        Plan("p", Chain(), need=3)


def test_results_of_steps_by_name():
    step = Step("a", CPU, work)
    assert result_of(step) == result_of("a") == ResultOf("a")
    assert Plan("p", step).result_of(step) == ResultOf("a")


def test_every_problem_is_a_line():
    error = PlanError(["one", "two"])
    assert (str(error), error.problems) == ("one\ntwo", ("one", "two"))


def test_what_a_retry_asks_for():
    assert RetryPolicy(2, "mem*2") == RetryPolicy(times=2, escalate="mem*2")
    assert SlurmArgs() != Pinned(cpu(cores=1), ())
