"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path


def expand_user(path: str | Path) -> Path:
    """A path with the home folder of a user in place of ``~`` and ``~name``, where that is known."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user, or one without a home
        return Path(path)
