"""What people at other sites paste: several outputs in one text, counted nodes, broken and cut tables."""

import json
import re

import pytest
from slurm_texts import entry, node, partition, text_of

from launchers.slurm.read import read

NODES_TABLE = """\
NODELIST   NODES PARTITION       STATE CPUS    S:C:T MEMORY TMP_DISK WEIGHT AVAIL_FE REASON              
c1             1      cpu* idle        64     2:32:1 256000        0      1   (null) none                
c2             1      cpu* drained     64     2:32:1 256000        0      1   (null) Kill task failed    
g1             1       gpu mixed       32     2:16:1 128000        0      1   rtx309 none                
"""  # noqa: W291


def blocks(text, name):
    """Hosts, number, usable nodes, CPUs and MiB of each block of a partition."""
    return [
        (block.hosts, block.count, block.available, block.cpu and block.cpu.cores, block.cpu and block.cpu.memory)
        for block in entry(text).partitions[name].nodes or ()
    ]


def shapes(text, name):
    return [(count, cores) for _, count, _, cores, _ in blocks(text, name)]


# -- CPUS(A/I/O/T) counts the CPUs of all nodes of a row -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PARTITION CPUS(A/I/O/T) NODES(A/I/O/T)\np 6336/720/972/8028 196/0/27/223\n", [(223, 36)]),
        ("PARTITION NODES CPUS(A/I/O/T)\np 4 1/2/0/13\n", [(4, None)]),
        ("PARTITION NODES CPUS CPUS(A/I/O/T)\np 4 64 128/64/64/256\n", [(4, 64)]),
        ("PARTITION CPUS(A/I/O/T) NODELIST\np 0/8/0/8 n[1-2]\n", [(2, 4)]),
        ("PARTITION CPUS(A/I/O/T) NODELIST\np 0/8/0/8 n1\n", [(1, 8)]),
        ("PARTITION CPUS(A/I/O/T) STATE NODES\np 0/1K/0/1K idle 2\n", [(2, None)]),
    ],
)
def test_cpus_of_one_node(text, expected):
    assert shapes(text, "p") == expected


def test_cpus_that_were_worked_out_are_told():
    text = text_of("PARTITION CPUS(A/I/O/T) NODES\np 0/8/0/8 2\n")
    assert "count: 2  # CPUS(A/I/O/T): 8 CPUs on 2 nodes; not printed: memory, GPUs" in text


def test_the_least_of_several_nodes_is_no_exact_number():
    text = text_of("PARTITION NODES CPUS MEMORY\np 6 64+ 512000+\np 1 64 512000\n")
    assert re.findall(r"count: (\d)", text) == ["1", "6"]
    assert "cpu: {cores: 64, memory: 500G}  # at least: sinfo printed 64+ and 512000+" in text


# -- lines that a terminal broke -------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [50, 60, 70, 72, 80, 90, 96, 100])
def test_a_terminal_broke_a_table_of_sinfo(width):
    pieces = [line[at : at + width] for line in NODES_TABLE.splitlines() for at in range(0, len(line), width)]
    broken = "\n".join(pieces) + "\n"
    found = read(broken)
    assert found.problems == []
    assert text_of(broken) == text_of(NODES_TABLE)


def test_only_lines_of_records_are_taken_for_broken_ones():
    header = "PARTITION AVAIL TIMELIMIT NODES STATE NODELIST GRES AVAIL_FEATURES CPUS MEMORY".ljust(80)
    text = f"{partition('p', 'n[1-2]')}\n[me@host ~]$ sinfo\n{header}\np up 1:00 2 idle n[1-2] (null) x 64 512000\n"
    assert [node.cpus for node in read(text).nodes] == [64, 64]


def test_a_word_that_cannot_be_under_avail_closes_no_partition():
    found = read("PARTITION AVAIL NODELIST\np (n n1\n")
    assert found.partitions[0].state == "UP"
    assert [problem.reason for problem in found.problems] == [
        "this is no state of a partition; it is taken as not printed"
    ]


# -- lists that were cut off -----------------------------------------------------------------------------------


def test_three_dots_are_no_node():
    text = partition("p", "n[1-4],m[1-2],...", TotalNodes=9)
    found = read(text)
    assert [problem.reason for problem in found.problems] == ["this list of nodes was cut off"]
    assert blocks(text, "p") == [("m[1-2],n[1-4]", 6, None, None, None), (None, 3, None, None, None)]


def test_of_a_list_that_ends_in_the_middle_the_whole_nodes_are_read():
    found = read("PartitionName=p\n   MaxTime=1:00 Nodes=n[1-4],m[1-\n")
    assert [problem.reason for problem in found.problems] == ["this list of nodes was cut off"]
    assert blocks("PartitionName=p\n   Nodes=n[1-4],m[1-\n", "p") == [("n[1-4]", 4, None, None, None)]
    assert blocks("PartitionName=p TotalNodes=9 Nodes=m[1-\n", "p") == [(None, 9, None, None, None)]


