"""Print tables and JSON: rich tables for a person at a terminal, plain aligned text for a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def emit(data: Any) -> None:
    """JSON on stdout, stable: keys in the order of the documentation."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = (), title: str = "") -> None:
    """A table: drawn by rich at a terminal, plain columns otherwise."""
    if sys.stdout.isatty():
        _drawn(rows, head, title)
        return
    if title:
        print(title)
    everything = [head, *rows] if head else list(rows)
    widths = (
        [max((len(row[column]) for row in everything), default=0) for column in range(len(everything[0]))]
        if everything
        else []
    )
    for row in everything:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _drawn(rows: Sequence[Sequence[str]], head: Sequence[str], title: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(title=title or None, title_justify="left", show_header=bool(head), box=None, pad_edge=False)
    for name in head or [""] * (len(rows[0]) if rows else 0):
        drawn.add_column(name, overflow="fold", header_style="bold")
    for row in rows:
        drawn.add_row(*(escape(cell) for cell in row))
    Console().print(drawn)
