"""Merge equal candidates into one submission that admits no node which does not fit."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from launchers.matching.answer import Candidate, Trial
from launchers.matching.fit import Fit, fit_untyped, node_satisfies
from launchers.matching.node_filter import OAR_PROPERTY, SLURM_FEATURE, NodeFilter, admits, separate
from launchers.matching.rank import worst_rank
from launchers.matching.rejection import Reason, Rejection
from launchers.matching.request import Request
from launchers.offer.assumption import Assumption, Unstated
from launchers.offer.model import Shape
from launchers.requirement import Alternative

ASSUMES_NODE_CHOICE = Assumption(Unstated.NODE_CHOICE)
"""No filter keeps the job off nodes that Slurm would take although they do not fit."""

Merged = tuple[tuple[Fit, ...], NodeFilter]
"""The fits of one submission, and the filter that keeps it off other nodes."""


def can_merge(candidate: Candidate, best: Candidate) -> bool:
    """Whether two candidates can be one submission: one cluster, QoS and account, and the same request."""
    mine, other = candidate.best.offer, best.best.offer
    return (
        mine.group is other.group
        and (not mine.group.rules.one_partition or mine.partition is other.partition)
        and (mine.access.qos, mine.access.account) == (other.access.qos, other.access.account)
        and candidate.best.request == best.best.request
    )


def merge_equals(alternative: Alternative, best: Candidate, equals: list[Candidate], trials: Sequence[Trial]) -> Merged:
    """Merge what a filter can name exactly: all equals at once, else one after the other, leaving out the others."""
    everything = tuple(fit for candidate in equals for fit in candidate.fits)
    of_everything = node_filter(alternative, everything, trials)
    if of_everything.exact and not of_everything.exclude:
        return everything, of_everything
    merged, of_merged = best.fits, node_filter(alternative, best.fits, trials)
    for candidate in equals:
        if candidate is best:
            continue
        wider = merged + candidate.fits
        of_wider = node_filter(alternative, wider, trials)
        if of_wider.exact and len(of_wider.exclude) <= len(of_merged.exclude):
            merged, of_merged = wider, of_wider
    return merged, of_merged


def merge_types(
    alternative: Alternative, best: Candidate, ordered: list[Candidate], trials: Sequence[Trial], typed: Merged
) -> Merged:
    """The equals of every GRES type as one request without a type, if that takes in more than `typed`."""
    equals = []
    for candidate in (best, *(other for other in ordered if other is not best and other.rank == best.rank)):
        untyped = _without_types(alternative, candidate)
        if untyped is not None and untyped.rank == best.rank:
            equals.append(untyped)
        elif candidate is best:
            return typed
    alike = [candidate for candidate in equals if can_merge(candidate, equals[0])]
    fits, of_fits = merge_equals(alternative, equals[0], alike, trials)
    return (fits, of_fits) if of_fits.exact and len(fits) > len(typed[0]) else typed


def with_same_memory(fits: tuple[Fit, ...]) -> tuple[Fit, ...]:
    """Where no memory is needed but the request for some shape has to name it: the memory of the smallest shape."""
    if len({fit.request.memory for fit in fits}) == 1:
        return fits
    least = min(size for fit in fits if (size := fit.request.memory or fit.allocation.memory))
    return tuple(evolve(fit, request=evolve(fit.request, memory=least)) for fit in fits)


def node_filter(alternative: Alternative, fits: Sequence[Fit], trials: Sequence[Trial]) -> NodeFilter:
    """The filter for these fits against all other nodes of their partitions that the scheduler would admit."""
    request, rules = fits[0].request, fits[0].offer.group.rules
    unfit, wasteful = _admitted_besides(alternative, fits, trials)
    shapes = [fit.offer.shape for fit in fits]
    if not rules.filters_by_properties:
        return separate(shapes, unfit, wasteful, SLURM_FEATURE)
    if not request.devices:
        shapes = [evolve(shape, hints=frozenset()) for shape in shapes]  # what its GPUs are like does not matter then
    return separate(shapes, unfit, wasteful, OAR_PROPERTY)


def _without_types(alternative: Alternative, candidate: Candidate) -> Candidate | None:
    """A candidate whose request names no GRES type; None where it has to, or has none anyway."""
    if not candidate.best.request.devices:
        return None
    fits = tuple(fit_untyped(fit.offer, alternative, fit.index) for fit in candidate.fits)
    known = tuple(fit for fit in fits if fit is not None)
    if len(known) < len(fits):
        return None
    return Candidate(with_same_memory(known), worst_rank(known, widest=True))


def _admitted_besides(
    alternative: Alternative, fits: Sequence[Fit], trials: Sequence[Trial]
) -> tuple[list[Shape], list[Shape]]:
    """The other shapes that the scheduler would admit for these fits: those that do not fit, and wasteful ones."""
    request = fits[0].request
    compared = _compared(request) if fits[0].offer.group.rules.filters_by_properties else request
    certain = all(node_satisfies(fit.offer, alternative, request, certain=True) for fit in fits)
    places = {(id(fit.offer.partition), id(fit.offer.access)) for fit in fits}
    chosen = {id(fit.offer.shape) for fit in fits}
    unfit: list[Shape] = []
    wasteful: list[Shape] = []
    for trial in trials:
        offer = trial.offer
        if (id(offer.partition), id(offer.access)) not in places or id(offer.shape) in chosen:
            continue
        if not admits(compared, offer.shape):
            continue
        fitting = (
            _fits_on_each_node(trial.outcome)
            and node_satisfies(offer, alternative, request, certain=certain)
            and (alternative.duration is not None or _runs_as_long(trial.outcome, request))
        )
        (wasteful if fitting else unfit).append(offer.shape)
    return unfit, wasteful


def _compared(request: Request) -> Request:
    """What a scheduler that filters by properties compares: no memory, and no cores beside GPUs."""
    return evolve(request, memory=0, cores=0 if request.devices else request.cores)


def _runs_as_long(outcome: Fit | tuple[Rejection, ...], request: Request) -> bool:
    """Whether a job may run there for as long as is requested elsewhere: CPU minutes may be limited."""
    longest = outcome.allocation.duration if isinstance(outcome, Fit) else None
    return longest is None or request.duration is None or request.duration <= longest


def _fits_on_each_node(outcome: Fit | tuple[Rejection, ...]) -> bool:
    """Whether one node of the shape does what is needed, however many of them there are."""
    return isinstance(outcome, Fit) or all(rejection.code is Reason.NODES for rejection in outcome)
