"""What people read: rejections, assumptions, skipped groups, relaxations."""

import pytest
from clusters import G, cluster, gpus, nodes, partitions, select
from configs import config

from launchers.config.build import build
from launchers.matching import Skipped, SkipReason, match
from launchers.matching.relaxation import Change, Term
from launchers.matching.words import (
    assumption_text,
    change_text,
    rejection_text,
    rejections_text,
    skipped_text,
    verdict_text,
)
from launchers.offer.assumption import Assumption, Unstated
from launchers.offer.model import Group
from launchers.requirement import parse

ROOMY = nodes("n[1-4]", cores=64, memory="64G", gpus=[gpus(4, "8G", type="t", model="V100")])


def texts(groups, need):
    """The rejections of all offers, each offer on a line."""
    answer = match(parse(need), groups)
    return [rejections_text(trial.offer, trial.rejections) for trial in answer.trials[0] if trial.rejections]


# -- what the nodes have -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("need", "text"),
    [
        ("cpu(cores=65)", "needs 65 cores per node; this partition has 64"),
        ("cpu(mem=65G)", "needs 65G of memory per node; this partition has 64G"),
        ("nodes=5", "needs 5 nodes; this partition has 4"),
        ("rocm()", "needs a ROCm GPU; this partition has CUDA GPUs"),
        ("cuda(model=A100)", "needs GPU model A100; this partition has V100"),
        ("cuda(mem=9G)", "needs 9G of GPU memory; the GPUs have 8G"),
        ("cuda()*5", "needs 5 GPUs per node; this partition has 4"),
        ("cuda(mem=8G)*3 & gpu()*2", "needs 5 GPUs; the 4 of a node cannot serve all of them at once"),
    ],
)
def test_nodes_that_are_too_small(need, text):
    assert texts(cluster(ROOMY), need) == [text]


@pytest.mark.parametrize(
    ("need", "text"),
    [
        ("cuda()", "needs a CUDA GPU; this partition has none"),
        ("gpu()", "needs a GPU; this partition has none"),
        ("mps()", "needs an MPS GPU; this partition has none"),
    ],
)
def test_nodes_without_gpus(need, text):
    assert texts(cluster(nodes(cores=4)), need) == [text]


def test_nodes_with_gpus_of_several_kinds():
    mixed = cluster(nodes(gpus=[gpus(1), gpus(1, kind="rocm")]))
    assert texts(mixed, "mps()") == ["needs an MPS GPU; this partition has CUDA GPUs and ROCm GPUs"]


def test_the_owner_of_nodes():
    """A shape is the partition where it is its only one, and a machine has no partitions."""
    two = cluster(nodes("a", cores=1), nodes("b", cores=1))
    assert texts(two, "cpu(cores=2)") == ["needs 2 cores per node; these nodes have 1"] * 2
    (machine,) = build(config(local=[{"id": "here", "cpu": {"cores": 1}}]).document)
    assert texts([machine], "cpu(cores=2)") == ["needs 2 cores per node; this machine has 1"]


def test_a_number_of_one():
    (offer,) = (trial.offer for trial in match(parse("nodes=1"), cluster(ROOMY)).trials[0])
    none = match(parse("cpu(cores=1)"), cluster(nodes(cores=0))).trials[0][0].rejections
    assert [rejection_text(offer, rejection) for rejection in none] == ["needs 1 core per node; this partition has 0"]


def test_what_a_partition_adds_to_the_memory():
    hungry = cluster(ROOMY, partition={"def_mem_per_gpu": "20G"})
    assert texts(hungry, "cuda()*4") == ["needs 80G of memory per node (DefMemPerGPU); this partition has 64G"]


@pytest.mark.parametrize(
    ("memory", "shown"), [("67108865K", "64.0G"), ("64001M", "64001M"), ("128001M", "125.0G"), ("128000M", "125G")]
)
def test_long_numbers_are_rounded(memory, shown):
    odd = cluster(nodes(memory=memory))
    assert texts(odd, "cpu(mem=256G)") == [f"needs 256G of memory per node; this partition has {shown}"]


def test_an_offer_that_is_closed():
    (text,) = texts(cluster(ROOMY, partition={"state": "DOWN"}), "cpu(cores=1)")
    assert text.startswith("takes no jobs: ")


def test_several_reasons():
    assert texts(cluster(nodes(cores=4, memory="8G")), "cpu(cores=5, mem=9G)") == [
        "needs 9G of memory per node; this partition has 8G. Also needs 5 cores per node; this partition has 4"
    ]


