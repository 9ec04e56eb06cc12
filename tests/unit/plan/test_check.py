"""Everything that is wrong with a plan is said at once, before anything is submitted."""

import random
import threading
import time

import pytest
from config_files import local_entry, oar_entry, partition, slurm_entry, write_config
from plans import CPU, work
from slurm_queue import pretend_srun

from launchers import LauncherNotFoundError, SlurmArgs
from launchers.plan import Chain, Dag, Map, Parallel, Plan, PlanError, ResultOf, Step, result_of
from launchers.plan.check import check_and_place, plan_problems
from launchers.plan.graph import graph_of
from launchers.plan.tree import RetryPolicy
from launchers.slurm.backend import SlurmBackend


@pytest.fixture(autouse=True)
def srun(monkeypatch):
    pretend_srun(monkeypatch)


@pytest.fixture
def box(tmp_path):
    """This machine, with two cores."""
    return write_config(tmp_path, local=[local_entry(cores=2)])


@pytest.fixture
def grid(tmp_path, monkeypatch):
    """An OAR whose commands are here."""
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    return write_config(tmp_path, oar=[oar_entry("grid", {"count": 2, "cpu": {"cores": 8}})])


@pytest.fixture
def far(tmp_path, monkeypatch):
    """A Slurm whose commands are here, and whose arrays have at most three elements."""
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(SlurmBackend, "largest_array", lambda _: 3)
    return write_config(tmp_path, slurm=[slurm_entry("far", {"c": partition(cores=8)})])


def problems(root, name="p"):
    plan = Plan(name, root)
    return list(plan_problems(plan, graph_of(plan)))


def refused(root, config, **keys):
    """What a check says of a plan."""
    with pytest.raises(PlanError) as caught:
        check_and_place(Plan("p", root, **keys), config, ())
    return list(caught.value.problems)


def step(name, *args, **keys):
    return Step(name, None, work, *args, **keys)


# -- the tree --------------------------------------------------------------------------------------------------


def test_a_plan_that_is_right():
    first = step("a")
    assert problems(Chain(first, Map("m", None, work, [1], at_once=1), step("b", result_of(first)))) == []


def test_everything_wrong_is_said_at_once(box):
    twice = step("twice")
    root = Chain(
        twice,
        Parallel(twice, step("same"), step("same"), step("same")),
        step("a b"),
        step("lock", threading.Lock()),
        step("early", ResultOf("late")),
        Map("none", None, work, []),
        Map("pair", None, work, [1, 2], on="each"),
        Map("few", None, work, [1], at_once=0),
        step("late"),
        Step("large", "cpu(cores=99)", work),
    )
    found = refused(root, box)
    rule = "a name has letters, digits, and _ . + @ = -"
    lock = next(line for line in found if line.startswith("step lock"))
    assert lock.startswith("step lock: it cannot be sent to a node: TypeError: ")
    assert [line for line in found if line != lock] == [
        "step twice is used 2 times: make a step for each place",
        "3 steps are called same: names tell them apart",
        f"step 'a b': {rule}",
        "step early: it takes the result of late, which is not a step before it",
        "step none: a Map needs at least one item",
        'step pair: on="each" pairs it with a Map of as many items',
        "step few: at least one job of it has to run at once, not 0",
        "no single launcher group serves all steps:",
        found[-1],
    ]
    assert found[-1].startswith("  box has no place for large (")


@pytest.mark.parametrize("root", [Chain(), Parallel(), Chain(Parallel(), Dag(after={}))])
def test_a_plan_without_steps(root, box):
    assert problems(root) == ["plan p has no steps"]
    with pytest.raises(PlanError, match="plan p has no steps"):
        Plan("p", root).submit(config=box)


@pytest.mark.parametrize("name", ["", "p q", "ä", "-p", "p/q", "."])
def test_names_of_plans_and_steps(name):
    """They become names of folders and parts of the names of jobs."""
    assert problems(step("a"), name) == [f"plan {name!r}: a name has letters, digits, and _ . + @ = -"]
    assert problems(step(name)) == [f"step {name!r}: a name has letters, digits, and _ . + @ = -"]
    assert problems(step("a_1.b+c@d=e-f"), "0") == []


