"""Clocks that nobody can set: for limits, ages and waits."""

from __future__ import annotations

import time


def since_boot() -> float:
    """Seconds since this machine was started, also those for which it slept (man clock_gettime, CLOCK_BOOTTIME)."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):  # not Linux
        return time.monotonic()
