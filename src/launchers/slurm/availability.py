"""How many nodes of a partition jobs can use, and why not the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from launchers.slurm.facts import SlurmFacts, SlurmNode, SlurmPartition
from launchers.slurm.members import expand_readable


def why_lost(nodes: Iterable[SlurmNode], facts: SlurmFacts) -> dict[str, str | None]:
    """By name of node: why jobs cannot use it; "" where they can, None where its state was not printed."""
    reserved = _nodes_in_maintenance(facts)
    why: dict[str, str | None] = {}
    for node in nodes:
        if node.name in reserved:
            why[node.name] = "reserved"
        elif node.state is None:
            why[node.name] = None
        else:
            why[node.name] = "" if node.state.usable else str(node.state)
    return why


def availability(
    nodes: Sequence[SlurmNode], partition: SlurmPartition, by_name: Mapping[str, str | None]
) -> tuple[int | None, str]:
    """How many of these nodes jobs can use, and why not the others; None for all, and where it was not printed.

    `by_name` is what `why_lost` says of all nodes of the partition.
    """
    lost = [state for node in nodes if (state := by_name[node.name])]
    silent = {node.name for node in nodes if by_name[node.name] is None}
    in_other_state, unknown = _lost_by_count(silent, partition, by_name)
    if not lost and not in_other_state:
        return None, ""
    why = sorted(set(lost)) + ([why_other(in_other_state)] if in_other_state else [])
    if unknown:
        why.append(f"the state of {unknown} was not printed")
    return len(nodes) - len(lost) - in_other_state, ", ".join(why)


def why_other(count: int) -> str:
    """What sinfo says of nodes that it counts as other, the O of NODES(A/I/O/T)."""
    return f"{count} neither allocated nor idle"


def _lost_by_count(names: Set[str], partition: SlurmPartition, by_name: Mapping[str, str | None]) -> tuple[int, int]:
    """Of nodes without a state: how many are in another state than allocated and idle, and of how many nobody knows.

    sinfo counts them row by row, as in NODES(A/I/O/T), together with the nodes whose state is known.
    """
    lost, unknown = 0, set(names)
    for group in partition.groups if names else ():
        hosts = names & set(group.hosts)
        if group.usable is None or not hosts:
            continue
        silent = {host for host in group.hosts if by_name.get(host, "") is None}
        in_other_state = group.count - group.usable - sum(bool(by_name.get(host)) for host in group.hosts)
        if in_other_state >= len(silent):
            lost += len(hosts)
        elif hosts == silent:
            lost += max(0, in_other_state)
        elif in_other_state > 0:
            continue
        unknown -= hosts
    return lost, len(unknown)


def _nodes_in_maintenance(facts: SlurmFacts) -> set[str]:
    """The nodes of active reservations for maintenance, which keep everybody out."""
    maintenance = [reservation for reservation in facts.reservations if "MAINT" in reservation.flags]
    active = [reservation for reservation in maintenance if reservation.state == "ACTIVE"]
    return {name for reservation in active for name in expand_readable(reservation.nodes)}
