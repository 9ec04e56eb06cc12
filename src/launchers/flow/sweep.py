"""The cells of a sweep: every combination of the values of its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from launchers.files.problems import Problem
from launchers.files.tree import Tree

MAX_CELLS = 10_000
MAX_COMPARISONS = 5_000_000
"""Most pairs of a combination and an entry of exclude, each of which is looked at."""

Values = dict[str, Any]
"""The values of a cell by the names of arguments."""


def sweep_cells(tree: Tree, more_axes: Mapping[str, Sequence[Any]]) -> tuple[list[Values], list[Problem]]:
    """The cells of a flow's sweep, or what is wrong with their number.  `more_axes` replace and extend its matrix.

    A flow without a sweep has one cell, without values.
    """
    sweep = _as_mapping(tree.data.get("sweep"))
    matrix = {**_as_mapping(sweep.get("matrix")), **more_axes}
    axes = {name: list(values) for name, values in matrix.items() if isinstance(values, list | tuple)}
    include, exclude = _as_mappings(sweep.get("include")), _as_mappings(sweep.get("exclude"))
    combinations = prod(map(len, axes.values()))
    count = combinations + len(include)
    if count > MAX_CELLS:
        message = f"the sweep has {count} cells; at most {MAX_CELLS} are allowed"
        return [], [tree.problem("LC102", ("sweep", "matrix"), message)]
    if combinations * len(exclude) > MAX_COMPARISONS:
        message = f"the sweep has {len(exclude)} entries in exclude for {combinations} combinations; that is too many"
        return [], [tree.problem("LC102", ("sweep", "exclude"), message)]
    cells = combine(axes, include=include, exclude=exclude)
    if not cells:
        message = "the sweep has no cells: exclude leaves out every combination, or an argument has no values"
        return [], [tree.problem("LC102", ("sweep",), message)]
    return cells, []


def combine(axes: Mapping[str, Sequence[Any]], *, include: Sequence[Values], exclude: Sequence[Values]) -> list[Values]:
    """Every combination of values but those of which all values of an `exclude` are part, then those of `include`."""
    cells = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    cells = [cell for cell in cells if not any(values.items() <= cell.items() for values in exclude)]
    if include and not axes:
        cells = []  # the product of no axes is one empty cell; these are the cells
    return cells + [cell for cell in include if cell not in cells]


def _as_mapping(value: Any) -> Values:
    return value if isinstance(value, dict) else {}


def _as_mappings(value: Any) -> list[Values]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
