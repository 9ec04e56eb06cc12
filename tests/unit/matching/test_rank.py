"""The order of offers, rank by rank."""

import random

import pytest
from attrs import evolve
from clusters import G, cluster, gpus, nodes, partitions, sbatch, select
from configs import config, slurm_group

from launchers.config.build import build
from launchers.matching import SkipReason, match
from launchers.matching.fit import fit
from launchers.matching.rank import RANKS, rank_of
from launchers.offer.model import Signal
from launchers.requirement import parse

ONE_CPU = parse("cpu(cores=1)")
ONE_GPU = [gpus(1, "24G")]


def two_clusters(first, second):
    """Clusters a and b; each is (keys of the entry, keys of its partition)."""
    return [
        slurm_group({name: {"nodes": [nodes(gpus=ONE_GPU)], **partition}}, id=id, **entry)
        for id, name, (entry, partition) in (("a", "p", first), ("b", "q", second))
    ]


@pytest.mark.parametrize(
    ("first", "second", "group", "rank"),
    [
        (({"weight": 1}, {}), ({"weight": 2}, {}), "b", "weight"),
        (({}, {}), ({}, {"priority": 1}), "b", "priority"),
        (({}, {"nodes": [nodes(gpus=[gpus(1)])]}), ({}, {}), "b", "known"),
        (({}, {"nodes": [nodes(gpus=[gpus(1, "32G")])]}), ({}, {}), "b", "waste"),
        (({}, {}), ({}, {}), "a", "name"),
        (({"weight": 1}, {"nodes": [nodes(gpus=[gpus(1)])]}), ({}, {"priority": 9}), "a", "weight"),
        (({}, {"priority": 1, "nodes": [nodes(gpus=[gpus(1)])]}), ({}, {}), "a", "priority"),
    ],
)
def test_ranks(first, second, group, rank):
    selection = select(two_clusters(first, second), "cuda(mem=20G)")
    assert selection.group.name == group
    assert [decided for _, decided in selection.passed_over] == [rank]
    assert rank in (*RANKS, "name")


def test_the_rank_of_a_fit_in_numbers():
    (group,) = cluster(
        nodes(cores=8, gpus=[gpus(1, "24G")]),
        weight=2,
        qos={"q": {"priority": 5}},
        partition={"priority": 3, "qos": ["q"]},
    )
    (offer,) = group.offers()
    (alternative,) = parse("cuda(mem=20G) & cpu(cores=2)").alternatives
    found = fit(offer, alternative, 1)
    assert rank_of(found, widest=False) == (1, -2, -8, False, (4 * G, 0, 0, 0))
    assert rank_of(found, widest=True) == (1, -2, -8, False, (0, 0, 0, 0))


def test_waste_counts_only_the_devices_that_would_be_allocated():
    two = cluster(
        nodes("big", features=["x"], cores=999, memory="9T", gpus=[gpus(8, "24G")]),
        nodes("small", features=["y"], cores=1, memory="1G", gpus=[gpus(1, "24G")]),
    )
    assert {offer.shape.hosts for offer in select(two, "cuda(mem=24G)").offers} == {"big", "small"}


def test_whole_nodes_waste_what_they_bring():
    block = nodes(cores=64, gpus=[gpus(8, "24G")])
    two = partitions({"shared": {"nodes": [block]}, "whole": {"exclusive": True, "nodes": [block]}})
    assert select(two, "cuda(mem=24G)").partitions == ("shared",)


def test_the_waste_of_a_whole_node():
    (group,) = cluster(nodes(cores=64, memory="100G", gpus=[gpus(8, "24G")]), partition={"exclusive": True})
    (offer,) = group.offers()
    (alternative,) = parse("cuda(mem=20G) & cpu(cores=4, mem=10G)").alternatives
    assert fit(offer, alternative).waste == (4 * G, 7, 60, 90 * G)


def test_what_the_user_gets_by_default_goes_before_names():
    two = cluster(defaults={"account": "z"}, accounts={"a": {}, "z": {}})
    assert sbatch(two, "cpu(cores=1)").account == "z"


def test_names_decide_last():
    two = cluster(nodes("b", features=["B"], available=0), nodes("a", features=["A"], available=0))
    assert select(two, "duration=1h").offers[0].shape.name == "a"


# -- live --------------------------------------------------------------------------------------------------------


def with_signals(**signals):
    """A cluster with a partition for each signal."""
    (group,) = partitions({name: {"nodes": [nodes(name, count=9)]} for name in signals})
    kept = tuple(evolve(partition, signal=signals[partition.name]) for partition in group.partitions)
    return [evolve(group, partitions=kept)]


