"""Layers, devices and accesses: what a launchers.yaml means."""

import pytest

from launchers.config.build import build
from launchers.config.load import load, loads
from launchers.offer.model import Device, Limit, Source, SourceKind

G = 1024**3


def slurm(text, facts=None):
    (group,) = build(loads("slurm:\n- " + text.replace("\n", "\n  ")).document, facts)
    return group


def test_the_reference(shared):
    first, second, manual, auto = build(load(shared / "launchers.reference.yaml").document)
    assert (first.weight, first.partitions[0].shapes[0].cores, first.partitions[0].shapes[0].devices) == (5, 40, ())
    assert second.partitions[0].shapes[0].devices == (Device("cuda", 1, 8 * G, "GTX1080"),)
    assert second.tokens == (("localtoken", 1),)
    big, small, p4 = manual.partitions
    assert [(s.hosts, s.count, s.devices[0].count, s.devices[0].memory // G) for s in big.shapes] == [
        ("yop,yep", 2, 3, 48),
        ("yip,yup,yap", 3, 2, 24),
    ]
    assert big.shapes[0].devices[0].min_memory == round(0.7 * 48 * G)
    assert small.shapes[0].count == 4
    assert p4.shapes[0].devices == (Device("cuda", 8, 40 * G, "A100", round(0.7 * 40 * G), "min_mem_ratio 0.7"),)
    assert p4.shapes[0].count is None  # `count: 0` with no hosts: nobody knows
    assert p4.priority == 1
    assert [(a.qos, a.account, a.priority) for a in p4.accesses] == [
        ("qos_gpu-t3", "iea@a100", 1),
        ("qos_gpu-t4", "iea@a100", 0),
    ]
    assert set(p4.accesses[0].limits) == {
        Limit("duration", 72000, Source(SourceKind.QOS, "qos_gpu-t3"), "max_duration"),
        Limit("gres/gpu", 1, Source(SourceKind.QOS, "qos_gpu-t3"), "min_gpu", is_minimum=True),
    }
    assert [p.accesses[0].limits for p in (big, small)] == [(), ()]  # one partition's QoS does not leak into another
    assert auto.unreachable


def test_layers_go_key_by_key():
    group = slurm(
        r"""configuration: {cpu: {cores: 8, memory: 10G}, gpu: {min_mem_ratio: 0.5, count: 1}}
features: {fat: {cpu: {memory: 99G}}}
features_regex: ['M(?P<cuda_memory>\d+G)', 'C(?P<cuda_count>\d+)']
partitions:
  p:
    configuration: {gpu: {memory: 16G}}
    nodes:
    - {hosts: [a], features: [fat, M32G]}
    - {hosts: [b], cpu: {cores: 4}, gpu: {count: 3}}
    - {hosts: [c], features: [C2]}
"""
    )
    a, b, c = group.partitions[0].shapes
    assert (a.cores, a.memory // G, a.devices[0].memory // G, a.devices[0].count) == (8, 99, 32, 1)
    assert a.hints == {"fat", "M32G"}
    assert (b.cores, b.memory // G, b.devices[0].memory // G, b.devices[0].count) == (4, 10, 16, 3)
    assert b.features == set()  # nothing is inherited from the node before
    assert c.devices[0].count == 2
    assert c.devices[0].min_memory == 8 * G


def test_gpus_exist_where_something_says_so():
    group = slurm(
        "partitions: {none: {}, some: {configuration: {gpu: {memory: 8G}}}, no: {nodes: [{gpu: {count: 0}}]}}"
    )
    none, some, no = (partition.shapes[0].devices for partition in group.partitions)
    assert none == no == ()
    assert some == (Device("cuda", None, 8 * G),)


@pytest.mark.parametrize(
    ("partition", "found"),
    [
        ("{}", [("normal", "a"), ("short", "a"), ("normal", "b")]),
        ("{qos: [short]}", [("short", "a")]),
        ("{accounts: [b]}", [("normal", "b")]),
        ("{deny_accounts: [a]}", [("normal", "b")]),
        ("{deny_qos: [normal]}", [("short", "a")]),
        ("{accounts: [c]}", None),
        ("{qos: [other]}", None),
    ],
)
def test_accesses(partition, found):
    text = "qos: {normal: {}, short: {}, other: {}}\naccounts: {a: {qos: [normal, short]}, b: {qos: [normal]}}\n"
    (built,) = slurm(f"{text}partitions: {{p: {partition}}}").partitions
    if found is None:
        assert built.closed_reason == "none of your accounts and QoS may use it"
    else:
        assert [(access.qos, access.account) for access in built.accesses] == found


def test_each_limit_comes_from_the_first_place_that_sets_it():
    """https://slurm.schedmd.com/resource_limits.html: partition QoS, job QoS, association; OverPartQOS swaps."""
    text = """qos:
  part: {limits: {max_duration: 3h, max_tres: {cpu: 30}}}
  job: {limits: {max_duration: 2h, max_tres: {cpu: 20, mem: 20G}}}
  over: {limits: {max_duration: 1h}, flags: [OverPartQOS, PartitionTimeLimit]}
accounts: {a: {qos: [job, over], limits: {max_duration: 4h, max_tres: {mem: 10G, node: 4}}}}
partitions: {p: {partition_qos: part, limits: {max_duration: 9h, max_nodes: 7}}}
"""
    job, over = slurm(text).partitions[0].accesses
    assert {(limit.subject, limit.value) for limit in job.limits} == {
        ("duration", 9 * 3600), ("nodes", 7), ("duration", 3 * 3600), ("cpu", 30), ("mem", 20 * G), ("node", 4),
    }  # fmt: skip
    assert {(limit.subject, limit.value) for limit in over.limits} == {
        ("nodes", 7), ("duration", 3600), ("cpu", 30), ("mem", 10 * G), ("node", 4),
    }  # fmt: skip


def test_only_the_qos_of_the_job_lifts_the_limits_of_a_partition():
    """So 22.05 and 24.11 have it: the flags of the partition's own QoS do nothing (man sacctmgr: "jobs using this QOS")."""
    text = """qos:
  lifts: {flags: [PartitionTimeLimit, PartitionMaxNodes, PartitionMinNodes]}
  plain: {}
partitions: {p: {qos: [plain, lifts], partition_qos: lifts, limits: {max_duration: 1h, min_nodes: 2, max_nodes: 7}}}
"""
    plain, lifts = slurm(text).partitions[0].accesses
    assert {limit.subject for limit in plain.limits} == {"duration", "nodes"}
    assert len(plain.limits) == 3
    assert lifts.limits == ()


def test_what_is_written_by_hand_is_laid_over_the_facts():
    facts = loads(
        """slurm:
- id: cluster
  gres: gres_typed
  partitions:
    gpu:
      limits: {max_duration: 1 day, max_nodes: 4}
      nodes:
      - {hosts: "n[1-4]", count: 4, features: [x], accelerators: [{type: a100, count: 2}]}
    cpu: {nodes: [{hosts: c1, count: 1}]}
"""
    ).document.slurm[0]
    group = slurm(
        """id: mine
facts: cluster.yaml
weight: 7
partitions:
  gpu:
    priority: 3
    limits: {max_duration: 2h}
    nodes:
    - {hosts: "n[2-3]", accelerators: [{type: a100, count: 2, memory: 80G}]}
  cpu: {disabled: true}
""",
        {0: facts},
    )
    gpu, cpu = group.partitions
    assert (group.name, group.weight, group.gres, gpu.priority) == ("mine", 7, "gres_typed", 3)
    assert cpu.closed_reason == "disabled in launchers.yaml"
    assert [(s.hosts, s.count, s.devices[0].memory) for s in gpu.shapes] == [
        ("n[1,4]", 2, None),
        ("n[2-3]", 2, 80 * G),
    ]
    assert {(limit.subject, limit.value) for limit in gpu.accesses[0].limits} == {("duration", 7200), ("nodes", 4)}


@pytest.mark.parametrize(
    ("said", "device"),
    [
        ("gpu: {memory: 80G}", ("cuda", "A100", 2, 80 * G, "a100", 0)),
        ("gpu: {count: 1}", ("cuda", "A100", 1, 40 * G, "a100", 0)),
        ("gpu: {min_mem_ratio: 0.5}", ("cuda", "A100", 2, 40 * G, "a100", 20 * G)),
        ("gpu: {model: L4}", ("cuda", "L4", 2, 24 * G, "a100", 0)),
        ("configuration: {gpu: {memory: 80G}}", ("cuda", "A100", 2, 80 * G, "a100", 0)),
        ("accelerators: [{memory: 80G}]", ("gpu", None, None, 80 * G, None, 0)),
    ],
)
def test_a_layer_about_gpus_keeps_what_it_does_not_say(said, device):
    gpu = "{kind: cuda, model: A100, memory: 40G, count: 2, type: a100}"
    nodes = f"[{{hosts: 'n[1-2]', count: 2, accelerators: [{gpu}]}}]"
    facts = loads(f"slurm: [{{partitions: {{p: {{nodes: {nodes}}}}}}}]").document.slurm[0]
    group = slurm(f"{{facts: c.yaml, partitions: {{p: {{nodes: [{{hosts: n2, {said}}}]}}}}}}", {0: facts})
    one = group.partitions[0].shapes[1].devices[0]
    assert (one.kind, one.model, one.count, one.memory, one.type, one.min_memory) == device


def test_of_several_classes_a_layer_replaces_all_or_says_what_holds_for_each():
    both = "[{type: a, model: A40, count: 1}, {type: b, model: L4, count: 3}]"
    facts = loads(f"slurm: [{{partitions: {{p: {{nodes: [{{hosts: n1, accelerators: {both}}}]}}}}}}]").document.slurm[0]

    def types(said):
        group = slurm(f"{{facts: c.yaml, partitions: {{p: {{nodes: [{{hosts: n1, gpu: {said}}}]}}}}}}", {0: facts})
        return [(one.type, one.count, bool(one.min_memory)) for one in group.partitions[0].shapes[0].devices]

    assert types("{min_mem_ratio: 0.5}") == [("a", 1, True), ("b", 3, True)]
    assert types("{count: 2, memory: 8G}") == [(None, 2, False)]
