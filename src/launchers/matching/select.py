"""Match a requirement against groups: try every offer, rank those that fit, merge the equal best into one answer.

The order is lexicographic, and the first difference decides: alternative, group weight, partition and QoS priority,
known before assumed, waste, a live signal where one was read, name (docs/explaining.md).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve

from launchers.matching.answer import Answer, Candidate, Selection, Skipped, SkipReason, Trial
from launchers.matching.fit import Fit, device_choices, fit, fit_untyped
from launchers.matching.merge import (
    ASSUMES_NODE_CHOICE,
    can_merge,
    merge_equals,
    merge_types,
    node_filter,
    with_same_memory,
)
from launchers.matching.rank import deciding_rank, draw, name_key, order_key, rank_of, worst_rank
from launchers.matching.rejection import Reason, break_limits
from launchers.matching.request import Request
from launchers.offer.model import Group, Partition
from launchers.requirement import Alternative, Requirement


def match(
    requirement: Requirement,
    groups: Iterable[Group],
    *,
    tags: Iterable[str] = (),
    widest: bool = False,
    thorough: bool = False,
    rng: random.Random | None = None,
) -> Answer:
    """Find the best place for `requirement` among `groups`.

    `tags` keeps groups that have any of them; a string is one tag. OAR's besteffort queues are chosen only with the tag
    besteffort, and then without a tag of their group. `widest` overrides each group's `choose`.
    `thorough` also tries the alternatives after the matching one, for a full explanation. `rng` draws for groups that
    choose at random.
    """
    wanted = frozenset({tags} if isinstance(tags, str) else tags)
    considered, skipped = _considered(groups, wanted)
    trials: list[tuple[Trial, ...]] = []
    selection = None
    for index, alternative in enumerate(requirement.alternatives):
        tried = tuple(Trial(offer, fit(offer, alternative, index)) for group in considered for offer in group.offers())
        candidates = _candidates(alternative, index, tried, widest)
        trials.append(_with_pooled(tried, candidates))
        if selection is None and candidates:
            selection = _select(alternative, candidates, tried, widest, rng)
        if selection is not None and not thorough:
            break
    return Answer(requirement, tuple(trials), selection, skipped, wanted)


def _with_pooled(trials: tuple[Trial, ...], candidates: list[Candidate]) -> tuple[Trial, ...]:
    """The trials, with those marked whose offers hold the job together with others."""
    pooled = {id(each.offer) for candidate in candidates if len(candidate.fits) > 1 for each in candidate.fits}
    return tuple(evolve(trial, pooled=True) if id(trial.offer) in pooled else trial for trial in trials)


def _considered(groups: Iterable[Group], tags: frozenset[str]) -> tuple[list[Group], tuple[Skipped, ...]]:
    considered, skipped = [], []
    for group in groups:
        if tags and not tags & group.tags and not _asks_for_besteffort(group, tags):
            skipped.append(Skipped(group, SkipReason.TAGS))
        elif group.unreachable:
            skipped.append(Skipped(group, SkipReason.UNREACHABLE))
        else:
            considered.append(_as_asked(group, tags))
    return considered, tuple(skipped)


def _asks_for_besteffort(group: Group, tags: frozenset[str]) -> bool:
    """Whether the tags ask for the besteffort queues of a group: each carries the name of its type as a tag."""
    return group.rules.besteffort in tags and any(_is_besteffort(group, partition) for partition in group.partitions)


def _is_besteffort(group: Group, partition: Partition) -> bool:
    return group.rules.besteffort in (partition.name, *partition.types)


def _as_asked(group: Group, tags: frozenset[str]) -> Group:
    """The group, closed where its jobs would be killed for others at any time and nobody has asked for that.

    Where the tags ask for besteffort and the group has none of them itself, its other queues are closed.
    """
    tag = group.rules.besteffort
    if not tag:
        return group
    if tag not in tags:
        closed, reason = True, f"its jobs are killed for others at any time; --tag {tag} asks for that"
    elif tags & group.tags:
        return group
    else:
        closed, reason = False, f"--tag {tag} asks for others"
    partitions = tuple(
        evolve(partition, closed_reason=partition.closed_reason or reason)
        if _is_besteffort(group, partition) is closed
        else partition
        for partition in group.partitions
    )
    return evolve(group, partitions=partitions)


# -- candidates ------------------------------------------------------------------------------------------------


def _candidates(alternative: Alternative, index: int, trials: Sequence[Trial], widest: bool) -> list[Candidate]:
    """Every offer that fits alone and, for several nodes, every partition whose shapes can hold the job together."""
    fits = [trial.outcome for trial in trials if isinstance(trial.outcome, Fit)]
    alone = [Candidate((each,), rank_of(each, widest=widest)) for each in fits]
    return alone + (_pooled_candidates(alternative, index, trials, widest) if alternative.nodes > 1 else [])


def _pooled_candidates(alternative: Alternative, index: int, trials: Sequence[Trial], widest: bool) -> list[Candidate]:
    """The shapes of a partition that hold a job together, where none of them holds it alone."""
    pools: dict[tuple[int, int, Request], list[Fit]] = {}
    for trial in trials:
        for part in _parts(trial, alternative, index):
            request = part.request if alternative.cpu_memory else evolve(part.request, memory=0)
            place = (id(trial.offer.partition), id(trial.offer.access), request)
            pools.setdefault(place, []).append(part)
    alone = {id(trial.offer) for trial in trials if isinstance(trial.outcome, Fit)}
    candidates: dict[frozenset[int], Candidate] = {}
    for fits in pools.values():
        ordered = sorted(fits, key=lambda each: (rank_of(each, widest=widest), name_key(each)))
        members = _enough(ordered, alternative.nodes)
        offers = frozenset(id(each.offer) for each in members)
        if not offers or any(id(each.offer) in alone for each in fits):
            continue
        if not break_limits([(each.offer, each.request, each.allocation) for each in members], alternative.nodes):
            candidate = Candidate(with_same_memory(members), worst_rank(members, widest=widest))
            candidates.setdefault(offers, candidate)
    return list(candidates.values())


def _parts(trial: Trial, alternative: Alternative, index: int) -> Iterator[Fit]:
    """How nodes of one shape can take part in a job of several.

    With the best devices, with every other choice of devices by type, and with devices of any type, where all serve.
    """
    best = trial.outcome
    if not isinstance(best, Fit):
        if not any(rejection.code is Reason.NODES and not rejection.limit for rejection in best):
            return
        best = fit(trial.offer, alternative, index, pooled=True)
    if not isinstance(best, Fit):
        return
    yield best
    for devices in device_choices(trial.offer, alternative):
        other = fit(trial.offer, alternative, index, pooled=True, only=devices)
        if isinstance(other, Fit) and other.request.devices != best.request.devices:
            yield other
    any_type = fit_untyped(trial.offer, alternative, index) if best.request.devices else None
    if any_type is not None and any_type.request.devices != best.request.devices:
        yield any_type


def _enough(fits: list[Fit], nodes: int) -> tuple[Fit, ...]:
    """The first shapes that have `nodes` nodes together; empty when all together have too few."""
    total = 0
    for index, each in enumerate(fits):
        total += nodes if each.offer.shape.count is None else each.offer.shape.count
        if total >= nodes:
            return tuple(fits[: index + 1])
    return ()


# -- choosing and merging --------------------------------------------------------------------------------------


def _select(
    alternative: Alternative,
    candidates: list[Candidate],
    trials: Sequence[Trial],
    widest: bool,
    rng: random.Random | None,
) -> Selection:
    ordered, best = _best(alternative, candidates, trials, widest, rng)
    choose = best.group.choose
    equals = [candidate for candidate in ordered if candidate.rank == best.rank and can_merge(candidate, best)]
    merged = merge_equals(alternative, best, [best] if choose == "random" else equals, trials)
    if choose == "widest" or (widest and choose != "random"):
        merged = merge_types(alternative, best, ordered, trials, merged)
    fits, of_fits = merged
    inside = {id(each.offer) for each in fits}
    passed_over = tuple(
        (candidate, deciding_rank(candidate, best))
        for candidate in ordered
        if not {id(each.offer) for each in candidate.fits} <= inside
    )
    return Selection(alternative, fits, of_fits, passed_over)


def _best(
    alternative: Alternative,
    candidates: list[Candidate],
    trials: Sequence[Trial],
    widest: bool,
    rng: random.Random | None,
) -> tuple[list[Candidate], Candidate]:
    """The candidates in their order, and the chosen one.

    A candidate that no filter can name exactly is as good as assumed, and goes behind those that are known.
    """
    ordered = sorted(candidates, key=order_key)
    while True:
        best = draw(ordered, rng) if ordered[0].group.choose == "random" else ordered[0]
        if ASSUMES_NODE_CHOICE in best.best.assumed or node_filter(alternative, best.fits, trials).exact:
            return ordered, best
        fits = tuple(evolve(each, assumed=(*each.assumed, ASSUMES_NODE_CHOICE)) for each in best.fits)
        demoted = Candidate(fits, worst_rank(fits, widest=widest))
        ordered = sorted((demoted if candidate is best else candidate for candidate in ordered), key=order_key)
