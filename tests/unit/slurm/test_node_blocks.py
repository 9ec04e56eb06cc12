"""The nodes of partitions, equal ones together."""

import json

import pytest
from slurm_texts import CONFIG, config, entry, group, node, partition, text_of

from launchers.slurm.members import members_by_partition, nodes_without_partition
from launchers.slurm.read import read

MIB = 1024**2


def blocks(*texts):
    return entry(*texts).partitions["p"].nodes


def comments(*texts):
    return [line.partition("  # ")[2] for line in text_of(*texts).splitlines() if "  # " in line]


def test_nodes_that_differ_in_what_jobs_can_have_are_apart():
    nodes = node("n1") + node("n2", State="DOWN", Weight=3) + node("n3", CPUTot=9) + node("n4", RealMemory=1)
    nodes += node("n5", Gres="gpu:1") + node("n6", ActiveFeatures="x") + node("n7", CfgTRES="cpu=8,gres/gpu=1")
    assert [(block.hosts, block.count) for block in blocks(nodes)] == [
        ("n[1-2]", 2), ("n3", 1), ("n4", 1), ("n5", 1), ("n6", 1), ("n7", 1),
    ]  # fmt: skip


def test_nodes_of_two_architectures_are_apart():
    nodes = (
        node("n1", Arch="x86_64") + node("n2", Arch="aarch64") + node("n3", Arch="amd64") + node("n4", Arch="(null)")
    )
    assert [(block.hosts, block.arch) for block in blocks(nodes)] == [
        ("n[1,3]", "x86_64"), ("n2", "aarch64"), ("n4", None),
    ]  # fmt: skip
    assert "    arch: aarch64\n" in text_of(nodes)


@pytest.mark.parametrize("meta", [{}, {"meta": {"plugin": {"type": "openapi/slurmctld"}}}])
def test_json_says_the_architecture_too(meta):
    structure = {"name": "n1", "cpus": 8, "real_memory": 16000, "state": ["IDLE"], "partitions": ["p"]}
    text = json.dumps(
        {**meta, "nodes": [{**structure, "architecture": "aarch64"}, {**structure, "name": "n2", "architecture": ""}]}
    )
    assert [(block.hosts, block.arch) for block in blocks(text)] == [("n1", "aarch64"), ("n2", None)]


def test_blocks_are_in_the_order_of_their_first_names():
    nodes = node("b1") + node("b2") + node("a9", CPUTot=9) + node("b", CPUTot=2)
    assert [block.hosts for block in blocks(nodes)] == ["a9", "b", "b[1-2]"]


@pytest.mark.parametrize(
    ("states", "available", "note"),
    [
        (["IDLE", "ALLOCATED"], None, None),
        (["IDLE", "DOWN"], 1, "DOWN"),
        (["IDLE+DRAIN", "DOWN"], 0, "DOWN, IDLE+DRAIN"),
        (["IDLE+MAINTENANCE+DRAIN", "IDLE"], 1, "IDLE+DRAIN+MAINTENANCE"),
    ],
)
def test_nodes_that_cannot_be_used_are_counted(states, available, note):
    nodes = "".join(node(f"n{number}", State=state) for number, state in enumerate(states))
    (block,) = blocks(nodes)
    assert (block.count, block.available) == (len(states), available)
    assert comments(nodes) == ([note] if note else [])


@pytest.mark.parametrize(
    ("state", "flags", "hosts", "available"),
    [
        ("ACTIVE", "MAINT,SPEC_NODES", "n1", 1), ("ACTIVE", "SPEC_NODES", "n1", None), ("INACTIVE", "MAINT", "n1", None),
        ("ACTIVE", "MAINT", "n[1", None),
    ],
)  # fmt: skip
def test_nodes_in_maintenance_cannot_be_used(state, flags, hosts, available):
    reservation = f"ReservationName=r Nodes={hosts} State={state} Flags={flags}\n"
    (block,) = blocks(node("n1") + node("n2"), reservation)
    assert block.available == available
    assert comments(node("n1") + node("n2"), reservation) == (["reserved"] if available else [])


def test_a_node_is_in_the_partitions_that_it_names_and_in_those_that_name_it():
    nodes = "NodeName=n1 CPUTot=4\n\nNodeName=n2 CPUTot=4 Partitions=q\n\nNodeName=n3 CPUTot=4\n\n"
    facts = read(nodes, partition("p", "n[1-2]"), partition("broken", "n[1"))
    assert {name: {node.name for node in one.named} for name, one in members_by_partition(facts).items()} == {
        "p": {"n1", "n2"}, "q": {"n2"}, "broken": set(),
    }  # fmt: skip
    assert [node.name for node in nodes_without_partition(facts)] == ["n3"]


