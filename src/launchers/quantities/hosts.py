"""Host lists such as ``node[1-855],gpu-01``: check them, count their hosts, expand and fold them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ClusterShell.NodeSet import NodeSet

MAX_HOSTS = 100_000
"""Most hosts in one list: more than any cluster has, and few enough to be folded in seconds."""
_RANGES_OR_COMMA = re.compile(r"\[[^\[\]]*\]|,")
_PART = re.compile(r"[A-Za-z0-9_.-]*(\[[^\[\]]*\]([A-Za-z0-9_.-]*))*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_HUGE = re.compile(r"\d{31}", re.ASCII)
_RANGE = re.compile(r"(\d+)(?:-(\d+)(?:/(\d+))?)?", re.ASCII)


def count_hosts(text: str) -> int:
    """How many hosts a folded list has; a host that is given twice counts twice.

    Raises ValueError for text that is not a host list, and for a list of more than MAX_HOSTS hosts.
    """
    count = sum(_count_part(part, text) for part in _parts(text))
    if count > MAX_HOSTS:
        raise ValueError(f"{text[:60]!r} has {count} hosts; at most {MAX_HOSTS} are allowed")
    return count


def join_hosts(hosts: tuple[str, ...] | str | None) -> str:
    """The `hosts:` of a file, which may be a list or a folded list, as one folded list; empty for None."""
    return ",".join(hosts) if isinstance(hosts, tuple) else hosts or ""


def expand_hosts(text: str) -> list[str]:
    """The names in a host list: in its order, or sorted if it has ranges. Raises ValueError as `count_hosts` does."""
    if "[" not in text:
        return [name for name in text.split(",") if name]
    return list(host_set(text))


def host_set(text: str) -> NodeSet:
    """The hosts of a list as a set; none for "".  Raises ValueError as `count_hosts` does.

    Groups of hosts, such as ``@all``, are not looked up: what this machine knows of them may be commands to run.
    """
    if text:
        count_hosts(text)
    return _node_set(text)


def fold_hosts(names: Iterable[str]) -> str:
    """The shortest host list for these names, sorted; names that no host can have stand behind the others."""
    distinct = sorted(set(names))
    if len(distinct) < 2:
        return "".join(distinct)
    regular = [name for name in distinct if _NAME.fullmatch(name) and not _HUGE.search(name)]
    folded = str(_node_set(",".join(regular)))
    return ",".join([*filter(None, [folded]), *sorted({*distinct} - {*regular})])


def _node_set(text: str) -> NodeSet:
    from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet

    return NodeSet(text or None, resolver=RESOLVER_NOGROUP)


def _parts(text: str) -> Iterator[str]:
    """What stands between the commas that are not in brackets."""
    start = 0
    for found in _RANGES_OR_COMMA.finditer(text):
        if found[0] == ",":
            yield text[start : found.start()]
            start = found.end()
    yield text[start:]


def _count_part(part: str, text: str) -> int:
    """The hosts of one part between commas, such as ``rack[1-4]-n[01-16]``; `text` is the whole list."""
    if not part:
        raise ValueError(f"{text[:60]!r} has an empty host name")
    if part.count("[") != part.count("]"):
        raise ValueError(f"{part[:60]!r} has a [ without its ], or a ] without its [")
    if not _PART.fullmatch(part):
        raise ValueError(f"{part[:60]!r} is not a host name: use letters, digits, . _ - and ranges in [ ]")
    if _HUGE.search(part) and _HUGE.search(re.sub(r"\[.*?\]", "", part)):
        raise ValueError(f"{part[:60]!r} has a number of more than 30 digits")
    between = re.findall(r"\](.*?)\[", part)
    if any(text.isdigit() or not text for text in between):
        raise ValueError(f"{part[:60]!r} has two ranges with no letter between them")
    return prod(sum(map(_count_range, ranges.split(","))) for ranges in re.findall(r"\[(.*?)\]", part))


def _count_range(text: str) -> int:
    """The numbers in a range, ``1-5`` or ``1-9/2``, or 1 for a single number."""
    match = _RANGE.fullmatch(text)
    if match is None or len(text) > 30:
        raise ValueError(f"[{text[:60]}] is not a range of numbers such as [01-16]")
    first, last, step = match[1], match[2] or match[1], int(match[3] or 1)
    if not step:
        raise ValueError(f"the range {text} has a step of 0: a step is 1 or more")
    if int(last) < int(first):
        raise ValueError(f"the range {text} goes backwards: write the smaller number first")
    padded = any(len(number) > 1 and number[0] == "0" for number in (first, last))
    if len(first) != len(last) and padded:
        raise ValueError(f"the range {text} mixes widths: write both numbers with the same number of digits")
    return (int(last) - int(first)) // step + 1
