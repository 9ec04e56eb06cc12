"""Merge candidates that are equal into one submission."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from launchers.matching.answer import Candidate, Trial
from launchers.matching.ask import Ask
from launchers.matching.fit import Fit, holds, untyped
from launchers.matching.formula import OAR_PROPERTY, SLURM_FEATURE, Formula, admits, formula
from launchers.matching.rank import _rank
from launchers.matching.rejection import Rejection
from launchers.offer.model import Shape
from launchers.requirement import Alternative

UNTOLD = "that Slurm picks a node that fits: no feature or host name tells them apart"
"""Assumed where no formula keeps a job off nodes that Slurm would take and that do not fit."""


def _same_memory(fits: tuple[Fit, ...]) -> tuple[Fit, ...]:
    """Where no memory is needed but some shapes want it said, what the smallest of them has."""
    said = {one.ask.memory for one in fits}
    if len(said) == 1:
        return fits
    least = min(size for one in fits if (size := one.ask.memory or one.ask.mem))
    return tuple(evolve(one, ask=evolve(one.ask, memory=least)) for one in fits)


def _agree(one: Candidate, best: Candidate) -> bool:
    """Whether two candidates can be one submission: same cluster (on OAR queue), QoS, account and the same request."""
    mine, other = one.best.offer, best.best.offer
    return (
        mine.group is other.group
        and (mine.group.scheduler != "oar" or mine.partition is other.partition)
        and (mine.access.qos, mine.access.account) == (other.access.qos, other.access.account)
        and one.best.ask == best.best.ask
    )


def _merge(
    alternative: Alternative, best: Candidate, equals: list[Candidate], trials: Sequence[Trial]
) -> tuple[tuple[Fit, ...], Formula]:
    """Merge what can be said exactly: all equals at once, else one after the other, leaving out what cannot."""
    everything = tuple(one for candidate in equals for one in candidate.fits)
    said = _say(alternative, everything, trials)
    if said.exact and not said.exclude:
        return everything, said
    merged = best.fits
    said = _say(alternative, merged, trials)
    for candidate in equals:
        if candidate is best:
            continue
        wider = merged + candidate.fits
        attempt = _say(alternative, wider, trials)
        if attempt.exact and len(attempt.exclude) <= len(said.exclude):
            merged, said = wider, attempt
    return merged, said


def _wider(
    alternative: Alternative,
    best: Candidate,
    ordered: list[Candidate],
    trials: Sequence[Trial],
    typed: tuple[tuple[Fit, ...], Formula],
) -> tuple[tuple[Fit, ...], Formula]:
    """The equals of every GRES type as one untyped request, where that takes in more than those of one type."""
    equals = []
    for one in (best, *(other for other in ordered if other is not best and other.rank == best.rank)):
        fits = [untyped(each.offer, alternative, each.index) for each in one.fits] if one.best.ask.devices else []
        known = tuple(each for each in fits if each is not None)
        if known and len(known) == len(fits) and max(_rank(each, True) for each in known) == best.rank:
            equals.append(Candidate(_same_memory(known), best.rank))
        elif one is best:
            return typed
    if not equals:
        return typed
    merged, said = _merge(alternative, equals[0], [one for one in equals if _agree(one, equals[0])], trials)
    return (merged, said) if said.exact and len(merged) > len(typed[0]) else typed


def _say(alternative: Alternative, fits: Sequence[Fit], trials: Sequence[Trial]) -> Formula:
    """The formula for these fits against all other nodes of their partitions that the scheduler would admit.

    OAR is told of no memory, and of no cores beside GPUs: what it admits has to be told apart by properties.
    """
    ask = fits[0].ask
    on_oar = fits[0].offer.group.scheduler == "oar"
    told = evolve(ask, memory=0, cores=0 if ask.devices else ask.cores) if on_oar else ask
    certain = all(holds(one.offer, alternative, ask, certain=True) for one in fits)
    places = {(id(one.offer.partition), id(one.offer.access)) for one in fits}
    chosen = {id(one.offer.shape) for one in fits}
    bad: list[Shape] = []
    wasteful: list[Shape] = []
    for trial in trials:
        offer = trial.offer
        if (id(offer.partition), id(offer.access)) not in places or id(offer.shape) in chosen:
            continue
        if not admits(told, offer.shape):
            continue
        fitting = _fits_itself(trial.outcome) and holds(offer, alternative, ask, certain=certain)
        fitting = fitting and (alternative.duration is not None or _as_long(trial.outcome, ask))
        (wasteful if fitting else bad).append(offer.shape)
    shapes = [one.offer.shape for one in fits]
    if not on_oar:
        return formula(shapes, bad, wasteful, SLURM_FEATURE)
    if not ask.devices:
        shapes = [evolve(shape, hints=frozenset()) for shape in shapes]  # what a GPU is like is no matter then
    return formula(shapes, bad, wasteful, OAR_PROPERTY)


def _as_long(outcome: Fit | tuple[Rejection, ...], ask: Ask) -> bool:
    """Whether a job may run there for as long as is asked for where it was chosen: CPU minutes may be bounded."""
    own = outcome.ask.time if isinstance(outcome, Fit) else None
    return own is None or ask.duration is None or ask.duration <= own


def _fits_itself(outcome: Fit | tuple[Rejection, ...]) -> bool:
    """Whether one node of the shape does what is needed, however many of them there are."""
    return isinstance(outcome, Fit) or all(reason.code == "nodes" for reason in outcome)
