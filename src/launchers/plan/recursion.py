"""Recursion as deep as a user's tree goes: Python's own ends at a thousand calls."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")
Calls = Generator["Calls[Any]", Any, T]
"""A recursive function as a generator: it yields its calls of itself, and is sent what each returned."""


def evaluate(call: Calls[T]) -> T:
    """What a recursive function returns that is written as a generator."""
    stack: list[Calls[Any]] = [call]
    returned: Any = None
    while True:
        try:
            stack.append(stack[-1].send(returned))
            returned = None
        except StopIteration as end:
            stack.pop()
            returned = end.value
            if not stack:
                return returned  # type: ignore[no-any-return]
