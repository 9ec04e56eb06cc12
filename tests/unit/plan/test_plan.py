"""The tree and its graph: planit's shape, its README's examples, and what was wrong with planit."""

import random
import time

import pytest

from launchers import MailType, SlurmArgs
from launchers.plan import Chain, Dag, Map, Parallel, Plan, PlanError, ResultOf, Step, result_of
from launchers.plan.check import problems
from launchers.plan.describe import described
from launchers.plan.graph import graph_of
from launchers.plan.layout import units_of
from launchers.plan.place import place

GPU = SlurmArgs(time="02:00:00", partition="gpu_a100", gpus_per_node=1, cpus_per_gpu=18)
CPU = SlurmArgs(time="01:00:00", partition="batch", cpus_per_task=8)


def work(*args, **kwargs):
    return args, kwargs


def thesis():
    return Plan(
        "thesis",
        Chain(
            Step("download_data", work, CPU),
            Parallel(
                Chain(
                    Step("preprocess_en", work, CPU, "en"),
                    Parallel(
                        Step("train_bert", work, GPU, "bert", epochs=10, lr=3e-5),
                        Step("train_roberta", work, GPU, "roberta", epochs=5),
                        Chain(
                            Step("hyperparam_search", work, GPU, "xlm-r"),
                            Step("train_xlm-r", work, GPU, "xlm-r"),
                        ),
                    ),
                ),
                Chain(Step("preprocess_nl", work, CPU, "nl"), Step("train_nl", work, GPU, "nl")),
            ),
            Step("evaluate_all", work, CPU),
            Step("generate_plots", work, CPU),
        ),
    )


def parents(plan):
    return {task.name: task.parents for task in graph_of(plan).tasks}


def units(plan, **more):
    return {unit.name: unit for unit in units_of(place(plan), "id", **more)}


def waits(unit):
    return [(one.kind, one.unit, one.index) for one in unit.parents]


def test_the_thesis_of_planits_readme(capsys):
    text = thesis().describe(place=False)
    assert capsys.readouterr().out == text + "\n"
    lines = text.splitlines()
    assert lines[0] == "Plan: thesis"
    assert lines[1] == "└── ▼ Chain [8:00:00]"
    assert "    ├── ⇉ Parallel [5:00:00]" in lines
    assert "    │   │       └── ▼ Chain [4:00:00]" in lines
    assert "    │   │           └── ● train_xlm-r [02:00:00]" in lines
    assert lines[-1] == "Time Estimate (not taking queuing into account): 8:00:00"
    graph = parents(thesis())
    assert graph["train_bert"] == ("preprocess_en",)
    assert graph["evaluate_all"] == ("train_bert", "train_roberta", "train_xlm-r", "train_nl")


def test_describe_with_places_marks_the_critical_path():
    text = Plan("p", Chain(Step("a", CPU, work), Parallel(Step("b", GPU, work), Step("c", CPU, work)))).describe()
    assert "● b* [02:00:00]  gpu_a100 1 GPU" in text
    assert "● c [01:00:00]  batch" in text
    assert "GPU-hours at most: 2" in text
    assert "Critical path (*): a > b" in text


def test_arguments_in_any_order_and_with_any_name():
    step = Step("x", CPU, work, 1, name="n", need="m")
    assert (step.func, step.args, step.kwargs) == (work, (1,), {"name": "n", "need": "m"})
    step = Step("x", work, CPU, "en", option=1)
    assert (step.need, step.args, step.kwargs) == (CPU, ("en",), {"option": 1})
    step = Step("x", work, "en")
    assert (step.need, step.args) == (None, ("en",))
    assert str(Step("x", "cpu(cores=2)", work).need) == "cpu(cores=2)"


def test_raw_dict_and_slurm_args():
    raw = {
        "slurm_time": "02:00:00",
        "slurm_partition": "gpu_v100",
        "gpus_per_node": 1,
        "slurm_additional_parameters": {"clusters": "genius", "account": "my-account", "cpus_per_gpu": 4},
    }
    one = place(Plan("p", Step("a", work, raw))).places["a"]
    assert one.seconds == 7200
    assert one.parameters["partition"] == "gpu_v100"
    assert one.parameters["time"] == 120
    assert one.parameters["additional_parameters"] == {"clusters": "genius", "account": "my-account", "cpus-per-gpu": 4}
    assert raw["slurm_additional_parameters"]["cpus_per_gpu"] == 4  # planit wrote dependencies into the user's dict
    args = SlurmArgs(
        time="03:00:00", partition="gpu_a100", gpus_per_node=1, cpus_per_gpu=18, cluster="wice", account="my-account",
        mail_type=[MailType.BEGIN, MailType.END, MailType.FAIL], mail_user="me@university.edu",
    )  # fmt: skip
    found = place(Plan("p", Step("a", work, args))).places["a"].parameters
    assert found["mail_type"] == "BEGIN,END,FAIL"
    assert found["additional_parameters"]["clusters"] == "wice"


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("72:00:00", 259200), ("24:00:00", 86400), ("2-12", 216000), ("120", 7200), ("UNLIMITED", None)],
)
def test_every_time_that_slurm_takes(time, seconds):
    assert place(Plan("p", Step("a", work, SlurmArgs(time=time)))).places["a"].seconds == seconds


