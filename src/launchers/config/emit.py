"""A converted entry as YAML text with comments. The same facts give the same bytes, in lines that are easy to diff."""

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
"""Comments by the path of the value that they are about, within the entry."""
WIDTH = 110
"""Most characters of a mapping or list on one line."""
_PLAIN = re.compile(r"[A-Za-z_/][\w./@+-]*", re.ASCII)
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "none", "inf", "nan"}
G = TypeVar("G", schema.SlurmGroup, schema.OarGroup)
Path = tuple[Any, ...]


@attrs.frozen
class Converted(Generic[G]):
    """An entry of launchers.yaml, the comments in it, and messages on what no such file can hold."""

    group: G
    notes: Notes = attrs.field(factory=dict)
    left_out: tuple[str, ...] = ()


def to_yaml(converted: Converted[Any], head: str = "") -> str:
    """The text of a launchers.yaml with this one entry; `head` becomes a comment at its start."""
    comments = _Comments(converted.notes)
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    lines.append("oar:" if isinstance(converted.group, schema.OarGroup) else "slurm:")
    body = list(_object(converted.group, comments, (), 2))
    lines.append("- " + body[0].lstrip())
    return "\n".join(lines + body[1:]) + "\n"


@attrs.frozen
class _Comments:
    """Comments by path, and the paths that have comments below them."""

    notes: Notes
    above: frozenset[Path] = attrs.field(init=False)

    @above.default
    def _all_above(self) -> frozenset[Path]:
        return frozenset(path[:length] for path in self.notes for length in range(len(path)))

    def at(self, path: Path) -> str:
        """The end of the line of a value: its comment, if it has one."""
        if path not in self.notes:
            return ""
        return "  # " + "".join(letter if letter.isprintable() else "?" for letter in self.notes[path])


def _object(value: Any, comments: _Comments, path: Path, indent: int) -> Iterator[str]:
    """The fields of an attrs object that are set, each a line or a block."""
    for field in attrs.fields(type(value)):
        item = getattr(value, field.name)
        if item is not None:
            yield from _entry(field.name, item, _inner(field.type), comments, (*path, field.name), indent)


def _entry(key: str, item: Any, kind: Any, comments: _Comments, path: Path, indent: int) -> Iterator[str]:
    """``key: value``: one line if that is short and has no comments inside, else a block."""
    start = f"{' ' * indent}{_scalar(key)}:"
    if _is_empty(item) or not _is_nested(item) or not (_is_block(item) or path in comments.above):
        line = f"{start} {_flow(item, kind)}"
        if not _is_nested(item) or _is_empty(item) or len(line) <= WIDTH:
            yield line + comments.at(path)
            return
    yield start + comments.at(path)
    if isinstance(item, Mapping):
        kind_of_values = get_args(kind)[1]
        for name, value in item.items():
            yield from _entry(name, value, kind_of_values, comments, (*path, name), indent + 2)
    elif isinstance(item, tuple):
        for number, value in enumerate(item):
            yield from _item(value, comments, (*path, number), indent)
    else:
        yield from _object(item, comments, path, indent + 2)


def _item(value: Any, comments: _Comments, path: Path, indent: int) -> Iterator[str]:
    """``- value``; an object is a block, but for accelerators without comments inside."""
    start = f"{' ' * indent}- "
    if not attrs.has(type(value)):
        yield f"{start}{_scalar(value)}{comments.at(path)}"
    elif isinstance(value, schema.AcceleratorSpec) and path not in comments.above:
        yield f"{start}{_flow(value, type(value))}{comments.at(path)}"
    else:
        lines = list(_object(value, comments, path, indent + 2))
        yield f"{start}{lines[0].lstrip()}"
        yield from lines[1:]


def _is_nested(item: Any) -> bool:
    return isinstance(item, Mapping | tuple) or attrs.has(type(item))


def _is_empty(item: Any) -> bool:
    """Whether an object has no field that is set: a partition of which only the name is known."""
    return attrs.has(type(item)) and all(getattr(item, field.name) is None for field in attrs.fields(type(item)))


def _is_block(item: Any) -> bool:
    """Whether a value is always a block, so that a change inside is a line in a diff.

    Partitions, accounts, queues, lists of objects and mappings to objects are.
    """
    if isinstance(item, Mapping):
        return any(attrs.has(type(value)) for value in item.values())
    if isinstance(item, tuple):
        return bool(item) and attrs.has(type(item[0]))
    return isinstance(item, schema.PartitionSpec | schema.AccountSpec | schema.OarQueue)


def _inner(kind: Any) -> Any:
    """A field's type without "or None"."""
    members = [member for member in get_args(kind) if member is not type(None)]
    return members[0] if get_origin(kind) is not tuple and members and type(None) in get_args(kind) else kind


def _flow(item: Any, kind: Any) -> str:
    """A value on one line."""
    if isinstance(item, Mapping):
        values = (f"{_scalar(name)}: {_amount(name, value)}" for name, value in item.items())
        return "{" + ", ".join(values) + "}"
    if isinstance(item, tuple):
        return "[" + ", ".join(_flow(value, None) for value in item) + "]"
    if attrs.has(type(item)):
        fields = [(field, getattr(item, field.name)) for field in attrs.fields(type(item))]
        inside = (f"{field.name}: {_flow(value, _inner(field.type))}" for field, value in fields if value is not None)
        return "{" + ", ".join(inside) + "}"
    if kind is kinds.Memory:
        return format_memory(item)
    if kind is kinds.Duration:
        return f'"{format_time_limit(item)}"'
    return _scalar(item)


def _amount(tres: str, value: Any) -> str:
    """An amount of a TRES: memory with a unit, everything else as a number."""
    if attrs.has(type(value)):
        return _flow(value, type(value))
    return format_memory(value) if tres == "mem" and isinstance(value, int) else _scalar(value)


def _scalar(value: Any) -> str:
    """A scalar in YAML: quoted unless it can only be read as this text."""
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
