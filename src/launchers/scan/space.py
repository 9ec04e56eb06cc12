"""Parameter spaces: product, zip and list, as one list of parameter files."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from launchers.files.tree import KeyPath
from launchers.scan.schema import ParametersSpec

Row = dict[str, Any]
"""The parameters of one task."""
MAX_TASKS = 1_000_000
"""Most parameter files of one scan.  More are a mistake in a product."""


def space_problems(spec: ParametersSpec) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong with a space, each with its place in it."""
    yield from _zip_problems(spec)
    yield from _name_problems(spec)
    yield from _size_problems(spec)
    try:
        json.dumps([spec.product, spec.zip, spec.list], allow_nan=False)
    except ValueError:
        yield (), "a number is infinite or not a number, which JSON cannot express"


def _zip_problems(spec: ParametersSpec) -> Iterator[tuple[KeyPath, str]]:
    lengths = _zip_lengths(spec)
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        yield ("zip",), f"the lists have different lengths: {listed}"


def _zip_lengths(spec: ParametersSpec) -> dict[str, int]:
    return {name: len(values) for name, values in (spec.zip or {}).items()}


def _name_problems(spec: ParametersSpec) -> Iterator[tuple[KeyPath, str]]:
    in_list = {name for row in spec.list or () for name in row}
    for name, count in Counter([*(spec.product or {}), *(spec.zip or {}), *in_list]).items():
        if count > 1:
            yield (), f"{name} is in more than one of product, zip and list"


def _size_problems(spec: ParametersSpec) -> Iterator[tuple[KeyPath, str]]:
    size = _size(spec)
    if size == 0 or not (spec.product or spec.zip or spec.list):
        yield (), "it has no parameters: give product, zip or list, none of them empty"
    if size > MAX_TASKS:
        yield (), f"it has {size} combinations; {MAX_TASKS} are allowed"


def _size(spec: ParametersSpec) -> int:
    """The number of parameter files; where the lists of zip have different lengths, the shortest counts."""
    product = math.prod(len(values) for values in (spec.product or {}).values())
    return product * min(_zip_lengths(spec).values(), default=1) * (1 if spec.list is None else len(spec.list))


def space_rows(spec: ParametersSpec) -> tuple[Row, ...]:
    """The parameter files of a space without problems.  The last name of the product changes fastest."""
    listed = spec.list or ({},)
    zipped = _rows_side_by_side(spec.zip) if spec.zip else [{}]
    names = list(spec.product or {})
    product = [dict(zip(names, values, strict=True)) for values in itertools.product(*(spec.product or {}).values())]
    return tuple({**row, **side, **combination} for row in listed for side in zipped for combination in product)


def _rows_side_by_side(lists: dict[str, tuple[Any, ...]]) -> list[Row]:
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
