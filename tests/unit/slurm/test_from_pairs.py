"""The records of scontrol and sacctmgr as facts; the numbers are read off the texts by hand."""

import pytest
from slurm_texts import node, partition

from launchers.slurm.gres import Gres
from launchers.slurm.read import read

M = 1024**2


NODE = """NodeName=n1 Arch=x86_64 CoresPerSocket=6
   CPUAlloc=1 CPUTot=12 CPULoad=0.92
   AvailableFeatures=icelake,a100_80g
   ActiveFeatures=icelake,a100_80g
   Gres=gpu:1(S:0,2),shard:4
   OS=Linux 6.8.0 #61~22.04.1-Ubuntu SMP X=y Tue Apr 15 2025
   RealMemory=117000 AllocMem=0 Sockets=2 Boards=1
   CoreSpecCount=2 MemSpecLimit=10240
   State=IDLE+CLOUD+POWERED_DOWN ThreadsPerCore=1 Weight=5
   Partitions=gpu,long
   NewKey=1
   Reason=Reboot ASAP : reboot issued Foo=bar [slurm@2023-01-26T10:11:39]
"""


def test_a_node():
    (node,) = read(NODE).nodes
    assert (node.cpus, node.memory, node.weight) == (10, (117000 - 10240) * M, 5)
    assert node.gres == (Gres("gpu", None, 1, "0,2"), Gres("shard", None, 4))
    assert node.features == ("icelake", "a100_80g")
    assert node.partitions == ("gpu", "long")
    assert node.state.usable
    assert node.pairs["OS"] == "Linux 6.8.0 #61~22.04.1-Ubuntu SMP X=y Tue Apr 15 2025"
    assert node.pairs["Reason"] == "Reboot ASAP : reboot issued Foo=bar [slurm@2023-01-26T10:11:39]"
    assert node.pairs["NewKey"] == "1"


def test_one_line_is_the_same_node():
    (many,), (one,) = read(NODE).nodes, read(" ".join(NODE.split())).nodes
    assert {**many.pairs} == {**one.pairs}


@pytest.mark.parametrize(
    ("pairs", "cpus"),
    [
        ({"CPUTot": 12}, 12), ({"CPUTot": 12, "CPUEfctv": 10}, 10), ({"CPUTot": 12, "CoreSpecCount": 2}, 10),
        ({"CPUTot": 12, "CoreSpecCount": 2, "ThreadsPerCore": 2}, 8), ({"CPUTot": "", "CPUs": 7}, 7), ({"CPUTot": ""}, None),
        ({"CPUTot": "", "CoreSpecCount": 2}, None),
    ],
)  # fmt: skip
def test_cpus_for_jobs(pairs, cpus):
    assert read(node(**pairs)).nodes[0].cpus == cpus


@pytest.mark.parametrize(
    ("pairs", "memory"),
    [
        ({"RealMemory": 1}, None), ({"RealMemory": 2}, 2 * M), ({"RealMemory": ""}, None),
        ({"RealMemory": 100, "MemSpecLimit": 10}, 90 * M), ({"RealMemory": "1,000"}, 1000 * M),
    ],
)  # fmt: skip
def test_memory_for_jobs(pairs, memory):
    assert read(node(**pairs)).nodes[0].memory == memory


@pytest.mark.parametrize("key", ["CPUTot", "RealMemory", "Weight", "MemSpecLimit", "ThreadsPerCore", "Gres"])
def test_a_value_that_cannot_be_read_is_reported_once_and_counts_as_not_stated(key):
    found = read(node(**{key: "gpu:x:1(2)3"}))
    assert [(problem.line, problem.text) for problem in found.problems] == [(1, f"{key}=gpu:x:1(2)3")]
    assert len(found.nodes) == 1


def test_partitions():
    text = (
        "PartitionName=p AllowGroups=ALL AllowAccounts=a,b DenyQos=x AllowQos=ALL Default=YES QoS=N/A DefaultTime=01:00:00 "
        "ExclusiveUser=NO Hidden=YES MaxNodes=4 MaxTime=UNLIMITED MinNodes=2 MaxCPUsPerNode=28 Nodes=n[1-3] PriorityTier=7 "
        "OverSubscribe=EXCLUSIVE State=UP JobDefaults=DefCpuPerGPU=4,DefMemPerGPU=16000 DefMemPerNode=UNLIMITED MaxMemPerCPU=1840"
    )
    (one,) = read(text).partitions
    assert (one.max_time, one.default_time, one.min_nodes, one.max_nodes) == (None, 3600, 2, 4)
    assert (one.allow_accounts, one.allow_qos, one.deny_qos, one.qos) == (("a", "b"), None, ("x",), None)
    assert (one.def_cpu_per_gpu, one.def_mem_per_gpu, one.max_mem_per_cpu) == (4, 16000 * M, 1840 * M)
    assert (one.default, one.hidden, one.oversubscribe, one.priority_tier) == (True, True, "EXCLUSIVE", 7)


def test_defect_11_null_features_inherit_nothing():
    found = read("NodeName=a ActiveFeatures=x,y State=IDLE\n\nNodeName=b-1.c ActiveFeatures=(null) State=IDLE")
    assert [(node.name, node.features) for node in found.nodes] == [("a", ("x", "y")), ("b-1.c", ())]


@pytest.mark.parametrize(
    ("pairs", "field", "value"),
    [
        ({}, "max_nodes", None), ({"MaxNodes": "UNLIMITED"}, "max_nodes", None), ({"MaxMemPerNode": 0}, "max_mem_per_node", None),
        ({"MaxMemPerNode": 5}, "max_mem_per_node", 5 * M), ({"State": "down"}, "state", "DOWN"), ({"State": ""}, "state", "UP"),
        ({"AllowGroups": "a,b"}, "allow_groups", ("a", "b")), ({"AllowQos": "all"}, "allow_qos", None),
        ({"DenyQos": "a+b"}, "deny_qos", ("a", "b")), ({"Priority": 4}, "priority_tier", 4),
        ({"PriorityTier": 5, "Priority": 4}, "priority_tier", 5), ({"Shared": "FORCE:4"}, "oversubscribe", "FORCE:4"),
        ({"RootOnly": "YES"}, "root_only", True), ({"ReqResv": "YES"}, "req_resv", True), ({"ReqResv": "NO"}, "req_resv", False),
    ],
)  # fmt: skip
def test_a_setting_of_a_partition(pairs, field, value):
    (found,) = read(partition(**pairs)).partitions
    assert getattr(found, field) == value


def test_a_host_list_that_cannot_be_read_is_reported():
    found = read(partition("p", "n1]"))
    assert [str(problem) for problem in found.problems] == [
        "line 1: cannot read the Nodes of partition p: 'n1]' has a [ without its ], or a ] without its ["
    ]
    assert found.partitions[0].nodes == "n1]"


def test_a_reservation():
    (found,) = read(
        "ReservationName=r StartTime=2023-01-01T00:00:00 EndTime=2023-01-02T00:00:00 Nodes=n[1-2] Users=a,b Accounts=c "
        "Flags=MAINT,SPEC_NODES State=active\n"
    ).reservations
    assert (found.name, found.nodes, found.users, found.accounts) == ("r", "n[1-2]", ("a", "b"), ("c",))
    assert (found.flags, found.state) == (("MAINT", "SPEC_NODES"), "ACTIVE")
    assert (found.start, found.end) == ("2023-01-01T00:00:00", "2023-01-02T00:00:00")
