"""The option --verbose."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def commands_on_stderr(wanted: bool) -> Iterator[None]:
    """Print what `launchers` logs on stderr; it logs the commands that it runs."""
    if not wanted:
        yield
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("launchers: %(message)s"))
    log = logging.getLogger("launchers")
    before = log.level
    log.setLevel(logging.DEBUG)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
