"""The nodes of partitions, equal ones together, as launchers.yaml has them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from attrs import evolve, frozen

from launchers.config import schema
from launchers.config.emit import Notes
from launchers.quantities.hosts import expand_hosts, fold_hosts
from launchers.quantities.units import MIB
from launchers.slurm.accelerators import SHARING_GRES, Accelerators, accelerators_of, gpus_in_rollup
from launchers.slurm.facts import SlurmFacts, SlurmNode, SlurmPartition
from launchers.slurm.limits import allocates_memory


@frozen
class NodeBlocks:
    """The blocks of equal nodes of one partition, in the order of their names, and the notes about them.

    The first element of a note's path is the number of its block.
    """

    specs: tuple[schema.NodesSpec, ...]
    notes: Notes


def node_blocks(
    nodes: Iterable[SlurmNode], partition: SlurmPartition, facts: SlurmFacts, *, hosts: bool = True
) -> NodeBlocks:
    """The nodes of a partition in blocks. `hosts=False` leaves their names out."""
    allocation = _Allocation.of(partition, facts)
    groups: dict[tuple[Any, ...], list[SlurmNode]] = {}
    for node in nodes:
        groups.setdefault(_what_counts(node, allocation), []).append(node)
    named = [(_fold(tuple(node.name for node in group)), group) for group in groups.values()]
    reserved = _nodes_in_maintenance(facts)
    specs: list[schema.NodesSpec] = []
    notes: Notes = {}
    for index, (names, group) in enumerate(sorted(named, key=lambda block: (_name_before_number(block[0]), block[0]))):
        unusable = [node for node in group if not node.state.usable or node.name in reserved]
        spec = _block_spec(group, unusable, allocation)
        specs.append(evolve(spec, hosts=names if hosts else None))
        own_notes = _state_notes(unusable, reserved) | _cpu_notes(group[0], spec.cpu, partition)
        own_notes |= _accelerator_notes(group[0])
        notes |= {(index, *path): note for path, note in own_notes.items()}
    return NodeBlocks(tuple(specs), notes)


def nodes_by_partition(facts: SlurmFacts) -> dict[str, list[SlurmNode]]:
    """The nodes of each partition: as the nodes state it, or, for a node that does not, as the partitions do."""
    members: dict[str, list[SlurmNode]] = {}
    for node in facts.nodes:
        for name in node.partitions:
            members.setdefault(name, []).append(node)
    silent = {node.name: node for node in facts.nodes if not node.partitions}
    for partition in facts.partitions if silent else ():
        for name in _expand_readable(partition.nodes):
            if name in silent:
                members.setdefault(partition.name, []).append(silent[name])
    return members


def nodes_without_partition(facts: SlurmFacts) -> tuple[SlurmNode, ...]:
    """The nodes that no job can reach, because they are in no partition."""
    reachable = {node.name for nodes in nodes_by_partition(facts).values() for node in nodes}
    return tuple(node for node in facts.nodes if node.name not in reachable)


def _block_spec(group: list[SlurmNode], unusable: list[SlurmNode], allocation: _Allocation) -> schema.NodesSpec:
    """A block of equal nodes, without their names."""
    node, cpu = group[0], _cpu_spec(group[0], allocation)
    return schema.NodesSpec(
        count=len(group),
        available=len(group) - len(unusable) if unusable else None,
        arch=node.architecture,
        cpu=None if cpu == schema.CpuSpec() else cpu,
        features=node.features or None,
        accelerators=tuple(map(_accelerator_spec, accelerators_of(node))) or None,
    )


def _what_counts(node: SlurmNode, allocation: _Allocation) -> tuple[Any, ...]:
    """What must be equal for nodes to be in one block."""
    gpus_by_tres = "" if node.gres else node.pairs.get("CfgTRES", "")
    return _processors(node, allocation), node.gres, node.features, gpus_by_tres, node.architecture


def _name_before_number(hosts: str) -> str:
    """The first host's name before its number: sorted by it, the order does not depend on how hosts are folded."""
    return hosts.partition("[")[0]


@lru_cache(maxsize=1024)
def _fold(names: tuple[str, ...]) -> str:
    """A folded host list. Kept, because several partitions have the same nodes and folding is half of the work."""
    return fold_hosts(names)


def _expand_readable(hosts: str) -> list[str]:
    """The hosts of a list; none where it cannot be read, which is reported when the partition is read."""
    try:
        return expand_hosts(hosts)
    except ValueError:
        return []


# -- processors and memory -------------------------------------------------------------------------------------


@frozen
class _Allocation:
    """How a partition allocates: `resources` is its SelectTypeParameters, or else the cluster's."""

    resources: str
    memory: bool
    max_cpus_per_socket: int | None

    @classmethod
    def of(cls, partition: SlurmPartition, facts: SlurmFacts) -> _Allocation:
        own = (partition.pairs.get("SelectTypeParameters") or "NONE").upper()
        of_cluster = facts.config.get("SelectTypeParameters", "CR_CORE").upper()
        resources = of_cluster if own == "NONE" else own
        return cls(resources, allocates_memory(facts), partition.max_cpus_per_socket)


