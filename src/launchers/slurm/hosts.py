"""Host lists such as ``node[1-855],gpu-01``, by ClusterShell."""

from __future__ import annotations

from collections.abc import Iterable


def expand(text: str) -> list[str]:
    """The names of a host list, in its order; a single name costs nothing.  ValueError for what is none."""
    if "[" not in text:
        return [name for name in text.split(",") if name]
    from ClusterShell.NodeSet import NodeSet, NodeSetException

    try:
        return list(NodeSet(text))
    except NodeSetException as error:
        raise ValueError(f"{text[:60]!r} is not a host list: {error}") from error


def fold(names: Iterable[str]) -> str:
    """The shortest host list for these names, sorted."""
    distinct = sorted(set(names))
    if len(distinct) < 2:
        return "".join(distinct)
    from ClusterShell.NodeSet import NodeSet

    folded = NodeSet()
    folded.update(",".join(distinct))
    return str(folded)
