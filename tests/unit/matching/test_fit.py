"""What an offer has to have, what is assumed where nobody stated it, and what is wasted."""

import pytest
from clusters import G, cluster, gpus, nodes, rejections, select
from configs import config

from launchers.config.build import build
from launchers.matching.fit import ASSUMES_ANY_GPU, Fit, device_choices, fit, fit_untyped, node_satisfies
from launchers.matching.request import Request
from launchers.offer.assumption import Assumption, Unstated
from launchers.requirement import parse

SIZES = cluster(
    *(nodes(model[0], gpus=[gpus(4, model=model, type=model.lower())]) for model in ("A100", "V100", "RTX3090"))
)


def offer_of(*blocks, **entry):
    (group,) = cluster(*blocks, **entry)
    return next(group.offers())


def alternative(need):
    return parse(need).alternatives[0]


def tried(need, *blocks, **entry):
    outcome = fit(offer_of(*blocks, **entry), alternative(need))
    assert isinstance(outcome, Fit)
    return outcome


# -- models of several sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("need", ["cuda(mem=200G)", "cuda(model=V100,mem=90G)", "cuda(model=V100,mem=33G)"])
def test_no_device_has_more_than_the_largest_size_of_its_model(need):
    assert "gpu-memory" in {rejection.code for rejection in rejections(SIZES, need)}


@pytest.mark.parametrize(
    ("need", "gres_type", "assumed"),
    [
        ("cuda(mem=40G)", "a100", []),
        ("cuda(mem=80G)", "a100", [Unstated.GPU_MEMORY]),
        ("cuda(mem=16G)", "v100", []),
        ("cuda(mem=17G)", "rtx3090", []),
        ("cuda(model=V100,mem=32G)", "v100", [Unstated.GPU_MEMORY]),
        ("gpu()", "v100", []),
        ("cuda(mem=24G)", "rtx3090", []),
    ],
)
def test_the_smallest_size_of_a_model_is_certain_and_counts_as_waste(need, gres_type, assumed):
    selection = select(SIZES, need)
    assert selection.request.devices == ((gres_type, 1),)
    assert [assumption.fact for assumption in selection.assumed] == assumed


def test_the_owners_share_of_an_unknown_memory_is_that_of_the_smallest_size():
    half = cluster(nodes(gpus=[gpus(1, model="A100", min_mem_ratio=0.5)]))
    assert select(half, "cuda(mem=19G)") is None
    assert select(half, "cuda(mem=20G)")


# -- assumptions -------------------------------------------------------------------------------------------------

KNOWN = {"count": 2, "cores": 8, "memory": "64G"}


@pytest.mark.parametrize(
    ("need", "block", "assumed"),
    [
        ("cpu(cores=2, mem=1G) & nodes=2", nodes("a[1-2]", **KNOWN), []),
        ("cpu(cores=2)", nodes("a", memory="64G"), [Assumption(Unstated.CORES)]),
        ("cpu(cores=84)", nodes("a[1-10]", count=10, tres={"cpu": 846}), []),
        ("cpu(cores=85)", nodes("a[1-10]", count=10, tres={"cpu": 846}), [Assumption(Unstated.CORES)]),
        ("cpu(cores=8) & nodes=2", nodes("a[1-10]", count=10, tres={"cpu": 846}), [Assumption(Unstated.CORES)]),
        ("cpu(mem=2G)", nodes("a", cores=8), [Assumption(Unstated.MEMORY)]),
        ("duration=1h", nodes("a"), []),
        ("nodes=2", nodes(), [Assumption(Unstated.NODES)]),
        ("duration=1h", nodes("a", available=0), [Assumption(Unstated.NODES_UP)]),
        ("duration=1h", nodes("a", available=1), []),
        ("cuda()", nodes(gpus=[gpus(1, kind=None)]), [Assumption(Unstated.GPU_KIND, "cuda")]),
        ("gpu(model=A100)", nodes(gpus=[gpus(1, "40G")]), [Assumption(Unstated.GPU_MODEL, "A100")]),
        ("gpu(mem=1G)", nodes(gpus=[gpus(1)]), [Assumption(Unstated.GPU_MEMORY)]),
        ("gpu()", nodes(gpus=[gpus(None, "8G")]), [Assumption(Unstated.GPU_COUNT)]),
        ("gpu(mem=20G)", nodes(gpus=[gpus(1, "24G"), gpus(1, "8G")]), [ASSUMES_ANY_GPU]),
        ("gpu(mem=8G)", nodes(gpus=[gpus(1, "24G"), gpus(1, "8G")]), []),
        ("gpu(mem=20G)", nodes(gpus=[gpus(1, "24G", type="a"), gpus(1, "8G", type="b")]), []),
    ],
)
def test_what_is_assumed(need, block, assumed):
    assert list(tried(need, block).assumed) == assumed


