"""What a converted entry holds and a launchers.yaml cannot: names with blanks, a memory of exabytes, 30 years.

A cluster may print anything. The file that is written of it has to load, so such a value is left out and told.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs

from launchers.config import schema
from launchers.config.emit import Converted, Notes
from launchers.files import kinds
from launchers.files.values import VALUE_READERS, BadValueError, read_choice
from launchers.quantities.units import format_memory
from launchers.quantities.words import format_time_limit

G = TypeVar("G", schema.SlurmGroup, schema.OarGroup)
_MAX_SHOWN = 60
_WRITTEN = {kinds.Memory: format_memory, kinds.Duration: format_time_limit}
"""Kinds of value that a file has in another form than the schema's classes."""


def converted(entry: G, notes: Notes) -> Converted[G]:
    """An entry with the comments in it, without what no launchers.yaml can hold; that is told in `left_out`."""
    left_out: list[str] = []
    kept = _kept(entry, left_out, ())
    return Converted(kept, notes, tuple(left_out))


def _kept(item: Any, left_out: list[str], path: tuple[Any, ...]) -> Any:
    """An attrs object with the fields, list items and mapping items that a file can hold."""
    changes = {}
    for field in attrs.fields(type(item)):
        value = getattr(item, field.name)
        if value is not None:
            kept = _kept_value(value, field.type, left_out, (*path, field.name))
            changes[field.name] = None if kept != value and _is_empty(kept) else kept
    return attrs.evolve(item, **changes)


def _is_empty(value: Any) -> bool:
    """Whether this is an object without any value, such as limits of which none could be kept."""
    return attrs.has(type(value)) and not any(inner is not None for inner in attrs.astuple(value, recurse=False))


def _kept_value(value: Any, kind: Any, left_out: list[str], path: tuple[Any, ...]) -> Any:
    """None for a value that is left out."""
    if attrs.has(type(value)):
        return _kept(value, left_out, path)
    members = [member for member in _members(kind) if member is not NoneType]
    if isinstance(value, Mapping):
        key_kind, value_kind = get_args(next(member for member in members if get_origin(member) is dict))
        kept = {
            key: _kept_value(inner, value_kind, left_out, (*path, key))
            for key, inner in value.items()
            if not _complaint(key, [key_kind], left_out, path)
        }
        return {key: inner for key, inner in kept.items() if inner is not None} or None
    if isinstance(value, tuple):
        (item_kind, _) = get_args(next(member for member in members if get_origin(member) is tuple))
        items = [_kept_value(inner, item_kind, left_out, (*path, number)) for number, inner in enumerate(value)]
        return tuple(inner for inner in items if inner is not None)
    if path[-1:] == ("mem",) and kinds.Memory in members:
        members = [kinds.Memory]  # a file has an amount of memory with its unit, among other TRES
    return None if _complaint(value, members, left_out, path) else value


def _members(kind: Any) -> tuple[Any, ...]:
    """The members of a union, or the kind itself."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _complaint(value: Any, members: list[Any], left_out: list[str], path: tuple[Any, ...]) -> bool:
    """Whether none of these kinds can have the value; then it is told."""
    problem: BadValueError | None = None
    for member in members:
        if get_origin(member) in (tuple, dict):
            continue
        try:
            if get_origin(member) is Literal:
                read_choice(get_args(member), value)
            else:
                VALUE_READERS[member](_WRITTEN[member](value) if member in _WRITTEN else value)
            return False
        except BadValueError as error:
            problem = error
    where = ".".join(str(part) for part in path)[:_MAX_SHOWN]
    left_out.append(f"{where}: {problem}; it is left out")
    return True
