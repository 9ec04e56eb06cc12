"""Steps as submissions: arrays, what each waits for, barriers, and limits on how many run at once."""

import pytest
from plans import CPU, GPU, submissions, waits, work

from launchers import SlurmArgs
from launchers.plan import Chain, Dag, Map, Parallel, Plan, Step


def plan(*nodes):
    return Plan("p", Chain(*nodes))


def step(name, need=CPU, **keys):
    return Step(name, need, work, **keys)


def some_map(name, count, **keys):
    return Map(name, CPU, work, range(count), **keys)


def different(count, prefix="l"):
    """Steps that no array can join, as each asks for other cores."""
    return [step(f"{prefix}{n}", SlurmArgs(time=1, partition="p", cpus_per_task=n + 1)) for n in range(count)]


def sizes(found):
    return [len(submission.members) for submission in found.values()]


# -- arrays ----------------------------------------------------------------------------------------------------


def test_equal_siblings_are_one_array():
    branches = Parallel(*[step(f"t{n}", GPU) for n in range(3)], step("c"))
    found = submissions(plan(step("a"), branches, step("z")))
    assert list(found) == ["a", "t0", "c", "z"]
    assert found["t0"].members == (("t0", None), ("t1", None), ("t2", None))
    assert (found["t0"].array, found["a"].array) == (True, False)
    assert waits(found["t0"]) == [("afterok", "a", None)]
    assert waits(found["z"]) == [("afterok", "t0", None), ("afterok", "c", None)]


def test_who_waits_for_one_of_equal_siblings_waits_for_its_element():
    found = submissions(plan(Parallel(step("x"), Chain(step("y"), step("after-y", GPU)))))
    assert waits(found["after-y"]) == [("afterok", "x", 1)]


def test_siblings_are_equal_when_they_wait_for_the_same_in_the_same_way():
    found = submissions(plan(step("a"), Parallel(step("x"), step("y", on="any"), step("z", on="any"))))
    assert list(found) == ["a", "x", "y"]
    assert found["y"].steps == ("y", "z")


def test_a_step_outside_srun_is_no_equal_sibling():
    alone = step("alone")
    alone.srun = False
    found = submissions(plan(Parallel(step("x"), alone, step("y"))))
    assert [submission.steps for submission in found.values()] == [("x", "y"), ("alone",)]
    assert "use_srun" not in found["x"].parameters
    assert found["alone"].parameters["use_srun"] is False


def test_a_map_is_an_array_by_itself():
    found = submissions(plan(Parallel(some_map("m", 2), some_map("n", 2), step("x"))))
    assert [submission.members for submission in found.values()] == [
        (("m", 0), ("m", 1)), (("n", 0), ("n", 1)), (("x", None),),
    ]  # fmt: skip


def test_a_scheduler_without_arrays_gets_every_job_by_itself():
    found = submissions(plan(Parallel(step("x"), step("y")), some_map("m", 3)), array=1, arrays=False)
    assert list(found) == ["x", "y", "m.0", "m.1", "m.2"]
    assert waits(found["m.2"]) == [("afterok", "x", None), ("afterok", "y", None)]


@pytest.mark.parametrize(("count", "array", "names"), [
    (3, 3, ["m"]), (4, 3, ["m.0", "m.1"]), (6, 3, ["m.0", "m.1"]), (7, 3, ["m.0", "m.1", "m.2"]), (1, 3, ["m"]),
])  # fmt: skip
def test_an_array_is_cut_where_it_is_too_long(count, array, names):
    found = submissions(plan(some_map("m", count)), array=array)
    assert list(found) == names
    assert [member for submission in found.values() for member in submission.members] == [
        ("m", number) for number in range(count)
    ]
    assert max(sizes(found)) <= array


def test_a_cluster_that_allows_no_array_gets_single_jobs():
    """MaxArraySize may be 1, and what is left of it 0."""
    assert sizes(submissions(plan(some_map("m", 2)), array=0)) == [1, 1]


def test_equal_siblings_are_cut_as_well():
    found = submissions(plan(Parallel(*[step(f"t{n}") for n in range(5)]), step("z", GPU)), array=2)
    assert [submission.steps for submission in found.values()] == [("t0", "t1"), ("t2", "t3"), ("t4",), ("z",)]
    assert waits(found["z"]) == [("afterok", "t0.0", None), ("afterok", "t0.1", None), ("afterok", "t0.2", None)]


def test_names_and_tokens_come_once():
    found = submissions(plan(some_map("m", 5), step("z")), array=2)
    assert [submission.token for submission in found.values()] == [f"launchers-id-{n}" for n in range(4)]


