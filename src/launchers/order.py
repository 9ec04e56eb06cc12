"""The order in which things that wait for each other can be done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import dropwhile


class CircularWaitError(ValueError):
    """Names that wait for each other in a circle: `path` starts and ends with the same one."""

    def __init__(self, path: Sequence[str]) -> None:
        super().__init__(f"these wait for each other: {' -> '.join(path)}")
        self.path = tuple(path)


def sort_by_waits(names: Iterable[str], waits: Mapping[str, Iterable[str]]) -> list[str]:
    """The names, each behind those that it waits for, and otherwise in their order.

    Raises CircularWaitError.
    """
    done: dict[str, None] = {}
    for name in names:
        path: dict[str, Iterator[str]] = {name: iter(waits.get(name, ()))}  # each waits for the next
        while path:
            last = next(reversed(path))
            if last in done:
                path.popitem()
            elif (parent := next(path[last], None)) is None:
                done[last] = None
            elif parent in path:
                raise CircularWaitError([*dropwhile(parent.__ne__, path), parent])
            elif parent not in done:
                path[parent] = iter(waits.get(parent, ()))
    return list(done)
