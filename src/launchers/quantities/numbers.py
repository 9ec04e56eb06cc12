"""Whole numbers in what other programs print."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"[0-9]{1,18}")
"""More digits no count, size or time has; thousands of them Python itself refuses to read."""


def whole_number(text: str | None) -> int | None:
    """The number from 0 up that a text states with its digits; None for any other text."""
    return int(text) if text and _WHOLE.fullmatch(text) else None