@pytest.mark.parametrize("at_once", [1, 2, None])
def test_how_many_may_run_at_once(at_once):
    assert problems(Map("m", None, work, [1], at_once=at_once)) == []


@pytest.mark.parametrize("at_once", [0, -1])
def test_how_many_may_not_run_at_once(at_once):
    assert problems(Map("m", None, work, [1], at_once=at_once)) == [
        f"step m: at least one job of it has to run at once, not {at_once}"
    ]


@pytest.mark.parametrize("before", [Map("m", None, work, [1]), Map("m", None, work, [1, 2, 3]), Parallel(), step("m")])
def test_item_by_item_takes_as_many_items(before):
    wrong = ['step n: on="each" pairs it with a Map of as many items'] if not isinstance(before, Parallel) else []
    assert problems(Chain(before, Map("n", None, work, [1, 2], on="each"))) == wrong
    assert problems(Chain(Map("m", None, work, "ab"), Map("n", None, work, [1, 2], on="each"))) == []


@pytest.mark.parametrize("argument", [ResultOf("late"), [1, (ResultOf("late"),)], {"x": ResultOf("late")}])
def test_results_come_from_steps_before(argument):
    said = "it takes the result of late, which is not a step before it"
    assert problems(Chain(step("a", argument), step("late"))) == [f"step a: {said}"]
    assert problems(Chain(Step("a", None, work, x=argument), step("late"))) == [f"step a: {said}"]
    assert problems(Chain(Map("a", None, work, [argument]), step("late"))) == [f"step a: {said}"]
    assert problems(Parallel(step("late"), step("a", argument))) == [f"step a: {said}"]
    assert problems(Chain(step("late"), step("a", argument))) == []


def test_one_result_that_comes_too_late_is_said_once():
    assert len(problems(Chain(step("a", ResultOf("b"), ResultOf("b"), ResultOf("c")), step("b"), step("c")))) == 2


def test_arguments_that_are_nested_too_deep():
    nested = []
    for _ in range(5000):
        nested = [nested]
    assert problems(step("a", nested)) == ["step a: its arguments are nested too deep"]


def test_each_part_of_a_call_has_to_be_picklable():
    lock = threading.Lock()
    for bad in (step("a", lock), Step("a", None, work, x=lock), Map("a", None, work, [lock])):
        (problem,) = problems(bad)
        assert problem.startswith("step a: it cannot be sent to a node: TypeError: ")
    assert problems(Step("a", None, lambda: 1)) == []


def chained(count):
    """Steps that wait for each other in a row, in the order in which nobody would write them."""
    steps = [step(f"s{number}", *([result_of(f"s{number - 1}")] if number else [])) for number in range(count)]
    return Dag(*reversed(steps), after={f"s{number}": {f"s{number - 1}": "ok"} for number in range(1, count)})


def test_a_long_way_and_a_deep_tree():
    assert problems(chained(5000)) == []
    node = step("s0")
    for number in range(1, 1500):
        node = random.choice([Chain, Parallel])(node, step(f"s{number}"))
    assert problems(node) == []


@pytest.mark.no_coverage
def test_checking_takes_as_long_as_a_plan_is_large():
    def seconds(count):
        plan = Plan("p", chained(count))
        start = time.process_time()
        assert list(plan_problems(plan, graph_of(plan))) == []
        return time.process_time() - start

    small, large = (min(seconds(count) for _ in range(3)) for count in (500, 4000))
    assert large < 24 * small  # eight times as many steps; each with each would be 64 times


# -- what the scheduler can do ---------------------------------------------------------------------------------


def test_conditions_that_oar_cannot_wait_for(grid):
    root = Chain(step("a"), Parallel(step("b", on="started"), step("c", on="any"), step("d", on="failed")))
    assert refused(root, grid) == ['step b: OAR cannot wait for on="started"; use "ok", "any" or "failed"']


def test_slurm_and_this_machine_wait_for_a_start(far, box):
    root = Chain(step("a"), step("b", on="started"))
    for config in (far, box):
        assert check_and_place(Plan("p", root), config, ()).group is not None