# -- conditions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "kind"), [("ok", "afterok"), ("any", "afterany"), ("failed", "afternotok"), ("started", "after")]
)
def test_conditions_are_types_of_dependency(on, kind):
    found = submissions(plan(step("a"), step("b", GPU, on=on)))
    assert waits(found["b"]) == [(kind, "a", None)]


def test_edges_of_a_dag_keep_their_conditions():
    steps = [step(name) for name in ("d", "c", "b", "a")]
    dag = Dag(*steps, after={"d": {"b": "any", "c": "ok"}, "c": {"a": "ok"}, "b": {"a": "failed"}})
    found = submissions(plan(dag))
    assert waits(found["d"]) == [("afterany", "b", None), ("afterok", "c", None)]
    assert waits(found["b"]) == [("afternotok", "a", None)]


def test_siblings_that_have_to_fail_are_waited_for_one_by_one():
    """Of an array as a whole one failure is enough for Slurm."""
    found = submissions(plan(Parallel(step("x"), step("y")), step("z", GPU, on="failed")))
    assert waits(found["z"]) == [("afternotok", "x", 0), ("afternotok", "x", 1)]


def test_a_map_has_failed_as_a_whole():
    found = submissions(plan(some_map("m", 3), step("z", on="failed")))
    assert waits(found["z"]) == [("afternotok", "m", None)]


def test_a_map_of_several_arrays_has_failed_where_any_has():
    found = submissions(plan(some_map("m", 3), step("z", on="failed")), array=2)
    assert waits(found["z"]) == [("afternotok", "m.0", None), ("afternotok", "m.1", None)]


def test_both_conditions_on_one_array_are_kept_apart():
    dag = Dag(step("x"), step("y"), step("z", GPU), after={"z": {"x": "ok", "y": "any"}})
    assert waits(submissions(plan(dag))["z"]) == [("afterok", "x", 0), ("afterany", "x", 1)]


def test_item_by_item():
    found = submissions(plan(some_map("m", 5), some_map("n", 5, on="each"), step("z")))
    assert waits(found["n"]) == [("aftercorr", "m", None)]
    assert waits(found["z"]) == [("afterok", "n", None)]


def test_item_by_item_of_several_arrays():
    """The last ones are of one job each, which is no array that aftercorr could pair."""
    found = submissions(plan(some_map("m", 5), some_map("n", 5, on="each"), step("z")), array=2)
    assert sizes(found) == [2, 2, 1, 2, 2, 1, 1]
    assert waits(found["n.0"]) == [("aftercorr", "m.0", None)]
    assert waits(found["n.1"]) == [("aftercorr", "m.1", None)]
    assert waits(found["n.2"]) == [("afterok", "m.2", None)]
    assert waits(found["z"]) == [("afterok", f"n.{number}", None) for number in range(3)]


def test_a_map_of_one_item_after_another():
    found = submissions(plan(some_map("m", 1), some_map("n", 1, on="each")))
    assert waits(found["n"]) == [("afterok", "m", None)]


# -- barriers --------------------------------------------------------------------------------------------------

BARRIER = {"time": 1}


@pytest.mark.parametrize(("left", "right", "barrier"), [
    (3, 3, True), (2, 3, False), (3, 2, False), (2, 2, False), (4, 4, True),
])  # fmt: skip
def test_three_by_three_go_through_a_barrier(left, right, barrier):
    found = submissions(plan(Parallel(*different(left)), some_map("r", right)), array=1, barrier=BARRIER)
    assert ("before-r" in found) == barrier
    edges = sum(len(submission.parents) for submission in found.values())
    assert edges == (left + right if barrier else left * right)


def test_what_a_barrier_is():
    found = submissions(plan(Parallel(*different(3)), some_map("r", 6)), array=2, barrier=BARRIER)
    barrier = found["before-r"]
    assert (barrier.barrier, barrier.parameters, barrier.members) == (True, BARRIER, (("before-r", None),))
    assert waits(barrier) == [("afterok", f"l{number}", None) for number in range(3)]
    assert list(found) == ["l0", "l1", "l2", "before-r", "r.0", "r.1", "r.2"]
    assert [waits(found[f"r.{number}"]) for number in range(3)] == [[("afterok", "before-r", None)]] * 3
    assert not any(submission.barrier for name, submission in found.items() if name != "before-r")


def test_a_thousand_edges_become_a_hundred():
    """planit made 100,000 edges of 1000 x 100."""
    found = submissions(plan(Parallel(*different(30)), some_map("r", 40)), array=10, barrier=BARRIER)
    assert sum(len(submission.parents) for submission in found.values()) == 30 + 4


