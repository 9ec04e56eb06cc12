"""Print tables and JSON: rich tables for a person at a terminal, plain aligned text for a pipe.

Colours are those of launchers alone: a cell has no markup, no control character and no line break.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from launchers.terminal import printable, raw

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_json(data: Any) -> None:
    """Print JSON; its keys have the order of docs/json.md."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    if not _can_be_printed(text):
        text = json.dumps(data, indent=2)
    print(text)


def _can_be_printed(text: str) -> bool:
    """Whether stdout takes a text as it is: what it would write otherwise is not JSON."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return printable(text) == text


def cell(text: str) -> str:
    """A text for one line of a table."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def print_table(rows: Sequence[Sequence[str]], head: Sequence[str] = (), title: str = "") -> None:
    """Print a table: with rich at a terminal, else in plain columns."""
    if sys.stdout.isatty():
        _print_rich_table(rows, head, title)
        return
    if title:
        print(title)
    lines = [[cell(text) for text in row] for row in ([head, *rows] if head else rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for row in lines:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _print_rich_table(rows: Sequence[Sequence[str]], head: Sequence[str], title: str) -> None:
    console().print(rich_table(rows, head, title))


def rich_table(rows: Sequence[Sequence[str]], head: Sequence[str], title: str = "") -> Table:
    """A table for a terminal."""
    from rich.table import Table
    from rich.text import Text

    rich = Table(title=Text(cell(title)) if title else None, title_justify="left", box=None, pad_edge=False)
    rich.show_header = bool(head)
    for name in head or [""] * (len(rows[0]) if rows else 0):
        rich.add_column(Text(cell(name)), overflow="fold", header_style="bold")
    for row in rows:
        rich.add_row(*(Text(cell(text)) for text in row))
    return rich


def console() -> Console:
    """Stdout for rich, which may send what moves the cursor of a terminal."""
    from rich.console import Console

    return Console(file=raw(sys.stdout))
