"""Which nodes a partition has: those that are described, those that are only named, and those that are only counted."""

from __future__ import annotations

from functools import lru_cache

from attrs import frozen

from launchers.quantities.hosts import expand_hosts
from launchers.slurm.facts import NodeGroup, SlurmFacts, SlurmNode, SlurmPartition
from launchers.slurm.from_pairs import is_cut_off, read_node

MAX_COUNTED = 1_000_000
"""No cluster has more nodes: a greater number was not meant as one."""


@frozen
class Members:
    """The nodes of a partition with names, whether or not anything else is known of them, and groups without names.

    `none` is set where Slurm said that the partition has no nodes. Without it, no nodes mean that nothing was printed.
    """

    named: tuple[SlurmNode, ...] = ()
    unnamed: tuple[NodeGroup, ...] = ()
    none: bool = False


def members_by_partition(facts: SlurmFacts) -> dict[str, Members]:
    """The nodes of each partition: as the nodes and the partitions state it, together."""
    nodes = {node.name: node for node in facts.nodes}
    stated: dict[str, dict[str, SlurmNode]] = {partition.name: {} for partition in facts.partitions}
    for node in facts.nodes:
        for name in node.partitions:
            stated[name][node.name] = node
    for partition in facts.partitions:
        every = partition.nodes.upper() == "ALL"  # as slurm.conf has it
        for host in nodes if every else expand_readable(partition.nodes):
            stated[partition.name].setdefault(host, nodes.get(host) or _only_named(host))
    return {partition.name: _members(partition, stated[partition.name]) for partition in facts.partitions}


def nodes_without_partition(facts: SlurmFacts) -> tuple[SlurmNode, ...]:
    """The nodes that no job can reach, because they are in no partition."""
    reachable = {node.name for members in members_by_partition(facts).values() for node in members.named}
    return tuple(node for node in facts.nodes if node.name not in reachable)


def is_undescribed(node: SlurmNode) -> bool:
    """Whether nothing was printed of what a node has."""
    return node.cpus is None and not node.gres and not node.pairs.keys() & {"RealMemory", "Gres", "CfgTRES"}


@lru_cache(maxsize=1024)
def expand_readable(hosts: str) -> tuple[str, ...]:
    """The hosts of a list; none where it cannot be read, which is reported when the partition is read."""
    try:
        return tuple(expand_hosts(hosts))
    except ValueError:
        return ()


def _members(partition: SlurmPartition, named: dict[str, SlurmNode]) -> Members:
    is_whole = not is_cut_off(partition.pairs.get("Nodes", ""))
    total = 0 if is_whole and expand_readable(partition.nodes) else _total(partition, is_whole)
    if total == 0 and not named:
        return Members(none=True)
    unnamed = []
    if named.keys() <= {host for group in partition.groups for host in group.hosts}:
        unnamed = [group for group in partition.groups if not group.hosts and group.count]
    rest = (total or 0) - len(named) - sum(group.count for group in unnamed)
    if rest > 0:
        unnamed.append(NodeGroup((), rest, None, _only_named("")))
    return Members(tuple(named.values()), tuple(unnamed))


def _total(partition: SlurmPartition, is_whole: bool) -> int | None:
    """How many nodes a partition has, where that was printed; sinfo may have printed some of them only.

    `is_whole` says that nothing of its Nodes was cut off.
    """
    in_tables = sum(group.count for group in partition.groups) if partition.groups else None
    printed_empty = 0 if is_whole and "Nodes" in partition.pairs and not partition.nodes else None
    counted = (partition.total_nodes, dict(partition.tres).get("node"), in_tables, printed_empty)
    known = [number for number in counted if number is not None]
    return min(max(known), MAX_COUNTED) if known else None


def _only_named(name: str) -> SlurmNode:
    return read_node({"NodeName": name}, 0, [])
