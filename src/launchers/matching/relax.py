"""Find the nearest requirements that would match.

Nothing here knows a rule of matching. A relaxation follows the rejections of `fit`, and is proposed only after `fit`,
or `match` for several shapes together, has accepted it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from attrs import evolve

from launchers.matching.answer import Answer
from launchers.matching.fit import Fit, fit
from launchers.matching.rejection import NO_GPU, Reason, Rejection
from launchers.matching.relaxation import Change, Relaxation, Term, place_of
from launchers.matching.select import match
from launchers.matching.words import relaxation_text
from launchers.offer.model import Offer, Per
from launchers.quantities.units import GIB
from launchers.requirement import Accelerator, Alternative, Requirement

MAX_ROUNDS = 5
"""How often an offer may object again to what was changed for it."""

Changes = dict[Term, Change]
"""What is changed in a requirement, by the term that is changed."""
Relaxed = tuple[Alternative, Changes]
"""A changed alternative, and all that was changed in it."""

_FIELDS = {Term.MEMORY: "cpu_memory", Term.CORES: "cores", Term.NODES: "nodes", Term.DURATION: "duration"}
"""The terms that are a number, and the fields of Alternative that hold them."""
_OF_REASON = {Reason.MEMORY: Term.MEMORY, Reason.CORES: Term.CORES, Reason.NODES: Term.NODES}
"""The terms that nodes can be too small for."""
_OF_QUANTITY = {
    "duration": Term.DURATION,
    "nodes": Term.NODES,
    "cpu": Term.CORES,
    "mem": Term.MEMORY,
    "gres/gpu": Term.GPUS,
}
"""The terms that limits bound, by `Limit.quantity`."""


def relaxations(answer: Answer, most: int = 3) -> list[Relaxation]:
    """The nearest requirements that would match, nearest first: fewest changes, then the smallest ones.

    A place is named again only for another change: the same change and more is no news.
    """
    by_changes: dict[tuple[Change, ...], Relaxation] = {}
    for proposal in _proposals(answer):
        known = by_changes.get(proposal.changes)
        offers = known.offers + proposal.offers if known else proposal.offers
        by_changes[proposal.changes] = evolve(proposal, offers=tuple(dict.fromkeys(offers)))
    nearest: list[Relaxation] = []
    for relaxation in sorted(by_changes.values(), key=lambda each: (each.distance, relaxation_text(each))):
        terms = _terms(relaxation)
        nearer = {place for before in nearest if _terms(before) <= terms for place in before.places}
        offers = tuple(offer for offer in relaxation.offers if place_of(offer) not in nearer)
        if offers:
            nearest.append(evolve(relaxation, offers=offers))
    return nearest[:most]


def _terms(relaxation: Relaxation) -> set[Term]:
    return {change.term for change in relaxation.changes}


def _proposals(answer: Answer) -> Iterator[Relaxation]:
    """What would match on one offer alone, and on several shapes of a partition together."""
    for index, trials in enumerate(answer.trials):
        alternative = answer.requirement.alternatives[index]
        shapes: dict[tuple[int, int], list[Offer]] = {}
        for trial in trials:
            shapes.setdefault((id(trial.offer.partition), id(trial.offer.access)), []).append(trial.offer)
            relaxed = None if isinstance(trial.outcome, Fit) else relax_until_fit(trial.offer, alternative, {})
            if relaxed is not None:
                yield _relaxation((trial.offer,), *relaxed)
        if alternative.nodes > 1:
            for offers in shapes.values():
                yield from relax_pooled(offers, alternative)


def _relaxation(offers: tuple[Offer, ...], alternative: Alternative, changes: Changes) -> Relaxation:
    size = sum(_size(change) for change in changes.values())
    return Relaxation(offers, alternative, tuple(changes.values()), (len(changes), size))


def _size(change: Change) -> float:
    """How far a change goes: the logarithm of the ratio of numbers, 1 for anything else."""
    if isinstance(change.asked, int) and isinstance(change.to, int) and change.asked > 0 and change.to > 0:
        return abs(math.log(change.to / change.asked))
    return 1.0


# -- several shapes of a partition -----------------------------------------------------------------------------


def relax_pooled(offers: Sequence[Offer], alternative: Alternative) -> Iterator[Relaxation]:
    """What would match on several shapes of one partition: what one of them objects to, else what the nearest do."""
    if len(offers) < 2 or sum(_count_nodes(offer, alternative) for offer in offers) < alternative.nodes:
        return
    holding = cache(lambda relaxed: offers_holding(offers, relaxed))
    alike: dict[frozenset[Term], list[Relaxation]] = {}
    for offer in offers:
        relaxed = relax_until_fit(offer, alternative, {}, pooled=True)
        if relaxed is not None:
            alike.setdefault(frozenset(relaxed[1]), []).append(_relaxation((offer,), *relaxed))
    proposals = [
        evolve(nearest, offers=holding(nearest.alternative))
        for terms, near in alike.items()
        if (nearest := _nearest_holding(sorted(near, key=lambda each: each.distance), terms, holding))
    ]
    if proposals:
        yield from proposals
    else:
        everything = sorted(chain.from_iterable(alike.values()), key=lambda each: each.distance)
        yield from _relax_one_after_the_other(everything, alternative, holding)


def offers_holding(offers: Sequence[Offer], alternative: Alternative) -> tuple[Offer, ...]:
    """Those of the offers of one partition and access on which the matcher puts a job; none where nothing matches."""
    group, partition, access = offers[0].group, offers[0].partition, offers[0].access
    narrowed = evolve(group, partitions=(evolve(partition, accesses=(access,)),))
    selection = match(Requirement((alternative,)), [narrowed]).selection
    chosen = {id(offer.shape) for offer in selection.offers} if selection else set()
    return tuple(offer for offer in offers if id(offer.shape) in chosen)


def _nearest_holding(
    near: list[Relaxation], terms: frozenset[Term], holding: Callable[[Alternative], tuple[Offer, ...]]
) -> Relaxation | None:
    """The nearest relaxation with which the shapes hold the job; all of them change the same terms."""
    if not terms:
        return None
    # Of changes in one term, the larger lets in more: there is no need to try each.
    first = bisect_left(near, True, key=lambda each: bool(holding(each.alternative))) if len(terms) == 1 else 0
    return next((each for each in near[first:] if holding(each.alternative)), None)


def _relax_one_after_the_other(
    near: Sequence[Relaxation], alternative: Alternative, holding: Callable[[Alternative], tuple[Offer, ...]]
) -> Iterator[Relaxation]:
    """What the nearest offers object to, one after the other, until they hold the job."""
    changes: Changes = {}
    for relaxation in near:
        relaxed = relax_until_fit(relaxation.offers[0], alternative, changes, pooled=True)
        if relaxed is None:
            return
        alternative, changes = relaxed
        if changes and holding(alternative):
            yield _relaxation(holding(alternative), alternative, changes)
            return


def _count_nodes(offer: Offer, alternative: Alternative) -> int:
    return alternative.nodes if offer.shape.count is None else offer.shape.count


# -- one offer -------------------------------------------------------------------------------------------------


def relax_until_fit(
    offer: Offer, alternative: Alternative, changes: Changes, *, pooled: bool = False
) -> Relaxed | None:
    """Change what an offer objects to until it fits; None when something cannot be had there.

    `changes` are those that were made already.
    """
    changes = dict(changes)
    for _ in range(MAX_ROUNDS):
        outcome = fit(offer, alternative, pooled=pooled)
        if isinstance(outcome, Fit):
            return alternative, changes
        for rejection in outcome:
            relaxed = _relax(alternative, rejection)
            if relaxed is None:
                return None
            if relaxed[0] == alternative:
                continue  # an earlier change meets this rejection, too
            alternative, change = relaxed
            first = changes.get(change.term, change)
            changes[change.term] = evolve(change, asked=first.asked)
    return None


def _relax(alternative: Alternative, rejection: Rejection) -> tuple[Alternative, Change] | None:
    """The alternative with the term changed that a rejection is about; None where no change would help."""
    if rejection.accelerator is not None:
        return _relax_accelerator(alternative, rejection, rejection.accelerator)
    if rejection.code is Reason.MEMORY and rejection.rule:
        return None  # a requirement does not decide what the partition adds
    term = _term(rejection)
    if term is None or not isinstance(rejection.offered, int) or rejection.offered < 1:
        return None
    is_minimum = rejection.code is Reason.MINIMUM
    shared_by = alternative.nodes if _counts_all_nodes(rejection, term) else 1
    value = -(-rejection.offered // shared_by) if is_minimum else rejection.offered // shared_by
    if value < 1:
        return None
    if term is Term.GPUS:
        return _relax_gpus(alternative, value, is_minimum)
    return _relax_number(alternative, term, value, is_minimum)


def _relax_number(alternative: Alternative, term: Term, value: int, is_minimum: bool) -> tuple[Alternative, Change]:
    asked = getattr(alternative, _FIELDS[term])
    value = max(value, asked or value) if is_minimum else min(value, asked or value)
    changed: dict[str, Any] = {_FIELDS[term]: value}
    return evolve(alternative, **changed), Change(term, asked, value, is_minimum)


def _term(rejection: Rejection) -> Term | None:
    """The term that a rejection is about, other than those of one accelerator."""
    limit = rejection.limit
    if limit is not None and limit.per in (Per.JOB, Per.NODE) and limit.quantity in _OF_QUANTITY:
        return _OF_QUANTITY[limit.quantity]
    return _OF_REASON.get(rejection.code)


def _counts_all_nodes(rejection: Rejection, term: Term) -> bool:
    """Whether the number of a limit is shared by the nodes of a job."""
    of_job = rejection.limit is not None and rejection.limit.per is Per.JOB
    return of_job and term in (Term.CORES, Term.MEMORY, Term.GPUS)


def _relax_accelerator(
    alternative: Alternative, rejection: Rejection, want: Accelerator
) -> tuple[Alternative, Change] | None:
    others = [each for each in alternative.accelerators if each != want]
    mine = [each for each in alternative.accelerators if each == want]
    offered = rejection.offered
    if rejection.code is Reason.GPU_KIND:
        if offered == NO_GPU:
            return None
        change = Change(Term.GPU_KIND, want.kind, offered)
        changed = [evolve(want, kind="gpu")] * len(mine)
    elif rejection.code is Reason.GPU_MODEL:
        change = Change(Term.GPU_MODEL, want.model, offered)
        changed = [evolve(want, model=None)] * len(mine)
    elif not isinstance(offered, int) or offered < 1:
        return None
    elif rejection.code is Reason.GPU_COUNT:
        change = Change(Term.GPUS, len(mine), offered)
        changed = mine[:offered]
    else:
        is_minimum = rejection.code is Reason.GPU_MIN_MEMORY
        memory = _whole_gib(offered) if is_minimum else offered
        change = Change(Term.GPU_MEMORY, want.memory, memory, is_minimum)
        changed = [evolve(want, memory=memory)] * len(mine)
    return evolve(alternative, accelerators=tuple(others + changed)), change


def _whole_gib(memory: int) -> int:
    """Bytes, rounded up to whole GiB: a share such as 0.7 of 24G is 16.8G, and nobody types that."""
    return -(-memory // GIB) * GIB


def _relax_gpus(alternative: Alternative, number: int, is_minimum: bool) -> tuple[Alternative, Change] | None:
    """Another number of GPUs on each node; None where it is open which ones to add."""
    have = len(alternative.accelerators)
    number = max(number, have) if is_minimum else min(number, have)
    if is_minimum and len(set(alternative.accelerators)) > 1:
        return None
    kind = alternative.accelerators[0] if have else Accelerator("gpu")
    accelerators = (kind,) * number if is_minimum else alternative.accelerators[:number]
    return evolve(alternative, accelerators=accelerators), Change(Term.GPUS, have, number, is_minimum)
