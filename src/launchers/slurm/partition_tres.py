"""What TRES= of a partition says of its nodes that nobody described: the CPUs, memory and GPUs that are left for them.

They are known where one such node is left, and taken as equal where everything divides evenly among them.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from launchers.quantities.numbers import whole_number
from launchers.quantities.units import MIB, format_memory
from launchers.slurm.facts import NodeGroup, SlurmFacts, SlurmNode, SlurmPartition
from launchers.slurm.members import Members, is_undescribed

TRES_NOTE = "TRES of the partition"
"""The key under which a node keeps what its numbers were worked out from: no key of Slurm has blanks."""


Counted = list[tuple[SlurmNode, int]]
"""Nodes, each with the number of nodes that it stands for."""


def with_tres_of_partition(
    partition: SlurmPartition, members: Members, facts: SlurmFacts
) -> tuple[list[SlurmNode], list[NodeGroup], dict[str, int]]:
    """The members, those of which something was not printed with what TRES= leaves of it for each of them.

    The TRES are those of all that are not described together, where it is not known what each of them has.
    """
    counted = [(node, 1) for node in members.named] + [(group.node, group.count) for group in members.unnamed]
    left, silent = _left(_total(partition), counted)
    gpus_are_counted = any(name.startswith("gres/gpu") for other in facts.partitions for name, _ in other.tres)
    has_no_gpus = bool(partition.tres) and gpus_are_counted and not left.get("gres/gpu")
    together: dict[str, int] = {}
    if any(amount % silent[name] for name, amount in left.items()):
        nobody = sum(count for node, count in counted if is_undescribed(node))
        together = {name: amount for name, amount in left.items() if silent[name] == nobody}
        left = {}

    all_nodes = sum(count for _, count in counted)

    def shared(node: SlurmNode) -> SlurmNode:
        if all(_tells(node, name) for name in ("cpu", "mem", "gres/gpu")):
            return node
        lacking = {name: amount for name, amount in left.items() if not _tells(node, name)}
        share = {name: amount // silent[name] for name, amount in lacking.items()}
        return _with_share(node, share, _note(lacking, silent, all_nodes), has_no_gpus)

    named = [shared(node) for node in members.named]
    return named, [evolve(group, node=shared(group.node)) for group in members.unnamed], together


def _total(partition: SlurmPartition) -> dict[str, int]:
    """The CPUs, memory and GPUs of all nodes of a partition; older versions print TotalCPUs only."""
    total = {name: amount for name, amount in partition.tres if name in ("cpu", "mem") or name.startswith("gres/gpu")}
    cpus = whole_number(partition.pairs.get("TotalCPUs"))
    return total or ({"cpu": cpus} if cpus else {})


def _tells(node: SlurmNode, name: str) -> bool:
    """Whether it was printed how much a node has of a TRES."""
    match name:
        case "cpu":
            return node.cpus is not None
        case "mem":
            return bool(node.pairs.get("RealMemory"))
    return "Gres" in node.pairs or bool(node.pairs.get("CfgTRES"))


def _left(total: Mapping[str, int], nodes: Counted) -> tuple[dict[str, int], dict[str, int]]:
    """What the nodes that tell their own leave of each TRES, and how many do not; nothing where that is not certain.

    Nodes that tell more than the partition has are a contradiction: then nothing follows from any TRES.
    """
    left: dict[str, int] = {}
    silent: dict[str, int] = {}
    for name, amount in total.items():
        telling = [(node, count) for node, count in nodes if _tells(node, name)]
        rest = sum(count for _, count in nodes) - sum(count for _, count in telling)
        own = [(_amount(node, name), count) for node, count in telling]
        known = sum(number * count for number, count in own if number is not None)
        if known > amount:
            return {}, {}
        if rest and all(number is not None for number, _ in own):
            left[name], silent[name] = amount - known, rest
    return left, silent


def _amount(node: SlurmNode, name: str) -> int | None:
    """How much a node has of a TRES; None where only the least of several nodes was printed."""
    match name:
        case "cpu":
            return None if node.pairs.get("CPUTot", "").endswith("+") else node.cpus
        case "mem":
            memory = whole_number(node.pairs["RealMemory"])
            return None if memory is None else memory * MIB
    if "Gres" not in node.pairs:
        return None
    type = name.partition(":")[2]
    gpus = [gres for gres in node.gres if gres.name.lower() == "gpu"]
    return sum(gres.count for gres in gpus if not type or gres.type == type)


def _note(lacking: Mapping[str, int], silent: Mapping[str, int], all_nodes: int) -> str:
    """What the share of a node was worked out from."""
    parts = []
    for number in sorted({silent[name] for name in lacking}):
        tres = in_text({name: amount for name, amount in lacking.items() if silent[name] == number})
        beside = f", beside {all_nodes - number} that are described" if number < all_nodes else ""
        parts.append(f"{tres} on {'1 node' if number == 1 else f'{number} nodes'}{beside}")
    return f"TRES of the partition: {'; '.join(parts)}" if parts else ""


def _with_share(node: SlurmNode, share: Mapping[str, int], note: str, has_no_gpus: bool) -> SlurmNode:
    pairs = {**node.pairs, TRES_NOTE: note} if note else {**node.pairs}
    gpus = {name: number for name, number in share.items() if name.startswith("gres/gpu")}
    if gpus.get("gres/gpu"):
        pairs["CfgTRES"] = in_text(gpus)
    elif has_no_gpus and not _tells(node, "gres/gpu"):
        pairs["Gres"] = "(null)"
    memory = share.get("mem", 0)
    return evolve(
        node,
        cpus=node.cpus or share.get("cpu"),
        memory=memory if memory > MIB else node.memory,  # 1 MiB: RealMemory is not configured
        pairs=pairs,
    )


def in_text(tres: Mapping[str, int]) -> str:
    """TRES as Slurm prints them."""
    return ",".join(f"{name}={format_memory(n) if name == 'mem' and n else n}" for name, n in sorted(tres.items()))
