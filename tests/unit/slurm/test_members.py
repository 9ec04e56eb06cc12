"""Which nodes a partition has, where they are only named, only counted, or described in part."""

import json

import pytest
from slurm_texts import entry, node, partition, text_of

from launchers.slurm.read import read

MIB = 1024**2


def blocks(*texts):
    found = entry(*texts).partitions["p"].nodes
    return sorted(((block.hosts, block.count, block.available) for block in found), key=lambda block: str(block[::-1]))


def shapes(*texts):
    """CPUs, memory in MiB and numbers of GPUs of each block."""
    found = []
    for block in entry(*texts).partitions["p"].nodes:
        cores, memory = (block.cpu.cores, block.cpu.memory) if block.cpu else (None, None)
        gpus = [gpus.count for gpus in block.accelerators or ()]
        found.append((block.count, cores, memory and memory // MIB, gpus))
    return sorted(found, key=str)


def counted(**pairs):
    """A partition of which no hosts are printed."""
    return f"PartitionName=p {' '.join(f'{key}={value}' for key, value in pairs.items())}\n\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (partition("p", "n[1-59]"), [("n[1-59]", 59, None)]),
        (counted(TotalNodes=611), [(None, 611, None)]),
        (counted(TRES="cpu=8,node=4"), [(None, 4, None)]),
        (counted(TotalNodes=3) + node("n1"), [("n1", 1, None), (None, 2, None)]),
        (partition("p", "n[1-3]") + node("n1"), [("n1", 1, None), ("n[2-3]", 2, None)]),
        (partition("p", "n[1-3]", TotalNodes=3) + node("n1", Partitions="q"), [("n1", 1, None), ("n[2-3]", 2, None)]),
        (partition("p", "ALL") + node("n1", Partitions="") + node("n2", Partitions=""), [("n[1-2]", 2, None)]),
        (json.dumps({"partitions": [{"name": "p", "nodes": {"total": 4, "configured": ""}}]}), [(None, 4, None)]),
        (json.dumps({"partitions": [{"name": "p", "total_nodes": 2, "nodes": "n[1-2]"}]}), [("n[1-2]", 2, None)]),
        ("PARTITION AVAIL TIMELIMIT NODES STATE\np up infinite 5 idle\np up infinite 2 drain\n", [(None, 7, 5)]),
        ("PARTITION AVAIL TIMELIMIT NODES STATE NODELIST\np up infinite 3 idle n1,n2,...\n", [(None, 3, None)]),
        ("PARTITION AVAIL NODES(A/I/O/T)\np up 3/4/2/9\n", [(None, 9, 7)]),
        ("PARTITION AVAIL NODES(A/I/O/T) NODELIST\np up 0/0/2/2 n[1-2]\n", [("n[1-2]", 2, 0)]),
        ("PARTITION AVAIL NODES(A/I/O/T) NODELIST\np up 1/0/1/2 n[1-2]\np up 2/0/0/2 n[3-4]\n", [("n[1-4]", 4, 3)]),
        ("PARTITION AVAIL NODES(A/I/O/T) NODELIST\np up 1/0/2/3 n[1-3]\n", [("n[1-3]", 3, 1)]),
    ],
)
def test_how_many_nodes_there_are(text, expected):
    assert blocks(text) == sorted(expected, key=lambda block: str(block[::-1]))


def test_two_tables_about_the_same_nodes_do_not_add_up():
    table = "PARTITION AVAIL TIMELIMIT NODES STATE\np up infinite 5 idle\n\n"
    assert blocks(table, table, table + table) == [(None, 5, None)]


def test_shapes_of_nodes_without_names():
    rows = "PARTITION CPUS MEMORY GRES NODES STATE\np 64 256000 gpu:a100:4 3 idle\np 64 256000 gpu:a100:4 1 down\np 32+ 1 (null) 2 mix\n"
    assert shapes(rows) == [(2, 32, None, []), (4, 64, 256000, [4])]
    assert set(blocks(rows)) == {(None, 2, None), (None, 4, 3)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PartitionName=p Nodes=(null) TotalNodes=0\n", ()),
        ("PARTITION|AVAIL|TIMELIMIT|NODES|STATE|NODELIST\np|up|infinite|0|n/a|\n", ()),
        ("PartitionName=p MaxTime=60\n", None),
        ("PartitionName=p Nodes=n[1\n", None),
    ],
)
def test_no_nodes_are_only_where_slurm_says_so(text, said):
    assert entry(text).partitions["p"].nodes == said


def test_what_was_not_printed_is_told():
    text = text_of(
        partition("p", "n[1-4]") + node("n1"), "NODELIST CPUS STATE\nn2 8 idle\n", "NODELIST GRES\nn3 gpu:2\n"
    )
    assert [line.partition("  # ")[2] for line in text.splitlines() if "count: 1" in line] == [
        "",
        "not printed: memory, GPUs",
        "not printed: CPUs, memory",
        "not printed: CPUs, memory, GPUs",
    ]


def test_real_memory_is_not_configured_only_where_slurm_says_so():
    assert "RealMemory is not configured" in text_of(node(RealMemory=1))
    assert "RealMemory" not in text_of("NODELIST PARTITION CPUS\nn1 p 8\n")
    assert "at least: sinfo printed 8+ and 100+ for several nodes together" in text_of(
        "NODELIST PARTITION CPUS MEMORY\nn[1-2] p 8+ 100+\n"
    )


