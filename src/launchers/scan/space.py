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
MAX_TASKS = 1_000_000
"""Parameter files of one scan: more is a mistake in a product."""


def space_problems(spec: ParametersSpec) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong with a space, each with its place in it."""
    lengths = {name: len(values) for name, values in (spec.zip or {}).items()}
    if len(set(lengths.values())) > 1:
        yield ("zip",), f"the lists have different lengths: {', '.join(f'{k} {v}' for k, v in lengths.items())}"
    listed = {name for row in spec.list or () for name in row}
    for name, count in Counter([*(spec.product or {}), *(spec.zip or {}), *listed]).items():
        if count > 1:
            yield (), f"{name} is in more than one of product, zip and list"
    size = math.prod(len(values) for values in (spec.product or {}).values())
    size *= min(lengths.values(), default=1) * (1 if spec.list is None else len(spec.list))
    if not (spec.product or spec.zip or spec.list) or size == 0:
        yield (), "there is nothing in it: give product, zip or list, none of them empty"
    if size > MAX_TASKS:
        yield (), f"it has {size} combinations, more than {MAX_TASKS}"
    try:
        json.dumps([spec.product, spec.zip, spec.list], allow_nan=False)
    except ValueError:
        yield (), "a number in it is not finite, which JSON cannot say"


def space_rows(spec: ParametersSpec) -> tuple[Row, ...]:
    """The parameter files of a right space, the last name of the product changing fastest."""
    listed = spec.list or ({},)
    zipped = (
        [dict(zip(spec.zip, values, strict=True)) for values in zip(*spec.zip.values(), strict=True)]
        if (spec.zip)
        else [{}]
    )
    names = list(spec.product or {})
    product = [dict(zip(names, values, strict=True)) for values in itertools.product(*(spec.product or {}).values())]
    return tuple({**one, **side, **combination} for one in listed for side in zipped for combination in product)
