"""Time limits as Slurm prints and reads them (man sbatch, --time; man slurm.conf, MaxTime)."""

from __future__ import annotations

import re

_UNLIMITED = {"unlimited", "infinite", "-1"}
_UNSET = {"", "none", "n/a", "(null)", "partition_limit", "invalid", "not_set"}
_FORM = re.compile(r"(?:\d{1,6}-)?\d{1,9}(?::\d{1,9}){0,2}", re.ASCII)


def parse_time(text: str) -> int | None:
    """The seconds of a time limit; None for no limit: ``UNLIMITED``, ``-1`` and ``0``.

    The forms are minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes and
    days-hours:minutes:seconds. Raises ValueError for anything else.
    """
    limit = text.strip().lower()
    if limit in _UNLIMITED:
        return None
    if not _FORM.fullmatch(limit):
        raise ValueError(
            f"{text!r} is not a time limit: Slurm takes minutes, minutes:seconds, hours:minutes:seconds, "
            "days-hours, days-hours:minutes, days-hours:minutes:seconds and UNLIMITED"
        )
    days, _, clock = limit.rpartition("-")
    numbers = [int(number) for number in clock.split(":")]
    if days or len(numbers) == 3:  # hours[:minutes[:seconds]]
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
    else:  # minutes[:seconds]
        hours, minutes, seconds = (0, *numbers, 0)[:3]
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds or None


def read_total(text: str) -> int | None:
    """The seconds of a limit on the time of all jobs together (man sacctmgr, GrpWall).

    0 lets no job run, and here it is 1: no job is as short.
    """
    return read_limit(text) if text.strip("0:-") else 1


def read_limit(text: str | None) -> int | None:
    """The seconds of a limit that Slurm printed; None for no limit (UNLIMITED, NONE, empty).

    Raises ValueError for text that is no time limit.
    """
    if text is None or text.strip().lower() in _UNSET:
        return None
    return parse_time(text)
