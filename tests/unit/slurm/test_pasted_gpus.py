"""Which GPUs the text that people paste is about, and which jobs they serve."""

import re

import pytest
from attrs import evolve
from clusters import select

from launchers.config.build import build
from launchers.config.check import check
from launchers.config.load import loads
from launchers.gpus.catalogue import identify, kind_of
from launchers.launcher.conversion import ConversionOptions, convert_texts
from launchers.offer.assumption import Unstated

G = 1024**3


def converted(text):
    return convert_texts([text], ConversionOptions()).text


def groups_of(text):
    """The groups of what `launchers convert` makes of a text, as they are read from its file."""
    config = loads(converted(text), "cluster.yaml")
    assert [problem for problem in check(config) if problem.code.startswith("LC1")] == []
    return build(config.document)


def node(gres, **pairs):
    """The record of a node with these GRES."""
    more = " ".join(f"{key}={value}" for key, value in pairs.items())
    return f"NodeName=n1 CPUTot=8 RealMemory=16000 Gres={gres} State=IDLE Partitions=p {more}\n"


def devices(groups):
    return [
        device for group in groups for part in group.partitions for shape in part.shapes for device in shape.devices
    ]


def assumed(groups, need):
    """What the selection assumes; None where nothing matches."""
    selection = select(groups, need)
    return None if selection is None else [assumption.fact for assumption in selection.assumed]


def test_a_type_that_is_there_is_no_other_model(shared):
    """15: an RTX PRO 6000 was any GPU."""
    groups = groups_of((shared / "pasted" / "15-unknown-type-is-any-gpu.in").read_text())
    assert {(device.kind, device.model, device.memory, device.count) for device in devices(groups)} == {
        ("cuda", "RTXPRO6000", 96 * G, 8)
    }
    for need in ("cuda(model=A100)", "cuda(model=H100)", "rocm(mem=24G)", "cuda(mem=97G)"):
        assert select(groups, need) is None
    assert assumed(groups, 'cuda(mem=96G, model="RTX PRO 6000")') == []


CASES = {
    # GRES: needs that match with these assumptions; None: no match
    "gpu:pvc:4": {"cuda()": None, "rocm()": None, "gpu()": ["gpu-use"], "gpu(model=A100)": None, "gpu(model=PVC)": ["gpu-use"]},
    "gpu:amd_instinct_mi355x_oam:8": {"cuda()": None, "rocm(mem=288G)": [], "rocm(model=MI300X)": None},
    "gpu:amd_instinct_mi999x:8": {"cuda()": None, "rocm(mem=24G)": ["gpu-memory"], "rocm(model=MI300X)": None},
    "gpu:nvidia_next:8": {"rocm()": None, "cuda()": [], "cuda(model=A100)": None, "cuda(model=nvidia_next)": []},
    "gpu:gen:8": {"cuda()": None, "rocm()": None, "gpu()": ["gpu-use"], "gpu(model=A100)": None, "gpu(model=gen)": ["gpu-use"]},
    "gpu:8": {"cuda()": ["gpu-kind"], "rocm()": ["gpu-kind"], "gpu()": [], "cuda(model=A100)": ["gpu-kind", "gpu-model"]},
    "gpu:ampere:8": {"cuda()": [], "rocm()": None, "cuda(model=A100)": None, "cuda(model=ampere)": []},
    "gpu:tesla:8": {"cuda()": [], "cuda(model=A100)": None},
    "gpu:mi300:4": {"rocm(mem=128G)": [], "rocm(mem=150G)": ["gpu-memory"], "rocm(mem=193G)": None,
                    "rocm(model=MI300)": [], "rocm(model=MI300X)": ["gpu-model"], "rocm(model=MI250X)": None, "cuda()": None},
    "gpu:gh200_144g:1": {"cuda(mem=144G)": [], "cuda(model=GH200)": []},
    "gpu:gaudi2:8": {"cuda()": None, "gpu(mem=96G)": ["gpu-use"]},
    "gpu:h200_80gb:4": {"cuda(mem=80G)": ["gpu-memory"], "cuda(model=H200)": []},
    "gpu:a1000:1": {"cuda(model=A100)": None, "cuda(mem=9G)": None},
    "gpu:t400:1": {"cuda(model=T4)": None},
    "gpu:a100_custom:4": {"cuda(model=A100)": None, "cuda()": [], "cuda(mem=80G)": ["gpu-memory"]},
    "gpu:v100l:4": {"cuda(mem=32G, model=V100)": [], "cuda(model=V100S)": None},
    "gpu:NVlink_A100_40GB:8": {"cuda(mem=40G, model=A100)": [], "cuda(mem=41G)": None},
    "gpu:nvidia_a100_1g.10gb:7": {"cuda(mem=10G)": [], "cuda(model=A100)": None},
    "gpu:p100:2,gpu_mem:16280": {"cuda(mem=16G, model=P100)": [], "cuda(mem=17G)": None},
}  # fmt: skip


