"""GPU names as clusters and drivers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchers.gpus.catalogue import SHORTFALL, identify, nominal_memory, nominal_sizes, same_model
from launchers.quantities.units import GIB, MIB


@pytest.mark.parametrize(
    ("name", "kind", "model", "sizes"),
    [
        ("a100", "cuda", "A100", [40, 80]),
        ("a100l", "cuda", "A100", [80]),
        ("A100-SXM4-80GB", "cuda", "A100", [80]),
        ("tesla_v100-pcie-32gb", "cuda", "V100", [32]),
        ("TeslaV100", "cuda", "V100", [16, 32]),
        ("rtx3090", "cuda", "RTX3090", [24]),
        ("NVIDIA GeForce RTX 3090", "cuda", "RTX3090", [24]),
        ("nvidia_rtx_pro_6000_blackwell", "cuda", "RTXPRO6000", [96]),
        ("NVIDIA RTX 6000 Ada Generation", "cuda", "RTX6000ADA", [48]),
        ("Quadro RTX 6000", "cuda", "RTX6000", [24]),
        ("NVIDIA RTX A6000", "cuda", "RTXA6000", [48]),
        ("NVIDIA H100 NVL", "cuda", "H100", [94]),
        ("NVIDIA GH200 480GB", "cuda", "GH200", [96, 141]),  # 480 GB is the processor's
        ("NVIDIA A100-SXM4-40GB MIG 3g.20gb", "cuda", "A100 MIG 3g.20gb", [20]),
        ("1g.10gb", "cuda", "MIG 1g.10gb", [10]),
        ("a100_3g.20gb", "cuda", "A100 MIG 3g.20gb", [20]),
        ("AMD Instinct MI250X", "rocm", "MI250X", [64]),
        ("mi300x", "rocm", "MI300X", [192]),
        ("Apple M2 Max", "mps", "M2MAX", []),
        ("titan", "cuda", "TITAN", []),
        ("ampere", "cuda", "AMPERE", []),
        ("p100", "cuda", "P100", [12, 16]),
    ],
)
def test_names(name, kind, model, sizes):
    card = identify(name)
    assert (card.kind, card.model, [size // GIB for size in card.memory]) == (kind, model, sizes)


@pytest.mark.parametrize("name", ["", "gen", "not-an-existing-gpu", "intel", "x86_64", "a" * 500, "48gb"])
def test_unknown_names_are_unknown(name):
    assert identify(name) is None


def test_a_site_can_name_its_own():
    own = {"Gen": ("rocm", (48 * GIB,)), "a100": ("cuda", ())}
    card = identify(" gen ", own)
    assert (card.kind, card.model, card.memory, card.evidence) == ("rocm", "Gen", (48 * GIB,), "gpus: Gen")
    assert identify("A100", own).memory == ()
    assert identify("A100", own).evidence == "gpus: a100"


@pytest.mark.parametrize(
    ("name", "evidence"), [("a100 ", "GPU catalogue: a100"), ("a100_3g.20gb", "MIG profile 3g.20gb")]
)
def test_a_card_names_its_source(name, evidence):
    assert identify(name).evidence == evidence


@pytest.mark.parametrize(
    ("wanted", "offered", "same"),
    [
        ("A100", "NVIDIA A100-SXM4-80GB", True),
        ("RTX3090", "rtx_3090", True),
        ("Tesla V100", "v100", True),
        ("V100", "V100S", False),
        ("A10", "A100", False),
        ("rtx6000", "rtx a6000", False),
        ("rtx6000", "RTX 6000 Ada Generation", False),
        ("A100-80GB", "a100-40gb", False),
        ("A100-80GB", "a100", True),
        ("A100", "A100 MIG 3g.20gb", False),
        ("gen", "GEN", True),
    ],
)
def test_same_model(wanted, offered, same):
    assert same_model(wanted, offered) is same


@pytest.mark.parametrize(
    ("mib", "model", "gib"),
    [
        (24564, None, 24),
        (40536, "A100", 40),
        (40536, None, 40),
        (46068, "A40", 48),
        (15360, "T4", 16),
        (143771, None, 141),
        (8116, None, 8),
        (11178, None, 11),
        (11441, "K80", 12),
        (81559, "H100", 80),
        (95830, "H100", 94),
        (183359, "B200", 180),
        (23 * 1024, None, 23),
        (45 * 1024, None, 45),
    ],
)
def test_nominal_memory(mib, model, gib):
    assert nominal_memory(mib * MIB, model) == gib * GIB


def test_nominal_sizes_are_fixed_points():
    for size in nominal_sizes():
        assert nominal_memory(size) == size


@pytest.mark.parametrize("size", [24 * GIB, 48 * GIB])
def test_a_card_reports_a_little_less_than_its_nominal_size(size):
    least = size - int(size * SHORTFALL)
    assert nominal_memory(least) == size
    assert nominal_memory(least - 2) != size
    assert nominal_memory(size + 1) != size


def test_a_size_near_none_of_a_known_model_stays():
    assert nominal_memory(60 * GIB, "A100") == 60 * GIB
    assert nominal_memory(81559 * MIB, "A100") == 80 * GIB


@given(st.text(max_size=40))
def test_identify_never_raises_and_is_idempotent(name):
    card = identify(name)
    if card is not None:
        assert identify(card.model).model == card.model


def test_every_gres_type_of_the_real_clusters_is_known_or_deliberately_not(shared):
    known = "h100 h200 ampere tesla p100 rtx8000 v100 pascal a100 titan a40 kepler rtx2080ti l40s a6000 a100l"
    unknown = "gen not-an-existing-gpu"
    assert all(identify(name) for name in known.split())
    assert not any(identify(name) for name in unknown.split())
