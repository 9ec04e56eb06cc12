"""Several descriptions of one thing, as one: what is believed, what is told, and that the order does not matter."""

import itertools
import random

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from slurm_texts import config, node, partition, qos, table

from launchers.config.emit import to_yaml
from launchers.slurm.convert import convert
from launchers.slurm.read import read

MIB = 1024**2
SCONTROL = node("n1", CPUTot=96, CPUEfctv=94, RealMemory=128000, Gres="gpu:a100:4(S:0-1)", State="MIXED+DYNAMIC_NORM")
JSON = (
    '{"nodes": [{"name": "n1", "cpus": 96, "effective_cpus": 94, "real_memory": 128000, "gres": "gpu:a100:4", '
    '"state": ["MIXED"], "partitions": ["p"], "weight": 1}]}\n'
)
SINFO = "PARTITION NODELIST CPUS MEMORY GRES STATE\np* n1 94 128000+ gpu:a100:4(S:0,1) mix\n"
SINFO_OF_ANOTHER_PARTITION = "NODELIST PARTITION STATE\nn1 q idle~\n"


def known(facts):
    """The facts without the lines where they stand, in the order of their names."""
    return (
        sorted((evolve(one, line=0) for one in facts.nodes), key=lambda one: one.name),
        sorted((evolve(one, line=0) for one in facts.partitions), key=lambda one: one.name),
        sorted((evolve(one, line=0) for one in facts.reservations), key=lambda one: one.name),
        sorted((evolve(one, line=0) for one in facts.qos), key=lambda one: one.name),
        sorted((evolve(one, line=0) for one in facts.associations), key=repr),
        facts.config,
    )


@pytest.mark.parametrize("texts", list(itertools.permutations([SCONTROL, JSON, SINFO, SINFO_OF_ANOTHER_PARTITION])))
def test_one_node_printed_by_four_commands(texts):
    found = read(*texts)
    (one,) = found.nodes
    assert (one.cpus, one.memory, one.gres[0].count, one.partitions) == (94, 128000 * MIB, 4, ("p", "q"))
    assert (one.state.base, one.state.usable) == ("MIXED", True)
    assert found.problems == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_later_record_fills_what_an_earlier_one_lacks(order):
    cut = "NodeName=n1 CPUTot=8\n[...]\n\n"
    (one,) = read(*[cut, node("n1", CPUTot=8)][::order]).nodes
    assert (one.cpus, one.memory, one.partitions) == (8, 16000 * MIB, ("p",))


