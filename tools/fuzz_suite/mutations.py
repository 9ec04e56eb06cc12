"""Random changes of inputs: of bytes, of lines, and of the structure of JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

LARGEST = 1 << 20
"""Bytes of an input; what is repeated again and again would fill the memory."""
BYTES = [
    b"", b"\0", b"\0" * 64, b"\x18", b"\x18\n", b"\n", b"\r\n", b"\r", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80",
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"null", b"true", b"-", b"1e999", b"NaN", b"-Infinity", b"9" * 5000,
    b"[" * 2000, b"{\"a\":" * 2000, b"\x1b[31m", b"\\ud800", b"\xe2\x80\xa8", b"%s%n", b"../", b"//", b"0x10", b"1_000",
]  # fmt: skip
"""What readers stumble over."""
NAMES = [
    "",
    "a",
    "..",
    ".",
    "/",
    "a/b",
    "\0",
    "a\0b",
    "\ud800",
    "x" * 300,
    "\n",
    "\x18",
    "%j",
    "~",
    "ok",
    "event",
    "é",
    "\x1b[31m",
]
"""Texts that are no good names."""
VALUES: list[Callable[[random.Random], Any]] = [
    lambda chance: None,
    lambda chance: chance.choice([True, False]),
    lambda chance: chance.choice([0, -1, 1, 2**31, 2**63, -(2**63), 2**64, 10**30, 10**400]),
    lambda chance: chance.choice([0.0, -0.5, 1e-300, 1e300, 1e11, float("inf"), float("-inf"), float("nan")]),
    lambda chance: chance.choice(NAMES),
    lambda chance: "x" * chance.randrange(100_000),
    lambda chance: [],
    lambda chance: {},
    lambda chance: [None] * chance.randrange(1000),
    lambda chance: _deep(chance.choice([10, 200, 5000]), chance.choice("[{")),
]
"""Values for a place that has another one."""


def mutate_json(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    """An input of the corpus with some changes: of its structure, as far as it is JSON, of its lines and of its bytes."""
    data = chance.choice(corpus)
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        change = chance.choices([change_structure, change_lines, change_bytes], [6, 2, 3])[0]
        data = change(chance, data, corpus)[:LARGEST]
    return data


def mutate_text(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    """An input of the corpus with some changes of its lines and bytes, for what is no JSON."""
    data = chance.choice(corpus)
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        data = chance.choice([change_lines, change_bytes])(chance, data, corpus)[:LARGEST]
    return data


# -- bytes -----------------------------------------------------------------------------------------------------


def change_bytes(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """Cut off, removed, repeated, overwritten, inserted, or taken from another input."""
    start, end = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
    match chance.randrange(8):
        case 0:
            return data[:start]
        case 1:
            return data[:start] + data[end:]
        case 2:
            return data[:end] + data[start:end] * chance.choice([1, 2, 20]) + data[end:]
        case 3:
            return data[:start] + bytes(end - start) + data[end:]
        case 4:
            return data[:start] + chance.randbytes(min(end - start, 1000)) + data[end:]
        case 5:
            other = chance.choice(corpus)
            return data[:start] + other[chance.randrange(len(other) + 1) :]
        case 6 if data:
            changed = bytearray(data)
            changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            return bytes(changed)
        case _:
            return data[:start] + chance.choice(BYTES) + data[start:]


def change_lines(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """A line removed, repeated, moved, indented, cut off, or taken from another input."""
    lines = data.splitlines(keepends=True) or [b""]
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    line = lines[at]
    match chance.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines.insert(to, line * chance.choice([1, 2, 100]))
        case 2:
            lines[at], lines[to] = lines[to], line
        case 3:
            lines[at] = b" " * chance.randrange(10) + line.lstrip(b" ")
        case 4:
            lines[at] = line[: chance.randrange(len(line) + 1)] + chance.choice([b"", b"\n", b"\x18\n"])
        case _:
            lines.insert(to, chance.choice(chance.choice(corpus).splitlines(keepends=True) or [b""]))
    return b"".join(lines)


# -- JSON ------------------------------------------------------------------------------------------------------


def change_structure(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """A value of the JSON, or of one of the lines that are JSON, changed, removed, added or given another name."""
    other = _parse(chance.choice(corpus)) or _parse(chance.choice(chance.choice(corpus).splitlines() or [b""]))
    whole = _parse(data)
    if whole is not None:
        return _dump(_change(chance, whole, other))
    lines = data.splitlines()
    at = chance.randrange(len(lines)) if lines else 0
    entry = _parse(lines[at]) if lines else None
    if entry is None:
        return change_bytes(chance, data, corpus)
    lines[at] = _dump(_change(chance, entry, other))
    return b"\n".join(lines) + b"\n"


def _parse(data: bytes) -> Any:
    """The JSON; None where there is none that can be changed."""
    try:
        return json.loads(data) or None
    except (ValueError, RecursionError):
        return None


def _dump(value: Any) -> bytes:
    try:
        return json.dumps(value, indent=1 if isinstance(value, dict) and len(value) > 8 else None).encode()
    except (RecursionError, ValueError):
        return b"[" * 100_000


def _change(chance: random.Random, root: Any, other: Any) -> Any:
    """The value with one change, somewhere in it."""
    places = list(_places(root))
    if not places or chance.random() < 0.03:
        return _value(chance, other)
    holder, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[chance.choice(NAMES)] = holder.pop(key)
        case 1 | 2 if isinstance(holder, list):
            holder.insert(key, chance.choice([holder[key], _value(chance, other)]))
        case 2:
            holder[chance.choice(NAMES)] = _value(chance, other)
        case 3:
            holder[key] = _kin(chance, holder[key])
        case _:
            holder[key] = _value(chance, other)
    return root


def _kin(chance: random.Random, value: Any) -> Any:
    """Another value of the same kind, as far as there is one."""
    match value:
        case bool():
            return not value
        case int() if abs(value) >= 2**1000:  # no float is as large
            return chance.choice([-value, value + 1, str(value)])
        case int() | float():
            return chance.choice([-value, value + 1, value - 1, value * 10**6, str(value), float(value), value / 3])
        case str():
            return chance.choice(
                [value + chance.choice(NAMES), value[1:], value.upper(), [value], value * 50, {value: 1}]
            )
        case list():
            return chance.choice([value * 2, value[::-1], value[1:], {str(at): part for at, part in enumerate(value)}])
        case dict():
            return chance.choice([list(value), list(value.items()), {**value, "": None}, [value]])
        case _:
            return [value]


def _value(chance: random.Random, other: Any) -> Any:
    """A value for a place of another: one that readers stumble over, or one from elsewhere."""
    if other is not None and chance.random() < 0.3:
        places = list(_places(other))
        if places:
            holder, key = chance.choice(places)
            return json.loads(json.dumps(holder[key]))
    return chance.choice(VALUES)(chance)


def _places(root: Any) -> list[tuple[Any, Any]]:
    """Where there is a value: the list or the object that has it, and its index or name."""
    found, todo = [], [root]
    while todo:
        holder = todo.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            found.append((holder, key))
            todo.append(holder[key])
    return found


def _deep(depth: int, kind: str) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind == "[" else {"a": value}
    return value