# -- processors and memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allocated", "layout", "unit"),
    [
        ("CR_Core_Memory", {"CPUTot": 8, "Sockets": 2, "CoresPerSocket": 2}, (2, 1)),
        ("CR_Core", {"CPUTot": 4, "Sockets": 2, "CoresPerSocket": 2}, (1, 1)),  # CPUs= counts cores here
        ("CR_CPU_Memory", {"CPUTot": 8, "Sockets": 2, "CoresPerSocket": 2}, (1, 1)),
        ("CR_Socket_Memory", {"CPUTot": 8, "Sockets": 2, "CoresPerSocket": 2}, (2, 4)),
        ("CR_Core", {"CPUTot": 8}, (2, 1)),  # nothing but ThreadsPerCore is known
        ("CR_Socket", {"CPUTot": 8}, (2, 1)),
    ],
)
def test_how_many_cpus_slurm_allocates_at_a_time(allocated, layout, unit):
    (built,) = group(config(SelectTypeParameters=allocated), node(ThreadsPerCore=2, **layout), partition()).partitions
    assert (built.shapes[0].threads_per_core, built.shapes[0].cpus_per_socket) == unit


def test_a_partition_without_units_of_its_own_has_the_clusters():
    """Text says NONE, JSON says nothing (24.11) or NONE (26.05)."""
    threads = node("n", CPUTot=16, Sockets=2, CoresPerSocket=4, ThreadsPerCore=2)
    structure = {"name": "p", "nodes": {"configured": "n"}, "partition": {"state": ["UP"]}}
    documents = [json.dumps({"partitions": [{**structure, "select_type": units}]}) for units in ([], ["NONE"])]
    for text in (partition("p", "n", SelectTypeParameters="NONE"), *documents):
        (built,) = group(config(SelectTypeParameters="CR_CPU_MEMORY"), threads, text).partitions
        assert built.shapes[0].threads_per_core == 1
    (built,) = group(
        config(SelectTypeParameters="CR_CPU"), threads, partition(SelectTypeParameters="CR_CORE")
    ).partitions
    assert built.shapes[0].threads_per_core == 2


@pytest.mark.parametrize(("most", "cores"), [(1, 0), (2, 4), (3, 4), (7, 12), (8, 16), (9, 16), ("UNLIMITED", 16)])
def test_max_cpus_per_socket_counts_whole_cores_of_every_socket(most, cores):
    threads = node("n", CPUTot=16, Sockets=2, CoresPerSocket=4, ThreadsPerCore=2)
    (built,) = group(CONFIG, threads, partition("p", "n", MaxCPUsPerSocket=most)).partitions
    assert built.shapes[0].cores == cores
    notes = [f"16 cores; MaxCPUsPerSocket={most} allows fewer"] if cores < 16 else []
    assert comments(CONFIG, threads, partition("p", "n", MaxCPUsPerSocket=most)) == notes


def test_max_cpus_per_socket_without_sockets_is_no_limit():
    assert blocks(node("n"), partition("p", "n", MaxCPUsPerSocket=1))[0].cpu.cores == 8


@pytest.mark.parametrize(("allocated", "memory"), [("CR_CORE_MEMORY", 15000), ("CR_CORE", 16000), (None, 15000)])
def test_mem_spec_limit_is_kept_back_where_memory_is_allocated(allocated, memory):
    (block,) = blocks(config(SelectTypeParameters=allocated), node(MemSpecLimit=1000))
    assert block.cpu.memory == memory * MIB


# -- accelerators ----------------------------------------------------------------------------------------------


def test_notes_say_what_accelerators_were_read_from():
    gpus = "gpu:a100:1,gpu:gen:2,shard:8,mps:100"
    assert comments(node(Gres=gpus, ActiveFeatures="GPUM40G")) == [
        "also mps, shard: GPUs that jobs share",
        "feature GPUM40G",
        "kind unknown, `gpus:` can define gen; memory unknown: no feature, GRES or model states it; "
        "`launchers probe` can ask the driver",
    ]


def test_where_the_note_on_sharing_stands_without_features():
    assert (
        "        count: 1  # also shard: GPUs that jobs share" in text_of(node(Gres="gpu:a100:1,shard:8")).splitlines()
    )
