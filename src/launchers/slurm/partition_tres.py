"""What TRES= of a partition says of its nodes that nobody described: the CPUs, memory and GPUs that are left for them.

They are known where one such node is left, and taken as equal where everything divides evenly among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import evolve

from launchers.quantities.units import MIB, format_memory
from launchers.slurm.facts import NodeGroup, SlurmFacts, SlurmNode, SlurmPartition
from launchers.slurm.members import Members, is_undescribed

TRES_NOTE = "TRES of the partition"
"""The key under which a node keeps what its numbers were worked out from: no key of Slurm has blanks."""


def with_tres_of_partition(
    partition: SlurmPartition, members: Members, facts: SlurmFacts
) -> tuple[list[SlurmNode], list[NodeGroup], dict[str, int]]:
    """The members, those that are not described with what TRES= leaves for each of them.

    The TRES are those of all that are not described together, where it is not known what each of them has.
    """
    named, unnamed = list(members.named), list(members.unnamed)
    described = [node for node in named if not is_undescribed(node)]
    silent = len(named) - len(described) + sum(group.count for group in unnamed)
    total = {name: amount for name, amount in partition.tres if name in ("cpu", "mem") or name.startswith("gres/gpu")}
    if not silent or not total:
        return named, unnamed, {}
    is_all_known = all(map(_is_whole, described)) and all(is_undescribed(group.node) for group in unnamed)
    left = _left(total, described) if is_all_known else {}
    if min(left.values(), default=-1) < 0:
        return named, unnamed, {}
    gpus, all_nodes = left.get("gres/gpu", 0), "1 node" if silent == 1 else f"{silent} nodes"
    if any(amount % silent for amount in left.values()):
        share, note = {}, ""
    else:
        share = {name: amount // silent for name, amount in left.items()}
        beside = f", beside {len(described)} that are described" if described else ""
        note = f"TRES of the partition: {_in_text(left)} on {all_nodes}{beside}"
    has_no_gpus = not gpus and _counts_gpus(facts)

    def shared(node: SlurmNode) -> SlurmNode:
        return _with_share(node, share, note, has_no_gpus) if is_undescribed(node) else node

    named = [shared(node) for node in named]
    unnamed = [evolve(group, node=shared(group.node)) for group in unnamed]
    return named, unnamed, {} if share else left


def _counts_gpus(facts: SlurmFacts) -> bool:
    """Whether GPUs are among the TRES of this cluster: only then TRES= without GPUs means that there are none."""
    return any(name.startswith("gres/gpu") for partition in facts.partitions for name, _ in partition.tres)


def _is_whole(node: SlurmNode) -> bool:
    """Whether everything is known of a node that TRES= counts."""
    return node.cpus is not None and node.pairs.get("RealMemory", "").isdigit() and "Gres" in node.pairs


def _left(total: Mapping[str, int], described: Iterable[SlurmNode]) -> dict[str, int]:
    """What remains of the TRES of a partition for the nodes that are not described."""
    left = dict(total)
    for node in described:
        own = {"cpu": node.cpus or 0, "mem": int(node.pairs["RealMemory"]) * MIB}
        for gres in node.gres:
            if gres.name.lower() == "gpu":
                for name in ("gres/gpu", f"gres/gpu:{gres.type}"):
                    own[name] = own.get(name, 0) + gres.count
        for name in left.keys() & own.keys():
            left[name] -= own[name]
    return left


def _with_share(node: SlurmNode, share: Mapping[str, int], note: str, has_no_gpus: bool) -> SlurmNode:
    memory = share.get("mem", 0)
    pairs = {**node.pairs, TRES_NOTE: note} if note else {**node.pairs}
    if has_no_gpus:
        pairs["Gres"] = "(null)"
    elif share.get("gres/gpu"):
        pairs["CfgTRES"] = _in_text({name: number for name, number in share.items() if name.startswith("gres/gpu")})
    return evolve(
        node,
        cpus=share.get("cpu") or None,
        memory=memory if memory > MIB else None,  # 1 MiB: RealMemory is not configured
        pairs=pairs,
    )


def _in_text(tres: Mapping[str, int]) -> str:
    """TRES as Slurm prints them."""
    return ",".join(f"{name}={format_memory(n) if name == 'mem' and n else n}" for name, n in sorted(tres.items()))
