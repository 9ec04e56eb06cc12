"""JSON documents in a text: one, or several, with lines of a log, HTTP headers or other text around them.

The time is linear in the text: what was read, or could not be read, is not looked at again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

_BEGINNING = re.compile(r'(?:(?P<first>^[^\S\n]*)|(?<![\w=]))(?:\{(?=\s*["}])|\[(?=\s*\{))', re.M)
_LIST = re.compile(r'"(nodes|partitions|sinfo|reservations|qos|associations)"\s*:\s*\[\s*')
_BETWEEN = re.compile(r"\s*,?\s*")
_MOST_BROKEN = 100
"""Documents that may be broken in one text; what follows is taken for text."""


def _small_number(text: str) -> int | None:
    return int(text) if len(text) < 1000 else None


_DECODER = json.JSONDecoder(strict=False)
_PATIENT_DECODER = json.JSONDecoder(strict=False, parse_int=_small_number)
"""Takes numbers of more digits than Python reads for null; it is slower."""


@frozen
class TextPart:
    """Text that is no JSON, and the line where it begins. `after_broken` JSON the rest of that comes first."""

    line: int
    text: str
    after_broken: bool = False


@frozen
class JsonPart:
    """A document, or what is whole of one that is broken: the line, how it begins, the line and reason of the break.

    One `after_broken` JSON is a piece of that.
    """

    line: int
    beginning: str
    value: Any
    broken: tuple[int, str] | None = None
    after_broken: bool = False


def split_json(text: str, is_known: Callable[[Any], bool]) -> Iterator[TextPart | JsonPart]:
    """The documents of a text and what stands between them, in order.

    JSON that does not begin a line is a document only where it `is_known`: a comment of a node may hold JSON.
    """
    done, line, broken, failures = 0, 1, False, 0
    at = 0
    while "{" in text and failures < _MOST_BROKEN and (found := _BEGINNING.search(text, at)):
        begin = found.end() - 1
        value, at, failure = _decode(text, begin)
        failures += failure is not None
        if found["first"] is None and begin > done and (failure or not is_known(value)):
            continue
        yield TextPart(line, text[done:begin], broken)
        line += text.count("\n", done, begin)
        yield JsonPart(line, text[begin : begin + 80], value, failure, broken)
        line += text.count("\n", begin, at)
        done, broken = at, failure is not None
    yield TextPart(line, text[done:], broken)


def _decode(text: str, begin: int) -> tuple[Any, int, tuple[int, str] | None]:
    """The document that begins here, the index behind it, and the line and reason where it is broken."""
    for decoder in (_DECODER, _PATIENT_DECODER):
        try:
            return *decoder.raw_decode(text, begin), None
        except json.JSONDecodeError as error:
            return _whole_entries(text, begin, error.pos), max(error.pos, begin + 1), (error.lineno, error.msg)
        except ValueError:
            continue
        except RecursionError:
            break
    end = text.find("\n", begin)
    return {}, end if end > 0 else len(text), (text.count("\n", 0, begin) + 1, "it is nested too deep")


def _whole_entries(text: str, begin: int, end: int) -> dict[str, list[Any]]:
    """The entries of the lists of records that stand whole before the place where a document is broken."""
    document: dict[str, list[Any]] = {}
    at = begin
    while found := _LIST.search(text, at, end):
        entries = document.setdefault(found[1], [])
        at = found.end()
        while at < end and text[at] == "{":
            try:
                entry, at = _PATIENT_DECODER.raw_decode(text, at)
            except (ValueError, RecursionError):
                break
            entries.append(entry)
            at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
    return document
