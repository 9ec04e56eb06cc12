"""The accelerators of nodes, and what they were read from."""

import pytest

from launchers.slurm.accelerators import accelerators_of
from launchers.slurm.read import read

G = 1024**3
UNKNOWN = "memory unknown: no feature, GRES or model states it; `launchers probe` can ask the driver"


def accelerators(text):
    (node,) = read(f"NodeName=x State=IDLE {text}").nodes
    return accelerators_of(node)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a GRES of the site's own goes before everything else
        ("Gres=gpu:titan:6,VramPerGpu:no_consume:12G ActiveFeatures=V5", ("cuda", None, 12, "GRES VramPerGpu of 12G")),
        ("Gres=gpu:a100:2,VramPerGpu:40G ActiveFeatures=GPUM80G", ("cuda", "A100", 40, "GRES VramPerGpu of 40G")),
        ("Gres=gpu:a100:2,VramPerGpu:1 ActiveFeatures=GPUM80G", ("cuda", "A100", 80, "feature GPUM80G")),
        # then the name of a slice
        ("Gres=gpu:3g.40gb:2", ("cuda", "MIG 3g.40gb", 40, "MIG profile 3g.40gb")),
        ("Gres=gpu:3g.40gb:2 ActiveFeatures=GPUM80G", ("cuda", "MIG 3g.40gb", 40, "MIG profile 3g.40gb")),
        # then a feature that can only be about GPUs
        ("Gres=gpu:a100:8 ActiveFeatures=GPUM80G", ("cuda", "A100", 80, "feature GPUM80G")),
        ("Gres=gpu:h200:8 ActiveFeatures=vram-100gb", ("cuda", "H200", 100, "feature vram-100gb")),
        ("Gres=gpu:gen:8 ActiveFeatures=gpu_mem_48G,gpu48g", (None, None, 48, "feature gpu_mem_48G")),
        ("Gres=gpu:gen:8 ActiveFeatures=gpu24g,gpu48g", (None, None, None, UNKNOWN)),
        # then the model
        ("Gres=gpu:h200:8 ActiveFeatures=h200,150gb", ("cuda", "H200", 141, "GPU catalogue: h200")),
        ("Gres=gpu:1(S:0-1) ActiveFeatures=icelake,a100,a100_80g", ("cuda", "A100", 80, "GPU catalogue: a100_80g")),
        # then any feature with a size that the model is sold with
        ("Gres=gpu:a100:4 ActiveFeatures=a100,intel,40gb", ("cuda", "A100", 40, "feature 40gb")),
        ("Gres=gpu:a100:4 ActiveFeatures=512gb,80gb", ("cuda", "A100", 80, "feature 80gb")),
        ("Gres=gpu:gen:4 ActiveFeatures=48gb", (None, None, 48, "feature 48gb")),
        ("Gres=gpu:2(S:0-31) ActiveFeatures=p100,P100", ("cuda", "P100", None, "memory unknown: P100 is sold with 12G or 16G, and nothing says which")),
        ("Gres=gpu:a100:4 ActiveFeatures=40gb,80gb", ("cuda", "A100", None, "memory unknown: A100 is sold with 40G or 80G, and nothing says which")),
        ("Gres=gpu:v100:8 ActiveFeatures=v100,mem512GB", ("cuda", "V100", None, "memory unknown: V100 is sold with 16G or 32G, and nothing says which")),
        ("Gres=gpu:gen:8", (None, None, None, UNKNOWN)),
        # sites' own ways to state it
        ("Gres=gpu:gen:8 ActiveFeatures=GPU_MEM:40GB", (None, None, 40, "feature GPU_MEM:40GB")),
        ("Gres=gpu:a100:8 ActiveFeatures=GPU_MEM_40GB", ("cuda", "A100", 40, "feature GPU_MEM_40GB")),
        ("Gres=gpu:a100:8 ActiveFeatures=gpumem-80", ("cuda", "A100", 80, "feature gpumem-80")),
        ("Gres=gpu:gen:8 ActiveFeatures=vram_24gb", (None, None, 24, "feature vram_24gb")),
        ("Gres=gpu:4 ActiveFeatures=GPU_SKU:V100_PCIE,GPU_MEM:32GB", ("cuda", "V100", 32, "feature GPU_MEM:32GB")),
        ("Gres=gpu:v100:4 ActiveFeatures=32510mb_gpu_mem", ("cuda", "V100", 32, "feature 32510mb_gpu_mem")),
        ("Gres=gpu:gen:4 ActiveFeatures=gpu2,gpu-m40,gpu_4,80g_disk", ("cuda", "M40", None, "memory unknown: M40 is sold with 12G or 24G, and nothing says which")),
        ("Gres=gpu:p100:4,gpu_mem:16280", ("cuda", "P100", 16, "GRES gpu_mem of 16280M")),
        ("Gres=gpu:p100:4,gpu_mem:65120", ("cuda", "P100", 16, "GRES gpu_mem of 65120M")),
        ("Gres=gpu:gen:1,gpumem:24G", (None, None, 24, "GRES gpumem of 24G")),
        ("Gres=gpu:2,vram:no_consume:11", (None, None, 11, "GRES vram of 11G")),
        # numbers that are no memory of a GPU
        ("Gres=gpu:gen:4,gpu_mem:99999999999999999999", (None, None, None, UNKNOWN)),
        ("Gres=gpu:gen:4 ActiveFeatures=GPU_MEM:99999GB,GPU_MEM:0GB", (None, None, None, UNKNOWN)),
        # names that leave it open
        ("Gres=gpu:mi300:4", ("rocm", "MI300", None, "memory unknown: MI300 may be any of MI300A, MI300X, with 128G or 192G, and nothing says which")),
        ("Gres=gpu:mi300:4 ActiveFeatures=mi300a", ("rocm", "MI300A", 128, "GPU catalogue: mi300a")),
        ("Gres=gpu:mi300:4 ActiveFeatures=mi250x", ("rocm", "MI300", None, "memory unknown: MI300 may be any of MI300A, MI300X, with 128G or 192G, and nothing says which")),
        ("Gres=gpu:a100:4 ActiveFeatures=a100,a100_80g", ("cuda", "A100", 80, "GPU catalogue: a100_80g")),
        ("Gres=gpu:a100:4 ActiveFeatures=h100_80g", ("cuda", "A100", None, "memory unknown: A100 is sold with 40G or 80G, and nothing says which")),
        ("Gres=gpu:h200_80gb:4 ActiveFeatures=h200", ("cuda", "H200", None, "memory unknown: H200 is not sold with 80G, which its name says")),
        ("Gres=gpu:a100_mig:4 ActiveFeatures=a100", ("cuda", "A100 MIG", None, UNKNOWN)),
        # makers settle the kind
        ("Gres=gpu:nvidia_next:8", ("cuda", None, None, UNKNOWN)),
        ("Gres=gpu:amd_instinct_next:8", ("rocm", None, None, UNKNOWN)),
        ("Gres=gpu:max_1550:6", ("xpu", "MAX1550", 128, "GPU catalogue: max_1550")),
        ("Gres=gpu:gaudi2:8", ("hpu", "GAUDI2", 96, "GPU catalogue: gaudi2")),
        ("Gres=gpu:m2:8", (None, None, None, UNKNOWN)),
        ("Gres=gpu:ampere:8 ActiveFeatures=a100_80g", ("cuda", "A100", 80, "GPU catalogue: a100_80g")),
        ("Gres=gpu:ampere:8 ActiveFeatures=v100_32g", ("cuda", None, None, UNKNOWN)),
        ("Gres=gpu:pvc:8 ActiveFeatures=intel,amd,nvidia", ("xpu", "PVC", None, "memory unknown: PVC may be any of MAX1100, MAX1350, MAX1450, MAX1550, with 48G or 96G or 128G, and nothing says which")),
        # features that name no model, or several
        ("Gres=gpu:gen:8 ActiveFeatures=a100,v100", (None, None, None, UNKNOWN)),
        ("Gres=gpu:gen:8 ActiveFeatures=volta,m2", (None, None, None, UNKNOWN)),
    ],
)  # fmt: skip
def test_memory_and_its_evidence(text, expected):
    (one,) = accelerators(text)
    assert (one.kind, one.model, one.memory and one.memory // G, one.evidence) == expected


def test_features_are_about_the_only_gpus_of_a_node():
    two = accelerators("Gres=gpu:a100:2,gpu:gen:1 ActiveFeatures=a100,GPUM40G,40gb")
    assert [(one.type, one.model, one.memory and one.memory // G) for one in two] == [
        ("a100", "A100", 40), ("gen", None, None),
    ]  # fmt: skip
    vram = accelerators("Gres=gpu:a100:2,gpu:gen:1,VramPerGpu:40G")
    assert [one.memory for one in vram] == [None, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gres=(null) CfgTRES=cpu=4,gres/gpu=8 ActiveFeatures=x86_64,48gb", [(None, 8)]),
        ("Gres=(null) CfgTRES=cpu=4,gres/gpu=8,gres/gpu:a100=6,gres/gpu:v100=2", [("a100", 6), ("v100", 2)]),
        ("Gres=(null) CfgTRES=cpu=4", []),
        ("Gres=(null) CfgTRES=gres/gpu=x", []),
        ("Gres=shard:4 CfgTRES=gres/gpu=8", []),
        ("Gres=GPU:2,gpu:a100:0,shard:4", [(None, 2)]),
    ],
)
def test_which_gpus_a_node_has(text, expected):
    assert [(one.type, one.count) for one in accelerators(text)] == expected
