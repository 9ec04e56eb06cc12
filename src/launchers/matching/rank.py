"""The order of candidates: the first rank that differs decides."""

from __future__ import annotations

import random
from typing import Any

from launchers.matching.answer import Candidate, Rank
from launchers.matching.fit import Fit

RANKS = ("alternative", "weight", "priority", "known", "waste")
"""The names of the ranks, in order. After them decide what is "live", then the "name"."""


def rank_of(fit: Fit, *, widest: bool) -> Rank:
    """The rank of one fit, smaller is better; with `widest`, or where the group chooses so, waste does not count."""
    offer = fit.offer
    tightest = not widest and offer.group.choose != "widest"
    return (
        fit.index,
        -offer.group.weight,
        -(offer.partition.priority + offer.access.priority),
        bool(fit.assumed),
        fit.waste if tightest else (0, 0, 0, 0),
    )


def worst_rank(fits: tuple[Fit, ...], *, widest: bool) -> Rank:
    """The rank of several fits that serve together: that of the worst of them."""
    return max(rank_of(fit, widest=widest) for fit in fits)


def name_key(fit: Fit) -> tuple[int, str, str, str, str, str]:
    """What decides between equals: what the user gets by default, then names."""
    offer = fit.offer
    qos, account = offer.access.qos or "", offer.access.account or ""
    return offer.access.rank, offer.group.name, offer.partition.name, offer.shape.name, qos, account


def order_key(candidate: Candidate) -> tuple[Any, ...]:
    """The key that sorts candidates, the best first."""
    return candidate.rank, _live_key(candidate.best), name_key(candidate.best)


def deciding_rank(candidate: Candidate, best: Candidate) -> str:
    """The name of the rank that put a candidate behind the best one."""
    for name, rank, better in zip(RANKS, candidate.rank, best.rank, strict=True):
        if rank != better:
            return name
    return "name" if _live_key(candidate.best) == _live_key(best.best) else "live"


def draw(ordered: list[Candidate], rng: random.Random | None) -> Candidate:
    """One of the best candidates of each group that chooses at random; groups are drawn by their weights."""
    pools: dict[int, list[Candidate]] = {}
    for candidate in ordered:
        if candidate.group.choose == "random":
            equals = pools.setdefault(id(candidate.group), [])
            if not equals or equals[0].rank == candidate.rank:
                equals.append(candidate)
    rng = rng or random.Random()  # noqa: S311 - spreads jobs, guards nothing
    weights = [max(pool[0].group.weight, 0) for pool in pools.values()]
    pool = rng.choices(list(pools.values()), weights if any(weights) else None)[0]
    return rng.choice(pool)


def _live_key(fit: Fit) -> tuple[int, int, int]:
    """The live state of the partition, the likelier start first: idle nodes, few waiting jobs, partly idle nodes."""
    signal = fit.offer.partition.signal
    if signal is None:
        return 0, 0, 0
    return -min(signal.idle, fit.request.nodes), signal.waiting, -signal.mixed