def test_only_slurm_may_grant_any_gpu():
    """This machine grants the devices that fit, and OAR tells them apart by properties."""
    mixed = [gpus(1, "24G"), gpus(1, "8G")]
    entry = {"id": "x", "accelerators": mixed}
    (local,) = build(config(local=[entry]).document)
    assert select([local], "gpu(mem=20G)").assumed == ()


def test_nodes_that_are_all_down_come_last():
    two = cluster(nodes("a", features=["A"], available=0), nodes("b", features=["B"]))
    assert select(two, "duration=1h").offers[0].shape.hosts == "b"


# -- waste -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("need", "waste"),
    [
        ("cpu(cores=1)", (0, 0, 1, 0)),  # the other thread of its core
        ("cpu(cores=2)", (0, 0, 0, 0)),
        ("duration=1h", (0, 0, 1, 0)),
        ("cuda(mem=20G)*2 & cpu(cores=2)", (8 * G, 0, 0, 0)),
        ("cuda(mem=24G) & cpu(cores=2)", (0, 0, 0, 0)),
    ],
)
def test_what_is_wasted(need, waste):
    assert tried(need, nodes(cores=8, memory="64G", threads_per_core=2, gpus=[gpus(4, "24G")])).waste == waste


@pytest.mark.parametrize(
    ("need", "devices", "waste"),
    [
        ("cuda() & cpu(cores=8)", ((None, 1),), (32 * G, 0, 0, 0)),
        ("cuda() & cpu(cores=9)", ((None, 2),), (64 * G, 1, 0, 0)),
        ("cuda()*2 & cpu(cores=9)", ((None, 2),), (64 * G, 0, 0, 0)),
        ("cuda() & cpu(cores=32)", ((None, 4),), (128 * G, 3, 0, 0)),
    ],
)
def test_on_oar_gpus_bring_the_cores(need, devices, waste):
    """Cores cannot be asked for beside GPUs there: four GPUs bring a node's 32 cores."""
    block = {"hosts": "n1", "cpu": {"cores": 32}, "accelerators": [gpus(4, "32G", model="V100")]}
    groups = build(config(oar=[{"id": "x", "nodes": [block]}]).document)
    selection = select(groups, need)
    assert selection.request.devices == devices
    assert selection.fits[0].waste == waste
    assert select(groups, "cuda() & cpu(cores=33)") is None


def test_on_oar_gpus_of_unknown_memory_waste_none():
    block = {"hosts": "n1", "cpu": {"cores": 32}, "accelerators": [gpus(4)]}
    groups = build(config(oar=[{"id": "x", "nodes": [block]}]).document)
    assert select(groups, "cuda() & cpu(cores=9)").fits[0].waste == (0, 1, 0, 0)


def test_a_fit_knows_its_alternative():
    offer = offer_of(nodes(cores=4))
    assert fit(offer, alternative("cpu(cores=1)")).index == 0
    assert fit(offer, alternative("cpu(cores=1)"), 2).index == 2


# -- choices of devices ------------------------------------------------------------------------------------------

