"""A converted entry as YAML text with comments: stable (same facts, same bytes), sorted, made to be diffed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, get_args, get_origin

import attrs

from launchers.config import schema
from launchers.files import kinds
from launchers.quantities.units import format_memory
from launchers.quantities.words import format_time_limit

Notes = dict[tuple[Any, ...], str]
"""Comments by the path of what they are about, within the entry."""


G = TypeVar("G", schema.SlurmGroup, schema.OarGroup)


@attrs.frozen
class Converted(Generic[G]):
    """An entry of launchers.yaml and the notes that belong in it."""

    group: G
    notes: Notes = attrs.field(factory=dict)


WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z_/][\w./@+-]*", re.ASCII)
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "none", "inf", "nan"}


def to_yaml(converted: Converted[Any], head: str = "") -> str:
    """The text of a launchers.yaml with this one entry."""
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    lines.append("oar:" if isinstance(converted.group, schema.OarGroup) else "slurm:")
    body = list(_object(converted.group, converted.notes, (), 2))
    lines.append("- " + body[0].lstrip())
    return "\n".join(lines + body[1:]) + "\n"


def _object(value: Any, notes: Notes, path: tuple[Any, ...], indent: int) -> Iterator[str]:
    """The fields of an attrs object that say something, a line or a block each."""
    for one in attrs.fields(type(value)):
        item = getattr(value, one.name)
        if item is not None:
            yield from _entry(one.name, item, _inner(one.type), notes, (*path, one.name), indent)


def _entry(key: str, item: Any, kind: Any, notes: Notes, path: tuple[Any, ...], indent: int) -> Iterator[str]:
    """``key: value``, in one line where that is short and has no notes inside."""
    pad = " " * indent
    note = f"  # {notes[path]}" if path in notes else ""
    flat = f"{pad}{_scalar(key)}: {_flow(item, kind)}"
    inner = any(other[: len(path)] == path and other != path for other in notes)
    listed = isinstance(item, tuple) and item and attrs.has(type(item[0]))
    if not _is_nested(item) or (len(flat) <= WIDTH and not inner and not listed and not _is_deep(item)):
        yield flat + note
        return
    yield f"{pad}{_scalar(key)}:{note}"
    if isinstance(item, Mapping):
        of = get_args(kind)[1]
        for name, value in item.items():
            yield from _entry(name, value, of, notes, (*path, name), indent + 2)
    elif isinstance(item, tuple):
        for number, value in enumerate(item):
            yield from _item(value, notes, (*path, number), indent)
    else:
        yield from _object(item, notes, path, indent + 2)


def _item(value: Any, notes: Notes, path: tuple[Any, ...], indent: int) -> Iterator[str]:
    pad = " " * indent
    note = f"  # {notes[path]}" if path in notes else ""
    if not attrs.has(type(value)):
        yield f"{pad}- {_scalar(value)}{note}"
        return
    flat = f"{pad}- {_flow(value, type(value))}"
    inner = any(other[: len(path)] == path and other != path for other in notes)
    if isinstance(value, schema.AcceleratorSpec) and not inner:
        yield flat + note
        return
    lines = list(_object(value, notes, path, indent + 2))
    yield f"{pad}- {lines[0].lstrip()}"
    yield from lines[1:]


def _is_nested(item: Any) -> bool:
    return isinstance(item, Mapping | tuple) or attrs.has(type(item))


def _is_deep(item: Any) -> bool:
    """Partitions and accounts: always a block of their own, so that a diff is a line."""
    return isinstance(item, schema.PartitionSpec | schema.AccountSpec | schema.OarQueue | Mapping) and not _is_small(
        item
    )


def _is_small(item: Any) -> bool:
    return isinstance(item, Mapping) and not any(attrs.has(type(value)) for value in item.values())


def _inner(kind: Any) -> Any:
    """A field's type without "or None"."""
    members = [one for one in get_args(kind) if one is not type(None)]
    return members[0] if get_origin(kind) is not tuple and members and type(None) in get_args(kind) else kind


def _flow(item: Any, kind: Any) -> str:
    """A value on one line."""
    if isinstance(item, Mapping):
        values = (f"{_scalar(name)}: {_amount(name, value)}" for name, value in item.items())
        return "{" + ", ".join(values) + "}"
    if isinstance(item, tuple):
        return "[" + ", ".join(_flow(value, None) for value in item) + "]"
    if attrs.has(type(item)):
        said = [(one, getattr(item, one.name)) for one in attrs.fields(type(item))]
        inside = (f"{one.name}: {_flow(value, _inner(one.type))}" for one, value in said if value is not None)
        return "{" + ", ".join(inside) + "}"
    if kind is kinds.Memory:
        return format_memory(item)
    if kind is kinds.Duration:
        return f'"{format_time_limit(item)}"'
    return _scalar(item)


def _amount(tres: str, value: Any) -> str:
    """An amount of a TRES: memory has a unit, everything else is a number."""
    if attrs.has(type(value)):
        return _flow(value, type(value))
    return format_memory(value) if tres == "mem" and isinstance(value, int) else _scalar(value)


def _scalar(value: Any) -> str:
    """A scalar as YAML has it: plain where nobody can misread it, quoted otherwise."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