def test_no_barrier_where_the_scheduler_has_none():
    assert "before-r" not in submissions(plan(Parallel(*different(3)), some_map("r", 3)), array=1)


@pytest.mark.parametrize("on", ["any", "failed", "started"])
def test_a_barrier_stands_for_success_alone(on):
    """Its own job succeeds whatever it waited for."""
    found = submissions(plan(Parallel(*different(3)), some_map("r", 3, on=on)), array=1, barrier=BARRIER)
    assert "before-r" not in found


# -- how many run at once --------------------------------------------------------------------------------------


def test_a_limit_is_the_arrays_own():
    found = submissions(plan(some_map("m", 5, at_once=2), step("z")))
    assert (found["m"].at_once, found["z"].at_once) == (2, None)


def test_several_arrays_with_a_limit_run_one_after_the_other():
    """Each of them would have had its own two jobs at once."""
    found = submissions(plan(step("a"), some_map("m", 5, at_once=2)), array=3)
    assert sizes(found) == [1, 3, 2]
    assert waits(found["m.0"]) == [("afterok", "a", None)]
    assert waits(found["m.1"]) == [("afterok", "a", None), ("afterany", "m.0", None)]


def test_several_arrays_without_a_limit_run_side_by_side():
    found = submissions(plan(some_map("m", 5)), array=3)
    assert waits(found["m.1"]) == []


def test_where_arrays_have_no_limit_they_are_as_large_as_the_limit():
    found = submissions(plan(step("a"), some_map("m", 3, at_once=1)), limits=False)
    assert sizes(found) == [1, 1, 1, 1]
    assert waits(found["m.1"]) == [("afterok", "a", None), ("afterany", "m.0", None)]
    assert waits(found["m.2"]) == [("afterok", "a", None), ("afterany", "m.1", None)]


def test_a_limit_larger_than_an_array_changes_nothing():
    assert sizes(submissions(plan(some_map("m", 5, at_once=4)), array=2, limits=False)) == [2, 2, 1]


@pytest.mark.parametrize(
    ("first", "second", "size"), [(2, None, 2), (None, 2, 2), (3, 2, 2), (2, 3, 2), (None, None, 5)]
)
def test_maps_item_by_item_are_cut_alike(first, second, size):
    """Each array of the second waits for the one with the same items."""
    found = submissions(
        plan(some_map("m", 5, at_once=first), some_map("n", 5, on="each", at_once=second)), limits=False
    )
    count = -(-5 // size)
    assert max(sizes(found)) == size
    assert len(found) == 2 * count
    if count > 1:
        pairs = [next(wait for wait in waits(found[f"n.{n}"]) if wait[1].startswith("m")) for n in range(count)]
        assert pairs == [("aftercorr", "m.0", None), ("aftercorr", "m.1", None), ("afterok", "m.2", None)]


def test_three_maps_item_by_item_are_cut_alike():
    maps = [some_map("m", 4), some_map("n", 4, on="each"), some_map("o", 4, on="each", at_once=2)]
    assert sizes(submissions(plan(*maps), limits=False)) == [2] * 6
    assert sizes(submissions(plan(*maps, some_map("other", 4)), limits=False)) == [2] * 6 + [4]


def test_this_machine_limits_by_tokens_and_not_by_order():
    found = submissions(plan(some_map("m", 3, at_once=1)), array=1, arrays=False)
    assert [waits(submission) for submission in found.values()] == [[], [], []]


# -- parameters ------------------------------------------------------------------------------------------------


class Resumable:
    def __call__(self, *_):
        pass

    def checkpoint(self, *_):
        pass


def test_what_can_go_on_is_told_before_its_time_is_up():
    found = submissions(plan(Step("a", CPU, Resumable()), step("b")))
    assert found["a"].parameters["checkpointed"] is True
    assert "checkpointed" not in found["b"].parameters


def test_a_barrier_is_never_told():
    """Also where a step has the barrier's name."""
    steps = [*different(3), Map("r", CPU, Resumable(), range(3))]
    found = submissions(plan(Parallel(*steps[:3]), steps[3]), array=1, barrier=BARRIER)
    assert found["before-r"].parameters == BARRIER
    assert found["r.0"].parameters["checkpointed"] is True


def test_nothing_leaks_from_step_to_step():
    """planit wrote one step's dependency into the parameters of all."""
    special = SlurmArgs(time=5, mem_gb=9, additional_params={"nice": 5})
    found = submissions(plan(step("a", special), step("b")))
    assert found["a"].parameters["additional_parameters"]["nice"] == 5
    assert "mem" not in str(found["b"].parameters)
    assert "dependency" not in found["b"].parameters
