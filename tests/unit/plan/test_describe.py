"""A plan for people: the tree with its times, with places the critical path, and three kinds of pictures."""

from xml.etree import ElementTree

import pytest
from config_files import local_entry, partition, slurm_entry, write_config
from plans import CPU, GPU, work

from launchers import SlurmArgs, find_launcher
from launchers.plan import Chain, Dag, Map, Parallel, Plan, Step
from launchers.plan.describe import critical_path, describe_plan
from launchers.plan.graph import graph_of
from launchers.plan.place import place_plan


def thesis():
    return Plan(
        "thesis",
        Chain(
            Step("download_data", CPU, work),
            Parallel(
                Chain(
                    Step("preprocess_en", CPU, work, "en"),
                    Parallel(
                        Step("train_bert", GPU, work, "bert", epochs=10, lr=3e-5),
                        Step("train_roberta", GPU, work, "roberta", epochs=5),
                        Chain(
                            Step("hyperparam_search", GPU, work, "xlm-r"),
                            Step("train_xlm-r", GPU, work, "xlm-r"),
                        ),
                    ),
                ),
                Chain(Step("preprocess_nl", CPU, work, "nl"), Step("train_nl", GPU, work, "nl")),
            ),
            Step("evaluate_all", CPU, work),
            Step("generate_plots", CPU, work),
        ),
    )


def test_the_thesis_of_planits_readme(capsys):
    text = thesis().describe(place=False)
    assert capsys.readouterr().out == text + "\n"
    assert text.splitlines() == [
        "Plan: thesis",
        "└── ▼ Chain [8:00:00]",
        "    ├── ● download_data [01:00:00]",
        "    ├── ⇉ Parallel [5:00:00]",
        "    │   ├── ▼ Chain [5:00:00]",
        "    │   │   ├── ● preprocess_en [01:00:00]",
        "    │   │   └── ⇉ Parallel [4:00:00]",
        "    │   │       ├── ● train_bert [02:00:00]",
        "    │   │       ├── ● train_roberta [02:00:00]",
        "    │   │       └── ▼ Chain [4:00:00]",
        "    │   │           ├── ● hyperparam_search [02:00:00]",
        "    │   │           └── ● train_xlm-r [02:00:00]",
        "    │   └── ▼ Chain [3:00:00]",
        "    │       ├── ● preprocess_nl [01:00:00]",
        "    │       └── ● train_nl [02:00:00]",
        "    ├── ● evaluate_all [01:00:00]",
        "    └── ● generate_plots [01:00:00]",
        "Time Estimate (not taking queuing into account): 8:00:00",
    ]


def test_places_mark_the_critical_path():
    plan = Plan("p", Chain(Step("a", CPU, work), Parallel(Map("b", GPU, work, [1, 2]), Step("c", CPU, work, on="any"))))
    assert plan.describe().splitlines() == [
        "Plan: p",
        "└── ▼ Chain [3:00:00]",
        "    ├── ● a* [01:00:00]  batch",
        "    └── ⇉ Parallel [2:00:00]",
        "        ├── ● b x 2* [02:00:00]  gpu_a100 1 GPU",
        "        └── ● c [01:00:00] on=any  batch",
        "Time Estimate (not taking queuing into account): 3:00:00",
        "GPU-hours at most: 4",
        "Critical path (*): a > b",
    ]


def test_the_group_and_what_was_assumed_stand_below(tmp_path):
    """No file says whether these nodes are up, nor how long their jobs may take."""
    config = write_config(tmp_path, slurm=[slurm_entry("far", {"g": partition(gpu={"count": 2})})])
    plan = Plan("p", Chain(Step("a", "cuda(mem=4G)*2", work), Step("b", "cuda(mem=4G)", work)))
    lines = describe_plan(plan, place_plan(plan, config=config)).splitlines()
    assert "├── ● a* [--:--]  g 2 GPUs" in lines[2] or "● a* [" in lines[2]
    assert lines[2].endswith("g 2 GPUs")
    assert lines[3].endswith("g 1 GPU")
    assert lines[7] == "Launcher: far"
    assumed = [line for line in lines if line.startswith("Assumed: ")]
    assert assumed
    assert len(assumed) == len(set(assumed))


