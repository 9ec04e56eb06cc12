"""What `features_regex` reads from the names of features, in bounded time."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from launchers.bounded import Meter, OverBudgetError, work_in_child

Captured = Mapping[str, Sequence[Mapping[str, str | None]]]
"""For each feature, what the groups of each regular expression that matches it whole have captured."""
QUICK = 5_000_000
"""The most steps that are taken without a child process to take them."""


class SlowRegexError(ValueError):
    """A regular expression, number `index` of its list, that takes too long for the features that there are."""

    def __init__(self, index: int, pattern: str) -> None:
        super().__init__(f"{pattern[:100]!r} takes too long to match the features here")
        self.index = index


def read_features(patterns: Sequence[str], features: Collection[str]) -> Captured:
    """Match every feature with every regular expression. Raises SlowRegexError."""
    if not patterns or not features:
        return {}
    if _is_quick(patterns, features):
        return _match(patterns, features)
    try:
        return work_in_child(lambda meter: _match(patterns, features, meter))
    except OverBudgetError as error:
        index = int(error.place[0]) if error.place else 0
        raise SlowRegexError(index, patterns[index]) from None


def _match(patterns: Sequence[str], features: Collection[str], meter: Meter | None = None) -> Captured:
    found: dict[str, list[Mapping[str, str | None]]] = {}
    for index, pattern in enumerate(patterns):
        if meter is None:
            _match_one(pattern, features, found)
            continue
        with meter.part((index,)):
            _match_one(pattern, features, found)
    return found


def _match_one(pattern: str, features: Collection[str], found: dict[str, list[Mapping[str, str | None]]]) -> None:
    compiled = re.compile(pattern)
    for feature in features:
        match = compiled.fullmatch(feature)
        if match:
            found.setdefault(feature, []).append(match.groupdict())


def _is_quick(patterns: Sequence[str], features: Collection[str]) -> bool:
    """Whether the patterns cannot take long: none repeats a group, and each repeats at most three parts.

    Such a pattern takes no more steps than the cube of the length of a feature.
    """
    repeats = [sum(map(pattern.count, "*+{")) for pattern in patterns]
    groups = any(f"){repeat}" in pattern for pattern in patterns for repeat in "*+{")
    length = max(map(len, features))
    return not groups and max(repeats) <= 3 and len(patterns) * len(features) * length ** (max(repeats) + 1) <= QUICK
