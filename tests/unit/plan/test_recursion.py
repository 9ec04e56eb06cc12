"""Recursion as generators: as deep as memory goes, with values and errors as of plain calls."""

import pytest

from launchers.plan.recursion import evaluate


def total(tree):
    """The sum of a tree of lists."""
    if isinstance(tree, int):
        return tree
    parts = []
    for part in tree:
        parts.append((yield total_of(part)))
    return sum(parts)


def total_of(tree):
    return (yield from total(tree)) if not isinstance(tree, int) else (yield from leaf(tree))


def leaf(value):
    yield from ()
    return value


def test_values_come_back():
    assert evaluate(total_of(7)) == 7
    assert evaluate(total_of([1, [2, 3], [], [[4]]])) == 10


def test_deeper_than_pythons_own_recursion():
    tree = 1
    for _ in range(50_000):
        tree = [tree, 1]
    assert evaluate(total_of(tree)) == 50_001


def test_an_error_ends_all_of_it():
    def failing():
        yield from ()
        raise ValueError("no such luck")

    def calling():
        return (yield failing())

    with pytest.raises(ValueError, match="no such luck"):
        evaluate(calling())
