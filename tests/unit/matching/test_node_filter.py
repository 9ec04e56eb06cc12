"""Filters of nodes: clauses of features, excluded hosts, and what Slurm admits by itself."""

import pytest
from attrs import evolve
from clusters import G, cluster, gpus, nodes, partitions, sbatch, select
from configs import config

from launchers.config.build import build
from launchers.matching.node_filter import NodeFilter, admits, separate
from launchers.matching.request import Request
from launchers.oar.render import render as oarsub
from launchers.offer.assumption import Unstated
from launchers.offer.model import Device, Shape


def shape(name, features="", hints="", hosts=None):
    return Shape(
        name, features=frozenset(features + hints), hints=frozenset(hints), hosts=name if hosts is None else hosts
    )


# -- separating shapes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selected", "unfit", "wasteful", "clauses", "exclude", "exact"),
    [
        ([shape("a", "F")], [], [], (), (), True),
        ([shape("a", "FG")], [shape("x", "F")], [], (("G",),), (), True),
        ([shape("a", "FG")], [shape("x", "F"), shape("y", "G")], [], (("F", "G"),), (), True),
        ([shape("a", "F"), shape("b", "G")], [shape("x", "H")], [], (("F",), ("G",)), (), True),
        ([shape("a", "F"), shape("b", "FG")], [shape("x", "H")], [], (("F",),), (), True),
        ([shape("a", "F")], [shape("x", "F")], [], (), ("x",), True),
        ([shape("a", "")], [shape("x", "F")], [], (), ("x",), True),
        ([shape("a", "F")], [shape("x", "F", hosts="")], [], (), (), False),
        ([shape("a", "F", hosts="x")], [shape("x", "F")], [], (), (), False),
        ([shape("a", "F")], [], [shape("x", "G")], (("F",),), (), True),
        ([shape("a", "F")], [], [shape("x", "F")], (), (), True),
        ([shape("a", "F", "H")], [shape("x", "G")], [], (("H",),), (), True),
        ([shape("a", "", "F"), shape("b", "", "FG")], [shape("x", "H")], [], (("F",),), (), True),
        ([shape("a", "", "GF"), shape("b", "", "H")], [shape("x", "I")], [], (("F", "G"), ("H",)), (), True),
        ([shape("a", "F", "H")], [shape("x", "H")], [], (("F", "H"),), (), True),
        ([shape("a", "F"), shape("b", "G")], [shape("x", "F")], [], (), ("x",), True),
    ],
)
def test_separate(selected, unfit, wasteful, clauses, exclude, exact):
    assert separate(selected, unfit, wasteful) == NodeFilter(clauses, exclude, exact)


def test_hosts_of_all_leaks_are_excluded_in_order():
    found = separate([shape("a", "F")], [shape("z", "F"), shape("y", "F"), shape("z", "F")])
    assert found == NodeFilter((), ("y", "z"))


def test_leaks_beside_clauses_are_excluded():
    """F and G together keep x out, but not y."""
    found = separate([shape("a", "FG")], [shape("x", "F"), shape("y", "FG")])
    assert found == NodeFilter((("G",),), ("y",))


def test_the_feature_that_sets_apart_most_is_named():
    rivals = [shape("x", "FG"), shape("y", "FG"), shape("z", "H")]
    assert separate([shape("a", "FGH")], rivals[:2]).clauses == (("H",),)
    assert separate([shape("a", "FGH")], rivals).clauses == (("F", "H"),)


@pytest.mark.parametrize(("feature", "named"), [("a.b_c-d+e", True), ("a&b", False), ("a|b", False), ("a b", False)])
def test_features_with_operators_are_not_named(feature, named):
    odd = Shape("a", features=frozenset({feature}), hosts="a")
    found = separate([odd], [shape("x")])
    assert found == (NodeFilter(((feature,),)) if named else NodeFilter((), ("x",)))


@pytest.mark.parametrize(
    ("clauses", "constraint"),
    [((), ""), ((("A",),), "A"), ((("A", "B"),), "A&B"), ((("A", "B"), ("C",)), "(A&B)|(C)")],
)
def test_the_constraint(clauses, constraint):
    assert NodeFilter(clauses).constraint == constraint


# -- what Slurm admits -------------------------------------------------------------------------------------------

NODE = Shape("n", cores=4, memory=8 * G, devices=(Device("cuda", 2, type="a"), Device("cuda", 1, type="b")))
ASKS_NOTHING = Request(nodes=1, cores=0, memory=0, devices=(), duration=None)


@pytest.mark.parametrize(
    ("request_keys", "admitted"),
    [
        ({}, True),
        ({"cores": 4}, True),
        ({"cores": 5}, False),
        ({"memory": 8 * G}, True),
        ({"memory": 8 * G + 1}, False),
        ({"devices": (("a", 2),)}, True),
        ({"devices": (("a", 3),)}, False),
        ({"devices": ((None, 3),)}, True),
        ({"devices": ((None, 4),)}, False),
        ({"devices": (("a", 1), ("b", 1))}, True),
        ({"devices": (("a", 1), ("b", 2))}, False),
        ({"devices": (("c", 1),)}, False),
    ],
)
def test_what_slurm_admits(request_keys, admitted):
    assert admits(evolve(ASKS_NOTHING, **request_keys), NODE) is admitted