def test_a_plan_without_steps(tmp_path):
    with pytest.raises(PlanError, match="plan p has no steps"):
        Plan("p", Chain(Parallel())).submit(folder=tmp_path)


def test_empty_parts_hand_on_what_came_before():
    plan = Plan("p", Chain(Step("a", CPU, work), Parallel(), Chain(), Chain(Parallel()), Step("b", CPU, work)))
    assert parents(plan) == {"a": (), "b": ("a",)}
    kinds = graph_of(Plan("p", Chain(Step("a", CPU, work), Chain(Parallel(), Step("b", CPU, work), on="any"))))
    assert kinds["b"].waits == (("a", "any"),)


def test_everything_wrong_is_said_at_once():
    twice = Step("twice", CPU, work)
    plan = Plan(
        "p",
        Chain(
            twice,
            Parallel(twice, Step("same", CPU, work), Step("same", CPU, work)),
            Step("a b", CPU, work),
            Step("lock", CPU, work, __import__("threading").Lock()),
            Step("early", CPU, work, ResultOf("late")),
            Map("none", CPU, work, []),
            Map("pair", CPU, work, [1, 2], on="each"),
            Step("late", CPU, work),
        ),
    )
    with pytest.raises(PlanError) as caught:
        plan.submit()
    text = str(caught.value)
    for words in (
        "step twice is used 2 times",
        "2 steps are called same",
        "step 'a b': a name has letters",
        "step lock: it cannot be sent to a node",
        "step early: it takes the result of late, which is not a step before it",
        "step none: a Map needs at least one item",
        'step pair: on="each" pairs it with a Map',
    ):
        assert words in text


def test_no_group_serves_all(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "slurm:\n- {id: gpus, partitions: {g: {configuration: {gpu: {memory: 40G, count: 2}, cpu: {cores: 4}}}}}\n"
        "- {id: cpus, partitions: {c: {configuration: {cpu: {cores: 64}}}}}\n"
    )
    plan = Plan("p", Chain(Step("prep", "cpu(cores=32)", work), Step("train", "cuda(mem=24G)", work)))
    with pytest.raises(PlanError) as caught:
        place(plan, config=tmp_path / "c.yaml")
    text = str(caught.value)
    assert "no single launcher group serves all steps" in text
    assert "gpus has no place for prep (g: asked 32 cores per node, offers 4" in text
    assert "cpus has no place for train" in text


def test_the_whole_plan_goes_to_one_group(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "slurm:\n- {id: small, weight: 9, partitions: {c: {configuration: {cpu: {cores: 8}}}}}\n"
        "- {id: all, partitions: {c: {configuration: {cpu: {cores: 64}}}, g: {configuration: {gpu: {memory: 40G, count: 2}}}}}\n"
    )
    found = place(
        Plan("p", Chain(Step("a", "cpu(cores=2)", work), Step("b", "cuda(mem=24G)", work))), config=tmp_path / "c.yaml"
    )
    assert found.group.name == "all"
    assert [found.places[name].says for name in ("a", "b")] == ["c", "g"]
    assert place(Plan("p", Step("a", "cpu(cores=2)", work)), config=tmp_path / "c.yaml").group.name == "small"


def test_equal_siblings_are_one_array():
    plan = Plan(
        "p",
        Chain(
            Step("a", CPU, work),
            Parallel(*[Step(f"t{i}", GPU, work, i) for i in range(3)], Step("c", CPU, work)),
            Step("z", CPU, work),
        ),
    )
    found = units(plan)
    assert list(found) == ["a", "t0", "c", "z"]
    assert found["t0"].members == (("t0", None), ("t1", None), ("t2", None))
    assert waits(found["t0"]) == [("afterok", "a", None)]
    assert waits(found["z"]) == [("afterok", "t0", None), ("afterok", "c", None)]
    only = units(Plan("p", Parallel(Chain(Step("x", CPU, work), Step("after-x", GPU, work)), Step("y", CPU, work))))
    assert waits(only["after-x"]) == [("afterok", "x", 0)]


