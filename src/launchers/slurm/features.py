"""What ``sbatch --constraint`` asks of a node's features."""

from __future__ import annotations

import re
from collections.abc import Collection

_TOKEN = re.compile(r"[&|()\[\]]|[^&|()\[\]\s]+")


def constraint_matches(constraint: str, features: Collection[str]) -> bool:
    """Whether a node with these features meets a constraint (man sbatch); counts as in ``[a*2&b*1]`` are left aside.

    Raises ValueError for what is no constraint.
    """
    left = _TOKEN.findall(constraint)[::-1]
    if not left:
        return True
    try:
        answer = _either(left, features)
    except (IndexError, RecursionError):
        raise ValueError(
            f"{constraint[:60]!r} is not a constraint: a parenthesis is not closed, or something is missing"
        ) from None
    if left:
        raise ValueError(f"{constraint!r} is not a constraint: {left[-1]!r} is not expected")
    return answer


def _either(left: list[str], features: Collection[str]) -> bool:
    answer = _both(left, features)
    while left and left[-1] == "|":
        left.pop()
        answer = _both(left, features) or answer
    return answer


def _both(left: list[str], features: Collection[str]) -> bool:
    answer = _one(left, features)
    while left and left[-1] == "&":
        left.pop()
        answer = _one(left, features) and answer
    return answer


def _one(left: list[str], features: Collection[str]) -> bool:
    word = left.pop()
    if word in "([":
        answer = _either(left, features)
        if left.pop() not in ")]":
            raise IndexError
        return answer
    if word in ")]&|":
        raise IndexError
    return word.partition("*")[0] in features
