"""GRES and TRES: the two forms in which Slurm lists resources (man gres.conf, man slurm.conf)."""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import frozen

_EMPTY = {"", "(null)", "n/a", "none"}
_SIZES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)[Bb]?", re.ASCII)


@frozen
class Gres:
    """One generic resource: ``gpu:a100:8(S:0-1)`` is name gpu, type a100, count 8, sockets 0-1."""

    name: str
    type: str | None
    count: int
    sockets: str | None = None
    no_consume: bool = False


@lru_cache(maxsize=8192)
def read_gres(text: str) -> tuple[Gres, ...]:
    """The resources of a GRES list. Raises ValueError for an item that is no GRES."""
    if text.strip().lower() in _EMPTY:
        return ()
    return tuple(_read_item(item) for item in _split_items(text.strip()))


def _split_items(text: str) -> list[str]:
    """Split a list at its commas, except those in parentheses: ``gpu:2(S:0,2),shard:4`` has two items."""
    items, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth <= 0:
            items.append(text[start:index])
            start = index + 1
    items.append(text[start:])
    return [item for item in items if item]


def _read_item(item: str) -> Gres:
    """Read ``name[:no_consume][:type][:count][(S:sockets)]``; the count is 1 where it is left out."""
    bare, _, inside = item.partition("(")
    if ")" in inside and inside.partition(")")[2]:
        raise ValueError(f"{item!r} is not a GRES: something follows the parenthesis")
    parts = bare.split(":")
    no_consume = "no_consume" in parts
    parts = [part for part in parts if part != "no_consume"]
    if not parts or not parts[0]:
        raise ValueError(f"{item!r} is not a GRES: it has no name")
    sockets = inside.rstrip(")").removeprefix("S:") if inside.startswith("S:") else None
    if len(parts) == 1:
        return Gres(parts[0], None, 1, sockets, no_consume)
    number = _AMOUNT.fullmatch(parts[-1])
    if number is None:
        return Gres(parts[0], ":".join(parts[1:]), 1, sockets, no_consume)
    count = int(float(number[1]) * _SIZES[number[2]])
    return Gres(parts[0], ":".join(parts[1:-1]) or None, count, sockets, no_consume)


@lru_cache(maxsize=8192)
def read_tres(text: str) -> tuple[tuple[str, int], ...]:
    """The amounts of a TRES list such as ``cpu=128,mem=1000G,gres/gpu:a100=8``; memory in bytes, MiB without a unit.

    Raises ValueError for an item that is no TRES.
    """
    if text.strip().lower() in _EMPTY:
        return ()
    return tuple(amount for item in text.strip().split(",") if (amount := _read_amount(item)) is not None)


def _read_amount(item: str) -> tuple[str, int] | None:
    """Read ``name=amount``; None for an empty item, or one without an amount, as in ``cpu=``."""
    name, _, value = item.rpartition("=")
    if item and not name:
        raise ValueError(f"{item!r} is not a TRES: it has no name and amount")
    if not name or not value:
        return None
    amount = _AMOUNT.fullmatch(value)
    if amount is None:
        raise ValueError(f"{item!r} is not a TRES: {value!r} is not a number")
    if name.lower().startswith("gres/") and ":" not in name:  # a type after the colon keeps its case
        name = name.lower()
    unit = _SIZES[amount[2]] if amount[2] or name != "mem" else 1024**2
    return name, int(float(amount[1]) * unit)