@pytest.mark.parametrize(
    ("a", "b", "first", "rank"),
    [
        (Signal(0, 0, 0), Signal(1, 0, 0), "b", "live"),
        (Signal(1, 0, 0), Signal(5, 0, 0), "a", "name"),  # one idle node is as good as five for one node
        (Signal(0, 0, 3), Signal(0, 0, 2), "b", "live"),
        (Signal(0, 1, 2), Signal(0, 2, 2), "b", "live"),
        (Signal(0, 9, 3), Signal(0, 1, 2), "b", "live"),
        (Signal(0, 1, 2), Signal(0, 1, 2), "a", "name"),
        (None, Signal(1, 0, 5), "b", "live"),
        (None, Signal(0, 0, 5), "a", "live"),
    ],
)
def test_a_live_signal_orders_what_is_equal(a, b, first, rank):
    groups = with_signals(a=a, b=b)
    (group,) = groups
    selection = select(groups, "duration=1h")
    assert selection.offers[0].partition.name == first
    assert set(selection.partitions) == {"a", "b"}
    narrow = [evolve(group, choose="random")]  # merges nothing: what is passed over shows what decided
    drawn = select(narrow, "duration=1h", rng=random.Random(0))
    assert [rank for _, rank in drawn.passed_over] == [rank]


def test_more_idle_nodes_count_for_a_job_of_more_nodes():
    groups = with_signals(a=Signal(1, 0, 0), b=Signal(5, 0, 0))
    assert select(groups, "nodes=2").offers[0].partition.name == "b"


# -- choosing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choose", "need", "widest", "constraint"),
    [
        ("tightest", "cuda(mem=20G)", False, "S"),
        ("widest", "cuda(mem=20G)", False, "(L)|(S)"),
        ("tightest", "cuda(mem=20G)", True, "(L)|(S)"),
        ("widest", "cuda(mem=1G)", False, None),
    ],
)
def test_widest_merges_what_fits(choose, need, widest, constraint):
    three = cluster(
        nodes("a", features=["S"], gpus=[gpus(1, "24G")]),
        nodes("b", features=["L"], gpus=[gpus(1, "48G")]),
        nodes("c", features=["T"], gpus=[gpus(1, "8G")]),
        choose=choose,
    )
    assert sbatch(three, need, widest=widest).constraint == constraint


def machines(*entries):
    """Machines that are described by hand."""
    return build(config(local=list(entries)).document)


def test_random_draws_by_weight():
    drawing = machines(
        {"id": "a", "weight": 3, "choose": "random"},
        {"id": "b", "weight": 1, "choose": "random"},
        {"id": "c", "weight": 9, "disabled": True},
    )
    rng = random.Random(1)
    drawn = [match(ONE_CPU, drawing, rng=rng).selection.group.name for _ in range(400)]
    assert 250 < drawn.count("a") < 350
    assert drawn.count("a") + drawn.count("b") == 400


def test_groups_without_weight_are_drawn_alike():
    drawing = machines({"id": "a", "weight": 0, "choose": "random"}, {"id": "b", "weight": -1, "choose": "random"})
    rng = random.Random(1)
    drawn = [match(ONE_CPU, drawing, rng=rng).selection.group.name for _ in range(200)]
    assert 60 < drawn.count("a") < 140


def test_only_the_equal_best_of_a_group_are_drawn():
    blocks = [nodes(name, gpus=[gpus(1, memory)]) for name, memory in (("a", "24G"), ("b", "24G"), ("c", "48G"))]
    drawing = cluster(*blocks, choose="random")
    rng = random.Random(1)
    drawn = {select(drawing, "cuda(mem=20G)", rng=rng, widest=True).offers[0].shape.name for _ in range(40)}
    assert drawn == {"a", "b", "c"}
    drawn = {select(drawing, "cuda(mem=20G)", rng=rng).offers[0].shape.name for _ in range(40)}
    assert drawn == {"a", "b"}


def test_a_group_that_does_not_choose_at_random_is_not_drawn():
    drawing = machines({"id": "a", "choose": "random"}, {"id": "b"})
    rng = random.Random(3)
    assert {match(ONE_CPU, drawing, rng=rng).selection.group.name for _ in range(20)} == {"a"}


# -- tags --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "group"),
    [(["slurm", "nope"], "a"), ("slurm", "a"), (["y"], "b"), ([], "b")],  # a string is one tag, not five letters
)
def test_tags(tags, group):
    two = machines({"id": "a", "tags": ["x", "slurm"]}, {"id": "b", "weight": 1, "tags": ["y"]})
    assert match(ONE_CPU, two, tags=tags).selection.group.name == group


def test_groups_without_the_tags_are_skipped():
    answer = match(ONE_CPU, machines({"id": "a", "tags": ["x"]}, {"id": "b"}), tags="z")
    assert answer.selection is None
    assert [(skipped.group.name, skipped.reason) for skipped in answer.skipped] == [
        ("a", SkipReason.TAGS),
        ("b", SkipReason.TAGS),
    ]
    assert answer.tags == {"z"}


def test_groups_that_cannot_be_read_are_skipped():
    (group,) = machines({"id": "a", "tags": ["x"]})
    away = evolve(group, unreachable="no answer")
    reasons = [match(ONE_CPU, [away], tags=tags).skipped[0].reason for tags in ((), "x", "y")]
    assert reasons == [SkipReason.UNREACHABLE, SkipReason.UNREACHABLE, SkipReason.TAGS]


def test_later_alternatives_are_tried_only_on_demand():
    (group,) = machines({"id": "a"})
    need = parse("cpu(cores=1) | cpu(cores=2)")
    assert len(match(need, [group]).trials) == 1
    thorough = match(need, [group], thorough=True)
    assert len(thorough.trials) == 2
    assert thorough.selection.alternative.cores == 1
