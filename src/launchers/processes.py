"""Whether a process is still the process that it was."""

from __future__ import annotations

from pathlib import Path


def born(pid: int) -> int | None:
    """When a process started, in clock ticks since boot: a pid alone may be used again.  None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def alive(pid: int | None, when: int | None) -> bool:
    """Whether that very process still runs (a zombie does not)."""
    return pid is not None and when is not None and born(pid) == when
