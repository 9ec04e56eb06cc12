"""GPU names as clusters and drivers write them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchers.gpus.catalogue import (
    SHORTFALL,
    identify,
    kind_of,
    may_be_model,
    nominal_memory,
    nominal_sizes,
    same_model,
)
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
        ("NVIDIA GH200 480GB", "cuda", "GH200", [96, 144]),  # 480 GB is the processor's
        ("NVIDIA A100-SXM4-40GB MIG 3g.20gb", "cuda", "A100 MIG 3g.20gb", [20]),
        ("1g.10gb", "cuda", "MIG 1g.10gb", [10]),
        ("a100_3g.20gb", "cuda", "A100 MIG 3g.20gb", [20]),
        ("AMD Instinct MI250X", "rocm", "MI250X", [64]),
        ("mi300x", "rocm", "MI300X", [192]),
        ("Apple M2 Max", "mps", "M2MAX", []),
        ("titan", "cuda", "TITAN", []),
        ("ampere", "cuda", "AMPERE", []),
        ("p100", "cuda", "P100", [12, 16]),
        # as sites write them
        ("NVlink_A100_40GB", "cuda", "A100", [40]),
        ("a10080gb", "cuda", "A100", [80]),
        ("A100-SXM480GB", "cuda", "A100", [80]),
        ("a100-40", "cuda", "A100", [40]),
        ("A100.80G", "cuda", "A100", [80]),
        ("a100_40960mb", "cuda", "A100", [40]),
        ("4xA100", "cuda", "A100", [40, 80]),
        ("a100x4", "cuda", "A100", [40, 80]),
        ("gpu_a100", "cuda", "A100", [40, 80]),
        ("ampere_a100", "cuda", "A100", [40, 80]),
        ("NVIDIA A100-SXM-64GB", "cuda", "A100", [64]),
        ("a100x", "cuda", "A100X", [80]),
        ("a100:4(S:0-1)", "cuda", "A100", [40, 80]),
        ("h100_pcie", "cuda", "H100", [80]),
        ("h100", "cuda", "H100", [64, 80, 94, 96]),
        ("nvidia_h100_sxm5", "cuda", "H100", [64, 80, 96]),
        ("32G-V100", "cuda", "V100", [32]),
        ("pcie/16G/P100", "cuda", "P100", [16]),
        ("titan-x", "cuda", "TITANX", [12]),
        ("A-100", "cuda", "A100", [40, 80]),
        ("h203e", "cuda", "H20", [141]),
        ("h100_nvl", "cuda", "H100", [94]),
        ("nvidia_h100_80gb_hbm3", "cuda", "H100", [80]),
        ("h100-96", "cuda", "H100", [96]),
        ("NVIDIA H200 NVL", "cuda", "H200", [141]),
        ("h200_140gb", "cuda", "H200", [141]),
        ("h20", "cuda", "H20", [96, 141]),
        ("NVIDIA GH200 144G HBM3e", "cuda", "GH200", [144]),
        ("gh200_96gb", "cuda", "GH200", [96]),
        ("gb200", "cuda", "GB200", [186]),
        ("gb300", "cuda", "GB300", [278]),
        ("b200", "cuda", "B200", [180]),
        ("b200_192gb", "cuda", "B200", [180]),
        ("b300", "cuda", "B300", [270]),
        ("l20", "cuda", "L20", [48]),
        ("l40s", "cuda", "L40S", [48]),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "cuda", "RTXPRO6000", [96]),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "cuda", "RTXPRO6000", [96]),
        ("rtxproserver6000", "cuda", "RTXPRO6000", [96]),
        ("rtx6000pro", "cuda", "RTXPRO6000", [96]),
        ("rtx_6000_ada", "cuda", "RTX6000ADA", [48]),
        ("rtx6000", "cuda", "RTX6000", [24, 48]),  # Quadro or Ada
        ("v100l", "cuda", "V100", [32]),
        ("v100s", "cuda", "V100S", [32]),
        ("k20m", "cuda", "K20", [5]),
        ("tesla_k40m", "cuda", "K40", [12]),
        ("k80", "cuda", "K80", [12]),
        ("p100-12", "cuda", "P100", [12]),
        ("rtx_a2000", "cuda", "RTXA2000", [6, 12]),
        ("a1000", "cuda", "RTXA1000", [8]),
        ("a4500", "cuda", "RTXA4500", [20]),
        ("t400", "cuda", "T400", [2, 4]),
        ("t4", "cuda", "T4", [16]),
        ("p1000", "cuda", "P1000", [4]),
        ("m4000", "cuda", "M4000", [8]),
        ("gtx_1080", "cuda", "GTX1080", [8]),
        ("1080ti", "cuda", "GTX1080TI", [11]),
        ("nvidia_geforce_rtx_2080_super", "cuda", "RTX2080SUPER", [8]),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "cuda", "RTX4090 LAPTOP", []),
        ("a100_mig", "cuda", "A100 MIG", []),
        ("nvidia_a100_mig_1g.10gb", "cuda", "A100 MIG 1g.10gb", [10]),
        ("h100-1g-10gb", "cuda", "H100 MIG 1g.10gb", [10]),
        ("a100_2g_20gb", "cuda", "A100 MIG 2g.20gb", [20]),
        ("amd_instinct_mi355x", "rocm", "MI355X", [288]),
        ("mi355", "rocm", "MI355X", [288]),
        ("mi350", "rocm", "MI350", [288]),
        ("mi300", "rocm", "MI300", [128, 192]),
        ("mi300a", "rocm", "MI300A", [128]),
        ("mi325x", "rocm", "MI325X", [256]),
        ("mi210", "rocm", "MI210", [64]),
        ("pvc", "xpu", "PVC", [48, 96, 128]),
        ("max_1550", "xpu", "MAX1550", [128]),
        ("intel_data_center_gpu_max_1100", "xpu", "MAX1100", [48]),
        ("flex_170", "xpu", "FLEX170", [16]),
        ("gaudi3", "hpu", "GAUDI3", [128]),
        ("habana_gaudi2", "hpu", "GAUDI2", [96]),
        ("HL-225H", "hpu", "GAUDI2", [96]),
        ("hl-325l", "hpu", "GAUDI3", [128]),
        ("nvidia_b300_sxm6_ac", "cuda", "B300", [270]),
        ("tpu_v4", "tpu", "TPUV4", [32]),
    ],
)
def test_names(name, kind, model, sizes):
    card = identify(name)
    assert (card.kind, card.model, [size // GIB for size in card.memory]) == (kind, model, sizes)


@pytest.mark.parametrize(
    "name",
    [
        *("", "gen", "not-an-existing-gpu", "intel", "x86_64", "a" * 500, "48gb", "gpu", "4x"),
        *(
            "a100_lite",
            "a100-2",
            "nova100",
            "a1001",
            "aa100",
            "a10000",
            "h1000",
            "b2000",
            "rtx_7000",
            "v1000",
            "t40000",
        ),
        *(
            "amd_a100",
            "nvidia_mi300x",
            "intel_4090",
            "rtx_6000_hopper",
            "rtx_p6000",
            "h100-47",
            "titanv100",
            "k8024gb5",
        ),
    ],
)
def test_unknown_names_are_unknown(name):
    assert identify(name) is None


@pytest.mark.parametrize(
    ("name", "model", "unsold"),
    [("h200_80gb", "H200", 80), ("a100-512gb", "A100", 512), ("v100s-16GB", "V100S", 16), ("a100-80gb", "A100", None)],
)
def test_a_size_that_the_model_is_not_sold_with_leaves_its_memory_open(name, model, unsold):
    card = identify(name)
    assert (card.model, card.unsold) == (model, unsold and unsold * GIB)
    assert bool(card.memory) == (unsold is None)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a100", "cuda"),
        ("nvidia_x9000", "cuda"),
        ("geforce-next", "cuda"),
        ("rtxprodesktop7000", "cuda"),
        ("quadro", "cuda"),
        ("hopper_next", "cuda"),
        ("a100_lite", "cuda"),
        ("h100-47", "cuda"),
        ("amd_instinct_next", "rocm"),
        ("mi430x", "rocm"),
        ("mi300x_cpx", "rocm"),
        ("intel_next", "xpu"),
        ("pvc_tile", "xpu"),
        ("gaudi9", "hpu"),
        ("amdgpu", "rocm"),
        ("tpu_v9", "tpu"),
        ("Apple M2 Max", "mps"),
        ("m2", None),
        ("gfx90a", "rocm"),
        ("gen", None),
        ("not-an-existing-gpu", None),
        ("amd_a100", None),
        ("node-1080", None),
        ("", None),
    ],
)
def test_a_maker_settles_the_kind(name, kind):
    assert kind_of(name) == kind


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
        ("MI300", "mi300x", True),
        ("MI300", "mi300", True),
        ("MI300X", "mi300", False),
        ("ampere", "a100", True),
        ("A100", "ampere", False),
        ("A100", "a100_mig", False),
        ("A100", "rtxproserver6000", False),
        ("RTX PRO 6000", "rtxproserver6000", True),
        ("RTX4090", "NVIDIA GeForce RTX 4090 Laptop GPU", False),
    ],
)
def test_same_model(wanted, offered, same):
    assert same_model(wanted, offered) is same


@pytest.mark.parametrize(
    ("wanted", "offered", "may_be"),
    [
        ("MI300X", "mi300", True),
        ("MI300X", "mi300_128gb", False),
        ("MI300", "mi300", False),
        ("MI250X", "mi300", False),
        ("A100", "ampere", False),
        ("MAX1550", "pvc", True),
        ("gen", "mi300", False),
        ("A100", "a100", False),
    ],
)
def test_a_short_name_may_be_any_of_its_models(wanted, offered, may_be):
    assert may_be_model(wanted, offered) is may_be


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
        (183359, None, 180),
        (275040, "NVIDIA B300 SXM6 AC", 270),
        (189471, "NVIDIA GB200", 186),
        (284208, "NVIDIA GB300", 278),
        (145920, "NVIDIA GH200 144G HBM3e", 144),
        (97871, "NVIDIA GH200 480GB", 96),
        (97887, "NVIDIA RTX PRO 6000 Blackwell Server Edition", 96),
        (16376, "NVIDIA GeForce RTX 4090 Laptop GPU", 16),
        (49140, "NVIDIA RTX 6000 Ada Generation", 48),
        (24220, "Quadro RTX 6000", 24),
        (196592, "AMD Instinct MI300X", 192),
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


MODELS = {
    "A100": "NVIDIA", "H100": "nvidia", "V100": "Tesla", "RTX3090": "GeForce", "L40S": "NVIDIA", "T4": "tesla",
    "GTX1080TI": "geforce", "RTXA6000": "nvidia", "MI210": "AMD Instinct", "MI300X": "amd", "B200": "nvidia",
    "MAX1550": "intel", "GAUDI2": "Habana", "RTXPRO6000": "nvidia", "RTX6000ADA": "NVIDIA",
}  # fmt: skip
DECORATIONS = ["PCIe", "sxm4", "NVLink", "HBM2e", "gpu", "oam", "card"]
SEPARATORS = ["-", "_", " ", ".", "/"]


@st.composite
def decorated(draw, models=tuple(MODELS)):
    """A model's name as some site may write it, and the model."""
    model = draw(st.sampled_from(models))
    size = draw(st.sampled_from([None, *(size // GIB for size in identify(model).memory)]))
    unit = draw(st.sampled_from(["gb", "g", "GB", "GiB", "G"]))
    around = draw(st.lists(st.sampled_from(DECORATIONS), max_size=3)) + ([f"{size}{unit}"] if size else [])
    around += draw(st.sampled_from([[], [MODELS[model]], ["2x"]]))
    parts = draw(st.permutations([model, *around]))
    text = draw(st.sampled_from(SEPARATORS)).join(parts)
    return draw(st.sampled_from([text, text.lower(), text.upper()])), model, size


@given(decorated())
def test_decorations_around_a_name_do_not_change_its_model(case):
    name, model, size = case
    card = identify(name)
    assert card is not None
    assert card.model == model
    if size:
        assert card.memory == (size * GIB,)


@given(decorated(), st.sampled_from(["x9", "lite", "foo", "v7z", "bis", "q"]), st.booleans())
def test_junk_makes_no_model(case, junk, first):
    name = f"{junk}_{case[0]}" if first else f"{case[0]}_{junk}"
    card = identify(name)
    assert card is None or card.model == case[1]


@given(st.sampled_from(sorted(MODELS)), st.text("0123456789abcdefgilmnpqrstuvxz", min_size=1, max_size=2))
def test_letters_glued_to_a_name_make_no_wrong_card(model, glued):
    """What follows without a separator is a suffix that the catalogue knows, or the whole is unknown."""
    card = identify(model + glued)
    if card is not None and card.model != model:
        assert identify(card.model).kind == identify(model).kind
        assert card.model.startswith(model[:3]) or model[:3] in card.model


def test_every_model_is_known_by_its_own_name():
    for spelled in (identify(model).model for model in MODELS):
        assert same_model(spelled, spelled.lower())


def test_reading_a_long_name_takes_no_time():
    started = time.perf_counter()
    for letters in ("sxm480gb", "pcie280g", "x4x4", "1g1g", "10x", "-8", "nvl2"):
        assert identify((letters * 60)[:80]) is None
    assert time.perf_counter() - started < 2


def test_every_gres_type_of_the_real_clusters_is_known_or_deliberately_not(shared):
    known = "h100 h200 ampere tesla p100 rtx8000 v100 pascal a100 titan a40 kepler rtx2080ti l40s a6000 a100l"
    unknown = "gen not-an-existing-gpu"
    assert all(identify(name) for name in known.split())
    assert not any(identify(name) for name in unknown.split())