@pytest.mark.parametrize(
    ("gres", "need", "expected"),
    [(gres, need, facts) for gres, needs in CASES.items() for need, facts in needs.items()],
)
def test_which_needs_a_gres_serves(gres, need, expected):
    groups = groups_of(node(gres))
    assert assumed(groups, need) == (None if expected is None else [Unstated(fact) for fact in expected])


def test_a_rejection_says_what_the_nodes_have():
    from launchers.matching import match, words
    from launchers.requirement import parse

    def why(gres, need):
        trial = match(parse(need), groups_of(node(gres))).trials[0][0]
        return words.rejections_text(trial.offer, trial.rejections)

    assert why("gpu:gen:8", "cuda()") == "needs a CUDA GPU; this partition has accelerators of unknown kind (gen)"
    assert why("gpu:pvc:8", "rocm()") == "needs a ROCm GPU; this partition has Intel GPUs"
    assert why("gpu:tesla:8", "cuda(model=A100)") == "needs GPU model A100; this partition has tesla"


@pytest.mark.parametrize("feature", ["GPU_MEM:40GB", "GPU_MEM_40GB", "gpumem-40", "vram_40gb"])
def test_a_feature_states_the_memory(feature):
    text = node("gpu:a100:4", ActiveFeatures=feature)
    assert f"memory: 40G, count: 4, type: a100}}  # feature {feature}" in converted(text)


@pytest.mark.parametrize(
    ("gres", "rollup", "comment"),
    [
        ("gpu:a100:6", "gres/gpu=8,gres/gpu:a100=6", "; CfgTRES counts 8 GPUs, 2 more"),
        ("(null)", "gres/gpu=8,gres/gpu:a100=6", "; CfgTRES counts 8 GPUs, 2 more"),
        ("gpu:a100:8", "gres/gpu=8,gres/gpu:a100=8", ""),
        ("gpu:a100:8", "gres/gpu=4", ""),
        ("gpu:a100:8", "gres/gpu=x", ""),
    ],
)
def test_a_rollup_above_its_types_is_told(gres, rollup, comment):
    (line,) = [line for line in converted(node(gres, CfgTRES=f"cpu=8,{rollup}")).splitlines() if "type: a100" in line]
    assert line.endswith(f"nothing says which{comment}")


RECORDED = {
    # kind, model and sizes (GiB) of every GRES type in the recorded output of real clusters
    "a100": ("cuda", "A100", [40, 80]), "a100_1g.5gb": ("cuda", "A100 MIG 1g.5gb", [5]),
    "a100_3g.20gb": ("cuda", "A100 MIG 3g.20gb", [20]), "a100l": ("cuda", "A100", [80]), "a40": ("cuda", "A40", [48]),
    "a6000": ("cuda", "RTXA6000", [48]), "ampere": ("cuda", "AMPERE", []), "gen": (None, None, []),
    "h100": ("cuda", "H100", [64, 80, 94, 96]), "h200": ("cuda", "H200", [141]), "k40": ("cuda", "K40", [12]),
    "kepler": ("cuda", "KEPLER", []), "l40s": ("cuda", "L40S", [48]), "mi250x": ("rocm", "MI250X", [64]),
    "not-an-existing-gpu": (None, None, []), "nvidia_geforce_rtx_5090": ("cuda", "RTX5090", [32]),
    "nvidia_h100_80gb": ("cuda", "H100", [80]), "p100": ("cuda", "P100", [12, 16]), "pascal": ("cuda", "PASCAL", []),
    "pvc": ("xpu", "PVC", [48, 96, 128]), "rtx2080ti": ("cuda", "RTX2080TI", [11]), "rtx3090": ("cuda", "RTX3090", [24]),
    "rtx6000": ("cuda", "RTX6000", [24, 48]), "rtx8000": ("cuda", "RTX8000", [48]),
    "rtxproserver6000": ("cuda", "RTXPRO6000", [96]), "t4": ("cuda", "T4", [16]), "tesla": ("cuda", "TESLA", []),
    "titan": ("cuda", "TITAN", []), "v100": ("cuda", "V100", [16, 32]), "volta": ("cuda", "VOLTA", []),
}  # fmt: skip


def test_every_recorded_gres_type_is_known_or_deliberately_not(shared):
    seen = set()
    for path in shared.rglob("*"):
        if path.is_file() and "10000" not in str(path):
            text = path.read_text(errors="replace")
            seen |= {name.lower() for name in re.findall(r"\bgpu:([A-Za-z][\w.+-]*)", text, re.ASCII)}
    assert seen <= RECORDED.keys()
    for name in seen:
        card = identify(name)
        sizes = [size // G for size in card.memory] if card else []
        assert (kind_of(name), card and card.model, sizes) == RECORDED[name], name


def test_a_site_defines_the_types_that_nobody_knows():
    from launchers.config.schema import GpuModel

    document = loads(converted(node("gpu:gen:8")), "cluster.yaml").document
    document = evolve(document, gpus={"gen": GpuModel(kind="rocm", memory=48 * G)})
    groups = build(document)
    assert assumed(groups, "rocm(mem=48G, model=gen)") == []
    assert assumed(groups, "cuda()") is None
