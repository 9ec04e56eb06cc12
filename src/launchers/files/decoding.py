"""Bytes that somebody saved, as text: UTF-8, what Windows and its shells write, and old text in Latin-1."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The marks that begin a file, and what they stand for."""
_SAMPLE = 4096
"""Bytes from which it is told whether a file without a mark is UTF-16."""


def decode(content: bytes) -> str:
    """The text. Never raises: a line that is no UTF-8 is read as Latin-1."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace").removeprefix("\ufeff")
    if encoding := _utf_16_without_mark(content[:_SAMPLE]):
        return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(map(_decode_line, content.split(b"\n")))


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _utf_16_without_mark(sample: bytes) -> str:
    """The encoding where nearly every second byte is zero, as it is in UTF-16 of plain English; "" for any other."""
    half = len(sample) // 2
    even, odd = sample[: 2 * half : 2].count(0), sample[1::2].count(0)
    if half > 3 and odd > 0.9 * half and even < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if half > 3 and even > 0.9 * half and odd < 0.1 * half else ""
