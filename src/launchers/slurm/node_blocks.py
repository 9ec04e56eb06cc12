"""The nodes of partitions, equal ones together, as launchers.yaml has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from attrs import evolve, frozen

from launchers.config import schema
from launchers.config.emit import Notes
from launchers.quantities.hosts import fold_hosts
from launchers.quantities.numbers import whole_number
from launchers.quantities.units import MIB
from launchers.slurm.accelerators import SHARING_GRES, Accelerators, accelerators_of, gpus_in_rollup
from launchers.slurm.availability import availability, why_lost, why_other
from launchers.slurm.facts import NodeGroup, SlurmFacts, SlurmNode, SlurmPartition
from launchers.slurm.limits import allocates_memory
from launchers.slurm.members import Members
from launchers.slurm.partition_tres import TRES_NOTE, in_text, with_tres_of_partition
from launchers.slurm.tables import CPU_NOTE


@frozen
class NodeBlocks:
    """The blocks of equal nodes of one partition, in the order of their names, and the notes about them.

    The first element of a note's path is the number of its block.
    """

    specs: tuple[schema.NodesSpec, ...]
    notes: Notes


def node_blocks(partition: SlurmPartition, members: Members, facts: SlurmFacts, *, hosts: bool = True) -> NodeBlocks:
    """The nodes of a partition in blocks. `hosts=False` leaves their names out."""
    allocation = _Allocation.of(partition, facts)
    named, unnamed, together = with_tres_of_partition(partition, members, facts)
    groups: dict[tuple[Any, ...], list[SlurmNode]] = {}
    for node in named:
        groups.setdefault(_what_counts(node, allocation), []).append(node)
    folded = [(_fold(tuple(node.name for node in group)), group) for group in groups.values()]
    by_name = why_lost(named, facts)
    blocks = [
        _Block(group[0], len(group), names, *availability(group, partition, by_name))
        for names, group in sorted(folded, key=lambda block: (_name_before_number(block[0]), block[0]))
    ]
    blocks += _blocks_without_names(unnamed, allocation)
    silent = sum(block.count for block in blocks if _is_silent(block.node))
    specs: list[schema.NodesSpec] = []
    notes: Notes = {}
    for index, block in enumerate(blocks):
        spec = _block_spec(block, allocation)
        own_notes = _notes(block, spec, partition)
        if together and _is_silent(block.node):
            spec, more_notes = _with_total(spec, together, silent)
            own_notes |= more_notes
        specs.append(spec if hosts else evolve(spec, hosts=None))
        notes |= {(index, *path): note for path, note in own_notes.items()}
    return NodeBlocks(tuple(specs), notes)


@frozen
class _Block:
    """Equal nodes: one of them, how many, their folded names, how many jobs can use (None: all, or not known), why."""

    node: SlurmNode
    count: int
    hosts: str = ""
    available: int | None = None
    why: str = ""


def _blocks_without_names(groups: Iterable[NodeGroup], allocation: _Allocation) -> list[_Block]:
    """Nodes whose names were not printed, equal ones together."""
    equal: dict[tuple[Any, ...], list[NodeGroup]] = {}
    for group in groups:
        equal.setdefault(_what_counts(group.node, allocation), []).append(group)
    blocks = []
    for alike in equal.values():
        count = sum(group.count for group in alike)
        lost = [(group.node.state, group.count - group.usable) for group in alike if group.usable is not None]
        in_other_state = sum(number for state, number in lost if state is None)
        why = sorted({str(state) for state, number in lost if state and number})
        why += [why_other(in_other_state)] if in_other_state else []
        available = count - sum(number for _, number in lost) if why else None
        blocks.append(_Block(alike[0].node, count, "", available, ", ".join(why)))
    return blocks


def _block_spec(block: _Block, allocation: _Allocation) -> schema.NodesSpec:
    node, cpu = block.node, _cpu_spec(block.node, allocation)
    return schema.NodesSpec(
        hosts=block.hosts or None,
        count=block.count,
        available=block.available,
        arch=node.architecture,
        cpu=None if cpu == schema.CpuSpec() else cpu,
        features=node.features or None,
        accelerators=tuple(map(_accelerator_spec, accelerators_of(node))) or None,
    )


def _is_silent(node: SlurmNode) -> bool:
    """Whether it is not known how much a node has of anything."""
    return node.cpus is None and not node.pairs.get("RealMemory") and not accelerators_of(node)


def _with_total(spec: schema.NodesSpec, together: Mapping[str, int], nodes: int) -> tuple[schema.NodesSpec, Notes]:
    """A block of nodes of which only what all together have is known; other blocks may share that."""
    notes: Notes = {}
    if together.get("gres/gpu"):
        spec = evolve(spec, accelerators=(schema.AcceleratorSpec(kind="gpu"),))
        notes["accelerators", 0] = f"{together['gres/gpu']} GPUs on {nodes} nodes"
    if spec.count == nodes:
        return evolve(spec, tres={name: amount for name, amount in together.items() if amount} or None), notes
    notes["count",] = f"not printed: CPUs, memory, GPUs; all {nodes} such nodes together have {in_text(together)}"
    return spec, notes


def _notes(block: _Block, spec: schema.NodesSpec, partition: SlurmPartition) -> Notes:
    notes = _unknown_notes(block.node) | _cpu_notes(block.node, spec.cpu, partition) | _accelerator_notes(block.node)
    if block.why:
        notes["available",] = block.why
    return notes


def _unknown_notes(node: SlurmNode) -> Notes:
    """What was not printed of nodes: that is not known, and neither zero nor none."""
    unknown = ["CPUs"] if node.cpus is None else []
    if node.memory is None and not node.pairs.get("RealMemory"):
        unknown.append("memory")
    if not node.gres and not node.pairs.keys() & {"Gres", "CfgTRES"}:
        unknown.append("GPUs")
    notes = [node.pairs[key] for key in (TRES_NOTE, CPU_NOTE) if key in node.pairs]
    notes += [f"not printed: {', '.join(unknown)}"] if unknown else []
    return {("count",): "; ".join(notes)} if notes else {}


def _what_counts(node: SlurmNode, allocation: _Allocation) -> tuple[Any, ...]:
    """What must be equal for nodes to be in one block."""
    gpus_by_tres = "" if node.gres else node.pairs.get("CfgTRES", "")
    notes = (*_unknown_notes(node).values(), *_at_least(node))
    return _processors(node, allocation), node.gres, node.features, gpus_by_tres, node.architecture, notes


def _name_before_number(hosts: str) -> str:
    """The first host's name before its number: sorted by it, the order does not depend on how hosts are folded."""
    return hosts.partition("[")[0]


