"""A requirement near the one asked for that would match, as data."""

from __future__ import annotations

from enum import StrEnum

from attrs import field, frozen

from launchers.offer.model import Offer
from launchers.requirement import Alternative


class Term(StrEnum):
    """What can be changed in a requirement; the value is its name for people and in JSON."""

    GPU_KIND = "GPU kind"
    GPU_MODEL = "GPU model"
    GPU_MEMORY = "GPU memory"
    GPUS = "GPUs"
    MEMORY = "memory"
    CORES = "cores"
    NODES = "nodes"
    DURATION = "duration"


@frozen
class Change:
    """One term to change from `asked` to `to` (bytes, seconds, a count, or what the offer has).

    With `is_minimum` also more than `to` would do, else less.
    """

    term: Term
    asked: int | str | None
    to: int | str | None
    is_minimum: bool = False


@frozen(eq=False)
class Relaxation:
    """A requirement that would match on `offers`, and what to change to get there.

    `distance` is the number of changes and their size; the nearest relaxation is the smallest.
    """

    offers: tuple[Offer, ...]
    alternative: Alternative
    changes: tuple[Change, ...]
    distance: tuple[int, float] = field(repr=False)

    @property
    def places(self) -> tuple[str, ...]:
        """Where it would match: partitions, or groups that have none."""
        return tuple(dict.fromkeys(map(place_of, self.offers)))


def place_of(offer: Offer) -> str:
    """The partition of an offer, or its group where there is none."""
    return offer.partition.name or offer.group.name
