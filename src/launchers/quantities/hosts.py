"""Host lists such as ``node[1-855],gpu-01``: check them, count their hosts, expand and fold them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import prod

MOST = 100_000
"""Hosts in one list: more than any cluster has, and still folded and cut in seconds."""
_OUTSIDE = re.compile(r",(?![^\[\]]*\])")
_PART = re.compile(r"[A-Za-z0-9_.-]*(\[[^\[\]]*\]([A-Za-z0-9_.-]*))*", re.ASCII)
_RANGE = re.compile(r"(\d+)(?:-(\d+)(?:/(\d+))?)?", re.ASCII)


def number(text: str) -> int:
    """How many hosts a folded list has, one given twice counted twice.

    Raises ValueError, which says what is wrong, for what is no host list and for one of more than MOST hosts.
    """
    found = sum(_number(part, text) for part in _OUTSIDE.split(text))
    if found > MOST:
        raise ValueError(f"{text[:60]!r} has {found} hosts, and at most {MOST} are taken")
    return found


def _number(part: str, text: str) -> int:
    """Of what stands between two commas."""
    if not part:
        raise ValueError(f"{text[:60]!r} has an empty host name")
    if part.count("[") != part.count("]"):
        raise ValueError(f"{part[:60]!r} has a [ without its ], or the other way round")
    if not _PART.fullmatch(part):
        raise ValueError(f"{part[:60]!r} is not a host name: letters, digits and . _ - and ranges in [ ]")
    between = re.findall(r"\](.*?)\[", part)
    if any(one.isdigit() or not one for one in between):
        raise ValueError(f"{part[:60]!r} has two ranges with no letter between them")
    return prod(sum(map(_length, ranges.split(","))) for ranges in re.findall(r"\[(.*?)\]", part))


def _length(text: str) -> int:
    """Of a range, ``1-5`` or ``1-9/2``, or of a single number."""
    match = _RANGE.fullmatch(text)
    if match is None or len(text) > 30:
        raise ValueError(f"[{text[:60]}] is not a range of numbers such as [01-16]")
    first, last, step = match[1], match[2] or match[1], int(match[3] or 1)
    if int(last) < int(first) or not step:
        raise ValueError(f"the range {text} goes backwards: it begins above its end")
    if len(first) != len(last) and any(one[0] == "0" != one for one in (first, last)):
        raise ValueError(f"the range {text} has numbers of different width: write zeros before both, or before none")
    return (int(last) - int(first)) // step + 1


def joined(said: tuple[str, ...] | str | None) -> str:
    """`hosts:` of a file, a list or a folded list, as one folded list."""
    return ",".join(said) if isinstance(said, tuple) else said or ""


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
