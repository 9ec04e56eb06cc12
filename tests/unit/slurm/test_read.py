"""Texts that Slurm prints, in any order and mixed: what is read, what is reported, how long it takes."""

import gzip
import random
import re
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.slurm.read import read


def test_problems_are_reported_and_the_rest_goes_on():
    found = read("garbage here\nNodeName=a CPUTot=x\nNodeName=b CPUTot=4\n\nNodeName=b CPUTot=8\nmore garbage")
    assert [node.name for node in found.nodes] == ["a", "b"]
    assert found.nodes[0].cpus is None
    assert "'x' is not a whole number" in {problem.reason for problem in found.problems}
    assert [problem.line for problem in found.problems] == [1, 6, 2, 5] or {p.line for p in found.problems} == {
        1,
        2,
        5,
        6,
    }


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
    found = read(text)
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
    assert found.nodes or found.problems or not found.nodes
