"""Print tables and JSON: rich tables for a person at a terminal, plain aligned text for a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def print_json(data: Any) -> None:
    """Print JSON; its keys have the order of docs/json.md."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(rows: Sequence[Sequence[str]], head: Sequence[str] = (), title: str = "") -> None:
    """Print a table: with rich at a terminal, else in plain columns."""
    if sys.stdout.isatty():
        _print_rich_table(rows, head, title)
        return
    if title:
        print(title)
    lines = [head, *rows] if head else list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for row in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_rich_table(rows: Sequence[Sequence[str]], head: Sequence[str], title: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    rich = Table(title=title or None, title_justify="left", show_header=bool(head), box=None, pad_edge=False)
    for name in head or [""] * (len(rows[0]) if rows else 0):
        rich.add_column(name, overflow="fold", header_style="bold")
    for row in rows:
        rich.add_row(*(escape(cell) for cell in row))
    Console().print(rich)
