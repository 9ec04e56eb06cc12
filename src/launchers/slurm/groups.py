"""The rows of sinfo that are about several nodes: how many, how many of them jobs can use, what each is like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from launchers.quantities.numbers import whole_number
from launchers.slurm.facts import NodeGroup
from launchers.slurm.from_pairs import Values, read_node
from launchers.slurm.tables import USAGE

Row = Mapping[str, str]
"""Keys and values of one row, under scontrol's names where it has some."""


def groups_by_partition(tables: Iterable[Sequence[Row]]) -> dict[str, tuple[NodeGroup, ...]]:
    """The groups of each partition, from the table that says most of it: the numbers of two tables never add up.

    A cell that cannot be read counts as not printed; it is told where its nodes are read.
    """
    known: dict[str, list[tuple[NodeGroup, ...]]] = {}
    for table in tables:
        rows_of: dict[str, list[Row]] = {}
        for row in table:
            rows_of.setdefault(row["Partitions"], []).append(row)
        for name, rows in rows_of.items():
            if any(USAGE in row or not row.get("Hosts") for row in rows):  # else each node has its own record
                groups = [group for row in rows if (group := _read_group(row)) is not None]
                known.setdefault(name, []).append(tuple(sorted(groups, key=_in_text)))
    return {name: max(candidates, key=_says) for name, candidates in known.items()}


def _read_group(row: Row) -> NodeGroup | None:
    """None for a row that neither counts nor names nodes."""
    values = Values(row, 0, [])
    hosts = tuple(sorted(host for host in row.get("Hosts", "").split(",") if host))
    use = [number for text in row.get(USAGE, "").split("/") if (number := whole_number(text)) is not None]
    printed = values.number("NODES")
    count = use[3] if len(use) == 4 else len(hosts) or printed
    if count is None:
        return None
    node = read_node({"NodeName": "", **row}, 0, [])
    usable = None if node.state is None else count if node.state.usable else 0
    if len(use) == 4:
        usable = use[0] + use[1]
    return NodeGroup(hosts, count, usable, node)


def _says(groups: tuple[NodeGroup, ...]) -> tuple[int, int, int, str]:
    """What orders tables, the one that says most last; their text decides between equal ones."""
    return (
        sum(group.count for group in groups),
        sum(group.usable is not None for group in groups),
        sum(len(group.node.pairs) for group in groups),
        ";".join(map(_in_text, groups)),
    )


def _in_text(group: NodeGroup) -> str:
    return f"{group.hosts} {group.count} {group.usable} {sorted(group.node.pairs.items())}"
