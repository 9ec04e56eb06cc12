"""Journals: files of events, one JSON object a line.  The processes that append to them may be killed at any moment.
Files that are one JSON object are read here, too.

The events of a journal are attrs classes, whose validators define what a line may have in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar

import attrs
from attr import AttrsInstance

from launchers.errors import RunError
from launchers.files.owner import open_file

E = TypeVar("E", bound=AttrsInstance)
CUT_OFF = b"\x18"
"""The end of a line that was cut off: the next process that appends writes it (ASCII's CAN, cancel)."""
TAIL = 4096
"""Bytes that are read at a time, from the end of the file, to find the last line."""
LONGEST_NUMBER = 20
"""Digits of a whole number; more than 64 bits are no size and no time."""
SHOWN = 60
"""Characters of a wrong line that an error shows."""
LATEST = 1e11
"""Seconds of the epoch before which times must be (the year 5138), as Python cannot show much later ones."""


class BadLineError(RunError):
    """A line that launchers did not write: its file and number (from 1), and what is wrong with it."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason} (only launchers writes this file: remove lines of others)")
        self.path, self.line, self.reason = path, line, reason


class BadFileError(RunError):
    """A file that launchers did not write, or that was cut off, and what is wrong with it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason} (only launchers writes this file)")
        self.path, self.reason = path, reason


def is_time(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """A validator of attrs for seconds of the epoch.  Raises ValueError for anything else."""
    if not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise ValueError("not a time", field)


def line_of(event: E, kinds: Mapping[str, type[E]]) -> str:
    """The line of a journal for an event, with a line break."""
    name = next(name for name, kind in kinds.items() if kind is type(event))
    return json.dumps({"event": name, **attrs.asdict(event)}) + "\n"


def append(path: Path, line: str) -> None:
    """Add a line, which is on disk when this returns.  Raises OSError."""
    with path.open("ab+", buffering=0) as file:  # what a full disk refuses is not tried again when it is closed
        _write(file, _missing_end(file) + line.encode())
        os.fsync(file.fileno())


def end_last_line(path: Path) -> None:
    """End a last line that was cut off, for a process that then appends by itself."""
    with path.open("ab+", buffering=0) as file:
        _write(file, _missing_end(file))


def _write(file: FileIO, data: bytes) -> None:
    """Write all of it.  Raises OSError; then there may be a part of it."""
    while data:
        data = data[file.write(data) or 0 :]


def _missing_end(file: FileIO) -> bytes:
    """What must be written after the last line, before another one.

    A line that lacks only its line break counts as written, and gets one.  Any other one is marked with `CUT_OFF`.
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
    """The events in a file; none if there is no file.  `kinds` are their classes by name.  Raises BadLineError."""
    return [_event(path, number, entry, kinds) for number, entry in read_lines(path)]


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and the object of each line; nothing if there is no file.  Raises BadLineError.

    A line that was cut off counts as not written, and what it announces was not done: its process was killed, the disk
    was full, or the machine went down, which may leave zeros.  It is the last line, or it is marked with `CUT_OFF`.
    """
    try:
        *lines, last = _read(path).split(b"\n")
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


def read_object(path: Path) -> dict[str, Any]:
    """The object in a file that is one, which may have anything in it.

    Raises FileNotFoundError, BadFileError for what is no JSON object, and RunError where the file cannot be read.
    """
    try:
        entry = _parse(_read(path))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadFileError(path, "this is not JSON") from None
    if not isinstance(entry, dict):
        raise BadFileError(path, "this is not a JSON object")
    return entry


def _read(path: Path) -> bytes:
    """What is in a file that is no pipe and no device, as these may have no end.  Raises OSError."""
    with open_file(path, own=False) as file:
        return file.read()


def _looks_cut_off(last: bytes) -> bool:
    """Whether a last line without a line break lacks more than that."""
    return last.startswith((b"{", b"\0")) and not _is_json(last)


def _parse(line: bytes) -> Any:
    """As json.loads; raises ValueError also for JSON that is nested too deep, and for numbers that nothing has."""
    try:
        return json.loads(line, parse_int=_whole_number)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _whole_number(text: str) -> int:
    if len(text) > LONGEST_NUMBER:  # it could not be calculated with as a float
        raise ValueError("a number is too long")
    return int(text)


def _is_json(line: bytes) -> bool:
    try:
        _parse(line)
    except ValueError:
        return False
    return True


def structure_line(path: Path, number: int, entry: Mapping[str, Any], kind: type[E]) -> E:
    """An attrs object from the object of a line.  Raises BadLineError for a key that is missing, unknown or wrong."""
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
        wrong = [part.name for part in error.args if isinstance(part, attrs.Attribute)]  # attrs' validators add it
        reason = f"{wrong[0]} is {entry[wrong[0]]!r}, which it cannot be" if wrong else "a value has a wrong type"
        raise BadLineError(path, number, f"{kind.__name__}: {reason}") from None


def _event(path: Path, number: int, entry: dict[str, Any], kinds: Mapping[str, type[E]]) -> E:
    name = entry.pop("event", None)
    if not isinstance(name, str) or name not in kinds:
        reason = "no event is named" if name is None else f"there is no event {name!r}"
        raise BadLineError(path, number, f"{reason}; known events: {', '.join(kinds)}")
    return structure_line(path, number, entry, kinds[name])


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace")
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}...")