@lru_cache(maxsize=1024)
def _fold(names: tuple[str, ...]) -> str:
    """A folded host list. Kept, because several partitions have the same nodes and folding is half of the work."""
    return fold_hosts(names)


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
    per_socket, sockets = allocation.max_cpus_per_socket, whole_number(node.pairs.get("Sockets"))
    if node.cpus is None or per_socket is None or sockets is None:
        return node.cpus
    threads = node.threads_per_core
    return min(node.cpus, sockets * (per_socket // threads * threads))


def _memory_for_jobs(node: SlurmNode, allocation: _Allocation) -> int | None:
    """The memory that one job can have: MemSpecLimit is kept back only where memory is allocated at all."""
    kept_back = whole_number(node.pairs.get("MemSpecLimit"))
    if node.memory is None or kept_back is None or allocation.memory:
        return node.memory
    return node.memory + kept_back * MIB


def _allocation_units(node: SlurmNode, allocation: _Allocation) -> tuple[int, int]:
    """The CPUs of a core, and of a socket where whole sockets are allocated, else 1 (docs/slurm-facts.md#cpus)."""
    if "CR_CPU" in allocation.resources:
        return 1, 1
    sockets, cores, total = (whole_number(node.pairs.get(key)) for key in ("Sockets", "CoresPerSocket", "CPUTot"))
    threads = node.threads_per_core
    if sockets and cores and total is not None:
        threads = max(1, total // (sockets * cores))
    return threads, threads * cores if "CR_SOCKET" in allocation.resources and cores else 1


def _at_least(node: SlurmNode) -> list[str]:
    """The values that are the least of several nodes."""
    return [node.pairs[key] for key in ("CPUTot", "RealMemory") if node.pairs.get(key, "").endswith("+")]


def _cpu_notes(node: SlurmNode, cpu: schema.CpuSpec | None, partition: SlurmPartition) -> Notes:
    if node.memory is None and node.pairs.get("RealMemory", "") in ("0", "1"):
        return {("cpu",): "memory unknown: RealMemory is not configured"}
    if at_least := _at_least(node):
        return {("cpu",): f"at least: sinfo printed {' and '.join(at_least)} for several nodes together"}
    if cpu is not None and cpu.cores != node.cpus:
        return {("cpu",): f"{node.cpus} cores; MaxCPUsPerSocket={partition.max_cpus_per_socket} allows fewer"}
    return {}


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
        notes["features" if node.features else "count",] = f"also {', '.join(sharing)}: GPUs that jobs share"
    return notes
