"""Match a requirement against groups: try every offer, rank those that fit, merge the equal best into one answer.

The order is DESIGN's, lexicographic, the first difference decides: alternative, group weight, partition and QoS
priority, known before assumed, waste, a live signal where one was read, name.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from attrs import evolve, field, frozen

from launchers.matching.fit import Ask, Fit, Rejection, choices, fit, holds, untyped
from launchers.matching.formula import OAR_PROPERTY, SLURM_FEATURE, Formula, admits, ask_total, formula
from launchers.oar.args import OarArgs, where
from launchers.offer.model import Group, Offer, Shape
from launchers.requirement import Alternative, Requirement
from launchers.slurm.args import SlurmArgs

RANKS = ("alternative", "weight", "priority", "known", "waste")
"""The names of the first five ranks, in order; the sixth is the name."""

UNTOLD = "that Slurm picks a node that fits: no feature or host name tells them apart"
"""Assumed where no formula keeps a job off nodes that Slurm would take and that do not fit."""

Rank = tuple[int, float, float, bool, tuple[int, int, int, int]]


@frozen(eq=False)
class Trial:
    """One offer tried against one alternative: a Fit, or the reasons why not.

    `together`: its shape has too few nodes for the job, which other shapes of the partition make up for.
    """

    offer: Offer
    outcome: Fit | tuple[Rejection, ...]
    together: bool = False

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """Why the job can run neither there nor partly there; empty where it can."""
        return () if self.together or isinstance(self.outcome, Fit) else self.outcome


@frozen(eq=False)
class Candidate:
    """Offers that serve together: one, or several shapes of one partition for a job that no single one can hold."""

    fits: tuple[Fit, ...]
    rank: Rank

    @property
    def best(self) -> Fit:
        """The fit that names the candidate."""
        return self.fits[0]


@frozen(eq=False)
class Selection:
    """The answer: where the job goes and what is asked there.

    `fits` are the offers merged into it, the first being the best one.  `args` is None on this machine.
    `passed_over` are the other candidates that fit, each with the rank (of RANKS, "live" or "name") that decided.
    """

    alternative: Alternative
    group: Group
    fits: tuple[Fit, ...]
    ask: Ask
    formula: Formula
    args: SlurmArgs | OarArgs | None
    assumed: tuple[str, ...]
    passed_over: tuple[tuple[Candidate, str], ...] = field(repr=False)

    @property
    def slurm_args(self) -> SlurmArgs | None:
        """What sbatch is asked; None elsewhere."""
        return self.args if isinstance(self.args, SlurmArgs) else None

    @property
    def oar_args(self) -> OarArgs | None:
        """What oarsub is asked; None elsewhere."""
        return self.args if isinstance(self.args, OarArgs) else None

    @property
    def partitions(self) -> tuple[str, ...]:
        """The names of the partitions merged into the answer, sorted."""
        return tuple(sorted({fit.offer.partition.name for fit in self.fits}))

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The offers merged into the answer, best first."""
        return tuple(fit.offer for fit in self.fits)


@frozen(eq=False)
class Answer:
    """Everything that matching found out: the selection if there is one, and every trial behind it.

    `trials` has one tuple per alternative that was tried; after a match the later ones are tried only when asked.
    `skipped` are groups that were not considered, with the reason.
    """

    requirement: Requirement
    trials: tuple[tuple[Trial, ...], ...] = field(repr=False)
    selection: Selection | None
    skipped: tuple[tuple[Group, str], ...]


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


def _same_memory(fits: tuple[Fit, ...]) -> tuple[Fit, ...]:
    """Where no memory is needed but some shapes want it said, what the smallest of them has."""
    said = {one.ask.memory for one in fits}
    if len(said) == 1:
        return fits
    least = min(size for one in fits if (size := one.ask.memory or one.ask.mem))
    return tuple(evolve(one, ask=evolve(one.ask, memory=least)) for one in fits)


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
    args = _RENDER[group.scheduler](group, merged, ask, said) if group.scheduler in _RENDER else None
    return Selection(alternative, group, merged, ask, said, args, assumed, passed_over)


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


def _agree(one: Candidate, best: Candidate) -> bool:
    """Whether two candidates can be one submission: same cluster (on OAR queue), QoS, account and the same request."""
    mine, other = one.best.offer, best.best.offer
    return (
        mine.group is other.group
        and (mine.group.scheduler != "oar" or mine.partition is other.partition)
        and (mine.access.qos, mine.access.account) == (other.access.qos, other.access.account)
        and one.best.ask == best.best.ask
    )


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


def _decided(one: Candidate, best: Candidate) -> str:
    for name, mine, other in zip(RANKS, one.rank, best.rank, strict=True):
        if mine != other:
            return name
    return "name" if _busy(one.best) == _busy(best.best) else "live"


def _slurm_args(group: Group, fits: tuple[Fit, ...], ask: Ask, said: Formula) -> SlurmArgs:
    access = fits[0].offer.access
    types = [str(number) if kind is None else f"{kind}:{number}" for kind, number in ask.devices]
    spelled = ",".join(types)
    args = SlurmArgs(
        time=None if ask.duration is None else -(-ask.duration // 60),
        partition=",".join(sorted({one.offer.partition.name for one in fits})) or None,
        nodes=ask.nodes,
        cpus_per_task=ask.cores or None,
        mem=ask.memory or None,
        constraint=said.constraint or None,
        exclude=",".join(said.exclude) or None,
        qos=access.qos,
        account=access.account,
        additional_params=group.sbatch,
    )
    if not spelled:
        return args
    if group.gres == "gpus_per_node":
        return evolve(args, gpus_per_node=spelled)
    return evolve(args, gres=",".join(f"gpu:{item}" for item in types))


def _oar_args(group: Group, fits: tuple[Fit, ...], ask: Ask, said: Formula) -> OarArgs:
    """Without a guard a node whose `gpu` is NULL would count as one with a GPU, and be given whole (facts/oar.md)."""
    queue = fits[0].offer.partition
    host, gpus = group.levels[0], ask_total(ask)
    levels, guard = [(host, ask.nodes)], ""
    if queue.exclusive or (gpus and "gpu" not in group.levels):
        guard = f"gpu_count >= {gpus}" if gpus else ""
    elif gpus:
        levels, guard = [*levels, ("gpu", gpus)], "gpu_count > 0"
    else:
        levels.append(("core", ask.cores or 1))
    return OarArgs(
        levels=tuple(levels),
        walltime=ask.duration,
        guard=guard,
        properties=where(said.clauses, queue.only, host, ",".join(said.exclude)),
        queue=queue.name,
        types=queue.types,
        project=group.project,
    )


_RENDER: dict[str, Callable[[Group, tuple[Fit, ...], Ask, Formula], SlurmArgs | OarArgs]] = {
    "slurm": _slurm_args,
    "oar": _oar_args,
}
