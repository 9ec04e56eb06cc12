"""Time limits as Slurm writes and reads them (man sbatch, --time; man slurm.conf, MaxTime)."""

from __future__ import annotations

import re

_UNLIMITED = {"unlimited", "infinite"}
_UNSET = {"", "none", "n/a", "(null)", "partition_limit", "invalid", "not_set"}
_FORM = re.compile(r"(?:(\d{1,6})-)?(\d{1,9})(?::(\d{1,9}))?(?::(\d{1,9}))?", re.ASCII)


def parse_time(text: str) -> int | None:
    """Seconds of a time limit; None for UNLIMITED.

    The forms are minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes and
    days-hours:minutes:seconds; ``0`` asks for no limit as UNLIMITED does.  Raises ValueError for anything else.
    """
    low = text.strip().lower()
    if low in _UNLIMITED or low == "-1":
        return None
    found = _FORM.fullmatch(low)
    if not found:
        raise ValueError(
            f"{text!r} is not a time limit: Slurm takes minutes, minutes:seconds, hours:minutes:seconds, "
            "days-hours, days-hours:minutes, days-hours:minutes:seconds and UNLIMITED"
        )
    days, first, second, third = (None if part is None else int(part) for part in found.groups())
    if days is not None:
        seconds = days * 86400 + (first or 0) * 3600 + (second or 0) * 60 + (third or 0)
    elif second is None:
        seconds = (first or 0) * 60
    elif third is None:
        seconds = (first or 0) * 60 + second
    else:
        seconds = (first or 0) * 3600 + second * 60 + third
    return seconds or None


def read_limit(text: str | None) -> int | None:
    """Seconds of a limit that Slurm printed; None where it set none (UNLIMITED, NONE, empty).

    Raises ValueError for text that is no time at all.
    """
    if text is None or text.strip().lower() in _UNSET:
        return None
    return parse_time(text)