def test_a_cell_that_was_cut_contradicts_nothing():
    table = "NODELIST             AVAIL_FEATURES       GRES\nn1                   intel,avx512,mlx5_ibx gpu:v100:4\n"
    table = table.replace("mlx5_ibx ", "mlx5_ib ")
    whole = node("n1", AvailableFeatures="intel,avx512,mlx5_ib100", Gres="gpu:v100:4")
    for texts in ((table, whole), (whole, table)):
        found = read(*texts)
        assert found.nodes[0].features == ("intel", "avx512", "mlx5_ib100")
        assert [problem.reason.partition(" (")[0] for problem in found.problems] == [
            "sinfo may have cut this value off after 20 characters; run it with --Format=features:200"
        ]
    assert read(table).nodes[0].features == ("intel", "avx512")


def test_a_partition_that_fills_a_column_of_a_width_that_was_asked_for_may_be_cut():
    head = "PARTITION    NODES    CPUS\n"
    found = read(
        head
        + "compute      42       128\ncompute_inte 84       28\ncomputelong_ 61       28\ndefault_one* 1        8\n"
    )
    assert [partition.name for partition in found.partitions] == ["compute", "default_one"]
    (problem,) = found.problems
    assert (problem.text, problem.reason.endswith("--Format=partition:200")) == ("PARTITION=compute_inte", True)
    assert [partition.name for partition in read(head + "computelong_ 61       28\n").partitions] == ["computelong_"]


# -- TRES of a partition ---------------------------------------------------------------------------------------


def test_tres_say_what_is_missing_of_nodes_that_are_partly_described():
    text = partition("p", "n[1-2]", TRES="cpu=128,mem=1000G,node=2,gres/gpu=16,gres/gpu:h100=16")
    part = "NodeName=n1\n   Gres=gpu:h100:8\n   RealMemory=512000\n"
    assert blocks(text + "\n" + part, "p") == [
        ("n1", 1, None, 64, 512000 * 1024**2),
        ("n2", 1, None, 64, 512000 * 1024**2),
    ]
    assert [gpus.count for block in entry(text, part).partitions["p"].nodes for gpus in block.accelerators] == [8, 8]


def test_older_versions_say_the_cpus_of_a_partition_only():
    text = partition("p", "n[1-4]", TotalCPUs=128)
    assert shapes(text, "p") == [(4, 32)]
    assert shapes(partition("p", "n[1-3]", TotalCPUs=128), "p") == [(3, None)]


def test_what_nodes_in_several_blocks_have_together_is_told():
    text = text_of(partition("p", "n[1-2]", TRES="cpu=7,node=3", TotalNodes=3).replace("n[1-2]", "n[1-2],..."))
    assert text.count("; all 3 such nodes together have cpu=7") == 2


# -- how many nodes there are, and how many work ---------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        "compute*     up   infinite      0    n/a",
        "compute*     up   infinite      0    n/a ",
        "compute* up infinite 0 n/a",
    ],
)
def test_a_partition_without_nodes(row):
    found = read(f"PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST\n{row}\n")
    assert found.problems == []
    assert entry(f"PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST\n{row}\n").partitions["compute"].nodes == ()


SUMMARY = (
    "PARTITION  AVAIL  TIMELIMIT   NODES(A/I/O/T) NODELIST\np             up 1-00:00:00         7/1/2/10 n[1-10]\n"
)


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        (node("n1", State="IDLE"), [("n1", 1, None), ("n[2-10]", 9, 7)]),
        (node("n1", State="DOWN"), [("n1", 1, 0), ("n[2-10]", 9, 8)]),
        (node("n1", State="DOWN") + "\n\n" + node("n2", State="DRAIN"), [("n[1-2]", 2, 0), ("n[3-10]", 8, None)]),
    ],
)
def test_nodes_in_another_state_are_counted_beside_those_that_are_described(described, expected):
    found = blocks(f"{described}\n\n{SUMMARY}", "p")
    assert sorted(block[:3] for block in found) == expected


# -- JSON of sinfo ---------------------------------------------------------------------------------------------


def sinfo_json(**changes):
    group = {
        "node": {"state": ["IDLE"]},
        "nodes": {"allocated": 0, "idle": 2, "other": 0, "total": 2, "nodes": ["n[1-2]"]},
        "cpus": {"maximum": 8, "minimum": 8},
        "memory": {"minimum": 8000, "maximum": 8000},
        "partition": {"name": "p"},
    }
    return json.dumps({"sinfo": [group | changes]})


def test_a_group_in_json_of_nodes_that_differ_has_the_least_numbers():
    text = sinfo_json(cpus={"minimum": 4, "maximum": 8}, memory={"minimum": 8000, "maximum": 16000})
    assert blocks(text, "p") == [("n[1-2]", 2, None, 4, 8000 * 1024**2)]
    assert "at least: sinfo printed 4+ and 8000+" in text_of(text)