def test_maps():
    plan = Plan(
        "p",
        Chain(Map("m", CPU, work, range(5), at_once=2), Map("n", CPU, work, range(5), on="each"), Step("z", CPU, work)),
    )
    found = units(plan)
    assert waits(found["n"]) == [("aftercorr", "m", None)]
    assert found["m"].at_once == 2
    assert waits(found["z"]) == [("afterok", "n", None)]
    split = units(plan, most=2)
    assert [len(unit.members) for unit in split.values()] == [2, 2, 1, 2, 2, 1, 1]
    assert waits(split["n.1"]) == [("aftercorr", "m.1", None)]
    assert waits(split["n.2"]) == [("afterok", "m.2", None)]
    assert len(waits(split["z"])) == 3


def test_what_bounds_an_array_bounds_several():
    """Each of several arrays would have had its own two jobs at once."""
    plan = Plan(
        "p",
        Chain(Map("m", CPU, work, range(5), at_once=2), Map("n", CPU, work, range(5), on="each"), Step("z", CPU, work)),
    )
    split = units(plan, most=3)
    assert waits(split["m.1"]) == [("afterany", "m.0", None)]
    assert waits(split["n.1"]) == [("aftercorr", "m.1", None)]
    small = units(plan, most=1000, bounds_arrays=False)
    assert [len(unit.members) for unit in small.values()] == [2, 2, 1, 2, 2, 1, 1]
    assert waits(small["m.2"]) == [("afterany", "m.1", None)]
    assert waits(small["n.1"]) == [("aftercorr", "m.1", None)]
    before = units(
        Plan("p", Chain(Step("a", CPU, work), Map("m", CPU, work, range(3), at_once=1))), bounds_arrays=False
    )
    assert waits(before["m.1"]) == [("afterok", "a", None), ("afterany", "m.0", None)]


def test_wide_fan_ins_go_through_a_barrier():
    """planit made 100,000 edges of 1000 x 100."""
    left = [Step(f"l{i}", SlurmArgs(time=1, partition="p", cpus_per_task=i + 1), work) for i in range(30)]
    right = Map("r", CPU, work, range(40))
    found = units(Plan("p", Chain(Parallel(*left), right)), most=10, barrier={"time": 1})
    edges = sum(len(unit.parents) for unit in found.values())
    assert edges == 30 + 4
    assert found["before-r"].barrier
    assert waits(found["r.0"]) == [("afterok", "before-r", None)]


@pytest.mark.parametrize(("on", "kind"), [("any", "afterany"), ("failed", "afternotok"), ("started", "after")])
def test_other_kinds_of_waiting(on, kind):
    found = units(Plan("p", Chain(Step("a", CPU, work), Step("b", CPU, work, on=on))))
    assert waits(found["b"]) == [(kind, "a", None)]


def test_any_edges():
    steps = [Step(name, CPU, work) for name in ("d", "c", "b", "a")]
    dag = Dag(*steps, after={"d": {"b": "any", "c": "ok"}, "c": {"a": "ok"}, "b": {"a": "failed"}})
    plan = Plan("p", Chain(Step("first", CPU, work), dag, Step("last", CPU, work)))
    assert parents(plan) == {
        "first": (), "a": ("first",), "b": ("a",), "c": ("a",), "d": ("b", "c"), "last": ("d",),
    }  # fmt: skip
    found = units(plan)
    assert waits(found["d"]) == [("afterany", "b", None), ("afterok", "c", None)]
    assert waits(found["b"]) == [("afternotok", "a", None)]
    assert "◇ Dag [3:00:00]" in plan.describe(place=False)


def test_edges_that_cannot_be():
    steps = [Step(name, CPU, work) for name in "abc"]
    with pytest.raises(PlanError, match="wait for each other: a -> b -> c -> a"):
        Dag(*steps, after={"a": {"b": "ok"}, "b": {"c": "ok"}, "c": {"a": "ok"}})
    with pytest.raises(PlanError, match="there is no step x here: a, b, c"):
        Dag(*steps, after={"a": {"x": "ok"}})
    with pytest.raises(ValueError, match="it is one of"):
        Dag(*steps, after={"a": {"b": "okay"}})