def test_without_a_place_it_is_the_tree_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, local=[local_entry(cores=2)])
    too_much = Plan("p", Step("a", "cpu(cores=99) & duration=1h", work))
    assert too_much.describe() == (
        "Plan: p\n└── ● a [01:00:00]\nTime Estimate (not taking queuing into account): 1:00:00"
    )


def test_each_kind_of_need_has_its_time(tmp_path):
    config = write_config(tmp_path, local=[local_entry()])
    steps = {
        "requirement": "cpu(cores=1) & duration=2h",
        "args": SlurmArgs(time="03:00:00"),
        "dict": {"slurm_time": "04:00:00"},
        "launcher": find_launcher("cpu(cores=1) & duration=5h", config=config),
        "none": None,
        "no-limit": "cpu(cores=1)",
    }
    plan = Plan("p", Parallel(*[Step(name, need, work) for name, need in steps.items()]))
    lines = plan.describe(place=False).splitlines()[2:-1]
    assert [line.partition("[")[2] for line in lines] == [
        "02:00:00]", "03:00:00]", "04:00:00]", "05:00:00]", "00:00:00]", "00:00:00]",
    ]  # fmt: skip
    with_need = Plan("p", Step("a", None, work), need="cpu(cores=1) & duration=2h")
    assert "● a [02:00:00]" in with_need.describe(place=False)


def test_a_dag_takes_as_long_as_its_longest_way():
    dag = Dag(
        Step("a", CPU, work), Step("b", GPU, work), Step("c", CPU, work), after={"b": {"a": "ok"}, "c": {"a": "any"}}
    )
    assert "◇ Dag [3:00:00]" in Plan("p", dag).describe(place=False)


def test_the_critical_path_is_the_longest():
    steps = [Step(name, CPU, work) for name in "abcd"]
    graph = graph_of(Plan("p", Dag(*steps, after={"c": {"a": "ok", "b": "ok"}, "d": {"a": "ok"}})))
    assert critical_path(graph, {"a": 5, "b": 9, "c": 1, "d": 4}) == ["b", "c"]
    assert critical_path(graph, {"a": 5, "b": 3, "c": 1, "d": 4}) == ["a", "d"]
    assert critical_path(graph_of(Plan("p", Chain())), {}) == []


def test_a_deep_tree_can_be_described():
    node = Step("s0", CPU, work)
    for number in range(1, 1500):
        node = Chain(node, Step(f"s{number}", CPU, work))
    plan = Plan("p", node)
    assert describe_plan(plan, None).count("\n") == 2 * 1500
    assert plan.graph("mermaid").count("-->") == 1499


def test_pictures():
    plan = Plan(
        "p",
        Chain(
            Step("a", CPU, work),
            Parallel(Step("b", CPU, work), Map("c", CPU, work, [1, 2]), Map("one", CPU, work, [1])),
            Step("d", CPU, work, on="any"),
        ),
    )
    assert plan.graph() == (
        'flowchart TD\n    s0["a"]\n    s1["b"]\n    s2["c x 2"]\n    s3["one"]\n    s4["d"]\n'
        "    s0 --> s1\n    s0 --> s2\n    s0 --> s3\n    s1 -->|any| s4\n    s2 -->|any| s4\n    s3 -->|any| s4\n"
    )
    dot = plan.graph("dot").splitlines()
    assert (dot[0], dot[-1]) == ('digraph "p" {', "}")
    assert '    "c" [label="c x 2"];' in dot
    assert '    "a" -> "b";' in dot
    assert '    "b" -> "d" [label="any"];' in dot
    picture = ElementTree.fromstring(plan.graph("svg"))
    assert len(picture.findall(".//{http://www.w3.org/2000/svg}rect")) == 5
    with pytest.raises(ValueError, match="a graph is mermaid, dot or svg, not 'png'"):
        plan.graph("png")