def _cpu_spec(node: SlurmNode, allocation: _Allocation) -> schema.CpuSpec:
    cores, memory, threads, per_socket = _processors(node, allocation)
    return schema.CpuSpec(
        cores=cores,
        memory=memory,
        threads_per_core=threads if threads > 1 else None,
        cpus_per_socket=per_socket if per_socket > 1 else None,
    )


def _processors(node: SlurmNode, allocation: _Allocation) -> tuple[int | None, int | None, int, int]:
    """CPUs and memory for jobs, and the CPUs that are allocated together: those of a core, and of a socket."""
    return _cpus_for_jobs(node, allocation), _memory_for_jobs(node, allocation), *_allocation_units(node, allocation)


def _cpus_for_jobs(node: SlurmNode, allocation: _Allocation) -> int | None:
    """The CPUs that one job can have there: MaxCPUsPerSocket allows so many on each socket, in whole cores."""
    per_socket, sockets = allocation.max_cpus_per_socket, _whole_number(node.pairs.get("Sockets"))
    if node.cpus is None or per_socket is None or sockets is None:
        return node.cpus
    threads = node.threads_per_core
    return min(node.cpus, sockets * (per_socket // threads * threads))


def _memory_for_jobs(node: SlurmNode, allocation: _Allocation) -> int | None:
    """The memory that one job can have: MemSpecLimit is kept back only where memory is allocated at all."""
    kept_back = _whole_number(node.pairs.get("MemSpecLimit"))
    if node.memory is None or kept_back is None or allocation.memory:
        return node.memory
    return node.memory + kept_back * MIB


def _allocation_units(node: SlurmNode, allocation: _Allocation) -> tuple[int, int]:
    """The CPUs of a core, and of a socket where whole sockets are allocated, else 1 (docs/slurm-facts.md#cpus)."""
    if "CR_CPU" in allocation.resources:
        return 1, 1
    sockets, cores, total = (_whole_number(node.pairs.get(key)) for key in ("Sockets", "CoresPerSocket", "CPUTot"))
    threads = node.threads_per_core
    if sockets and cores and total is not None:
        threads = max(1, total // (sockets * cores))
    return threads, threads * cores if "CR_SOCKET" in allocation.resources and cores else 1


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _cpu_notes(node: SlurmNode, cpu: schema.CpuSpec | None, partition: SlurmPartition) -> Notes:
    if node.memory is None:
        return {("cpu",): "memory unknown: RealMemory is not configured"}
    if cpu is not None and cpu.cores != node.cpus:
        return {("cpu",): f"{node.cpus} cores; MaxCPUsPerSocket={partition.max_cpus_per_socket} allows fewer"}
    return {}


# -- states ----------------------------------------------------------------------------------------------------


def _nodes_in_maintenance(facts: SlurmFacts) -> set[str]:
    """The nodes of active reservations for maintenance, which keep everybody out."""
    maintenance = [reservation for reservation in facts.reservations if "MAINT" in reservation.flags]
    active = [reservation for reservation in maintenance if reservation.state == "ACTIVE"]
    return {name for reservation in active for name in _expand_readable(reservation.nodes)}


def _state_notes(unusable: list[SlurmNode], reserved: set[str]) -> Notes:
    states = {
        "reserved" if node.name in reserved else "+".join([node.state.base, *sorted(node.state.flags)])
        for node in unusable
    }
    return {("available",): ", ".join(sorted(states))} if states else {}


# -- accelerators ----------------------------------------------------------------------------------------------


def _accelerator_spec(accelerators: Accelerators) -> schema.AcceleratorSpec:
    return schema.AcceleratorSpec(
        kind=accelerators.kind,  # type: ignore[arg-type]
        model=accelerators.model,
        memory=accelerators.memory,
        count=accelerators.count,
        type=accelerators.type,
    )


def _accelerator_notes(node: SlurmNode) -> Notes:
    """What each kind and memory was read from, and which GRES share the GPUs."""
    notes: Notes = {}
    classes = accelerators_of(node)
    for number, accelerators in enumerate(classes):
        unknown = "kind unknown" + (f", `gpus:` can define {accelerators.type}" if accelerators.type else "") + "; "
        notes["accelerators", number] = ("" if accelerators.kind else unknown) + accelerators.evidence
    in_rollup, listed = gpus_in_rollup(node), sum(accelerators.count for accelerators in classes)
    if classes and in_rollup is not None and in_rollup > listed:
        notes["accelerators", len(classes) - 1] += f"; CfgTRES counts {in_rollup} GPUs, {in_rollup - listed} more"
    if sharing := sorted({gres.name for gres in node.gres if gres.name.lower() in SHARING_GRES}):
        notes["features" if node.features else "count",] = f"also {', '.join(sharing)}, which share GPUs"
    return notes