# -- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "need", "text"),
    [
        ({"max_duration": "2d"}, "duration=3 days", "needs 3 days; QoS q allows 2 days (MaxWall)"),
        ({"max_duration": "1d"}, "duration=30h", "needs 1d6h; QoS q allows 1 day (MaxWall)"),
        ({"max_duration": "1h"}, "duration=23h", "needs 23 hours; QoS q allows 1 hour (MaxWall)"),
        ({"max_duration": "90m"}, "duration=91m", "needs 1h31m; QoS q allows 1h30m (MaxWall)"),
        ({"max_duration": "59m"}, "duration=60m", "needs 1 hour; QoS q allows 59m (MaxWall)"),
        ({"max_nodes": 1}, "nodes=2", "needs 2 nodes; QoS q allows 1 node (MaxNodes)"),
        ({"max_tres": {"gres/gpu": 1}}, "cuda()*2", "needs 2 GPUs; QoS q allows 1 GPU (MaxTRESPerJob)"),
        ({"max_tres": {"gres/gpu:t": 1}}, "cuda()*2", "needs 2 t GPUs; QoS q allows 1 t GPU (MaxTRESPerJob)"),
        ({"max_tres": {"node": 1}}, "nodes=2", "needs 2 nodes; QoS q allows 1 node (MaxTRESPerJob)"),
        (
            {"max_tres_per_node": {"cpu": 1}},
            "cpu(cores=2)",
            "needs 2 CPUs per node; QoS q allows 1 CPU per node (MaxTRESPerNode)",
        ),
        ({"max_tres": {"mem": "4G"}}, "cpu(mem=5G)", "needs 5G of memory; QoS q allows 4G of memory (MaxTRESPerJob)"),
        (
            {"max_mem_per_node": "4G"},
            "cpu(mem=5G)",
            "needs 5G of memory per node; QoS q allows 4G of memory per node (MaxMemPerNode)",
        ),
        (
            {"max_tres_mins": {"cpu": 100}},
            "cpu(cores=2) & duration=51m",
            "needs 102 CPU minutes; QoS q allows 100 CPU minutes (MaxTRESMinsPerJob)",
        ),
        (
            {"max_tres_mins": {"mem": "8G"}},
            "cpu(mem=1G) & duration=9m",
            "needs 9G of memory times minutes; QoS q allows 8G of memory times minutes (MaxTRESMinsPerJob)",
        ),
        ({"min_tres": {"gres/gpu": 2}}, "cuda()", "needs 1 GPU; QoS q wants at least 2 GPUs (MinTRESPerJob)"),
    ],
)
def test_limits(limits, need, text):
    limited = cluster(ROOMY, qos={"q": {"limits": limits}}, partition={"qos": ["q"]})
    assert texts(limited, need) == [text]


@pytest.mark.parametrize(
    ("keys", "entry", "source"),
    [
        ({"limits": {"max_nodes": 2}}, {}, "partition p"),
        ({}, {"limits": {"max_nodes": 2}}, "the launcher group"),
        ({}, {"accounts": {"a": {"limits": {"max_nodes": 2}}}}, "account a"),
    ],
)
def test_who_sets_a_limit(keys, entry, source):
    limited = cluster(ROOMY, partition=keys, **entry)
    assert texts(limited, "nodes=3") == [f"needs 3 nodes; {source} allows 2 nodes (MaxNodes)"]


# -- verdicts ----------------------------------------------------------------------------------------------------


def verdicts(groups, need):
    return [verdict_text(trial) for trial in match(parse(need), groups).trials[0]]


def test_verdicts():
    two = cluster(nodes("a[1-2]", cores=4), nodes("b[1-2]", cores=4), nodes("c", cores=1))
    assert verdicts(two, "cpu(cores=2)") == ["fits", "fits", "needs 2 cores per node; these nodes have 1"]
    together = "fits together with other nodes of the partition; alone these are too few"
    assert verdicts(two, "nodes=4 & cpu(cores=2)")[:2] == [together] * 2
    assert verdicts(cluster(nodes(available=0)), "cpu(cores=2)") == [
        "fits, assuming: the nodes have enough cores (their number is not known); "
        "a node comes back (all were down or drained when last seen)"
    ]


@pytest.mark.parametrize("fact", Unstated)
def test_every_assumption_has_its_words(fact):
    assert assumption_text(Assumption(fact, "X")).endswith(")")


def test_an_assumption_names_the_kind_or_model_that_is_assumed():
    selection = select(cluster(nodes(gpus=[gpus(1, "40G", kind=None)])), "cuda(model=A100)")
    assert list(map(assumption_text, selection.assumed)) == [
        "the GPUs are cuda (their kind is not known)",
        "the GPU model is A100 (it is not known)",
    ]


def test_why_a_group_was_skipped():
    group = Group("g", "slurm", (), unreachable="no answer within 20 s")
    assert skipped_text(Skipped(group, SkipReason.UNREACHABLE)) == "no answer within 20 s"
    assert skipped_text(Skipped(group, SkipReason.TAGS)) == "has none of the requested tags"


# -- changes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change(Term.GPU_KIND, "cuda", "rocm"), "any kind of GPU would do (rocm here)"),
        (Change(Term.GPU_KIND, "cuda", "gpu:gen, rocm"), "any kind of GPU would do (gen, rocm here)"),
        (Change(Term.GPU_MODEL, "A100", "V100"), "any GPU model would do (V100 here)"),
        (Change(Term.GPU_MEMORY, G, 2 * G, is_minimum=True), "GPU memory were 2G or more"),
        (Change(Term.GPU_MEMORY, 2 * G, G), "GPU memory were 1G or less"),
        (Change(Term.GPUS, 3, 2), "GPUs per node were 2 or fewer"),
        (Change(Term.GPUS, 1, 2, is_minimum=True), "GPUs per node were 2 or more"),
        (Change(Term.MEMORY, 2 * G, G), "memory were 1G or less"),
        (Change(Term.CORES, 3, 2), "cores were 2 or fewer"),
        (Change(Term.NODES, 1, 2, is_minimum=True), "nodes were 2 or more"),
        (Change(Term.DURATION, 7200, 5400), "duration were 1h30m or less"),
    ],
)
def test_changes(change, text):
    assert change_text(change) == text


def test_no_match_says_why():
    """Defect 14 of experimaestro: no match was a bare None."""
    assert texts(partitions({"p": {"nodes": [nodes(gpus=[gpus(1, "8G")])]}}), "cuda(mem=80G)") == [
        "needs 80G of GPU memory; the GPUs have 8G"
    ]
