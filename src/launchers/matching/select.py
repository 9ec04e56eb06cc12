"""Match a requirement against groups: try every offer, rank those that fit, merge the equal best into one answer.

The order is DESIGN's, lexicographic, the first difference decides: alternative, group weight, partition and QoS
priority, known before assumed, waste, a live signal where one was read, name.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve

from launchers.matching.answer import Answer, Candidate, Selection, Trial
from launchers.matching.ask import Ask
from launchers.matching.fit import Fit, choices, fit, untyped
from launchers.matching.merge import UNTOLD, _agree, _merge, _same_memory, _say, _wider
from launchers.matching.rank import _decided, _drawn, _name, _order, _rank
from launchers.offer.model import Group
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

    `tags` keeps groups that carry any of them; a plain string is one tag.  `widest` overrides each group's
    `choose`.  `thorough` tries the alternatives after the matching one too, for a full explanation.
    """
    wanted = {tags} if isinstance(tags, str) else set(tags)
    considered, skipped = _considered(groups, wanted)
    trials: list[tuple[Trial, ...]] = []
    selection = None
    for index, alternative in enumerate(requirement.alternatives):
        tried = tuple(Trial(offer, fit(offer, alternative, index)) for group in considered for offer in group.offers())
        candidates = _candidates(alternative, index, tried, widest)
        pooled = {id(one.offer) for candidate in candidates if len(candidate.fits) > 1 for one in candidate.fits}
        trials.append(tuple(evolve(trial, together=True) if id(trial.offer) in pooled else trial for trial in tried))
        if selection is None:
            selection = _select(alternative, candidates, tried, widest, rng)
        if selection is not None and not thorough:
            break
    return Answer(requirement, tuple(trials), selection, skipped)


def _considered(groups: Iterable[Group], tags: set[str]) -> tuple[list[Group], tuple[tuple[Group, str], ...]]:
    considered, skipped = [], []
    for group in groups:
        if tags and not tags & group.tags:
            skipped.append((group, "has none of the tags asked for"))
        elif group.unreachable:
            skipped.append((group, group.unreachable))
        else:
            considered.append(group)
    return considered, tuple(skipped)


def _candidates(alternative: Alternative, index: int, trials: Sequence[Trial], widest: bool) -> list[Candidate]:
    """Every offer that fits alone and, for several nodes, every partition whose shapes can hold the job together."""
    single = [trial.outcome for trial in trials if isinstance(trial.outcome, Fit)]
    found = [Candidate((one,), _rank(one, widest)) for one in single]
    return found + (_pooled(alternative, index, trials, widest) if alternative.nodes > 1 else [])


def _pooled(alternative: Alternative, index: int, trials: Sequence[Trial], widest: bool) -> list[Candidate]:
    pools: dict[tuple[int, int, Ask], list[Fit]] = {}
    alone = {id(trial.offer) for trial in trials if isinstance(trial.outcome, Fit)}
    for trial in trials:
        for outcome in _spreads(trial, alternative, index):
            ask = outcome.ask if alternative.cpu_memory else evolve(outcome.ask, memory=0)
            place = (id(trial.offer.partition), id(trial.offer.access), ask)
            pools.setdefault(place, []).append(outcome)
    candidates: dict[frozenset[int], Candidate] = {}
    for fits in pools.values():
        members = _enough(sorted(fits, key=lambda one: (_rank(one, widest), _name(one))), alternative.nodes)
        offers = frozenset(id(one.offer) for one in members)
        if offers and not any(id(one.offer) in alone for one in fits):
            pool = Candidate(_same_memory(members), max(_rank(one, widest) for one in members))
            candidates.setdefault(offers, pool)
    return list(candidates.values())


def _spreads(trial: Trial, alternative: Alternative, index: int) -> Iterator[Fit]:
    """How nodes of one shape can take part in a job of several.

    With the best devices, with every other choice of them by type, and with any, where all serve.
    """
    best = trial.outcome
    if not isinstance(best, Fit):
        if any(reason.code != "nodes" or reason.by for reason in best):
            return
        best = fit(trial.offer, alternative, index, pooled=True)
    if not isinstance(best, Fit):
        return
    yield best
    for devices in choices(trial.offer, alternative):
        other = fit(trial.offer, alternative, index, pooled=True, only=devices)
        if isinstance(other, Fit) and other.ask.devices != best.ask.devices:
            yield other
    any_type = untyped(trial.offer, alternative, index) if best.ask.devices else None
    if any_type is not None and any_type.ask.devices != best.ask.devices:
        yield any_type


def _enough(fits: list[Fit], nodes: int) -> tuple[Fit, ...]:
    """The first shapes that have `nodes` nodes together; empty when all together have too few."""
    total = 0
    for index, found in enumerate(fits):
        total += nodes if found.offer.shape.count is None else found.offer.shape.count
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
) -> Selection | None:
    if not candidates:
        return None
    ordered, best = _best(alternative, candidates, trials, widest, rng)
    equals = [one for one in ordered if one.rank == best.rank and _agree(one, best)]
    choose = best.best.offer.group.choose
    if choose == "random":
        equals = [best]
    merged, said = _merge(alternative, best, equals, trials)
    if choose == "widest" or (widest and choose != "random"):
        merged, said = _wider(alternative, best, ordered, trials, (merged, said))
    inside = {id(one.offer) for one in merged}
    passed_over = tuple(
        (one, _decided(one, best)) for one in ordered if not {id(each.offer) for each in one.fits} <= inside
    )
    assumed = tuple(dict.fromkeys(text for one in merged for text in one.assumed))
    group, ask = merged[0].offer.group, merged[0].ask
    return Selection(alternative, group, merged, ask, said, assumed, passed_over)


def _best(
    alternative: Alternative,
    candidates: list[Candidate],
    trials: Sequence[Trial],
    widest: bool,
    rng: random.Random | None,
) -> tuple[list[Candidate], Candidate]:
    """The candidates in their order, and the chosen one.

    One that no formula can say exactly is as good as assumed, and goes behind those that are known.
    """
    ordered = sorted(candidates, key=_order)
    while True:
        best = _drawn(ordered, rng) if ordered[0].best.offer.group.choose == "random" else ordered[0]
        if UNTOLD in best.best.assumed or _say(alternative, best.fits, trials).exact:
            return ordered, best
        fits = tuple(evolve(one, assumed=(*one.assumed, UNTOLD)) for one in best.fits)
        demoted = Candidate(fits, max(_rank(one, widest) for one in fits))
        ordered = sorted((demoted if one is best else one for one in ordered), key=_order)
