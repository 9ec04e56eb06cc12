"""The tree as a graph: what each step waits for, whatever the shape of the tree."""

import random

import pytest
from plans import CPU, work

from launchers.plan import Chain, Dag, Map, Parallel, Plan, Step
from launchers.plan.graph import graph_of


def step(name, **keys):
    return Step(name, CPU, work, **keys)


def parents(root):
    return {task.name: task.parents for task in graph_of(Plan("p", root)).tasks}


def conditions(root):
    return {task.name: task.waits for task in graph_of(Plan("p", root)).tasks}


def test_a_chain_and_branches():
    root = Chain(step("a"), Parallel(step("b"), Chain(step("c"), step("d"))), step("e"))
    assert parents(root) == {"a": (), "b": ("a",), "c": ("a",), "d": ("c",), "e": ("b", "d")}


def test_empty_parts_hand_on_what_came_before():
    assert parents(Chain(step("a"), Parallel(), Chain(), Chain(Parallel()), step("b"))) == {"a": (), "b": ("a",)}
    assert parents(Chain(step("a"), Dag(after={}), step("b"))) == {"a": (), "b": ("a",)}
    found = conditions(Chain(step("a"), Chain(Parallel(), step("b"), on="any")))
    assert found["b"] == (("a", "any"),)


def test_a_condition_holds_for_the_first_steps_inside_alone():
    found = conditions(Chain(step("a"), Chain(step("b"), step("c"), on="any"), step("d")))
    assert found == {"a": (), "b": (("a", "any"),), "c": (("b", "ok"),), "d": (("c", "ok"),)}


def test_the_inner_condition_goes_before_the_outer_one():
    found = conditions(Chain(step("a"), Parallel(step("b"), step("c", on="failed"), on="any")))
    assert (found["b"], found["c"]) == ((("a", "any"),), (("a", "failed"),))


def test_any_edges():
    after = {"d": {"b": "any", "c": "ok"}, "c": {"a": "ok"}, "b": {"a": "failed"}}
    dag = Dag(*map(step, "dcba"), after=after)
    assert parents(Chain(step("first"), dag, step("last"))) == {
        "first": (), "a": ("first",), "b": ("a",), "c": ("a",), "d": ("b", "c"), "last": ("d",),
    }  # fmt: skip
    assert conditions(Chain(step("first"), dag))["d"] == (("b", "any"), ("c", "ok"))


def test_a_step_of_a_dag_that_waits_for_nothing_waits_for_what_is_before_the_dag():
    dag = Dag(step("a"), step("b"), after={"b": {}})
    assert parents(Chain(step("first"), dag, step("last"))) == {
        "first": (), "a": ("first",), "b": ("first",), "last": ("a", "b"),
    }  # fmt: skip


def test_tasks_by_name():
    graph = graph_of(Plan("p", Chain(step("a"), Map("m", CPU, work, [1, 2]))))
    assert (graph["m"].count, graph["a"].count) == (2, 1)
    assert ("a" in graph, "x" in graph) == (True, False)


@pytest.mark.parametrize("node", [None, "a", work, [step("a")]])
def test_what_is_no_part_of_a_plan(node):
    with pytest.raises(TypeError, match="a plan is made of Step, Map, Chain, Parallel and Dag, not"):
        graph_of(Plan("p", Chain(node)))


def test_a_long_way_in_reverse():
    after = {f"s{number}": {f"s{number - 1}": "ok"} for number in range(1, 5000)}
    graph = graph_of(Plan("p", Dag(*[step(f"s{number}") for number in reversed(range(5000))], after=after)))
    assert [task.name for task in graph.tasks] == [f"s{number}" for number in range(5000)]


@pytest.mark.parametrize("kind", [Chain, Parallel])
def test_a_deep_tree(kind):
    node = step("s0")
    for number in range(1, 1500):
        node = kind(node, step(f"s{number}"))
    graph = graph_of(Plan("p", node))
    assert len(graph.tasks) == 1500
    assert graph["s1499"].parents == (("s1498",) if kind is Chain else ())


def test_nothing_comes_before_itself_or_before_what_is_not_there():
    graph = graph_of(Plan("p", Chain(step("a"), step("b"))))
    assert [graph.comes_before(*pair) for pair in (("a", "b"), ("b", "a"), ("a", "a"), ("x", "b"))] == [
        True, False, False, False,
    ]  # fmt: skip


def test_who_comes_before_whom_whatever_the_edges():
    """The bits that are counted say what a walk along the edges says."""
    chance = random.Random(3)
    for _ in range(20):
        names = [f"s{number}" for number in range(12)]
        after = {
            name: dict.fromkeys(chance.sample(names[:number], min(number, chance.randrange(3))), "ok")
            for number, name in enumerate(names)
        }
        graph = graph_of(Plan("p", Dag(*map(step, reversed(names)), after=after)))

        def before(name, after=after):
            return set(after[name]).union(*map(before, after[name]))

        for name in names:
            assert {other for other in names if graph.comes_before(other, name)} == before(name)
