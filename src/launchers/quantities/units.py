"""Memory and time as people write them.

Memory units are Slurm's: K, M, G and T are powers of 1024, with or without B or iB, in any case.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

KIB, MIB, GIB = 1024, 1024**2, 1024**3
MAX_MEMORY = KIB**6
"""1 EiB (bytes): more than any machine has."""
MAX_SECONDS = 3660 * 86400
"""Ten years."""

_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)", re.ASCII)
_MEMORY_UNIT = re.compile(r"([KMGT])(?:I?B)?")
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)\s*", re.ASCII)
_CLOCK = re.compile(r"(?:([0-9]{1,5})-)?([0-9]{1,5})(?::([0-9]{1,2}))?(?::([0-9]{1,2}))?", re.ASCII)
_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86400),
    **dict.fromkeys(("w", "week", "weeks"), 604800),
}


def parse_memory(value: str | int) -> int:
    """Bytes, rounded up to whole KiB; a number is taken as bytes.

    Raises ValueError for text without a known unit, and for zero, a negative amount or more than `MAX_MEMORY`. The
    message says what to write instead. Raises TypeError for other types.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"memory is text such as '24G' or a number of bytes, not {value!r}")
    size = Fraction(value) if isinstance(value, int) else _bytes(value.strip())
    if size <= 0:
        raise ValueError(f"memory must be more than zero, not {_quoted(value)}")
    if size > MAX_MEMORY:
        raise ValueError(f"{_quoted(value)} of memory is more than any machine has")
    return int(-(-size // KIB)) * KIB


def _bytes(text: str) -> Fraction:
    if text.startswith(("-", "+")):
        raise ValueError(f"memory has no sign: write {text.lstrip('+-')} instead of {_quoted(text)}")
    found = _MEMORY.fullmatch(text)
    if not found or len(text) > 64:
        raise ValueError(f"{_quoted(text)} is not an amount of memory such as 24G, 400M or 1.5T")
    number, unit = found.groups()
    if not unit:
        raise ValueError(f"memory needs a unit: write {number}G or {number}M instead of {number}")
    prefix = _MEMORY_UNIT.fullmatch(unit.upper())
    if not prefix:
        raise ValueError(f"{_quoted(unit)} is not a unit of memory: use K, M, G or T")
    factor: int = KIB ** _POWERS[prefix[1]]
    return Fraction(number.removesuffix(".")) * factor


def format_memory(size: int) -> str:
    """The shortest exact text for a number of bytes: ``24G``, ``1536G``, ``400M``. A part of a KiB rounds up."""
    kib = -(-size // KIB)
    for unit in "KMG":
        if kib % KIB:
            return f"{kib}{unit}"
        kib //= KIB
    return f"{kib}T"


def parse_timespan(value: str | int | timedelta) -> int:
    """Seconds, rounded up; a number is taken as seconds.

    Text may be ``4 days``, ``1h30m``, ``1.5 h``, ``2-12:00:00`` or ``1:30:00``. Raises ValueError for any other text,
    and for zero, a negative time or more than `MAX_SECONDS`. The message says what to write instead. Raises TypeError
    for other types.
    """
    if isinstance(value, timedelta):
        value = int(-(-value.total_seconds() // 1))
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"a duration is text such as '4 days', seconds or a timedelta, not {value!r}")
    seconds = Fraction(value) if isinstance(value, int) else _seconds(value.strip())
    if seconds <= 0:
        raise ValueError(f"a duration must be more than zero, not {_quoted(value)}")
    if seconds > MAX_SECONDS:
        raise ValueError(f"{_quoted(value)} is longer than ten years")
    return int(-(-seconds // 1))


def _seconds(text: str) -> Fraction:
    if text.startswith(("-", "+")):
        raise ValueError(f"a duration has no sign: write {text.lstrip('+-')} instead of {_quoted(text)}")
    if ":" in text or re.fullmatch(r"[0-9]+-[0-9]+", text, re.ASCII):
        return Fraction(_clock(text))
    total, position = Fraction(0), 0
    while position < len(text) and len(text) <= 64:
        part = _PART.match(text, position)
        if not part:
            break
        number, unit = part.groups()
        if not unit:
            raise ValueError(f"a duration needs a unit: write {number}h, {number} min or {number} days")
        if unit.lower() not in _SECONDS:
            raise ValueError(f"{_quoted(unit)} is not a unit of time: use s, min, h, days or weeks")
        total += Fraction(number.removesuffix(".")) * _SECONDS[unit.lower()]
        position = part.end()
    if position < len(text) or not text:
        raise ValueError(f"{_quoted(text)} is not a duration such as 4 days, 1h30m or 2-12:00:00")
    return total


def _clock(text: str) -> int:
    """Seconds of ``[days-]hours:minutes:seconds`` or of Slurm's shorter forms (man sbatch, --time), except m:s.

    Slurm reads 1:30 as minutes and seconds, people read hours and minutes, so it is refused.
    """
    match = _CLOCK.fullmatch(text)
    if not match:
        raise ValueError(f"{_quoted(text)} is not a time such as 1:30:00 or 2-12:00:00")
    has_days, has_seconds = match[1] is not None, match[4] is not None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if not has_days and not has_seconds:
        raise ValueError(
            f"{text} could be hours and minutes or, as Slurm reads it, minutes and seconds: "
            f"write {hours}h{minutes}m or {hours}m{minutes}s"
        )
    if minutes > 59 or seconds > 59 or (has_days and hours > 23):
        raise ValueError(f"{text} is not a time: minutes and seconds go up to 59, hours after days up to 23")
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def format_timespan(seconds: int) -> str:
    """The canonical text for seconds: ``4d``, ``1h30m``, ``1d12h``."""
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _quoted(value: str | int) -> str:
    """A value as it was written, cut to 40 characters."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:36]}...{text[-1]}"