@pytest.mark.parametrize("unknown", [{"cores": None}, {"memory": None}, {"devices": (Device("cuda", None),)}])
def test_unknown_facts_admit(unknown):
    large = evolve(ASKS_NOTHING, cores=4, memory=8 * G, devices=((None, 3),))
    larger = {"cores": {"cores": 99}, "memory": {"memory": 99 * G}, "devices": {"devices": ((None, 99),)}}
    (fact,) = unknown
    assert admits(evolve(large, **larger[fact]), evolve(NODE, **unknown))


def test_a_node_without_cores_admits_nothing():
    assert not admits(ASKS_NOTHING, evolve(NODE, cores=0))


# -- filters of answers ------------------------------------------------------------------------------------------


def test_nodes_where_a_job_may_not_run_for_so_long_are_kept_out():
    """One thread of a core with two costs two CPUs, and so half of the time that CPU minutes leave."""
    two = cluster(
        nodes("plain", features=["plain"], cores=4, memory="8G"),
        nodes("smt", features=["smt"], cores=16, memory="64G", threads_per_core=2),
        limits={"grp_tres_run_mins": {"cpu": 600}},
    )
    args = sbatch(two, "cpu(mem=1G)")
    assert (args.time, args.constraint) == (600, "plain")


def test_a_job_without_a_name_for_its_nodes_assumes_that_slurm_chooses_well():
    two = cluster(
        nodes(count=1, features=["F"], gpus=[gpus(1, "24G")]), nodes(count=1, features=["F"], gpus=[gpus(1, "8G")])
    )
    selection = select(two, "cuda(mem=20G)")
    assert [assumption.fact for assumption in selection.assumed] == [Unstated.NODE_CHOICE]
    assert not selection.node_filter.exact


def test_an_exact_filter_goes_before_one_that_is_not():
    """The second place wastes 8G of GPU memory, but its nodes can be named."""
    unnamed = [nodes(count=1, gpus=[gpus(1, "24G")]), nodes(count=1, gpus=[gpus(1, "8G")])]
    two = partitions({"p": {"nodes": unnamed}, "q": {"nodes": [nodes("q1", gpus=[gpus(1, "32G")])]}})
    selection = select(two, "cuda(mem=20G)")
    assert selection.partitions == ("q",)
    assert [rank for _, rank in selection.passed_over] == ["known"]


def test_a_merge_leaves_out_what_it_cannot_name():
    three = cluster(
        nodes("a", features=["F"], gpus=[gpus(1, "24G")]),
        nodes("b", features=["G"], gpus=[gpus(1, "24G")]),
        nodes(count=1, features=["G"], gpus=[gpus(1, "8G")]),
    )
    args = sbatch(three, "cuda(mem=20G)")
    assert (args.constraint, args.exclude) == ("F", None)


def test_a_merge_that_excludes_no_more_hosts_is_made():
    three = cluster(
        nodes("a", features=["F"], gpus=[gpus(1, "24G")]),
        nodes("b", features=["F"], gpus=[gpus(1, "24G")]),
        nodes("c", features=["F"], gpus=[gpus(1, "8G")]),
    )
    args = sbatch(three, "cuda(mem=20G)")
    assert (args.constraint, args.exclude) == (None, "c")
    assert len(select(three, "cuda(mem=20G)").offers) == 2


@pytest.mark.parametrize("other", [{"qos": ["r"]}, {"accounts": ["b"], "qos": ["q"]}])
def test_only_one_qos_and_account_are_merged(other):
    block = nodes(cores=4)
    two = partitions(
        {"p": {"nodes": [block], "accounts": ["a"], "qos": ["q"]}, "s": {"nodes": [block], "accounts": ["a"], **other}},
        qos={"q": {}, "r": {}},
        accounts={"a": {}, "b": {}},
    )
    assert select(two, "cpu(cores=1)").partitions == ("p",)


def test_partitions_with_another_default_time_are_not_merged():
    two = partitions(
        {"p": {"nodes": [nodes(cores=4)], "default_time": "1h"}, "q": {"nodes": [nodes(cores=4)], "default_time": "2h"}}
    )
    assert select(two, "cpu(cores=1)").partitions == ("p",)
    assert select(two, "cpu(cores=1) & duration=1h").partitions == ("p", "q")


# -- OAR ---------------------------------------------------------------------------------------------------------


def oar(*blocks, **entry):
    return build(config(oar=[{"id": "x", "nodes": list(blocks), **entry}]).document)


def oar_nodes(cluster_name, cores, **keys):
    return {"hosts": f"{cluster_name}1", "cpu": {"cores": cores, **keys}, "properties": {"cluster": cluster_name}}


def test_on_oar_properties_keep_a_job_off_nodes_with_too_little_memory():
    """OAR compares no memory."""
    two = oar(oar_nodes("a", 8, memory="64G"), oar_nodes("b", 8, memory="4G"))
    assert "cluster = 'a'" in oarsub(select(two, "cpu(cores=2, mem=10G)")).properties
    assert oarsub(select(two, "cpu(cores=2)")).properties == ""


def test_on_oar_cores_beside_gpus_are_not_compared():
    a, b = oar_nodes("a", 32), oar_nodes("b", 4)
    for block in (a, b):
        block["accelerators"] = [gpus(4, "32G", model="V100")]
    two = oar(a, b)
    assert "cluster = 'a'" in oarsub(select(two, "cuda() & cpu(cores=8)")).properties


def test_on_oar_one_queue_is_named():
    queues = {"default": {}, "other": {}}
    selection = select(oar(oar_nodes("a", 8), queues=queues), "cpu(cores=2)")
    assert selection.partitions == ("default",)
