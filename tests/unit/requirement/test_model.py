"""Requirements as Python objects: what the functions make, and what the operators do."""

import itertools
import math
from datetime import timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from requirements import ALTERNATIVES, REQUIREMENTS

from launchers.requirement import (
    Accelerator,
    Alternative,
    Requirement,
    cpu,
    cuda_gpu,
    duration,
    gpu,
    mps_gpu,
    nodes,
    parse,
    rocm_gpu,
)

G = 1024**3


def test_python_functions():
    assert rocm_gpu() | mps_gpu(mem="8G") | gpu(model="Tesla V100") == parse(
        'rocm() | mps(mem=8G) | gpu(model="Tesla V100")'
    )
    assert 2 * cuda_gpu() == cuda_gpu() * 2
    assert str(nodes(2) & cuda_gpu(mem=24 * G) * 4) == "nodes=2 & cuda(mem=24G) * 4"
    assert duration("1h").multiply_duration(1.5) == duration("90 min")
    assert cpu(cores=1).multiply_duration(2) == cpu(cores=1)


@pytest.mark.parametrize(
    ("need", "fields"),
    [
        (cpu(), {}),
        (cpu(mem="1G", cores=2), {"cpu_memory": G, "cores": 2}),
        (cpu(mem=G), {"cpu_memory": G}),
        (duration(90), {"duration": 90}),
        (duration(timedelta(minutes=1)), {"duration": 60}),
        (nodes(100_000), {"nodes": 100_000}),
        (gpu(), {"accelerators": (Accelerator("gpu"),)}),
        (rocm_gpu(mem="1G", model="MI250X"), {"accelerators": (Accelerator("rocm", G, "MI250X"),)}),
    ],
)
def test_what_a_function_makes(need, fields):
    assert need == Requirement((Alternative(**fields),))


@pytest.mark.parametrize(
    ("alternative", "text"),
    [
        (Alternative(), "cpu()"),
        (Alternative(duration=60), "duration=1m"),
        (Alternative(nodes=2), "nodes=2"),
        (Alternative(cores=2, nodes=2), "nodes=2 & cpu(cores=2)"),
        (Alternative(cpu_memory=G, cores=1), "cpu(mem=1G, cores=1)"),
        (Alternative(accelerators=(Accelerator("gpu", 0, "Tesla V100"),)), 'gpu(model="Tesla V100")'),
        (Alternative(accelerators=(Accelerator("gpu", G, "A100"),) * 2), "gpu(mem=1G, model=A100) * 2"),
        (Alternative(accelerators=(Accelerator("rocm"), Accelerator("cuda"))), "cuda() & rocm()"),
    ],
)
def test_an_alternative_as_text(alternative, text):
    assert str(alternative) == text
    assert parse(text) == Requirement((alternative,))


def test_both_takes_the_larger_of_each_and_all_devices():
    left = Alternative(60, 2 * G, 1, (Accelerator("cuda"),), 3)
    right = Alternative(120, G, 4, (Accelerator("rocm"),), 1)
    both = Alternative(120, 2 * G, 4, (Accelerator("cuda"), Accelerator("rocm")), 3)
    assert left & right == right & left == both
    assert left & Alternative() == left


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: cuda_gpu() * 0, "a number of accelerators must be 1 or more, not 0"),
        (lambda: cuda_gpu() * -1, "a number of accelerators must be 1 or more, not -1"),
        (lambda: cpu(cores=1) * 2, r"only accelerators can be multiplied, not cpu\(cores=1\)"),
        (lambda: duration("1h") * 2, "only accelerators can be multiplied, not duration=1h"),
        (lambda: (cuda_gpu() & nodes(2)) * 2, r"only accelerators can be multiplied, not nodes=2 & cuda\(\)"),
        (lambda: (cuda_gpu() | cpu()) * 2, r"only accelerators can be multiplied, not cpu\(\)"),
        (lambda: cuda_gpu() * 4097, "4097 is too many accelerators on one node: no node has more than 4096"),
        (lambda: cuda_gpu() * 4096 & cuda_gpu(), "more than 4096 accelerators on one node: no node has so many"),
        (lambda: cpu(mem="-1G"), "memory has no sign"),
        (lambda: cpu(mem="64"), "memory needs a unit"),
        (lambda: cpu(cores=0), "cores must be from 1 to 100000, not 0"),
        (lambda: nodes(100_001), "nodes must be from 1 to 100000, not 100001"),
        (lambda: cuda_gpu(mem="24X"), "is not a unit of memory"),
        (lambda: duration(0), "a duration must be more than zero"),
        (lambda: duration("1h").multiply_duration(0), "a duration can only be multiplied by a number above zero, not by 0"),
        (lambda: duration("1h").multiply_duration(math.inf), "multiplied by a number above zero, not by inf"),
        (lambda: duration("1h").multiply_duration(math.nan), "multiplied by a number above zero, not by nan"),
        (lambda: duration("1h").multiply_duration(1e308), "is longer than ten years"),
        (lambda: duration("1s").multiply_duration(0.1), "a duration must be more than zero"),
        (lambda: cuda_gpu(model='A"'), "is not the name of a GPU model"),
        (lambda: cuda_gpu(model=" "), "is not the name of a GPU model"),
        (lambda: cuda_gpu(model="a\nb"), "is not the name of a GPU model"),
        (lambda: Requirement(()), "a requirement has at least one alternative"),
    ],
)  # fmt: skip
def test_python_mistakes_are_value_errors(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_the_most_that_can_be_asked_for():
    assert len((cuda_gpu() * 4096).alternatives[0].accelerators) == 4096
    assert len((cuda_gpu() * 4095 & cuda_gpu()).alternatives[0].accelerators) == 4096


def some(count, start=0):
    return Requirement(tuple(Alternative(cores=start + number) for number in range(1, count + 1)))


def test_the_most_alternatives():
    assert len((some(128) | some(128, 500)).alternatives) == 256
    with pytest.raises(ValueError, match="more than 256 alternatives"):
        some(128) | some(129, 500)
    assert len((some(16) & Requirement(tuple(Alternative(nodes=n) for n in range(1, 17)))).alternatives) == 256
    with pytest.raises(ValueError, match="more than 256 alternatives once the parentheses are multiplied out"):
        some(16) & some(17)


def test_operators_refuse_strangers():
    for wrong in (lambda: cuda_gpu() & 3, lambda: cuda_gpu() | "cuda()", lambda: cuda_gpu() * 1.5, lambda: nodes("2")):
        with pytest.raises(TypeError):
            wrong()


@given(REQUIREMENTS, REQUIREMENTS)
def test_operators_never_change_their_operands(left, right):
    before = str(left), str(right), hash(left), hash(right)
    both, either = left & right, left | right
    assert (str(left), str(right), hash(left), hash(right)) == before
    pairs = [mine & theirs for mine, theirs in itertools.product(left.alternatives, right.alternatives)]
    assert both.alternatives == tuple(dict.fromkeys(pairs))
    assert either.alternatives == tuple(dict.fromkeys(left.alternatives + right.alternatives))


@given(ALTERNATIVES, st.integers(1, 9))
def test_multiplication_repeats_devices(alternative, count):
    only = Requirement((evolve(Alternative(), accelerators=alternative.accelerators),))
    if alternative.accelerators:
        assert (only * count).alternatives[0].accelerators == tuple(
            sorted(
                alternative.accelerators * count, key=lambda device: (device.kind, device.memory, device.model or "")
            )
        )
