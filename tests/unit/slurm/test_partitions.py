"""Partitions as launchers.yaml has them."""

import pytest
from slurm_texts import config, entry, group, node, partition, text_of

from launchers.config.emit import to_yaml
from launchers.matching import match
from launchers.requirement import parse
from launchers.slurm.accounts import Person
from launchers.slurm.convert import convert
from launchers.slurm.read import read

MIB = 1024**2


def spec(settings=None, person=None, **pairs):
    return entry(config(**settings or {}), node(), partition(**pairs), person=person).partitions["p"]


def test_a_partition_that_sets_nothing():
    assert (
        to_yaml(convert(read(node(), partition()), hosts=False))
        == """slurm:
- id: slurm
  tags: [slurm]
  partitions:
    p:
      nodes:
      - count: 1
        cpu: {cores: 8, memory: 16000M}
  gres: gres_typed
"""
    )


def test_what_a_partition_sets():
    found = spec(
        State="DRAIN", Hidden="YES", Default="YES", AllowQos="x,y", DenyQos="z", DenyAccounts="b", QoS="q", MaxTime="1:00:00",
        MinNodes=2, MaxNodes=4, MaxCPUsPerNode=6, MaxMemPerNode=7, OverSubscribe="EXCLUSIVE", DefaultTime="30:00",
        DefMemPerNode=8, JobDefaults="DefCpuPerGPU=3,DefMemPerGPU=9",
    )  # fmt: skip
    assert (found.state, found.hidden, found.default, found.exclusive) == ("DRAIN", True, True, True)
    assert (found.qos, found.deny_qos, found.deny_accounts, found.partition_qos) == (("x", "y"), ("z",), ("b",), "q")
    limits = found.limits
    assert (limits.max_duration, limits.min_nodes, limits.max_nodes, limits.max_cpus_per_node) == (3600, 2, 4, 6)
    assert (limits.max_mem_per_node, limits.max_mem_per_cpu, found.default_time) == (7 * MIB, None, 1800)
    assert (found.def_mem_per_node, found.def_mem_per_gpu, found.def_cpu_per_gpu) == (8 * MIB, 9 * MIB, 3)


@pytest.mark.parametrize(("least", "kept"), [(0, None), (1, None), (2, 2)])
def test_one_node_is_no_minimum(least, kept):
    limits = spec(MinNodes=least).limits
    assert (limits and limits.min_nodes) == kept


@pytest.mark.parametrize(
    ("pairs", "groups", "disabled", "note"),
    [
        ({"RootOnly": "YES"}, None, True, "RootOnly=YES"),
        ({"ReqResv": "YES"}, None, True, "ReqResv=YES: jobs need a reservation"),
        ({"AllowGroups": "wheel,staff"}, {"users"}, True, "AllowGroups=wheel,staff: you are in none of these groups"),
        ({"AllowGroups": "wheel,staff"}, {"users", "staff"}, None, None),
        (
            {"AllowGroups": "wheel"},
            None,
            None,
            "AllowGroups=wheel: it is not known whether you are in one of these groups",
        ),
        ({}, None, None, None),
    ],
)
def test_who_may_use_it(pairs, groups, disabled, note):
    person = Person("me", None, None if groups is None else frozenset(groups))
    assert spec(person=person, **pairs).disabled is disabled
    comments = [line.partition("  # ")[2] for line in text_of(node(), partition(**pairs), person=person).splitlines()]
    assert [comment for comment in comments if comment] == ([note] if note else [])


@pytest.mark.parametrize(
    ("settings", "pairs", "per_cpu", "per_node"),
    [
        ({}, {}, None, None),
        ({"MaxMemPerCPU": 5, "MaxMemPerNode": 6}, {"MaxMemPerNode": "UNLIMITED"}, 5, 6),
        ({"MaxMemPerCPU": 5, "MaxMemPerNode": 6}, {}, None, None),  # the partition's own were not printed
        ({"MaxMemPerCPU": 5}, {"MaxMemPerNode": 7}, None, 7),
        ({"MaxMemPerNode": 5}, {"MaxMemPerCPU": 7}, 7, None),
        ({"MaxMemPerCPU": 0, "MaxMemPerNode": "UNLIMITED"}, {}, None, None),
        ({}, {"MaxMemPerCPU": 5, "MaxCPUsPerNode": 3}, 5, 15),
        ({"SLURM_VERSION": "22.05.8"}, {"MaxMemPerCPU": 5, "MaxCPUsPerNode": 3}, 5, None),
        ({"SLURM_VERSION": "23.02.1"}, {"MaxMemPerCPU": 5, "MaxCPUsPerNode": 3}, 5, 15),
    ],
)
def test_the_most_memory(settings, pairs, per_cpu, per_node):
    limits = spec(settings, **pairs).limits
    found = (None, None) if limits is None else (limits.max_mem_per_cpu, limits.max_mem_per_node)
    assert found == (per_cpu and per_cpu * MIB, per_node and per_node * MIB)


@pytest.mark.parametrize(
    ("settings", "pairs", "per_cpu", "per_node"),
    [
        ({}, {}, None, None),
        ({"DefMemPerCPU": 5, "DefMemPerNode": 6}, {"DefMemPerNode": "UNLIMITED"}, 5, 6),
        ({"DefMemPerCPU": 5, "DefMemPerNode": 6}, {}, None, None),  # the partition's own were not printed
        ({"DefMemPerCPU": 5}, {"DefMemPerNode": 7}, None, 7),
        ({"DefMemPerNode": 5}, {"DefMemPerCPU": 7}, 7, None),
        ({"DefMemPerCPU": 5}, {"DefMemPerNode": "UNLIMITED", "JobDefaults": "DefMemPerGPU=9"}, 5, None),
    ],
)
def test_the_memory_of_a_job_that_asks_for_none(settings, pairs, per_cpu, per_node):
    found = spec(settings, **pairs)
    assert (found.def_mem_per_cpu, found.def_mem_per_node) == (per_cpu and per_cpu * MIB, per_node and per_node * MIB)


@pytest.mark.parametrize("need", ["cuda()*3", "cuda()*3 & cpu(mem=50M)"])
@pytest.mark.parametrize("limits", [{"MaxMemPerNode": 4000}, {"MaxMemPerCPU": 2000, "MaxCPUsPerNode": 2}])
def test_the_default_memory_of_gpus_is_no_memory_that_a_job_asks_for(need, limits):
    settings = config(SLURM_VERSION="26.05.0", SelectType="select/cons_tres")
    has_gpus = node(CPUTot=16, RealMemory=64000, Gres="gpu:3")
    of_gpus = partition(**limits, JobDefaults="DefMemPerGPU=2000")
    selection = match(parse(need), [group(settings, has_gpus, of_gpus)]).selection
    assert selection is not None
    assert 0 < selection.request.memory <= 4000 * MIB


@pytest.mark.parametrize(("version", "starts"), [("22.05.8", True), ("24.11.5", False)])
def test_memory_that_costs_more_cpus_than_the_partition_lets_have(version, starts):
    settings = config(SLURM_VERSION=version, MaxMemPerCPU=1000)
    cluster = group(settings, node(CPUTot=16, RealMemory=64000), partition(MaxCPUsPerNode=4, MaxMemPerNode="UNLIMITED"))
    assert match(parse("cpu(mem=4000M)"), [cluster]).selection is not None
    assert (match(parse("cpu(mem=4001M)"), [cluster]).selection is not None) is starts
