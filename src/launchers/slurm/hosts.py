"""Host lists such as ``node[1-855],gpu-01``, by ClusterShell."""

from __future__ import annotations

from collections.abc import Iterable

from launchers.offer.hosts import number


def expand(text: str) -> list[str]:
    """The names of a host list, in its order; a single name costs nothing.  ValueError for none, or too many."""
    if "[" not in text:
        return [name for name in text.split(",") if name]
    number(text)
    from ClusterShell.NodeSet import NodeSet

    return list(NodeSet(text))


def fold(names: Iterable[str]) -> str:
    """The shortest host list for these names, sorted."""
    distinct = sorted(set(names))
    if len(distinct) < 2:
        return "".join(distinct)
    from ClusterShell.NodeSet import NodeSet

    folded = NodeSet()
    folded.update(",".join(distinct))
    return str(folded)