def test_nothing_leaks_from_step_to_step():
    plan = Plan(
        "p", Chain(Step("a", SlurmArgs(time=5, mem_gb=9, additional_params={"nice": 5}), work), Step("b", CPU, work))
    )
    found = units(plan)
    assert "additional_parameters" in found["a"].parameters
    assert "mem" not in str(found["b"].parameters)
    assert "dependency" not in found["b"].parameters


def test_graphs():
    plan = Plan(
        "p",
        Chain(
            Step("a", CPU, work),
            Parallel(Step("b", CPU, work), Map("c", CPU, work, [1, 2])),
            Step("d", CPU, work, on="any"),
        ),
    )
    assert plan.graph() == (
        'flowchart TD\n    s0["a"]\n    s1["b"]\n    s2["c x 2"]\n    s3["d"]\n    s0 --> s1\n    s0 --> s2\n'
        "    s1 -->|any| s3\n    s2 -->|any| s3\n"
    )
    assert '"b" -> "d" [label="any"];' in plan.graph("dot")
    from xml.etree import ElementTree

    assert len(ElementTree.fromstring(plan.graph("svg")).findall(".//{http://www.w3.org/2000/svg}rect")) == 4
    with pytest.raises(ValueError, match="mermaid, dot or svg"):
        plan.graph("png")


def test_what_is_no_step_is_said():
    with pytest.raises(TypeError, match="not callable"):
        Step("a", CPU, "not a function")
    with pytest.raises(TypeError, match="a need is"):
        Step("a", 5, work)
    with pytest.raises(ValueError, match="on='never'"):
        Step("a", CPU, work, on="never")
    assert list(problems(Plan("p q", Step("a", CPU, work)), graph_of(Plan("p q", Step("a", CPU, work)))))


# -- large plans -----------------------------------------------------------------------------------------------


def chained(count):
    """Steps that wait for each other in a row, in the order in which nobody would write them."""
    steps = [
        Step(f"s{number}", CPU, work, *([result_of(f"s{number - 1}")] if number else [])) for number in range(count)
    ]
    return Dag(*reversed(steps), after={f"s{number}": {f"s{number - 1}": "ok"} for number in range(1, count)})


def test_a_long_way_in_reverse():
    plan = Plan("p", chained(5000))
    graph = graph_of(plan)
    assert [task.name for task in graph.tasks] == [f"s{number}" for number in range(5000)]
    assert list(problems(plan, graph)) == []
    names = [f"s{number}" for number in range(3000)]
    circle = {name: {before: "ok"} for name, before in zip(names, [names[-1], *names], strict=False)}
    with pytest.raises(PlanError, match=r"s0 -> s2999 -> .* -> s1 -> s0$"):
        Dag(*[Step(name, CPU, work) for name in names], after=circle)


@pytest.mark.parametrize("kind", [Chain, Parallel])
def test_a_deep_tree(kind):
    node = Step("s0", CPU, work)
    for number in range(1, 1500):
        node = kind(node, Step(f"s{number}", CPU, work))
    plan = Plan("p", node)
    graph = graph_of(plan)
    assert len(graph.tasks) == 1500
    assert graph["s1499"].parents == (("s1498",) if kind is Chain else ())
    assert list(problems(plan, graph)) == []
    assert described(plan, None).count("\n") == 2 * 1500
    assert plan.graph("mermaid").count("-->") == (1499 if kind is Chain else 0)


def test_arguments_that_are_nested_too_deep(tmp_path):
    nested = []
    for _ in range(5000):
        nested = [nested]
    plan = Plan("p", Step("a", CPU, work, nested))
    assert list(problems(plan, graph_of(plan))) == ["step a: its arguments are nested too deep"]


def test_who_comes_before_whom_whatever_the_edges():
    """The bits that are counted say what a walk along the edges says."""
    chance = random.Random(3)
    for _ in range(20):
        names = [f"s{number}" for number in range(12)]
        after = {
            name: dict.fromkeys(chance.sample(names[:number], min(number, chance.randrange(3))), "ok")
            for number, name in enumerate(names)
        }
        graph = graph_of(Plan("p", Dag(*[Step(name, CPU, work) for name in reversed(names)], after=after)))

        def before(name, after=after):
            return set(after[name]).union(*map(before, after[name]))

        for name in names:
            assert {one for one in names if graph.comes_before(one, name)} == before(name)


def test_checking_takes_as_long_as_a_plan_is_large():
    def seconds(count):
        plan = Plan("p", chained(count))
        start = time.process_time()
        assert list(problems(plan, graph_of(plan))) == []
        return time.process_time() - start

    small, large = (min(seconds(count) for _ in range(3)) for count in (500, 4000))
    assert large < 24 * small  # eight times as many steps; each with each would be 64 times
