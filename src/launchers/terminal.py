"""What may reach a terminal: text that only shows itself.

A name, a reason or a line of a log may hold what a terminal obeys: it moves the cursor, renames the window, hides or
turns around what stands beside it. Such characters are shown, not sent.
"""

from __future__ import annotations

import re

_OBEYED = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and newline, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, overrides and isolates of the direction of writing
    "\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # without width: not seen
    "\u2028\u2029"  # ends of lines for some programs
    "\ud800-\udfff"  # bytes of a file name that are no UTF-8 (os.fsdecode): they cannot be written as text
    "]"
)


def printable(text: str) -> str:
    r"""A text for people, in which each character that a terminal would obey or hide is written as \x1b or \u202e.

    Newlines and tabs stay.
    """
    return _OBEYED.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
