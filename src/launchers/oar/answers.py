"""Find the JSON in what a command of OAR printed: other programs may write lines before and after it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

READINGS = 10
"""How often a text may be read: lists that never end may begin on a thousand lines, and each is read to the end."""
COUNTING = 20
"""How many characters json counts, for the number of the line where a document breaks off, while it reads one."""
_START = re.compile(r"^[ \t]*(?=\{\s*[\"}]|\[\s*[{\[\]])", re.M)
"""Where an object or a list of them may begin: lines of a log, which begin with [INFO] or [2026-11-28], are neither."""


def find_document(text: str, fits: Callable[[Any], bool]) -> Any:
    """The first document of `find_documents`.  Raises ValueError where there is none."""
    for document in find_documents(text, fits):
        return document
    raise ValueError(f"no JSON object as is expected in {text.strip()[:80]!r}")


def find_documents(text: str, fits: Callable[[Any], bool]) -> Iterator[Any]:
    """Each object, or list of objects, in JSON that begins a line and `fits`, without those that are inside of them.

    The time is bounded by the length of the text: some 0.2 s for each MB that is no answer.
    """
    decoder, left, done = json.JSONDecoder(), READINGS * len(text), 0
    for line in _START.finditer(text):
        start = line.end()
        if start < done:
            continue
        try:
            document, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            end = getattr(error, "pos", len(text))
            left -= end // COUNTING
        else:
            if fits(document):
                yield document
                done = end
        left -= end - start
        if left < 0:
            return
