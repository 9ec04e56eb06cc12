"""How far something is, on stderr while a person watches; nothing at all when it is piped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from launchers.terminal import printable, raw


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar; what it gives is told how many are done, and of how many."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(file=raw(sys.stderr))
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bars:
        bar = bars.add_task(printable(label), total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)