# -- TRES of a partition ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tres", "expected"),
    [
        ("cpu=240,mem=600000M,node=60,gres/gpu=240", [(60, 4, 10000, [4])]),
        ("cpu=240,mem=600000M,node=60,gres/gpu=240,gres/gpu:a100=240", [(60, 4, 10000, [4])]),
        ("cpu=241,mem=600000M,node=60,gres/gpu=240", [(60, None, None, [None])]),
        ("cpu=240,mem=60M,node=60", [(60, 4, None, [])]),
        ("cpu=240,mem=UNLIMITED,node=60", [(60, 4, None, [])]),
        ("billing=1,node=60", [(60, None, None, [])]),
    ],
)
def test_what_the_tres_of_a_partition_settle(tres, expected):
    assert shapes(partition("p", "n[1-60]", TRES=tres)) == expected
    assert shapes(counted(TRES=tres)) == expected


def test_the_tres_of_nodes_that_are_described_are_not_those_of_the_rest():
    both = partition("p", "n[1-3]", TRES="cpu=24,mem=40000M,node=3,gres/gpu=6")
    assert shapes(both, node("n1", CPUTot=8, RealMemory=16000, Gres="gpu:4")) == [
        (1, 8, 16000, [4]),
        (2, 8, 12000, [1]),
    ]
    assert shapes(both, node("n1", CPUTot=99)) == [(1, 99, 16000, []), (2, None, None, [])]
    assert (2, None, None, []) in shapes(both, "NODELIST CPUS\nn1 8\n")


def test_one_node_that_is_left_is_known():
    text = partition("p", "n[1-2]", TRES="cpu=9,mem=17000M,node=2")
    assert shapes(text, node("n1")) == [(1, 1, 1000, []), (1, 8, 16000, [])]


def test_what_all_nodes_have_together_is_written_where_it_is_not_known_of_each():
    (block,) = entry(partition("p", "n[1-10]", TRES="cpu=846,mem=7889825M,node=10,gres/gpu=3")).partitions["p"].nodes
    assert dict(block.tres) == {"cpu": 846, "mem": 7889825 * MIB, "gres/gpu": 3}


def test_tres_without_gpus_mean_none_only_where_the_cluster_counts_them():
    silent = partition("p", "n[1-2]", TRES="cpu=3,node=2")
    assert "not printed: CPUs, memory, GPUs" in text_of(silent)
    text = text_of(silent, partition("q", "n3", TRES="cpu=1,mem=9M,node=1,gres/gpu=1"))
    assert "not printed: CPUs, memory\n" in text


# -- who may use a partition -----------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["up", "down", "drain", "inact", "UP", "INACTIVE"])
def test_the_words_of_avail(word):
    expected = {"UP": None, "INACT": "INACTIVE"}.get(word.upper(), word.upper())
    assert entry(f"PARTITION AVAIL NODELIST\np {word} n1\n").partitions["p"].state == expected


@pytest.mark.parametrize(
    ("pairs", "field", "value"),
    [
        ({"AllowAccounts": "none"}, "allow_accounts", ("none",)), ({"AllowQos": "none"}, "allow_qos", ("none",)),
        ({"AllowGroups": "None"}, "allow_groups", ("None",)), ({"DenyAccounts": "none"}, "deny_accounts", ("none",)),
        ({"DenyQos": "none"}, "deny_qos", ("none",)), ({"AllowAccounts": "unlimited"}, "allow_accounts", ("unlimited",)),
        ({"AllowAccounts": "ALL"}, "allow_accounts", None), ({"AllowQos": "all"}, "allow_qos", None),
        ({"AllowAccounts": "ALLOWED"}, "allow_accounts", ("ALLOWED",)), ({"AllowAccounts": ""}, "allow_accounts", None),
    ],
)  # fmt: skip
def test_only_all_means_all(pairs, field, value):
    assert getattr(read(partition(**pairs)).partitions[0], field) == value


def test_a_partition_that_nobody_described_has_the_tier_of_slurm():
    nodes = node("n1", Partitions="p,q")
    assert [spec.priority for spec in entry(nodes, partition("p", PriorityTier=1)).partitions.values()] == [None, None]
    described = partition("p", PriorityTier=5)
    assert [spec.priority for spec in entry(nodes, described).partitions.values()] == [5, 1]
    assert "priority: 1  # not printed; Slurm's default" in text_of(nodes, described)
    assert "priority" not in text_of(nodes)


def test_a_state_that_was_not_printed_is_neither_up_nor_down():
    (one,) = read("NODELIST PARTITION CPUS\nn1 p 8\n").nodes
    assert one.state is None
    assert blocks("NODELIST PARTITION CPUS\nn[1-2] p 8\n", "NODELIST STATE\nn1 down\n") == [("n[1-2]", 2, 1)]
    assert "available: 1  # DOWN, the state of 1 was not printed" in text_of(
        "NODELIST PARTITION CPUS\nn[1-2] p 8\n", "NODELIST STATE\nn1 down\n"
    )
    assert read('{"nodes": [{"name": "n1"}]}').nodes[0].state is None
    assert str(read(node(State="UNKNOWN")).nodes[0].state) == "UNKNOWN"


def test_a_qos_that_is_only_named_is_defined():
    text = text_of("Name|Priority\nnormal|0\n\n" + partition(AllowQos="normal,long"))
    assert "long: {}  # only named: its limits were not printed" in text


def test_old_columns_of_limits():
    (qos,) = read("Name|Priority|MaxCPUs|MaxNodes|GrpCPUs|MaxCPUsPU|MinCPUs|MaxTRES\nq|0|28|2|100|50|4|cpu=8\n").qos
    bounds = qos.bounds
    assert (dict(bounds.max_tres), dict(bounds.grp_tres)) == ({"cpu": 8, "node": 2}, {"cpu": 100})
    assert (dict(bounds.max_tres_per_user), dict(bounds.min_tres)) == ({"cpu": 50}, {"cpu": 4})
