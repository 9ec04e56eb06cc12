"""Times and memory as schedulers take them, and in rough words for people."""

from __future__ import annotations

from launchers.quantities.units import GIB, KIB, MIB, format_timespan

DAY, HOUR, MINUTE = 86400, 3600, 60


def format_walltime(seconds: int) -> str:
    """``49:30:00``: hours, minutes and seconds, as oarsub takes a walltime."""
    return f"{seconds // HOUR}:{seconds % HOUR // MINUTE:02}:{seconds % MINUTE:02}"


def format_time_limit(seconds: int) -> str:
    """``2-01:30:00`` or ``01:30:00``, as Slurm prints a time limit."""
    days, rest = divmod(seconds, DAY)
    text = f"{rest // HOUR:02}:{rest % HOUR // MINUTE:02}:{rest % MINUTE:02}"
    return f"{days}-{text}" if days else text


def format_clock(seconds: int) -> str:
    """``2 days, 1:30:00`` or ``1:30:00``, as planit prints a duration."""
    days, rest = divmod(seconds, DAY)
    text = format_walltime(rest)
    return f"{days} day{'s' * (days != 1)}, {text}" if days else text


# -- for people ------------------------------------------------------------------------------------------------


def rough_time(seconds: float | None) -> str:
    """A time to two units at most: ``4d2h``, ``1h30m``, ``12s``, ``0.3s``; ``?`` for None."""
    if seconds is None:
        return "?"
    for unit, step in ((DAY, HOUR), (HOUR, MINUTE), (MINUTE, 1)):
        if seconds >= unit:
            return format_timespan(round(seconds / step) * step)
    return f"{seconds:.0f}s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f}s"


def rough_memory(size: int | None) -> str:
    """Bytes to two or three digits: ``156M``, ``3.1G``; ``?`` for None."""
    if size is None:
        return "?"
    for unit, name in ((KIB * GIB, "T"), (GIB, "G"), (MIB, "M")):
        if size >= unit:
            tenths = size < 10 * unit and name != "M"
            number = f"{size / unit:.1f}" if tenths else f"{size / unit:.0f}"
            return f"{number.removesuffix('.0')}{name}"
    return f"{-(-size // KIB)}K"
