"""A hand-written entry over the facts of its cluster."""

import pytest
from configs import slurm_config, slurm_group

from launchers.config.layer import overlay, overlay_group

G = 1024**3
A100S = {"kind": "cuda", "model": "A100", "memory": "40G", "count": 2, "type": "a100"}


def laid(own, facts):
    """The one partition of an entry laid over facts, both as node blocks."""
    group = overlay_group(
        slurm_config({"p": {"nodes": facts}}).document.slurm[0], slurm_config({"p": {"nodes": own}}).document.slurm[0]
    )
    return group.partitions["p"].nodes


def blocks(own, facts):
    return [(nodes.hosts, nodes.count, nodes.cpu and nodes.cpu.cores) for nodes in laid(own, facts)]


def test_what_is_written_by_hand_wins_key_by_key():
    facts = {
        "id": "cluster",
        "gres": "gres_typed",
        "partitions": {
            "gpu": {"limits": {"max_duration": "1 day", "max_nodes": 4}, "nodes": [{"hosts": "n[1-4]"}]},
            "cpu": {"nodes": [{"hosts": "c1", "count": 1}]},
        },
    }
    own = {"gpu": {"priority": 3, "limits": {"max_duration": "2h"}}, "cpu": {"disabled": True}, "new": {}}
    group = slurm_group(own, facts, id="mine")
    gpu, cpu, new = group.partitions
    assert (group.name, group.gres, gpu.priority, new.name) == ("mine", "gres_typed", 3, "new")
    assert cpu.closed_reason == "disabled in launchers.yaml"
    assert {(limit.subject, limit.value) for limit in gpu.accesses[0].limits} == {("duration", 7200), ("nodes", 4)}


@pytest.mark.parametrize(
    ("below", "above", "result"),
    [
        (1, 2, 2),
        (1, None, 1),
        (None, 2, 2),
        (1, 0, 0),
        ((1, 2), (3,), (3,)),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
    ],
)
def test_an_overlay_of_plain_values(below, above, result):
    assert overlay(below, above) == result


def test_the_source_of_the_facts_is_gone():
    own = slurm_config({}, facts="f.yaml", query_slurm=True).document.slurm[0]
    group = overlay_group(slurm_config({"p": {}}).document.slurm[0], own)
    assert (group.facts, group.query_slurm, list(group.partitions)) == (None, None, ["p"])


# -- node blocks -----------------------------------------------------------------------------------------------


def test_hosts_are_cut_out_of_the_blocks_that_have_them():
    facts = [{"hosts": "n[1-4]", "count": 4, "cpu": {"cores": 8}}, {"hosts": "m[1-2]", "count": 2}]
    own = [{"hosts": ["n[2-3]", "m2"], "cpu": {"cores": 4}}]
    assert blocks(own, facts) == [("n[1,4]", 2, 8), ("n[2-3]", 2, 4), ("m1", 1, None), ("m2", 1, 4)]


def test_hosts_that_no_block_has_make_a_block_of_their_own():
    assert blocks([{"hosts": "n[1-2],x[1-3]", "cpu": {"cores": 4}}], [{"hosts": "n1", "count": 1}]) == [
        ("n1", 1, 4),
        ("n2,x[1-3]", 4, 4),
    ]


def test_a_block_is_replaced_where_all_its_hosts_are_written_about():
    assert blocks([{"hosts": "n[1-2]", "cpu": {"cores": 4}}], [{"hosts": "n[1-2]", "count": 2}]) == [("n[1-2]", 2, 4)]


def test_a_block_that_is_cut_has_no_longer_what_all_of_it_has_together():
    facts = [{"hosts": "n[1-4]", "count": 4, "tres": {"cpu": 30}}]
    assert [nodes.tres for nodes in laid([{"hosts": "n1", "cpu": {"cores": 1}}], facts)] == [None, None]
    assert [nodes.tres for nodes in laid([{"hosts": "n[1-4]", "cpu": {"memory": "1G"}}], facts)] == [{"cpu": 30}]


