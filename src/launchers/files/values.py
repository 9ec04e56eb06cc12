"""Read plain data as the kinds of value in `files.kinds`: a reader for each, which raises BadValueError."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import partial
from math import isfinite
from typing import Any

from launchers.files import kinds
from launchers.quantities import hosts
from launchers.quantities.units import parse_memory, parse_timespan
from launchers.sbatch_options import long_name, refusal

_NAME = re.compile(r"[^\s,\"'`$\\;|&<>(){}*?\x00-\x1f]+")
_PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FOLDED = re.compile(r"[A-Za-z0-9_.,\[\]-]+")
LONGEST_NAME = 255
"""Characters that a name may have: Slurm's database holds no more, and a key in YAML 1,024."""
SHOWN = 60
"""A value with fewer characters is repeated in messages."""
_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)


class BadValueError(ValueError):
    """A value that does not fit its place, with a code of `problems.CODES` and a suggestion what to write instead."""

    def __init__(self, code: str, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.code, self.suggestion = code, suggestion


def describe_type(value: object) -> str:
    """What a value is, for messages: ``text ('4')``, ``a list``."""
    if value is None:
        return "nothing"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    shown = f" ({value!r})" if isinstance(value, str | int | float) and len(repr(value)) < SHOWN else ""
    return names.get(type(value), type(value).__name__) + shown


def _read_memory(value: Any) -> int:
    if not isinstance(value, str):
        raise BadValueError(
            "LC103", f"memory is text with a unit, not {describe_type(value)}", f"write {value}G or {value}M"
        )
    try:
        return parse_memory(value)
    except ValueError as error:
        raise BadValueError("LC103", str(error)) from None


def _read_duration(value: Any) -> int:
    if not isinstance(value, str):
        raise BadValueError(
            "LC104", f"a duration is text with a unit, not {describe_type(value)}", f"write {value}h or {value} min"
        )
    try:
        return parse_timespan(value)
    except ValueError as error:
        raise BadValueError("LC104", str(error)) from None


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        hint = f"write '{value}'" if isinstance(value, int | float | bool) else ""
        raise BadValueError("LC102", f"text is expected here, not {describe_type(value)}", hint)
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadValueError("LC109", f"{value[:60]!r} has characters that no file or command may contain")
    return value


def _read_name(value: Any) -> str:
    text = _read_word(value)
    if len(text) > LONGEST_NAME:
        raise BadValueError("LC109", f"{text[:60]!r}... is no name: names have at most {LONGEST_NAME} characters")
    return text


def _read_word(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else _read_text(value)
    if not (_NAME.fullmatch(text) or _FOLDED.fullmatch(text)) or not text.isprintable() or len(text) > 65536:
        raise BadValueError("LC109", f"{text[:60]!r} is not a name: use no spaces, commas, quotes or shell characters")
    return text


def _read_hosts(value: Any) -> str:
    text = _read_word(value)
    try:
        hosts.count_hosts(text)
    except ValueError as error:
        raise BadValueError("LC117", str(error), "write a name, or a folded list such as n[01-16]") from None
    return text


def _read_option(value: Any) -> str:
    """The name of an option of sbatch, with ``_`` or ``-``."""
    text = _read_text(value)
    if not _OPTION.fullmatch(text):
        raise BadValueError(
            "LC109", f"{text[:60]!r} is not the name of an sbatch option", "write mail-type, without --"
        )
    _refuse_option(text, "ALL")
    return text


def _refuse_option(name: str, value: object) -> None:
    refused = refusal(name, value)
    if refused is not None:
        raise BadValueError("LC118", f"sbatch's --{long_name(name)[:60]} {refused.reason}", refused.advice)


def check_item(key_kind: Any, name: str, value: object) -> None:
    """Check a value that depends on its key, where each is read for itself. Raises BadValueError."""
    if key_kind is kinds.Option:
        _refuse_option(name, value)


def _read_line(value: Any) -> str:
    text = _read_text(value)
    if not text.isprintable() or not text.strip():
        raise BadValueError("LC109", f"{text[:60]!r} must be one line of printable text: it may reach an sbatch file")
    return text


def _read_property(value: Any) -> str:
    text = _read_text(value)
    if not _PROPERTY.fullmatch(text):
        raise BadValueError(
            "LC109", f"{text[:60]!r} is not the name of a property: use letters, digits and _, and no digit first"
        )
    return text


def _read_value(value: Any) -> str:
    if isinstance(value, bool):
        return "YES" if value else "NO"
    text = str(value) if isinstance(value, int | float) else _read_line(value)
    if "\\" in text:
        raise BadValueError("LC109", f"{text[:60]!r} has a backslash, which databases read in different ways")
    return text


def _read_regex(value: Any) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # later versions of Python read it in another way
            return re.compile(_read_text(value)).pattern
    except (re.error, FutureWarning, OverflowError, RecursionError) as error:
        raise BadValueError("LC105", f"{value!r} is not a regular expression: {error}") from None


def _read_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        hint = (
            f"write {value} without quotes" if isinstance(value, str) and value.isdigit() and len(value) < SHOWN else ""
        )
        raise BadValueError("LC102", f"a whole number is expected here, not {describe_type(value)}", hint)
    if not 0 <= value < 2**63:
        raise BadValueError("LC102", f"a number from 0 up is expected here, not {value}")
    return value


def _read_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        hint = (
            f"write {value} without quotes"
            if isinstance(value, str) and value[:1].isdigit() and len(value) < SHOWN
            else ""
        )
        raise BadValueError("LC102", f"a number is expected here, not {describe_type(value)}", hint)
    return float(value)


def _read_ratio(value: Any) -> float:
    ratio = _read_number(value)
    if not 0 <= ratio <= 1:
        raise BadValueError("LC102", f"a number from 0 to 1 is expected here, not {value}")
    return ratio


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadValueError("LC102", f"true or false is expected here, not {describe_type(value)}")
    return value


def _read_scalar(value: Any, text: Callable[[Any], str] = _read_line) -> Any:
    if isinstance(value, str):
        return text(value)
    if not isinstance(value, bool | int | float) or not isfinite(value):
        raise BadValueError("LC102", f"text, a number, or true is expected here, not {describe_type(value)}")
    return value


def _read_amount(value: Any) -> int:
    return _read_memory(value) if isinstance(value, str) else _read_count(value)


def read_choice(choices: tuple[str, ...], value: Any) -> str:
    """A value that must be one of these words. Raises BadValueError."""
    if value in choices and isinstance(value, str):
        return value
    import difflib

    near = difflib.get_close_matches(str(value)[:SHOWN].lower(), [choice.lower() for choice in choices], n=1)
    hint = next((f"did you mean {choice}?" for choice in choices if near and choice.lower() == near[0]), "")
    raise BadValueError("LC110", f"one of {', '.join(choices)} is expected here, not {describe_type(value)}", hint)


Read = Callable[[Any], Any]
"""Plain data to the value that it stands for. Raises BadValueError."""
VALUE_READERS: dict[Any, Read] = {
    kinds.Memory: _read_memory,
    kinds.Duration: _read_duration,
    kinds.Name: _read_name,
    kinds.Hosts: _read_hosts,
    kinds.Option: _read_option,
    kinds.Line: _read_line,
    kinds.Word: _read_text,
    kinds.Regex: _read_regex,
    kinds.Property: _read_property,
    kinds.Value: _read_value,
    kinds.Count: _read_count,
    kinds.Ratio: _read_ratio,
    float: _read_number,
    bool: _read_flag,
    str: _read_text,
}
"""The reader of each kind."""
UNION_READERS: dict[Any, Read] = {
    kinds.Scalar: _read_scalar,
    bool | int | float | kinds.Word: partial(_read_scalar, text=_read_text),
    kinds.Memory | kinds.Count: _read_amount,
}
"""The readers of unions of kinds, which are told apart by the type of the data."""