def test_a_group_in_json_may_name_no_nodes():
    assert blocks(sinfo_json(nodes={"total": 6, "nodes": []}), "p") == [(None, 6, None, 8, 8000 * 1024**2)]
    assert blocks(sinfo_json(nodes={"total": 6}, node={"state": ["DOWN"]}), "p")[0][1:3] == (6, 0)
    assert blocks(sinfo_json(nodes={"total": 0}), "p") == []


# -- what stands around and inside of records ------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.replace(" ", "&nbsp;") + "<br>",
        lambda line: line.replace(" ", "&#160;") + "<br />",
        lambda line: f"<p>{line}</p>",
        lambda line: f"&gt; {line}",
    ],
)
def test_a_web_page(spoil):
    text = NODES_TABLE + "\n" + node("n1", Gres="gpu:a100:2")
    spoiled = "<pre>\n" + "\n".join(spoil(line) if line else line for line in text.split("\n")) + "\n</pre>\n"
    found = read(spoiled)
    assert found.problems == []
    assert text_of(spoiled) == text_of(text)


def test_a_key_in_free_text_is_no_second_value():
    found = read(node("n1", Gres="gpu:2", Reason="State=DOWN since Gres=gpu was missing", Weight=7))
    assert found.problems == []
    assert (found.nodes[0].gres[0].count, str(found.nodes[0].state), found.nodes[0].weight) == (2, "IDLE", 7)


def test_a_row_that_lost_its_blanks_is_not_read_by_the_places_of_a_rule():
    text = "      Name   Priority     MaxWall\n---------- ---------- -----------\nnormal 0 1-00:00:00\n      long         10 14-00:00:00\n"
    found = read(text)
    assert [qos.name for qos in found.qos] == ["long"]
    assert [problem.reason for problem in found.problems] == ["this row does not have the columns of its table"]


def test_the_name_of_the_host_may_be_under_hostname():
    assert read("HOSTNAME STATE CPUS GRES\nC01 idle 20 gpu:rtx2080:2\n").nodes[0].cpus == 20


# -- several clusters, rows that count nothing, prompts --------------------------------------------------------


def test_tables_of_several_clusters_are_not_mixed():
    table = "PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST\nmain*        up   infinite      1   idle {}1\n"
    alpha, beta = (f"CLUSTER: {name}\n{table.format(name[0])}" for name in ("alpha", "beta"))
    for text in (f"{alpha}\n{beta}", f"{beta}\n{alpha}"):
        found = read(text)
        assert [node.name for node in found.nodes] == ["a1"]
        assert found.config["ClusterName"] == "alpha"
        assert [problem.reason for problem in found.problems] == [
            "only what is about alpha is read; give each cluster by itself"
        ]


def test_rows_that_neither_count_nor_name_nodes_are_told():
    found = read("PARTITION CPUS MEMORY STATE\nalpha 64+ 128000+ mix\nbeta* 8 1000 idle\n")
    assert [partition.name for partition in found.partitions] == ["alpha", "beta"]
    (problem,) = found.problems
    assert "run sinfo with %D or %N" in problem.reason
    assert read("PARTITION AVAIL TIMELIMIT\nalpha up 1:00\n").problems == []


@pytest.mark.parametrize(
    "prompt", ["sh-4.2$ ", "bash-5.1# exit", "C:\\Users\\me>", "PS C:\\Users\\me> ssh me@hpc sinfo"]
)
def test_prompts_of_other_shells(prompt):
    table = "PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST\np*           up   infinite      1   idle n1\n"
    assert read(f"{prompt}\n{table}{prompt}\n").problems == []


def test_the_version_that_a_command_prints():
    assert read("$ sinfo --version\nslurm 23.11.4\n$ exit\n").config == {"SLURM_VERSION": "23.11.4"}


def test_json_says_the_name_of_its_cluster():
    about = {"meta": {"slurm": {"release": "24.11.5", "cluster": "hydra"}}, "nodes": []}
    assert read(json.dumps(about)).config == {"SLURM_VERSION": "24.11.5", "ClusterName": "hydra"}


def test_a_group_in_json_of_another_shape_is_told():
    found = read(sinfo_json(partition="p"))
    assert [problem.text for problem in found.problems] == ['sinfo: ?: partition: "p"']


def test_a_partition_that_takes_jobs_from_some_nodes_only():
    text = text_of(partition("p", "n1", AllocNodes="login[1-2]", AllowGroups="lab"))
    assert "p:  # AllowGroups=lab: it is not known whether you are in one of these groups; AllocNodes: jobs" in text
    assert "AllocNodes" not in text_of(partition("p", "n1", AllocNodes="ALL"))
