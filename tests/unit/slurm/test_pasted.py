"""What people paste, ../shared/data/pasted: each file with the values that its .right.txt gives, by hand."""

import pytest
from slurm_texts import entry, group, text_of

from launchers.config.check import check
from launchers.config.load import loads
from launchers.matching import match
from launchers.oar.convert import convert as convert_oar
from launchers.oar.facts import read_oarnodes
from launchers.requirement import parse
from launchers.slurm.read import read

MIB = 1024**2
GIB = 1024**3


@pytest.fixture
def pasted(shared):
    """The text of a file by the number at its beginning."""

    def text(number):
        (path,) = (shared / "pasted").glob(f"{number:02}-*.in")
        return path.read_text(encoding="utf-8")

    return text


def blocks(text, partition):
    """Hosts, number and number of usable nodes of each block of a partition."""
    return [(block.hosts, block.count, block.available) for block in entry(text).partitions[partition].nodes]


def comments(text):
    return [line.partition("  # ")[2] for line in text_of(text).splitlines() if "  # " in line]


def errors(text):
    return [problem for problem in check(loads(text_of(text))) if problem.is_error]


# -- a thing described again -----------------------------------------------------------------------------------


def test_a_node_again_without_its_partition(pasted):
    found = read(pasted(1))
    (node,) = found.nodes
    assert node.partitions == ("private-lab-gpu", "shared-gpu")
    assert (node.cpus, node.memory, str(node.state)) == (94, 375 * GIB, "IDLE+DRAIN")
    (gpus,) = entry(pasted(1)).partitions["shared-gpu"].nodes[0].accelerators
    assert (gpus.model, gpus.memory, gpus.count) == ("RTX5090", 32 * GIB, 4)
    assert found.problems == []


def test_a_record_that_was_cut_and_the_whole_one(pasted):
    nodes = {node.name: node for node in read(pasted(2)).nodes}
    node = nodes["med0740"]
    assert (node.cpus, node.threads_per_core, node.memory, node.partitions) == (32, 2, None, ("debug",))
    assert (str(node.state), [nodes[name].state.usable for name in ("med0741", "med0742")]) == ("IDLE", [False, False])
    assert "memory unknown: RealMemory is not configured" in comments(pasted(2))


def test_three_tables_of_sinfo(pasted):
    (node,) = read(pasted(3)).nodes
    assert (node.name, node.cpus, node.memory) == ("rocky-slurm-compute-node-00000000", 1, None)
    assert "memory unknown: RealMemory is not configured" in comments(pasted(3))


# -- not said is not zero and not down -------------------------------------------------------------------------


def test_no_state_column(pasted):
    text = pasted(4)
    assert blocks(text, "roma") == [("sdfrome[003-063]", 61, 56)]
    assert blocks(text, "milano") == [("sdfmilan[001-072,101-131,201-232]", 135, 130)]
    assert blocks(text, "ampere") == [("sdfampere[001-023]", 23, None)]
    assert all(node.state is None for node in read(text).nodes)
    answer = match(parse("cpu(mem=400G)"), [group(text)])
    assert "nodes-up" not in {assumption.fact for assumption in answer.selection.assumed}


def test_a_partition_that_is_known_by_its_nodes_only(pasted):
    text = pasted(7)
    (block,) = entry(text).partitions["general"].nodes
    assert (block.count, block.cpu, block.accelerators) == (59, None, None)
    assert block.hosts.startswith("3dgi[1-2],100plus,awi[01-26]")
    assert comments(text)[1:] == ["not printed: CPUs, memory, GPUs"]
    assert dict(block.tres) == {"cpu": 4064}
    assert match(parse("cpu(cores=4)"), [group(text)]).selection.partitions == ("general",)
    assert not check(loads(text_of(text)))


def test_the_tres_of_partitions(pasted):
    text = pasted(9)
    partitions = entry(text).partitions
    (cemp,) = partitions["cemp_gpu_p"].nodes
    assert (cemp.hosts, cemp.cpu.cores, cemp.cpu.memory) == ("supergpu06", 220, 1988645 * MIB)
    assert [gpus.count for gpus in cemp.accelerators] == [2]
    (interactive,) = partitions["interactive_gpu_p"].nodes
    assert (interactive.count, [gpus.count for gpus in interactive.accelerators]) == (4, [2])
    (gpu,) = partitions["gpu_p"].nodes
    assert (gpu.count, gpu.available, gpu.cpu, [gpus.count for gpus in gpu.accelerators]) == (25, 23, None, [None])
    assert "54 GPUs on 25 nodes" in comments(text)
    assert partitions["normal_q"].nodes[0].accelerators is None
    assert dict(entry(text).qos["gpu"].limits.max_tres) == {"cpu": 28}
    assert errors(text) == []
    answer = match(parse("cpu(cores=8) & duration=4 days"), [group(text)])
    certain = {trial.offer.partition.name for trial in answer.trials[0] if not getattr(trial.outcome, "assumed", True)}
    assert certain == {"cemp_gpu_p", "normal_q"}  # 846 CPUs on 10 nodes: one of them has 8


# -- words of access and state ---------------------------------------------------------------------------------


def test_partitions_that_are_not_up(pasted):
    text = pasted(5)
    states = {name: spec.state for name, spec in entry(text).partitions.items()}
    assert states == {"cptec": "INACTIVE", "sd_gpu": "INACTIVE", "gdl": None}
    assert match(parse("cpu(cores=1)"), [group(text)]).selection.partitions == ("gdl",)


def test_an_account_called_none(pasted):
    text = pasted(6)
    assert entry(text).partitions["hidden-part"].accounts == ("none",)
    assert blocks(text, "hidden-part") == [("n1", 1, None), (None, 610, None)]


def test_short_states_of_sinfo(pasted):
    assert [str(node.state) for node in read(pasted(17)).nodes] == ["INVAL", "UNKNOWN", "FUTURE"]
    assert [block.available for block in entry(pasted(17)).partitions["p"].nodes] == [0, 0]


def test_a_state_of_a_partition_that_is_not_known(pasted):
    text = pasted(19)
    assert errors(text) == []
    assert entry(text).partitions["longrun"].disabled
    assert "State=MAINT, which is not a state in which jobs start" in comments(text)
    assert {name: spec.state for name, spec in entry(text).partitions.items() if spec.state} == {"normal": "DOWN"}
    assert blocks(text, "debug") == [("node[02-03]", 2, None), ("node01", 1, None)]


# -- nothing is invented ---------------------------------------------------------------------------------------


def test_oar_nodes_with_a_gpu_count_of_0(pasted):
    nodes = {block.hosts: block.accelerators for block in convert_oar(read_oarnodes(pasted(21))).group.nodes}
    assert nodes["demo-[1-2]"] is None
    assert [gpus.count for gpus in nodes["gpu-1"]] == [2]
