"""Journals: files of events, one JSON object a line, to which processes append that may be killed at any moment.

The events of a journal are attrs classes, whose validators say what a line may hold.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import attrs
from attr import AttrsInstance

from launchers.errors import RunError

E = TypeVar("E", bound=AttrsInstance)
CUT_OFF = b"\x18"
"""The end of a line that was cut off, put there by who writes the next one: ASCII's CAN, cancel."""
TAIL = 4096
"""Bytes that are read at a time to find the last line."""
LATEST = 1e11
"""Seconds of the epoch that Python's clock can show: until the year 5138."""


class BadLineError(RunError):
    """A line that launchers did not write: `path`, `line` and what is wrong with it."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason} (only launchers writes this file: remove what is not its own)")
        self.path, self.line, self.reason = path, line, reason


def is_time(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """A validator of attrs: seconds of the epoch."""
    if not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise ValueError("not a time", field)


def line_of(event: E, kinds: Mapping[str, type[E]]) -> str:
    """An event as a line of a journal, with its end."""
    name = next(name for name, kind in kinds.items() if kind is type(event))
    return json.dumps({"event": name, **attrs.asdict(event)}) + "\n"


def append(path: Path, line: str) -> None:
    """Write a line behind the others; on disk when this returns.  Raises OSError."""
    with path.open("ab+") as file:
        file.write(_missing_end(file) + line.encode())
        file.flush()
        os.fsync(file.fileno())


def end_last_line(path: Path) -> None:
    """End the last line where it was cut off, for those who then write behind it by themselves."""
    with path.open("ab+") as file:
        file.write(_missing_end(file))


def _missing_end(file: BinaryIO) -> bytes:
    """What has to be written behind the last line before another one.

    A line that lacks nothing but its end was written, and is read so: it is ended.
    """
    start = file.seek(0, os.SEEK_END)
    last = b""
    while start and b"\n" not in last:
        length = min(start, TAIL)
        start -= length
        last = os.pread(file.fileno(), length, start) + last
        if last.endswith(b"\n"):
            return b""
    last = last.rpartition(b"\n")[2]
    if not last:
        return b""
    return b"\n" if _is_json(last) else CUT_OFF + b"\n"


def read_events(path: Path, kinds: Mapping[str, type[E]]) -> list[E]:
    """The events of a file, by the names that they have there; none where there is no file.  Raises BadLineError."""
    return [_event(path, number, entry, kinds) for number, entry in read_lines(path)]


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and the object of each line; nothing where there is no file.  Raises BadLineError.

    A line that was cut off was not written, and what it announces was not done: its process was killed, the disk was
    full, or the machine went down, which may leave zeros.  It is the last one, or marked by who wrote the next.
    """
    try:
        *lines, last = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    lines = [b"" if line.endswith(CUT_OFF) else line for line in lines]
    if not _looks_cut_off(last):
        lines.append(last)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = _parse(line)
        except ValueError:
            raise BadLineError(path, number, f"{_shown(line)} is not JSON") from None
        if not isinstance(entry, dict):
            raise BadLineError(path, number, f"{_shown(line)} is not a JSON object")
        yield number, entry


def _looks_cut_off(last: bytes) -> bool:
    """Whether a last line without its end lacks more than that."""
    return last.startswith((b"{", b"\0")) and not _is_json(last)


def _parse(line: bytes) -> Any:
    """Raises ValueError for what is not JSON."""
    try:
        return json.loads(line)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _is_json(line: bytes) -> bool:
    try:
        _parse(line)
    except ValueError:
        return False
    return True


def structured(path: Path, number: int, entry: Mapping[str, Any], kind: type[E]) -> E:
    """A line's object as an attrs class; raises BadLineError with what is missing, unknown or of another type."""
    fields = attrs.fields_dict(kind)
    for name in entry:
        if name not in fields:
            raise BadLineError(path, number, f"there is no {name!r} in {kind.__name__}")
    for name, field in fields.items():
        if name not in entry and field.default is attrs.NOTHING:
            raise BadLineError(path, number, f"{kind.__name__} has no {name!r}")
    try:
        return kind(**entry)
    except (TypeError, ValueError) as error:
        wrong = [one.name for one in error.args if isinstance(one, attrs.Attribute)]  # as attrs' validators have it
        what = f"{wrong[0]} is {entry[wrong[0]]!r}" if wrong else "a value is of another kind than it should be"
        raise BadLineError(path, number, f"{kind.__name__}: {what}") from None


def _event(path: Path, number: int, entry: dict[str, Any], kinds: Mapping[str, type[E]]) -> E:
    name = entry.pop("event", None)
    if not isinstance(name, str) or name not in kinds:
        what = "no event is named" if name is None else f"there is no event {name!r}"
        raise BadLineError(path, number, f"{what}; known events: {', '.join(kinds)}")
    return structured(path, number, entry, kinds[name])


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace")
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
