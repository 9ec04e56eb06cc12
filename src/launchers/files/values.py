"""The kinds of value that the schema has: plain data to what it stands for."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from launchers.files import kinds
from launchers.quantities import hosts
from launchers.quantities.units import parse_memory, parse_timespan

_NAME = re.compile(r"[^\s,\"'`$\\;|&<>(){}*?\x00-\x1f]+")
_PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FOLDED = re.compile(r"[A-Za-z0-9_.,\[\]-]+")
_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
DECIDED_OPTIONS = (
    *("account", "array", "chdir", "constraint", "cores-per-socket", "cpus-per-gpu", "cpus-per-task", "dependency"),
    *("error", "exclude", "extra-node-info", "gpus", "gpus-per-node", "gpus-per-socket", "gpus-per-task", "gres"),
    *("mem", "mem-per-cpu", "mem-per-gpu", "mincpus", "nodefile", "nodelist", "nodes", "ntasks", "ntasks-per-core"),
    *("ntasks-per-gpu", "ntasks-per-node", "ntasks-per-socket", "output", "parsable", "partition", "prefer", "qos"),
    *("sockets-per-node", "test-only", "threads-per-core", "time", "time-min", "tres-per-task", "wrap"),
)
"""The options of sbatch that come from the requirement, the choice of a launcher, and the plan."""


class BadValueError(ValueError):
    """A value that does not fit its place: a code of `problems.CODES`, what is wrong, what to write instead."""

    def __init__(self, code: str, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.code, self.suggestion = code, suggestion


def describe_type(value: object) -> str:
    """What a value is, for people."""
    if value is None:
        return "nothing"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    shown = f" ({value!r})" if isinstance(value, str | int | float) and len(repr(value)) < 60 else ""
    return names.get(type(value), type(value).__name__) + shown


def _memory(value: Any) -> int:
    if not isinstance(value, str):
        raise BadValueError(
            "LC103", f"memory is text with a unit, not {describe_type(value)}", f"write {value}G or {value}M"
        )
    try:
        return parse_memory(value)
    except ValueError as error:
        raise BadValueError("LC103", str(error)) from None


def _duration(value: Any) -> int:
    if not isinstance(value, str):
        raise BadValueError(
            "LC104", f"a duration is text with a unit, not {describe_type(value)}", f"write {value}h or {value} min"
        )
    try:
        return parse_timespan(value)
    except ValueError as error:
        raise BadValueError("LC104", str(error)) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        hint = f"write '{value}'" if isinstance(value, int | float | bool) else ""
        raise BadValueError("LC102", f"text is expected here, not {describe_type(value)}", hint)
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadValueError("LC109", f"{value[:60]!r} has characters that no file or command can have")
    return value


def _name(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)
    if not (_NAME.fullmatch(text) or _FOLDED.fullmatch(text)) or not text.isprintable() or len(text) > 65536:
        raise BadValueError("LC109", f"{text[:60]!r} is not a name: no spaces, commas, quotes or shell signs")
    return text


def _hosts(value: Any) -> str:
    text = _name(value)
    try:
        hosts.count_hosts(text)
    except ValueError as error:
        raise BadValueError("LC117", str(error), "write a name, or a folded list such as n[01-16]") from None
    return text


def _option(value: Any) -> str:
    """Slurm takes an option by its first letters as well (getopt_long), and SlurmArgs takes ``_`` for ``-``."""
    text = _text(value)
    if not _OPTION.fullmatch(text):
        raise BadValueError(
            "LC109", f"{text[:60]!r} is not the name of an sbatch option", "write mail-type, without --"
        )
    own = next((one for one in DECIDED_OPTIONS if one.startswith(text.replace("_", "-"))), None)
    if own is not None:
        said = f"sbatch's --{own} is for launchers to say, and this would override what was chosen"
        raise BadValueError("LC118", said, "ask for it in the requirement, or describe it under partitions:")
    return text


def _line(value: Any) -> str:
    text = _text(value)
    if not text.isprintable() or not text.strip():
        raise BadValueError("LC109", f"{text[:60]!r} must be one line of printable text: it may reach an sbatch file")
    return text


def _property(value: Any) -> str:
    text = _text(value)
    if not _PROPERTY.fullmatch(text):
        raise BadValueError(
            "LC109", f"{text[:60]!r} is not the name of a property: letters, digits and _, no digit first"
        )
    return text


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "YES" if value else "NO"
    text = str(value) if isinstance(value, int | float) else _line(value)
    if "\\" in text:
        raise BadValueError("LC109", f"{text[:60]!r} has a backslash, which databases read differently")
    return text


def _regex(value: Any) -> str:
    try:
        return re.compile(_text(value)).pattern
    except re.error as error:
        raise BadValueError("LC105", f"{value!r} is not a regular expression: {error}") from None


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        hint = f"write {value} without quotes" if isinstance(value, str) and value.isdigit() else ""
        raise BadValueError("LC102", f"a whole number is expected here, not {describe_type(value)}", hint)
    if not 0 <= value < 2**63:
        raise BadValueError("LC102", f"a number from 0 up is expected here, not {value}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        hint = f"write {value} without quotes" if isinstance(value, str) and value[:1].isdigit() else ""
        raise BadValueError("LC102", f"a number is expected here, not {describe_type(value)}", hint)
    return float(value)


def _ratio(value: Any) -> float:
    ratio = _number(value)
    if not 0 <= ratio <= 1:
        raise BadValueError("LC102", f"a number from 0 to 1 is expected here, not {value}")
    return ratio


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadValueError("LC102", f"true or false is expected here, not {describe_type(value)}")
    return value


def _scalar(value: Any, text: Callable[[Any], str] = _line) -> Any:
    if isinstance(value, str):
        return text(value)
    if not isinstance(value, bool | int | float):
        raise BadValueError("LC102", f"text, a number, or true is expected here, not {describe_type(value)}")
    return value


def _amount(value: Any) -> int:
    return _memory(value) if isinstance(value, str) else _count(value)


def read_choice(choices: tuple[str, ...], value: Any) -> str:
    """A value that is one of some words; raises BadValueError."""
    if value in choices and isinstance(value, str):
        return value
    import difflib

    near = difflib.get_close_matches(str(value).lower(), [str(one).lower() for one in choices], n=1)
    hint = next((f"did you mean {one}?" for one in choices if near and one.lower() == near[0]), "")
    raise BadValueError("LC110", f"one of {', '.join(choices)} is expected here, not {describe_type(value)}", hint)


Read = Callable[[Any], Any]
"""Plain data to what it stands for; raises BadValueError."""
VALUE_READERS: dict[Any, Read] = {
    kinds.Memory: _memory,
    kinds.Duration: _duration,
    kinds.Name: _name,
    kinds.Hosts: _hosts,
    kinds.Option: _option,
    kinds.Line: _line,
    kinds.Word: _text,
    kinds.Regex: _regex,
    kinds.Property: _property,
    kinds.Value: _value,
    kinds.Count: _count,
    kinds.Ratio: _ratio,
    float: _number,
    bool: _flag,
    str: _text,
}
"""The kinds, by their types in the schema."""
UNION_READERS: dict[Any, Read] = {
    kinds.Scalar: _scalar,
    bool | int | float | kinds.Word: partial(_scalar, text=_text),
    kinds.Memory | kinds.Count: _amount,
}
"""The unions of kinds whose values tell which is meant."""
