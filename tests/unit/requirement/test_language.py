"""The requirement language: what parses, to what, and that text and objects agree."""

import itertools

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.requirement import (
    Accelerator,
    Alternative,
    Requirement,
    RequirementSyntaxError,
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


def test_the_headline():
    found = parse("duration=4 days & cuda(mem=24G)*2 & cpu(mem=64G, cores=8)")
    assert found.alternatives == (Alternative(4 * 86400, 64 * G, 8, (Accelerator("cuda", 24 * G),) * 2, 1),)
    assert str(found) == "duration=4d & cpu(mem=64G, cores=8) & cuda(mem=24G) * 2"
    assert found == cuda_gpu(mem="24G") * 2 & cpu(mem="64G", cores=8) & duration("4 days")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("cuda(mem=24G)*2", "2 * cuda(mem = 24 GiB)"),
        ("cuda()", "(((cuda())))"),
        ("cuda() & rocm()", "rocm() & cuda()"),
        ("cpu(mem=1.5T)", "cpu(mem=1536g)"),
        ("duration=90 min", "duration=1:30:00"),
        ("duration=2-12:00:00", "duration=2 d 12 hours"),
        ("duration=1 h & duration=2h", "duration=2 hours"),
        ("cpu(cores=4) & cpu(mem=1G, cores=2)", "cpu(mem=1G, cores=4)"),
        ("nodes=2 & nodes=3", "nodes=3"),
        ('gpu(model="A100")', "gpu(model=A100)"),
        ("cuda() | cuda()", "cuda()"),
    ],
)
def test_texts_that_mean_the_same(text, same):
    assert parse(text) == parse(same)
    assert hash(parse(text)) == hash(parse(same))


def test_distribution_keeps_the_order_of_preference():
    found = parse("(cuda(mem=80G) | rocm()) & (duration=1h | duration=2h) | cpu(cores=1)")
    assert [str(one) for one in found.alternatives] == [
        "duration=1h & cuda(mem=80G)",
        "duration=2h & cuda(mem=80G)",
        "duration=1h & rocm()",
        "duration=2h & rocm()",
        "cpu(cores=1)",
    ]


def test_python_functions():
    assert rocm_gpu() | mps_gpu(mem="8G") | gpu(model="Tesla V100") == parse(
        'rocm() | mps(mem=8G) | gpu(model="Tesla V100")'
    )
    assert 2 * cuda_gpu() == cuda_gpu() * 2
    assert str(nodes(2) & cuda_gpu(mem=24 * G) * 4) == "nodes=2 & cuda(mem=24G) * 4"
    assert duration("1h").multiply_duration(1.5) == duration("90 min")
    assert cpu(cores=1).multiply_duration(2) == cpu(cores=1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: cuda_gpu() * 0,
        lambda: cuda_gpu() * -1,
        lambda: cpu(cores=1) * 2,
        lambda: duration("1h") * 2,
        lambda: cpu(mem="-1G"),
        lambda: cpu(mem="64"),
        lambda: cpu(cores=0),
        lambda: nodes(10**9),
        lambda: cuda_gpu(mem="24X"),
        lambda: duration(0),
        lambda: duration("1h").multiply_duration(0),
        lambda: duration("1h").multiply_duration(float("inf")),
        lambda: duration("1h").multiply_duration(float("nan")),
        lambda: duration("1h").multiply_duration(1e308),
        lambda: cuda_gpu(model='A"'),
        lambda: Requirement(()),
    ],
)
def test_python_mistakes_are_value_errors(wrong):
    with pytest.raises(ValueError, match=r"\w"):
        wrong()


def test_operators_refuse_strangers():
    for wrong in (lambda: cuda_gpu() & 3, lambda: cuda_gpu() | "cuda()", lambda: cuda_gpu() * 1.5, lambda: nodes("2")):
        with pytest.raises(TypeError):
            wrong()


MODELS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters='"'), min_size=1, max_size=12)
MODELS = MODELS.filter(str.isprintable)
ACCELERATORS = st.builds(
    Accelerator,
    st.sampled_from(["cuda", "rocm", "mps", "gpu"]),
    st.integers(0, 2**38).map(lambda kib: kib * 1024),
    st.none() | MODELS,
)
ALTERNATIVES = st.builds(
    Alternative,
    duration=st.none() | st.integers(1, 3660 * 86400),
    cpu_memory=st.integers(0, 2**40).map(lambda kib: kib * 1024),
    cores=st.integers(0, 1000),
    accelerators=st.lists(ACCELERATORS, max_size=4).map(tuple),
    nodes=st.integers(1, 1000),
)
REQUIREMENTS = st.lists(ALTERNATIVES, min_size=1, max_size=4).map(lambda some: Requirement(tuple(some)))


@given(REQUIREMENTS)
def test_text_round_trip(requirement):
    assert parse(str(requirement)) == requirement


@given(REQUIREMENTS, REQUIREMENTS)
def test_operators_never_change_their_operands(left, right):
    before = str(left), str(right), hash(left), hash(right)
    both, either = left & right, left | right
    assert (str(left), str(right), hash(left), hash(right)) == before
    pairs = [mine & theirs for mine, theirs in itertools.product(left.alternatives, right.alternatives)]
    assert both.alternatives == tuple(dict.fromkeys(pairs))
    assert either.alternatives == tuple(dict.fromkeys(left.alternatives + right.alternatives))


@given(REQUIREMENTS, REQUIREMENTS)
def test_text_and_operators_agree(left, right):
    assert parse(f"({left}) & ({right})") == left & right
    assert parse(f"{left} | {right}") == left | right


@given(ALTERNATIVES, st.integers(1, 9))
def test_multiplication_repeats_devices(alternative, count):
    only = Requirement((evolve(Alternative(), accelerators=alternative.accelerators),))
    if alternative.accelerators:
        assert (only * count).alternatives[0].accelerators == tuple(
            sorted(alternative.accelerators * count, key=lambda one: (one.kind, one.memory, one.model or ""))
        )


WORDS = ("cuda", "gpu", "cpu", "mem", "cores", "model", "duration", "nodes", "=", "(", ")", "*", "&", "|", ",", "24G")
MORE = ("2", "4", "days", "1:30:00", "A100", "-1", ".", ":", '"', "\0", "\u0301", "é", " ")
PIECES = st.sampled_from(WORDS + MORE)


@settings(max_examples=400)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=20).map(" ".join), st.lists(PIECES).map("".join)))
def test_any_text_gives_a_requirement_or_a_syntax_error(text):
    try:
        found = parse(text)
    except RequirementSyntaxError as error:
        shown = str(error)
        assert shown.startswith(f"line {error.line}, column {error.column}: ")
        assert "^" in shown
        assert 1 <= error.line <= text.count("\n") + 1
    else:
        assert parse(str(found)) == found


@settings(max_examples=300)
@given(REQUIREMENTS, st.data())
def test_mutated_text_gives_a_requirement_or_a_syntax_error(requirement, data):
    text = str(requirement)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 5)))
    mutated = text[:start] + data.draw(st.text(max_size=3)) + text[end:]
    try:
        assert isinstance(parse(mutated), Requirement)
    except RequirementSyntaxError as error:
        assert error.reason
