"""Texts that Slurm prints, in any order and mixed: what is read, what is reported, how long it takes."""

import gzip
import random
import re
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.slurm.pasted import clean
from launchers.slurm.read import read


def problems(*texts):
    return [str(problem) for problem in read(*texts).problems]


def test_problems_are_reported_and_the_rest_is_read():
    found = read("garbage here\nNodeName=a CPUTot=x\nNodeName=b CPUTot=4\n\nNodeName=b CPUTot=8\nmore garbage")
    assert [(node.name, node.cpus) for node in found.nodes] == [("a", None), ("b", 8)]
    assert [str(problem) for problem in found.problems] == [
        "line 1: cannot read this line (a table needs the line with its header): garbage here",
        "line 6: cannot read this line (a table needs the line with its header): more garbage",
        "line 2: 'x' is not a whole number: CPUTot=x",
        "line 3: b is described on line 5 too, and differs: CPUTot=4 here, 8 there; line 5 is used: b",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\nc\n\nd\n", ["line 1: cannot read these 3 lines (a table needs the line with its header): a",
                              "line 5: cannot read this line (a table needs the line with its header): d"]),
        ("a\nb\nKey = 1\nc\n", ["line 1: cannot read these 2 lines (a table needs the line with its header): a",
                               "line 4: cannot read this line (a table needs the line with its header): c"]),
        ("a\nName|Priority\nq|1\n\nb\n", ["line 1: cannot read this line (a table needs the line with its header): a",
                                         "line 5: cannot read this line (a table needs the line with its header): b"]),
        ("-----\n=====\n$ sinfo\n", []),
        ("NodeName=(null)\n", ["line 1: this record has no NodeName: {'NodeName': '(null)'}"]),
        ("[1, 2]", ["line 1: cannot read this line (a table needs the line with its header): [1, 2]"]),
        ('{"a": 1, "b": 2}', ['line 1: this JSON has nothing that launchers knows; its keys are a, b: {"a": 1, "b": 2}']),
        ('{"nodes": []}', []),
        ('{"qos": {}}', ['line 1: this JSON has nothing that launchers knows; its keys are qos: {"qos": {}}']),
    ],
)  # fmt: skip
def test_what_is_reported(text, expected):
    assert problems(text) == expected


def test_json_that_is_broken_names_its_line():
    assert problems('{"nodes": [\n 1 2]}') == [
        "line 2: cannot be read as JSON: Expecting ',' delimiter: {\"nodes\": [\n 1 2]}"
    ]


def test_json_may_stand_in_lines_and_in_what_a_tool_recorded():
    lines = '{"nodes": [{"name": "a"}]}\n\n{"nodes": [{"name": "b"}]}\n{"nodes": [3]}\n'
    assert [node.name for node in read(lines).nodes] == ["a", "b"]
    assert problems(lines) == ["line 4: this has another shape than Slurm prints: nodes: 3"]
    recorded = '{"stdout": "NodeName=a\\n", "rc": 0}'
    assert [node.name for node in read(recorded).nodes] == ["a"]
    assert [node.name for node in read("$ scontrol\n" + recorded + "\nNodeName=b\n").nodes] == ["a", "b"]


def test_sinfo_names_a_node_once_for_each_of_its_partitions():
    found = read("PARTITION NODELIST STATE\np n1 idle\nq n1 idle\nq n1 idle\n")
    assert [(node.name, node.partitions) for node in found.nodes] == [("n1", ("p", "q"))]
    assert found.problems == []


def test_a_partition_that_only_nodes_name():
    found = read("NodeName=a Partitions=p,q\n\nPartitionName=p MaxTime=60\n")
    assert [(one.name, one.max_time, one.line) for one in found.partitions] == [("p", 3600, 3), ("q", None, 1)]


def test_associations_are_told_apart_by_all_that_they_are_for():
    text = "Cluster|Account|User|Partition\nc|a|me|\nc|a|me|p\nc|a||\nc|a|me|\n"
    assert len(read(text).associations) == 3


@pytest.mark.no_coverage  # it measures time
@pytest.mark.parametrize("name", ["scontrol-show-nodes.txt.gz", "scontrol-show-nodes-oneline.txt.gz"])
def test_ten_thousand_nodes(shared, name):
    text = gzip.open(shared / "slurm-22.05-10000-nodes" / name, "rt").read()
    started = time.perf_counter()
    found = read(text)
    took = time.perf_counter() - started
    started = time.perf_counter()
    re.findall(r"(\S+)=(\S*)", text)
    floor = time.perf_counter() - started
    assert len(found.nodes) == 10_000
    assert found.problems == []
    assert took < 15 * floor  # a machine under load; tools/bench measures it properly


@pytest.mark.no_coverage  # it measures memory
def test_memory_stays_below_ten_times_the_input(shared):
    text = gzip.open(shared / "slurm-22.05-10000-nodes/scontrol-show-nodes.txt.gz", "rt").read()
    tracemalloc.start()
    found = read(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.nodes
    assert peak < 10 * len(text)


def pieces(rng, text):
    """Cut, doubled, shuffled, garbled lines."""
    lines = text.splitlines(keepends=True)
    for _ in range(rng.randint(1, 6)):
        if not lines:
            break
        place = rng.randrange(len(lines))
        what = rng.randrange(6)
        if what == 0:
            lines[place] = lines[place][: rng.randrange(len(lines[place]) + 1)]
        elif what == 1:
            lines.insert(place, lines[rng.randrange(len(lines))])
        elif what == 2:
            rng.shuffle(lines)
        elif what == 3:
            lines[place] = "".join(rng.choice("=,():NodeNam ~\0é{[|\t") for _ in range(20)) + "\n"
        elif what == 4:
            del lines[place]
        else:
            cut = rng.randrange(len(lines[place]) + 1)
            lines[place] = lines[place][:cut] + rng.choice(["=", " ", "\n", "(", "NodeName="]) + lines[place][cut:]
    return "".join(lines)


@pytest.mark.parametrize("seed", range(150))
def test_mutated_output_never_crashes_and_invents_no_fact(shared, seed):
    rng = random.Random(seed)
    files = sorted(path for path in (shared / "slurm-22.05").iterdir()) + sorted(
        path for path in (shared / "real-clusters").rglob("*") if path.is_file() and path.stat().st_size < 60_000
    )
    text = pieces(rng, rng.choice(files).read_text(errors="replace"))
    found, text = read(text), clean(text)
    for node in found.nodes:
        assert invented(node.name, text) is False
        for feature in node.features:
            assert feature in text
        for one in node.gres:
            assert one.name in text
            assert one.type is None or one.type in text
        for value in node.pairs.values():
            assert all(word in text or word.replace("+", '", "') for word in str(value).split())
    for one in found.partitions + found.qos:
        assert one.name in text


def invented(name, text):
    """Whether a host name is neither in the text nor in a host list of it."""
    return not (name in text or re.sub(r"\d+$", "", name) in text)


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_read(text):
    found = read(text)
    assert not found.nodes or "NodeName=" in text or "{" in text