@pytest.mark.parametrize(("items", "on", "refused_"), [
    (3, "failed", False), (4, "failed", True), (4, "any", False), (4, "ok", False),
])  # fmt: skip
def test_slurm_cannot_wait_for_one_of_several_arrays_to_fail(far, items, on, refused_):
    root = Chain(Map("m", None, work, range(items)), step("z", on=on))
    if refused_:
        said = 'step z: on="failed" of m, which has more items than an array may have here (3)'
        assert refused(root, far) == [said]
    else:
        check_and_place(Plan("p", root), far, ())


def test_others_can(grid, box, monkeypatch):
    root = Chain(Map("m", None, work, range(4)), step("z", on="failed"))
    check_and_place(Plan("p", root), grid, ())
    check_and_place(Plan("p", root), box, ())


def test_a_step_before_may_be_many_and_still_fail_alone(far):
    """More steps than an array may have are waited for one by one."""
    check_and_place(Plan("p", Chain(Parallel(*[step(f"s{n}") for n in range(5)]), step("z", on="failed"))), far, ())


def test_a_cluster_whose_commands_are_not_here(tmp_path, no_slurm):
    config = write_config(tmp_path, slurm=[slurm_entry("far", {"c": partition(cores=8)})])
    with pytest.raises(LauncherNotFoundError, match="far matches but cannot be reached: no sbatch and no srun on PATH"):
        check_and_place(Plan("p", step("a")), config, ())


def test_steps_that_name_everything_themselves_need_the_commands_too(tmp_path, no_slurm):
    with pytest.raises(LauncherNotFoundError) as caught:
        check_and_place(Plan("p", Step("a", CPU, work)), None, ())
    assert caught.value.kind == "unreachable"
    assert str(caught.value) == (
        "Slurm cannot be reached: no sbatch and no srun on PATH. "
        "Run this where Slurm's commands are, or load the module that brings them."
    )


@pytest.fixture
def slurm_here(monkeypatch):
    """Slurm's commands, as if they were here."""
    monkeypatch.setattr(SlurmBackend, "missing_commands", lambda _: ())


def test_parameters_that_submitit_does_not_know(slurm_here):
    root = Chain(
        Step("z", {"cpus_per_task": 1}, work),
        Step("a", {"timeout_min": 5, "foo": 3}, work),
        Step("b", {"timeout_min": 5, "foo": 3}, work),
    )
    found = refused(root, None)
    assert [line.partition(": ")[0] for line in found] == ["step a", "step b"]
    assert all("submitit refuses its parameters: " in line and "foo" in line for line in found)


def test_equal_parameters_are_looked_at_once(slurm_here, monkeypatch):
    looks = []
    monkeypatch.setattr(SlurmBackend, "render_script", lambda _, request: looks.append(request.submission.name) or "")
    steps = [Step(name, CPU, work) for name in "abc"]
    check_and_place(Plan("p", Parallel(*steps, Step("d", SlurmArgs(time=5), work))), None, ())
    assert looks == ["a", "d"]


# -- what a step asks for when it fails --------------------------------------------------------------------------


def retried(need, escalate):
    again = Step("a", need, work)
    again.retry = RetryPolicy(1, escalate)
    return again


@pytest.mark.parametrize(("need", "escalate", "said"), [
    ("cpu(cores=1)", "duration*2", "step a: escalate 'duration*2': it asks for no duration that could be multiplied"),
    ("cpu(cores=1)", "mem*", "step a: escalate 'mem*': write mem*2"),
    ("cpu(mem=1G)", "mem*2, gpu_mem*2", "it asks for no gpu_mem that could be multiplied"),
])  # fmt: skip
def test_an_escalation_that_means_nothing(need, escalate, said, box):
    (problem,) = refused(retried(need, escalate), box)
    assert said in problem
    assert problem.startswith("step a: escalate ")


def test_escalations_that_mean_something(box, slurm_here):
    for root in (retried("cpu(cores=1)", "cores*2"), retried("cpu(cores=1)", ""), step("a")):
        check_and_place(Plan("p", root), box, ())
    check_and_place(Plan("p", retried(None, "mem*2"), need="cpu(mem=1G)"), box, ())
    check_and_place(Plan("p", retried(CPU, "mem*2")), None, ())  # by hand: what it asks is not looked at here