def test_a_node_printed_again_without_its_partition():
    found = read(node("n1"), "NODELIST GRES\nn1 (null)\n")
    assert [one.partitions for one in found.nodes] == [("p",)]
    assert found.problems == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (partition(MaxTime="1-00:00:00"), "PARTITION AVAIL TIMELIMIT NODELIST\np up 24:00:00 n1\n"),
        (partition(MaxTime="UNLIMITED"), "PARTITION AVAIL TIMELIMIT NODELIST\np up infinite n1\n"),
        (partition(MaxTime="1-00:00:00"), '{"partitions": [{"name": "p", "maximums": {"time": {"set": true, "number": 1440}}}]}'),
        (partition(nodes="n[1-3]"), partition(nodes="n3,n[1-2]")),
        (partition(AllowAccounts="a,b"), partition(AllowAccounts="b,a")),
        (partition(DefMemPerNode="UNLIMITED", MinNodes=0), partition(DefMemPerNode=0, MinNodes=1)),
        (partition(Default="YES"), '{"partitions": [{"name": "p", "flags": []}]}'),
        (partition(Default="YES"), "PARTITION AVAIL NODELIST\np up n1\n"),
        (node(State="IDLE+CLOUD+POWERED_DOWN"), "NODELIST PARTITION STATE\nn1 p idle~\n"),
        (node(State="ALLOCATED"), "NODELIST PARTITION STATE\nn1 p alloc\n"),
        (node(State="DOWN+NOT_RESPONDING"), "NODELIST PARTITION STATE\nn1 p down*\n"),
        (node(State="IDLE"), node(State="MIXED")),
        (node(CPUAlloc=0, CPULoad="0.01", FreeMem=5), node(CPUAlloc=8, CPULoad="8.1", FreeMem=1)),
        (node(ActiveFeatures="a,b"), node(ActiveFeatures="b,a")),
        (node(), "NODELIST CPUS MEMORY\nn1 4+ 8000+\n"),
        (node(CPUTot=8, CPUEfctv=6), "NODELIST PARTITION CPUS\nn1 p 6\n"),
        (node(Gres="gpu:a100:2"), "NODELIST PARTITION GRES\nn1 p gpu:a100:2(S:0-1)\n"),
        (config(SLURM_VERSION="24.11.5"), config(SLURM_VERSION="24.11.5", BOOT_TIME="2026-01-01")),
        (table(qos(MaxWall="1-00:00:00", Flags="A,B")), table(qos(MaxWall="24:00:00", Flags="B,A"))),
    ],
)  # fmt: skip
def test_what_is_printed_in_two_ways_is_no_contradiction(ours, theirs):
    assert read(ours, theirs).problems == read(theirs, ours).problems == []


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        (node(CPUTot=8), node(CPUTot=4), "line 1: n1 is described on line 1 too, and differs: CPUTot=4 here, 8 there; line 1 is used: n1"),
        (node(State="IDLE"), "NODELIST STATE\nn1 down\n", "line 2: n1 is described on line 1 too, and differs: State=down here, IDLE there; line 1 is used: n1"),
        (partition(MaxTime="1:00:00"), "PARTITION TIMELIMIT NODELIST STATE\np 2:00:00 n1 idle\n",
         "line 2: p is described on line 1 too, and differs: MaxTime=2:00:00 here, 1:00:00 there; line 1 is used: p"),
        (node(Gres="gpu:2"), JSON, "line 1: n1 is described on line 1 too, and differs: CPUTot=96 here, 8 there, Gres=gpu:a100:4 here, gpu:2 there, "
         "RealMemory=128000 here, 16000 there; line 1 is used: n1"),
        (table(qos(Priority=1)), table(qos(Priority=2)), "line 2: normal is described on line 2 too, and differs: Priority=1 here, 2 there; line 2 is used: normal"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told_once_with_both_places(ours, theirs, told):
    for texts in ((ours, theirs), (theirs, ours), (ours, theirs, ours, theirs)):
        assert [str(problem) for problem in read(*texts).problems] == [told]


def test_the_places_have_the_names_of_their_files():
    texts = {"nodes.txt": node(CPUTot=8), "old/nodes.txt": node(CPUTot=4)}
    for names in (list(texts), list(texts)[::-1]):
        (problem,) = read(*map(texts.get, names), names=names).problems
        assert str(problem) == (
            "old/nodes.txt:1: n1 is described on nodes.txt:1 too, and differs: CPUTot=4 here, 8 there; nodes.txt:1 is used: n1"
        )
    assert [str(problem) for problem in read("what", node(CPUTot="x"), names=["a", "b"]).problems] == [
        "a:1: cannot read this line (a table needs the line with its header): what",
        "b:1: 'x' is not a whole number: CPUTot=x",
    ]


def test_what_is_printed_in_full_counts_more_than_what_is_cut():
    (one,) = read("NODELIST CPUS MEMORY\nn1 16+ 1000+\n", "NODELIST CPUS MEMORY\nn1 32 2000\n").nodes
    assert (one.cpus, one.memory) == (32, 2000 * MIB)


def test_of_two_states_of_one_source_the_one_that_keeps_jobs_away_counts():
    for texts in itertools.permutations(["NODELIST STATE\nn1 idle\n", "NODELIST STATE\nn1 drain\n"]):
        found = read(*texts)
        assert not found.nodes[0].state.usable
        assert len(found.problems) == 1


# -- the order does not matter ---------------------------------------------------------------------------------

NAMES = st.sampled_from(["n1", "n2", "n3"])
VALUES = {
    "CPUTot": ["8", "16", "16+", "x", ""], "RealMemory": ["1", "16000", "16000+", "N/A"],
    "State": ["IDLE", "down*", "MIXED+DRAIN", "idle~", "inval", "what", ""], "Gres": ["(null)", "gpu:2", "gpu:a100:2(S:0)"],
    "ActiveFeatures": ["a,b", "b,a", "c", "(null)"], "Partitions": ["p", "p,q", "q", ""], "Weight": ["1", "5"],
}  # fmt: skip
PARTITION_VALUES = {
    "Nodes": ["n1", "n[1-3]", "n[2-4]", "(null)"], "State": ["UP", "DOWN", "MAINT"], "MaxTime": ["60", "1:00:00", "x"],
    "TotalNodes": ["3", "5"], "TRES": ["cpu=24,mem=48000M,node=3", "cpu=1,gres/gpu=4"], "PriorityTier": ["1", "7"],
    "AllowAccounts": ["ALL", "none", "a,b"], "Default": ["YES", "NO"],
}  # fmt: skip


def some_of(values):
    return st.fixed_dictionaries({}, optional={key: st.sampled_from(options) for key, options in values.items()})


def record_text(kind, name, pairs):
    return f"{kind}={name} {' '.join(f'{key}={value}' for key, value in pairs.items())}\n\n"


NODE_RECORDS = st.builds(record_text, st.just("NodeName"), NAMES, some_of(VALUES))
PARTITION_RECORDS = st.builds(
    record_text, st.just("PartitionName"), st.sampled_from(["p", "q"]), some_of(PARTITION_VALUES)
)
ROWS = st.tuples(
    st.sampled_from(["p*", "p", "q"]), st.sampled_from(["up", "inact", "drain"]), st.sampled_from(["1", "3"]),
    st.sampled_from(["1/0/0/1", "0/0/1/1", "1/1/1/3"]), st.sampled_from(["8", "16+"]), st.sampled_from(["idle", "down*", "n/a"]),
    st.sampled_from(["n1", "n[1-3]", "n[2-4]", "n[1-3]...", "(null)"]),
)  # fmt: skip
HEADER = "PARTITION AVAIL NODES NODES(A/I/O/T) CPUS STATE NODELIST"
SETTINGS = st.sampled_from(["ClusterName = a\n", "ClusterName = b\n", "SelectType = select/cons_tres\n"])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(NODE_RECORDS, PARTITION_RECORDS, SETTINGS), max_size=6),
    st.lists(st.lists(ROWS, min_size=1, max_size=4), max_size=2),
    st.randoms(use_true_random=False),
)
def test_the_facts_do_not_depend_on_the_order_of_records_rows_and_files(records, tables, rng):
    def text_of(records, tables):
        rows = ["\n".join([HEADER, *(" ".join(row) for row in table)]) + "\n\n" for table in tables]
        return [*records, *rows]

    first = read("".join(text_of(records, tables)))
    shuffled = text_of(records, [rng.sample(table, len(table)) for table in tables])
    rng.shuffle(shuffled)
    cut = rng.randrange(len(shuffled) + 1)
    second = read("".join(shuffled[:cut]), "".join(shuffled[cut:]))
    assert known(first) == known(second)
    assert to_yaml(convert(first)) == to_yaml(convert(second))
    assert sorted(problem.reason.partition("line")[0] for problem in first.problems) == sorted(
        problem.reason.partition("line")[0] for problem in second.problems
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_real_output_does_not_matter(shared, seed):
    folder = shared / "slurm-22.05"
    names = [
        "scontrol-show-nodes.txt", "scontrol-show-partitions.txt", "json-sinfo_--json.json", "sinfo-a.txt",
        "scontrol-show-config.txt", "sacctmgr-qos-P.txt", "sacctmgr-assoc-P.txt", "scontrol-show-res.txt",
    ]  # fmt: skip
    texts = [(folder / name).read_text() for name in names]
    shuffled = random.Random(seed).sample(texts, len(texts))
    first, second = read(*texts), read(*shuffled)
    assert known(first) == known(second)
    assert to_yaml(convert(first)) == to_yaml(convert(second))
