"""The constraints of ``sbatch --constraint``, compared with the features of a node."""

from __future__ import annotations

import re
from collections.abc import Collection

_WORD = re.compile(r"[&|()\[\]]|[^&|()\[\]\s]+")


def constraint_matches(constraint: str, features: Collection[str]) -> bool:
    """Whether a node with these features matches a constraint (man sbatch, --constraint).

    Counts, as in ``[a*2&b*1]``, are ignored. Raises ValueError for text that is no constraint.
    """
    words = _WORD.findall(constraint)[::-1]
    if not words:
        return True
    try:
        matches = _any_matches(words, features)
    except (IndexError, RecursionError):
        raise ValueError(
            f"{constraint[:60]!r} is not a constraint: a parenthesis is not closed, or a feature is missing"
        ) from None
    if words:
        raise ValueError(f"{constraint!r} is not a constraint: {words[-1]!r} is not expected there")
    return matches


# The words of a constraint are in reverse order, the next one last. IndexError means that a word is missing or wrong.


def _any_matches(words: list[str], features: Collection[str]) -> bool:
    matches = _all_match(words, features)
    while words and words[-1] == "|":
        words.pop()
        matches = _all_match(words, features) or matches
    return matches


def _all_match(words: list[str], features: Collection[str]) -> bool:
    matches = _feature_matches(words, features)
    while words and words[-1] == "&":
        words.pop()
        matches = _feature_matches(words, features) and matches
    return matches


def _feature_matches(words: list[str], features: Collection[str]) -> bool:
    """One feature, or a constraint in parentheses."""
    word = words.pop()
    if word in "([":
        matches = _any_matches(words, features)
        if words.pop() not in ")]":
            raise IndexError
        return matches
    if word in ")]&|":
        raise IndexError
    return word.partition("*")[0] in features
