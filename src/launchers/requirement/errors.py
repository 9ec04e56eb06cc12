"""The error of the requirement language: what is wrong, where, what is expected there, and the nearest word."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 100
"""Most characters of a source line that are shown."""


class RequirementSyntaxError(ValueError):
    """A requirement that cannot be read. `str()` is the whole message, with the source and a caret under the place.

    `line` and `column` count from 1. `expected` says in words what may be written there. `suggestion` is what to write
    instead, or empty.
    """

    def __init__(
        self, reason: str, source: str, offset: int, expected: Sequence[str] = (), suggestion: str = "", length: int = 1
    ) -> None:
        self.reason = reason
        self.source = source
        self.offset = min(max(offset, 0), len(source))
        self.expected = tuple(expected)
        self.suggestion = suggestion
        self.line = source.count("\n", 0, self.offset) + 1
        self.column = self.offset - (source.rfind("\n", 0, self.offset) + 1) + 1
        self.length = max(1, length)
        super().__init__(self._message())

    def _message(self) -> str:
        lines = [f"line {self.line}, column {self.column}: {self.reason}", *self._shown()]
        if self.expected:
            lines.append(f"expected {_either(self.expected)}")
        if self.suggestion:
            lines.append(f"did you mean {self.suggestion}?")
        return "\n".join(lines)

    def _shown(self) -> tuple[str, str]:
        """The source line, cut around the place, and the caret below; control characters become blanks."""
        whole = self.source.split("\n")[self.line - 1]
        start = max(0, self.column - 1 - WIDTH // 2) if len(whole) > WIDTH else 0
        piece = whole[start : start + WIDTH]
        head, tail = "..." if start else "", "..." if start + WIDTH < len(whole) else ""
        clean = "".join(letter if letter.isprintable() else " " for letter in piece)
        indent = self.column - 1 - start
        width = max(1, min(self.length, len(piece) - indent))
        return f"    {head}{clean}{tail}", "    " + " " * (len(head) + indent) + "^" * width


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
