"""The cells of a table: between separators, under a rule, or by their places under the header.

sinfo leaves a cell empty (RESERVATION), prints blanks inside one (REASON), and cuts one off that is too long
(docs/slurm-facts.md#what-slurm-prints).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from attrs import frozen

from launchers.slurm.records import Line

Span = tuple[int, int]
"""Where a cell begins, and the place behind it."""
NOWHERE: Span = (-1, -1)
"""The place of a cell that is empty."""
FREE = frozenset({"REASON", "COMMENT", "EXTRA"})
"""Columns with blanks in their cells."""
MAYBE_EMPTY = FREE | {"RESERVATION", "USER", "TIMESTAMP", "GRES_USED", "CLUSTER"}
"""Columns of sinfo with empty cells."""
LISTS = frozenset({"AVAIL_FEATURES", "ACTIVE_FEATURES", "GRES", "NODELIST", "REASON"})
"""Columns with commas in their cells."""
SEPARATORS = "|\t;,"
_RULE = re.compile(r"[- ]*-[- ]*")
_MOST_PIECES = 50
"""Lines that one row may be broken into."""


@frozen
class Row:
    """A row: its line, its text, and its cells; None where it does not have the columns of its table."""

    line: int
    text: str
    cells: tuple[str, ...] | None
    spans: tuple[Span, ...] = ()


@frozen
class Columns:
    """The columns of a table by name. `any_empty` says whether each of them may have empty cells.

    They are between `separator`; or at the `fields` of a rule; or under the names, at `places`.
    """

    names: tuple[str, ...]
    separator: str = ""
    fields: tuple[Span, ...] = ()
    places: tuple[Span, ...] = ()
    any_empty: bool = False

    def row(self, line: int, text: str) -> Row:
        """A row, taken apart."""
        if self.separator:
            return Row(line, text, _separated(text, self.separator, self.names))
        if self.fields:
            return Row(line, text, self._ruled(text))
        spans = self._spans(text)
        if spans is None:
            return Row(line, text, None)
        return Row(line, text, tuple(text[start:end] if start >= 0 else "" for start, end in spans), spans)

    def _ruled(self, text: str) -> tuple[str, ...] | None:
        """The cells under a rule; None where a word goes over the end of its field: blanks of the row were lost."""
        ends = [0, *(end for _, end in self.fields)]
        between = [text[end:start] for end, (start, _) in zip(ends, self.fields, strict=False)]
        if any(map(str.strip, between)) or text[ends[-1] :].strip():
            return None
        return tuple(text[start:end].strip() for start, end in self.fields)

    def _spans(self, text: str) -> tuple[Span, ...] | None:
        """Where the cells of a row are: by their places, or by their order where the blanks between them were lost."""
        words = [word.span() for word in re.finditer(r"\S+", text)]
        loose = any(start - end > 1 for (_, end), (start, _) in zip(self.places, self.places[1:], strict=False))
        in_order = tuple(words) if len(words) == len(self.names) else None
        if in_order and (not loose or all(map(_overlap, words, self.places))):
            return in_order
        placed = self._placed(words, text, split=in_order is None)
        return placed or in_order or self._squeezed(words, text)

    def _placed(self, words: Sequence[Span], text: str, *, split: bool) -> tuple[Span, ...] | None:
        """The words under the names that they touch; a word under none goes on with free text before it."""
        spans = [NOWHERE] * len(self.names)
        starts, ends = [start for start, _ in self.places], [end for _, end in self.places]
        column = -1
        for start, end in words:
            touched = range(bisect_right(ends, start), bisect_left(starts, end))
            if len(touched) > 1 and split and text[starts[touched[-1]] - 1] != " ":
                for one in touched:  # cells that fill their columns, without a blank between them
                    begin = start if one == touched[0] else starts[one]
                    spans[one] = (begin, end if one == touched[-1] else starts[one + 1])
                column = touched[-1]
                continue
            if len(touched) > 1 or (not touched and (column < 0 or self.names[column] not in FREE)):
                return None
            column = touched[0] if touched else column
            if spans[column] != NOWHERE and self.names[column] not in FREE:
                return None
            spans[column] = (start if spans[column] == NOWHERE else spans[column][0], end)
        empty = [name for name, span in zip(self.names, spans, strict=True) if span == NOWHERE]
        is_right = len(empty) < len(spans) and (self.any_empty or _maybe_empty(text).issuperset(empty))
        return tuple(spans) if is_right else None

    def _squeezed(self, words: Sequence[Span], text: str) -> tuple[Span, ...] | None:
        """The cells where a paste left one blank between words, and one column has several words, or some have none."""
        more = len(words) - len(self.names)
        free = [at for at, name in enumerate(self.names) if name in FREE]
        if more > 0 and len(free) == 1:
            at = free[0]
            return (*words[:at], (words[at][0], words[at + more][1]), *words[at + more + 1 :])
        empty = {at for at, name in enumerate(self.names) if name in _maybe_empty(text)}
        if more < 0 and len(empty) == -more:
            rest = iter(words)
            return tuple(NOWHERE if at in empty else next(rest) for at in range(len(self.names)))
        return None


def read_rows(lines: Sequence[Line], columns: Columns) -> Iterator[Row]:
    """The rows of a table; one that was broken at the width of a terminal is whole again."""
    at = 0
    while at < len(lines):
        number, text = lines[at]
        at += 1
        row = columns.row(number, text)
        for _ in range(_MOST_PIECES):
            if columns.fields or at == len(lines) or not (row.cells is None or _is_open(text)):
                break
            longer = columns.row(number, text + lines[at][1])
            if longer.cells is None or columns.row(*lines[at]).cells is not None:
                break
            row, text, at = longer, longer.text, at + 1
        yield row


def _maybe_empty(row: str) -> frozenset[str]:
    """The columns that may be empty in this row; one that counts 0 nodes, in the state n/a, names none."""
    return MAYBE_EMPTY | {"NODELIST"} if {"0", "n/a"}.issubset(row.split()) else MAYBE_EMPTY


def rule_fields(line: str) -> tuple[Span, ...]:
    """The fields of the rule under a header, ``---------- -----``; none for any other line."""
    return tuple(dashes.span() for dashes in re.finditer(r"-+", line)) if _RULE.fullmatch(line) else ()


def full_cells(columns: Columns, rows: Sequence[Row], header: str) -> list[set[int]]:
    """Of each row the columns whose cell fills all of its width: Slurm may have cut it off."""
    full: list[set[int]] = [set() for _ in rows]
    if not columns.places:
        return full
    starts = [start for start, _ in columns.places]
    by_twenty = all(start % 20 == 0 for start in starts) and (len(starts) > 1 or len(header) == 20)
    blanks = _blanks_between(columns, rows)
    narrowest = 0 if by_twenty else min(blanks.values(), default=3)
    is_tight = set(blanks.values()) == {2}  # `column -t` makes columns as wide as their cells: nothing was cut
    width_of_last = 20 if by_twenty else len(header) - starts[-1] if header.endswith(" ") else 0
    for row, found in zip(rows, full, strict=True):
        for at, (start, end) in enumerate(row.spans):
            if start < 0:
                continue
            if at in blanks and not is_tight and narrowest < 3:
                found.update({at} if starts[at + 1] - end <= narrowest else ())
            elif at == len(starts) - 1 and width_of_last:
                found.update({at} if end - start == width_of_last else ())
    return full


def _blanks_between(columns: Columns, rows: Sequence[Row]) -> dict[int, int]:
    """The least number of blanks behind each column, where it and the next one are aligned to the left."""
    starts = [start for start, _ in columns.places]
    at_left = [
        all(row.spans[at][0] in (start, -1) for row in rows if row.spans) and any(row.spans for row in rows)
        for at, start in enumerate(starts)
    ]
    blanks: dict[int, int] = {}
    for at, after in enumerate(starts[1:]):
        if at_left[at] and at_left[at + 1]:
            ends = [row.spans[at][1] for row in rows if row.spans] + [columns.places[at][1]]
            blanks[at] = max(0, after - max(ends))
    return blanks


def padded_columns(columns: Columns, rows: Sequence[Row]) -> frozenset[int]:
    """The columns where some cells are shorter than others, and the next column is aligned to the left, too."""
    padded: set[int] = set()
    for at in _blanks_between(columns, rows):
        ends = {row.spans[at][1] for row in rows if row.spans}
        padded.update({at} if len(ends - {-1}) > 1 else ())
    return frozenset(padded)


def _overlap(word: Span, name: Span) -> bool:
    return word[0] < name[1] and word[1] > name[0]


def _is_open(text: str) -> bool:
    """Whether a list goes on behind this text."""
    return text.endswith(",") or text.rfind("[") > text.rfind("]")


def _separated(text: str, separator: str, names: Sequence[str]) -> tuple[str, ...] | None:
    """The cells between separators. Where there are more than names, one column has separators in its cells."""
    cells = [cell.strip() for cell in text.split(separator)]
    more = len(cells) - len(names)
    if more > 0 and separator == ",":
        cells = [cell.strip() for cell in split_list(text)]
        more = len(cells) - len(names)
    if more > 0 and any(cells[-more:]):
        lists = [at for at, name in enumerate(names) if name in (LISTS if separator == "," else FREE)]
        if len(lists) != 1:
            return None
        at = lists[0]
        cells[at : at + more + 1] = [separator.join(cells[at : at + more + 1])]
    return tuple(cells) if len(cells) >= len(names) - 1 else None


def split_list(text: str) -> list[str]:
    """What stands between the commas of a list that are in no brackets and no parentheses."""
    items, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and depth <= 0:
            items.append(text[start:at])
            start = at + 1
    items.append(text[start:])
    return items
