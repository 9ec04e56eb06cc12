"""The order of candidates: the first rank that differs decides."""

from __future__ import annotations

import random
from typing import Any

from launchers.matching.answer import Candidate, Rank
from launchers.matching.fit import Fit

RANKS = ("alternative", "weight", "priority", "known", "waste")
"""The names of the first five ranks, in order; the sixth is the name."""


# -- ranking ---------------------------------------------------------------------------------------------------


def _rank(found: Fit, widest: bool) -> Rank:
    offer = found.offer
    tight = not widest and offer.group.choose != "widest"
    priority = offer.partition.priority + offer.access.priority
    return (
        found.index,
        -offer.group.weight,
        -priority,
        bool(found.assumed),
        found.waste if tight else (0, 0, 0, 0),
    )


def _name(found: Fit) -> tuple[int, str, str, str, str, str]:
    """What decides between equals: what a user gets by default, then names."""
    offer = found.offer
    qos, account = offer.access.qos or "", offer.access.account or ""
    return offer.access.rank, offer.group.name, offer.partition.name, offer.shape.name, qos, account


def _order(candidate: Candidate) -> tuple[Any, ...]:
    return candidate.rank, _busy(candidate.best), _name(candidate.best)


def _busy(found: Fit) -> tuple[int, int, int]:
    """What was seen just now, the likelier start first: idle nodes, then few that wait, then partly idle nodes."""
    signal = found.offer.partition.signal
    if signal is None:
        return 0, 0, 0
    return -min(signal.idle, found.ask.nodes), signal.waiting, -signal.mixed


def _drawn(ordered: list[Candidate], rng: random.Random | None) -> Candidate:
    """One of the best of each group that draws, by group weight: for those who want to spread."""
    first: dict[int, list[Candidate]] = {}
    for one in ordered:
        group = one.best.offer.group
        if group.choose == "random":
            equal = first.setdefault(id(group), [])
            if not equal or equal[0].rank == one.rank:
                equal.append(one)
    rng = rng or random.Random()  # noqa: S311 - spreads jobs, guards nothing
    pools = list(first.values())
    weights = [max(pool[0].best.offer.group.weight, 0) for pool in pools]
    pool = rng.choices(pools, weights if any(weights) else None)[0]
    return rng.choice(pool)


def _decided(one: Candidate, best: Candidate) -> str:
    for name, mine, other in zip(RANKS, one.rank, best.rank, strict=True):
        if mine != other:
            return name
    return "name" if _busy(one.best) == _busy(best.best) else "live"