def test_a_block_that_is_cut_has_no_more_available_nodes_than_nodes():
    facts = [{"hosts": "n[1-4]", "count": 4, "available": 3}]
    assert [nodes.available for nodes in laid([{"hosts": "n1", "cpu": {"cores": 1}}], facts)] == [3, 1]


@pytest.mark.parametrize(
    ("features", "changed"), [(None, [True, True]), (["x"], [True, False]), (["x", "y"], [False, False])]
)
def test_a_block_without_hosts_is_about_the_nodes_that_have_its_features(features, changed):
    facts = [{"hosts": "n1", "features": ["x"]}, {"hosts": "n2", "features": ["y"]}]
    own = [{"cpu": {"cores": 4}, **({"features": features} if features else {})}]
    found = laid(own, facts)
    assert [bool(nodes.cpu) for nodes in found] == changed
    assert [(nodes.hosts, nodes.features) for nodes in found] == [("n1", ("x",)), ("n2", ("y",))]


@pytest.mark.parametrize(("own", "facts"), [(None, [{"hosts": "n1"}]), ([{"hosts": "n1"}], None)])
def test_node_blocks_that_only_one_side_has(own, facts):
    entries = [slurm_config({"p": {"nodes": nodes} if nodes else {}}).document.slurm[0] for nodes in (facts, own)]
    assert [nodes.hosts for nodes in overlay_group(*entries).partitions["p"].nodes] == ["n1"]


# -- accelerators ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "device"),
    [
        ({"gpu": {"memory": "80G"}}, ("cuda", "A100", 2, 80 * G, "a100", 0)),
        ({"gpu": {"count": 1}}, ("cuda", "A100", 1, 40 * G, "a100", 0)),
        ({"gpu": {"min_mem_ratio": 0.5}}, ("cuda", "A100", 2, 40 * G, "a100", 20 * G)),
        ({"gpu": {"model": "L4"}}, ("cuda", "L4", 2, 24 * G, "a100", 0)),
        ({"gpu": {"model": "L4", "memory": "23G"}}, ("cuda", "L4", 2, 24 * G, "a100", 0)),
        ({"gpu": {"model": "A100-SXM4"}}, ("cuda", "A100-SXM4", 2, 40 * G, "a100", 0)),
        ({"configuration": {"gpu": {"memory": "80G"}}}, ("cuda", "A100", 2, 80 * G, "a100", 0)),
        ({"accelerators": [{"memory": "80G"}]}, ("gpu", None, None, 80 * G, None, 0)),
        ({"gpu": {"count": 1}, "accelerators": [{"memory": "80G"}]}, ("gpu", None, None, 80 * G, None, 0)),
    ],
)
def test_a_layer_about_gpus_keeps_what_it_does_not_say(own, device):
    facts = {"partitions": {"p": {"nodes": [{"hosts": "n[1-2]", "count": 2, "accelerators": [A100S]}]}}}
    group = slurm_group({"p": {"nodes": [{"hosts": "n2", **own}]}}, facts)
    (found,) = group.partitions[0].shapes[1].devices
    assert (found.kind, found.model, found.count, found.memory, found.type, found.min_memory) == device


@pytest.mark.parametrize(
    ("gpu", "devices"),
    [
        ({"min_mem_ratio": 0.5}, [("a", 1, True), ("b", 3, True)]),
        ({"count": 2, "memory": "8G"}, [(None, 2, False)]),
        ({"memory": "8G"}, [(None, None, False)]),
        ({"model": "L4"}, [(None, None, False)]),
    ],
)
def test_of_several_classes_a_layer_replaces_all_or_says_what_holds_for_each(gpu, devices):
    both = [{"type": "a", "model": "A40", "count": 1}, {"type": "b", "model": "L4", "count": 3}]
    facts = {"partitions": {"p": {"nodes": [{"hosts": "n1", "accelerators": both}]}}}
    group = slurm_group({"p": {"nodes": [{"hosts": "n1", "gpu": gpu}]}}, facts)
    assert [(one.type, one.count, bool(one.min_memory)) for one in group.partitions[0].shapes[0].devices] == devices
