"""Node blocks as shapes: layers, features, hosts and devices."""

import pytest
from configs import config, slurm_shapes

from launchers.config.build import build
from launchers.config.nodes import read_captured
from launchers.offer.model import Device

G = 1024**3


def devices(block, **entry):
    (shape,) = slurm_shapes(block, **entry)
    return shape.devices


# -- layers ----------------------------------------------------------------------------------------------------


def layers(memory_of):
    """A group in which every layer named in `memory_of` sets the memory, each its own."""
    layer = {name: {"cpu": {"memory": memory}} for name, memory in memory_of.items()}
    block = {"features": ["fat"], "configuration": layer.get("block"), **layer.get("short", {})}
    return slurm_shapes(
        {key: value for key, value in block.items() if value is not None},
        partition={"configuration": layer["partition"]} if "partition" in layer else {},
        features={"fat": layer["feature"]} if "feature" in layer else {},
        **({"configuration": layer["group"]} if "group" in layer else {}),
    )[0]


ORDER = {"group": "1G", "partition": "2G", "block": "3G", "short": "4G", "feature": "5G"}


@pytest.mark.parametrize("strongest", range(1, 6))
def test_the_last_layer_wins(strongest):
    some = dict(list(ORDER.items())[:strongest])
    assert layers(some).memory == strongest * G


def test_layers_are_combined_key_by_key():
    a, b = slurm_shapes(
        {"hosts": "a"},
        {"hosts": "b", "cpu": {"cores": 4}, "gpu": {"count": 3}},
        partition={"configuration": {"gpu": {"memory": "16G"}}},
        configuration={"cpu": {"cores": 8, "memory": "10G"}, "gpu": {"min_mem_ratio": 0.5, "count": 1}},
    )
    assert (a.cores, a.memory, a.devices[0].count, a.devices[0].memory) == (8, 10 * G, 1, 16 * G)
    assert (b.cores, b.memory, b.devices[0].count, b.devices[0].memory) == (4, 10 * G, 3, 16 * G)
    assert a.devices[0].min_memory == b.devices[0].min_memory == 8 * G


def test_listed_accelerators_replace_those_of_the_layers_below():
    configuration = {"accelerators": [{"model": "A100", "count": 1}], "gpu": {"count": 9}}
    inherited, own = slurm_shapes({}, {"accelerators": [{"count": 2}]}, configuration=configuration)
    assert [device.model for device in inherited.devices] == ["A100"]
    assert own.devices == (Device("gpu", 2),)


def test_every_field_of_a_node():
    cpu = {"cores": 8, "memory": "4G", "mem_per_cpu": "1G", "threads_per_core": 2, "cpus_per_socket": 4}
    (shape,) = slurm_shapes({"cpu": cpu, "hosts": "n[1-4]", "available": 3})
    assert (shape.cores, shape.memory, shape.mem_per_core) == (8, 4 * G, G)
    assert (shape.threads_per_core, shape.cpus_per_socket, shape.available) == (2, 4, 3)


def test_what_is_not_said_is_unknown():
    (shape,) = slurm_shapes({})
    assert (shape.name, shape.cores, shape.memory, shape.devices) == ("nodes[0]", None, None, ())
    assert (shape.count, shape.available, shape.hosts) == (None, None, "")
    assert (shape.threads_per_core, shape.cpus_per_socket, shape.mem_per_core) == (1, 1, None)


# -- features --------------------------------------------------------------------------------------------------

REGEXES = [r"M(?P<cuda_memory>\w+)", r"C(?P<rocm_count>\d+)", r"(?P<gpu_model>A100)", r"X(?P<other>\d)"]


@pytest.mark.parametrize(
    ("feature", "device"),
    [
        ("M32G", Device("cuda", None, 32 * G)),
        ("M32", Device("cuda", None, 32 * G)),
        ("C2", Device("rocm", 2)),
        ("A100", Device("cuda", None, None, "A100", sizes=(40 * G, 80 * G))),
        ("Mxx", None),
        ("M32Gx", None),
        ("xC2", None),
        ("X1", None),
    ],
)
def test_what_a_feature_says(feature, device):
    (shape,) = slurm_shapes({"features": [feature, "plain"]}, features_regex=REGEXES)
    assert shape.devices == ((device,) if device else ())
    assert shape.features == {feature, "plain"}
    assert shape.hints == ({feature} if device else set())


def test_features_are_combined_and_go_before_the_layers_the_last_one_wins():
    (shape,) = slurm_shapes(
        {"features": ["M32G", "C2", "fat"], "gpu": {"memory": "8G", "count": 1}},
        features_regex=REGEXES,
        features={"fat": {"cpu": {"cores": 64}, "gpu": {"memory": "9G"}}},
    )
    assert (shape.cores, shape.hints) == (64, {"M32G", "C2", "fat"})
    assert [(device.kind, device.count, device.memory) for device in shape.devices] == [("rocm", 2, 32 * G)]


