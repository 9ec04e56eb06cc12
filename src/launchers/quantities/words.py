"""Times and memory in words for people."""

from __future__ import annotations

from launchers.requirement import format_timespan


def walltime(seconds: int) -> str:
    """``hours:minutes:seconds``, as oarsub takes it."""
    return f"{seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02}"


def format_time(seconds: int) -> str:
    """``2-12:00:00`` or ``01:30:00``, as Slurm prints a time limit."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    clock = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    return f"{days}-{clock}" if days else clock


MIB, GIB = 1024**2, 1024**3


# -- for people ------------------------------------------------------------------------------------------------


def in_time(seconds: float | None) -> str:
    """About so long: ``4d2h``, ``1h30m``, ``12s``."""
    if seconds is None:
        return "?"
    for size, part in ((86400, 3600), (3600, 60), (60, 1)):
        if seconds >= size:
            return format_timespan(round(seconds / part) * part)
    return f"{seconds:.0f}s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f}s"


def in_memory(size: int | None) -> str:
    """About so much: ``156M``, ``3.1G``."""
    if size is None:
        return "?"
    for unit, name in ((1024 * GIB, "T"), (GIB, "G"), (MIB, "M")):
        if size >= unit:
            number = f"{size / unit:.1f}" if size < 10 * unit and name != "M" else f"{size / unit:.0f}"
            return f"{number.removesuffix('.0')}{name}"
    return f"{-(-size // 1024)}K"


def clock(seconds: int) -> str:
    """``1:30:00``, as planit writes durations."""
    days, rest = divmod(seconds, 86400)
    text = f"{rest // 3600}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return f"{days} day{'s' * (days != 1)}, {text}" if days else text


def limit(seconds: int) -> str:
    """``01:30:00``, as Slurm writes a time limit."""
    days, rest = divmod(seconds, 86400)
    text = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return f"{days}-{text}" if days else text
