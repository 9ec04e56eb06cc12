"""What a further attempt asks for."""

import pytest

from launchers.requirement import parse
from launchers.runs.escalate import asked, asked_by_hand, escalated, factors, pointless, times


def test_factors():
    assert factors("mem*2, duration*1.5") == {"mem": 2, "duration": 1.5}
    assert factors("cores * 3,gpu_mem*0.5,") == {"cores": 3, "gpu_mem": 0.5}
    assert factors("") == {}


@pytest.mark.parametrize("text", ["mem", "mem*", "memory*2", "mem*2;cores*2", "mem*-1", "mem*0", "mem*0.0", "mem*2x"])
def test_what_are_no_factors(text):
    with pytest.raises(ValueError, match=r"write mem\*2, cores\*2, duration\*2, gpu_mem\*2, with commas"):
        factors(text)


@pytest.mark.parametrize(
    ("amount", "factor", "larger"), [(1, 1.5, 2), (10, 1.1, 11), (3, 1, 3), (3, 0.5, 2), (10, 2, 20)]
)
def test_a_small_amount_grows_too(amount, factor, larger):
    assert times(amount, factor) == larger


def test_each_amount_is_multiplied_by_its_own_factor():
    need = parse("cpu(mem=10M, cores=2) & duration=1h | cuda(mem=4G)*2 & cpu(cores=1)")
    by = factors("mem*2, cores*3, duration*1.5, gpu_mem*4")
    assert escalated(need, by) == parse("cpu(mem=20M, cores=6) & duration=90m | cuda(mem=16G)*2 & cpu(cores=3)")
    assert escalated(need, {}) == need
    assert escalated(need, factors("duration*2")) == parse(
        "cpu(mem=10M, cores=2) & duration=2h | cuda(mem=4G)*2 & cpu(cores=1)"
    )


@pytest.mark.parametrize(
    ("need", "names"),
    [
        ("cpu(cores=1)", {"cores"}),
        ("cpu(mem=1G, cores=2) & duration=1h", {"mem", "cores", "duration"}),
        ("cuda()", set()),
        ("cuda(mem=1G)", {"gpu_mem"}),
        ("cuda() | cpu(mem=1G)", {"mem"}),
    ],
)
def test_which_amounts_a_need_has(need, names):
    assert asked(parse(need)) == names


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({}, set()),
        ({"mem": "1G", "time": 5}, {"mem", "duration"}),
        ({"cpus_per_task": 2, "additional_parameters": {"mem": "1G"}}, {"cores", "mem"}),
        ({"additional_parameters": None, "time": 0}, set()),
    ],
)
def test_which_amounts_options_have(parameters, names):
    assert asked_by_hand(parameters) == names


def test_factors_of_what_is_not_asked():
    assert pointless(["mem"], ["mem", "cores"]) == ""
    assert pointless(["mem", "cores", "duration"], iter(["cores"])) == (
        "it asks for no mem and no duration that could be multiplied: say how much first"
    )