@pytest.mark.parametrize(
    ("group", "text", "value"),
    [("cuda_count", "4", 4), ("gpu_memory", "8", 8 * G), ("mps_memory", "512M", G // 2), ("gpu_model", "A100", "A100")],
)
def test_what_a_group_captures(group, text, value):
    assert read_captured(group, text) == value


@pytest.mark.parametrize(("group", "text"), [("cuda_count", "x"), ("gpu_memory", "x"), ("gpu_memory", "0")])
def test_what_a_group_cannot_capture(group, text):
    with pytest.raises(ValueError, match=r"\w"):
        read_captured(group, text)


# -- hosts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "hosts", "count"),
    [
        ({"hosts": "n[1-4]"}, "n[1-4]", 4),
        ({"hosts": ["a", "b"]}, "a,b", 2),
        ({"hosts": ["a", "a"]}, "a,a", 1),
        ({"hosts": "n[1-4]", "count": 3}, "n[1-4]", 3),
        ({"hosts": "n[1-4]", "count": 0}, "n[1-4]", 0),
        ({"count": 5}, "", 5),
        ({"count": 0}, "", None),
    ],
)
def test_the_number_of_nodes(block, hosts, count):
    (shape,) = slurm_shapes(block)
    assert (shape.hosts, shape.count, shape.name) == (hosts, count, hosts or "nodes[0]")


# -- devices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gpu", "found"),
    [
        ({"memory": "8G"}, (Device("cuda", None, 8 * G),)),
        ({"count": 2}, (Device("cuda", 2),)),
        ({"model": "MI250X"}, (Device("rocm", None, 64 * G, "MI250X"),)),
        ({"model": "MI250X", "kind": "cuda"}, (Device("cuda", None, 64 * G, "MI250X"),)),
        ({"model": "V100"}, (Device("cuda", None, None, "V100", sizes=(16 * G, 32 * G)),)),
        ({"model": "V100", "memory": "32G"}, (Device("cuda", None, 32 * G, "V100"),)),
        ({"model": "A40", "memory": "46068M"}, (Device("cuda", None, 48 * G, "A40"),)),
        ({"model": "gen", "count": 1}, (Device("cuda", 1, None, "gen"),)),
        ({"kind": "rocm"}, ()),
        ({"count": 0}, ()),
        ({}, ()),
    ],
)
def test_gpus_exist_where_something_says_so(gpu, found):
    assert devices({"gpu": gpu}) == found


@pytest.mark.parametrize(
    ("spec", "ratio", "least", "rule"),
    [
        ({"memory": "40G"}, None, 0, ""),
        ({"memory": "40G"}, 0.5, 20 * G, "min_mem_ratio 0.5"),
        ({"memory": "40G", "min_mem_ratio": 0.25}, 0.5, 10 * G, "min_mem_ratio 0.25"),
        ({"memory": "40G", "min_mem_ratio": 0}, 0.5, 0, ""),
        ({"memory": "40G", "min_memory": "20G"}, 0.5, 20 * G, "min_memory"),
        ({"memory": "40G", "min_memory": "19G"}, 0.5, 20 * G, "min_mem_ratio 0.5"),
        ({"model": "V100"}, 0.5, 8 * G, "min_mem_ratio 0.5"),
        ({"count": 1}, 0.5, 0, ""),
    ],
)
def test_the_least_memory_that_a_job_must_ask_for(spec, ratio, least, rule):
    configuration = {"gpu": {"min_mem_ratio": ratio}} if ratio is not None else {}
    (device,) = devices({"accelerators": [spec]}, configuration=configuration)
    assert (device.min_memory, device.min_memory_rule) == (least, rule)


def test_a_site_may_define_models():
    document = config(
        gpus={"gen": {"memory": "12G", "kind": "rocm"}, "Odd": {}},
        local=[{"gpu": [{"model": "GEN", "count": 1}, {"model": "odd", "count": 2}]}],
    ).document
    (group,) = build(document)
    assert group.partitions[0].shapes[0].devices == (Device("rocm", 1, 12 * G, "GEN"), Device("cuda", 2, None, "odd"))


def test_architectures():
    blocks = slurm_shapes({"hosts": "a", "arch": "amd64"}, {"hosts": "b", "arch": "ppc64le"}, {"hosts": "c"})
    assert [shape.arch for shape in blocks] == ["x86_64", "ppc64le", None]
    local, slurm, oar = build(
        config(
            local=[{"arch": "arm64"}],
            slurm=[{"partitions": {"p": {}}, "login_arch": "arm64"}],
            oar=[{"nodes": [{"arch": "x86_64"}], "login_arch": "amd64"}],
        ).document
    )
    assert [group.partitions[0].shapes[0].arch for group in (local, slurm, oar)] == ["aarch64", None, "x86_64"]
    assert [group.login_arch for group in (local, slurm, oar)] == [None, "aarch64", "x86_64"]


def test_a_type_says_what_the_model_leaves_open():
    def device(**spec):
        (shape,) = slurm_shapes({"accelerators": [{"count": 1, **spec}]})
        (found,) = shape.devices
        return found.kind, found.memory and found.memory // G, len(found.sizes)

    assert device(type="a100_80g") == ("cuda", 80, 0)
    assert device(type="a100_80g", model="A100") == ("cuda", 80, 0)
    assert device(type="h200_80gb", model="H200") == ("cuda", None, 0)  # it contradicts the catalogue
    assert device(type="a100_80g", model="V100") == ("cuda", None, 2)
    assert device(type="a100_80g", model="gen", kind="rocm") == ("rocm", None, 0)
    assert device(type="amd_next") == ("rocm", None, 0)
    assert device(type="m2") == ("gpu", None, 0)
    assert device(type="gen") == ("gpu", None, 0)
