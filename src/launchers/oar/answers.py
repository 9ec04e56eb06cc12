"""Find the JSON in what a command of OAR printed: other programs may write lines before and after it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import islice
from typing import Any

TRIES = 1000
"""Lines that may be the first of the JSON: brackets inside each other would take a day."""


def find_document(text: str, fits: Callable[[Any], bool]) -> Any:
    """The first object or list in JSON that begins a line and `fits`.  Raises ValueError where there is none."""
    decoder = json.JSONDecoder()
    for start in islice(re.finditer(r"^[ \t]*(?=[\[{])", text, re.M), TRIES):
        try:
            document, _ = decoder.raw_decode(text, start.end())
        except (ValueError, RecursionError):
            continue
        if fits(document):
            return document
    raise ValueError(f"no JSON object as is expected in {text.strip()[:80]!r}")