MIXED = nodes("m", count=9, gpus=[gpus(2, "24G", type="a"), gpus(1, "24G", type="b")])


def test_every_choice_of_devices_by_type():
    choices = list(device_choices(offer_of(MIXED), alternative("cuda()*2")))
    assert [[device.count for device in choice] for choice in choices] == [[1, 1], [2, 0]]


@pytest.mark.parametrize(
    ("need", "block"),
    [
        ("cpu(cores=1)", MIXED),
        ("cuda()", nodes(gpus=[gpus(2, type="a")])),
        ("cuda()", nodes(gpus=[gpus(2, type="a"), gpus(2)])),
        ("cuda()", nodes(gpus=[gpus(2, type="a"), gpus(None, "8G", type="b")])),
    ],
)
def test_there_is_no_choice_without_several_known_types(need, block):
    assert list(device_choices(offer_of(block), alternative(need))) == []


def test_a_request_without_a_type():
    assert fit_untyped(offer_of(MIXED), alternative("cuda()*2"), 3).request.devices == ((None, 2),)
    assert fit_untyped(offer_of(MIXED), alternative("cuda()*2"), 3).index == 3
    assert fit_untyped(offer_of(MIXED), alternative("cuda(mem=25G)"), 0) is None
    assert fit_untyped(offer_of(MIXED, gres="gres_typed"), alternative("cuda()*2"), 0) is None
    limited = offer_of(MIXED, limits={"max_tres": {"gres/gpu:a": 9}})
    assert fit_untyped(limited, alternative("cuda()*2"), 0) is None
    worse = nodes("m", gpus=[gpus(2, "24G", type="a"), gpus(2, "8G", type="b")])
    assert fit_untyped(offer_of(worse), alternative("cuda(mem=20G)"), 0) is None


# -- a request on another node -----------------------------------------------------------------------------------


def request(cores=0, memory=0, devices=()):
    return Request(nodes=1, cores=cores, memory=memory, devices=devices, duration=None)


@pytest.mark.parametrize(
    ("need", "given", "satisfied"),
    [
        ("cpu(cores=2, mem=4G)", request(2, 4 * G), True),
        ("cpu(cores=2, mem=4G)", request(1, 4 * G), False),
        ("cpu(cores=2, mem=4G)", request(2, 4 * G - 1), False),
        ("cpu(cores=2, mem=4G)", request(2), True),  # memory by cores
        ("cpu(cores=2, mem=4G)", request(3), True),
        ("cpu(cores=1, mem=4G)", request(1), False),
        ("cuda(mem=20G)", request(devices=(("a", 1),)), True),
        ("cuda(mem=20G)", request(devices=((None, 1),)), False),
        ("cuda(mem=20G)*2", request(devices=(("a", 1),)), False),
    ],
)
def test_whether_a_node_satisfies_a_need_with_a_request(need, given, satisfied):
    block = nodes(cores=8, mem_per_cpu="2G", gpus=[gpus(2, "24G", type="a"), gpus(2, "8G", type="b")])
    assert node_satisfies(offer_of(block), alternative(need), given, certain=True) is satisfied


def test_what_is_assumed_of_one_device_is_not_assumed_of_another():
    """The scheduler may grant either, and only the size of the second one is not known."""
    block = nodes(gpus=[gpus(1, "24G", type="a", kind="gpu"), gpus(1)])
    found = fit(offer_of(block, gres="gres"), alternative("gpu(mem=20G)"))
    assert isinstance(found, Fit)
    assert ASSUMES_ANY_GPU in found.assumed


@pytest.mark.parametrize("certain", [True, False])
def test_an_unknown_device_satisfies_only_where_assumptions_are_allowed(certain):
    unknown = offer_of(nodes(gpus=[gpus(2)]))
    given = request(devices=((None, 1),))
    assert node_satisfies(unknown, alternative("cuda(mem=20G)"), given, certain=certain) is not certain
