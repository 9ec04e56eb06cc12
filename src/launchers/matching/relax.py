"""Explain an answer from the matcher's own trials: funnels, reasons, and the nearest requirement that would match.

Nothing here knows a rule of matching: the funnel counts rejections by their codes, and a relaxation is proposed only
after `fit`, or for several shapes together `match`, has accepted it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from attrs import evolve, field, frozen

from launchers.matching.answer import Answer
from launchers.matching.fit import Fit, fit
from launchers.matching.rejection import Rejection
from launchers.matching.select import match
from launchers.matching.words import GIB
from launchers.offer.model import Offer
from launchers.quantities.units import format_memory, format_timespan
from launchers.requirement import Accelerator, Alternative, Requirement

Changes = dict[str, "Change"]
"""What is changed in a requirement, by the thing that is changed."""


@frozen
class Change:
    """One thing to change in a requirement: `what` from `asked` to `to` (bytes, seconds or a count)."""

    what: str
    asked: int | str | None
    to: int | str | None
    text: str


@frozen(eq=False)
class Relaxation:
    """A requirement near the one asked for that would match, and what to change to get there."""

    offers: tuple[Offer, ...]
    alternative: Alternative
    changes: tuple[Change, ...]
    distance: tuple[int, float] = field(repr=False)

    @property
    def places(self) -> tuple[str, ...]:
        """Where it would match: partitions, or groups that have none."""
        return tuple(dict.fromkeys(map(_place, self.offers)))

    @property
    def text(self) -> str:
        """One line for people: ``would match gpu_p4 if duration were 20h or less``."""
        return f"would match {', '.join(self.places)} if {' and '.join(change.text for change in self.changes)}"


def _place(offer: Offer) -> str:
    return offer.partition.name or offer.group.name


# -- the nearest relaxation ------------------------------------------------------------------------------------


def relaxations(answer: Answer, most: int = 3) -> list[Relaxation]:
    """The nearest requirements that would match, nearest first: fewest changes, then the smallest ones.

    A place is named again only where something else is changed: what changes the same, and more of it, is no news.
    """
    found: dict[tuple[Change, ...], Relaxation] = {}
    for relaxed in _proposals(answer):
        known = found.get(relaxed.changes)
        offers = known.offers + relaxed.offers if known else relaxed.offers
        found[relaxed.changes] = evolve(relaxed, offers=tuple(dict.fromkeys(offers)))
    news: list[Relaxation] = []
    for one in sorted(found.values(), key=lambda one: (one.distance, one.text)):
        things = {change.what for change in one.changes}
        nearer = {place for before in news if {it.what for it in before.changes} <= things for place in before.places}
        offers = tuple(offer for offer in one.offers if _place(offer) not in nearer)
        if offers:
            news.append(evolve(one, offers=offers))
    return news[:most]


def _proposals(answer: Answer) -> Iterator[Relaxation]:
    """What would match on one offer alone, and on several shapes of a partition together."""
    for index, trials in enumerate(answer.trials):
        alternative = answer.requirement.alternatives[index]
        places: dict[tuple[int, int], list[Offer]] = {}
        for trial in trials:
            places.setdefault((id(trial.offer.partition), id(trial.offer.access)), []).append(trial.offer)
            conceded = None if isinstance(trial.outcome, Fit) else _conceded(trial.offer, alternative, {})
            if conceded is not None:
                yield _relaxation((trial.offer,), *conceded)
        if alternative.nodes > 1:
            for offers in places.values():
                yield from _together(offers, alternative)


def _relaxation(offers: tuple[Offer, ...], relaxed: Alternative, changes: Changes) -> Relaxation:
    distance = sum(_far(change) for change in changes.values())
    return Relaxation(offers, relaxed, tuple(changes.values()), (len(changes), distance))


def _together(offers: Sequence[Offer], alternative: Alternative) -> Iterator[Relaxation]:
    """What would match on several shapes of one partition: what one of them objects to, else what the nearest do."""
    if len(offers) < 2 or sum(_number_of_nodes(offer, alternative) for offer in offers) < alternative.nodes:
        return
    held = cache(lambda relaxed: _held(offers, relaxed))
    alike: dict[frozenset[str], list[Relaxation]] = {}
    for offer in offers:
        conceded = _conceded(offer, alternative, {}, pooled=True)
        if conceded is not None:
            alike.setdefault(frozenset(conceded[1]), []).append(_relaxation((offer,), *conceded))
    found = False
    for things, near in alike.items():
        near.sort(key=lambda one: one.distance)
        # Of changes in one thing, what is more of it lets in more: no need to try each.
        first = bisect_left(near, True, key=lambda one: bool(held(one.alternative))) if len(things) == 1 else 0
        nearest = next((one for one in near[first:] if things and held(one.alternative)), None)
        if nearest is not None:
            found = True
            yield evolve(nearest, offers=held(nearest.alternative))
    if not found:
        everything = sorted(chain.from_iterable(alike.values()), key=lambda one: one.distance)
        yield from _all_together(everything, alternative, held)


def _all_together(
    near: Sequence[Relaxation], alternative: Alternative, held: Callable[[Alternative], tuple[Offer, ...]]
) -> Iterator[Relaxation]:
    """What the nearest offers object to, one after the other, until they hold the job."""
    changes: Changes = {}
    for one in near:
        conceded = _conceded(one.offers[0], alternative, changes, pooled=True)
        if conceded is None:
            return
        alternative, changes = conceded
        if changes and held(alternative):
            yield _relaxation(held(alternative), alternative, changes)
            return


def _number_of_nodes(offer: Offer, alternative: Alternative) -> int:
    return alternative.nodes if offer.shape.count is None else offer.shape.count


def _held(offers: Sequence[Offer], alternative: Alternative) -> tuple[Offer, ...]:
    """Those of the offers of one partition and access on which the matcher puts a job; none where it finds nothing."""
    group, partition, access = offers[0].group, offers[0].partition, offers[0].access
    narrowed = evolve(group, partitions=(evolve(partition, accesses=(access,)),))
    selection = match(Requirement((alternative,)), [narrowed]).selection
    chosen = {id(offer.shape) for offer in selection.offers} if selection else set()
    return tuple(offer for offer in offers if id(offer.shape) in chosen)


def _conceded(
    offer: Offer, alternative: Alternative, changes: Changes, *, pooled: bool = False
) -> tuple[Alternative, Changes] | None:
    """Follow what an offer objects to until it agrees; None when something cannot be had there at any price.

    `changes` are those that were made already.
    """
    changes = dict(changes)
    for _ in range(5):
        outcome = fit(offer, alternative, pooled=pooled)
        if isinstance(outcome, Fit):
            return alternative, changes
        for rejection in outcome:
            step = _concede(alternative, rejection)
            if step is None:
                return None
            if step[0] == alternative:
                continue  # another change has met this objection already
            alternative, change = step
            known = changes.get(change.what, change)
            changes[change.what] = evolve(change, asked=known.asked)
    return None


def _far(change: Change) -> float:
    if isinstance(change.asked, int) and isinstance(change.to, int) and change.asked > 0 and change.to > 0:
        return abs(math.log(change.to / change.asked))
    return 1.0


def _concede(alternative: Alternative, rejection: Rejection) -> tuple[Alternative, Change] | None:
    """The alternative with the one thing changed that a rejection is about; None where no change would help."""
    to = rejection.offered
    if rejection.code == "memory" and rejection.by:
        return None  # what the partition adds cannot be asked away
    if rejection.code in ("gpu-model", "gpu-kind") and rejection.accelerator:
        return _concede_device(alternative, rejection)
    if not isinstance(to, int) or to < 1:
        return None
    if rejection.code in ("gpu-memory", "gpu-min-memory", "gpu-count") and rejection.accelerator:
        return _concede_device(alternative, rejection)
    named = {"memory": "cpu_memory", "cores": "cores", "nodes": "nodes", "duration": "duration"}
    what = {"nodes": "nodes", "duration": "duration", "cpu": "cores", "mem": "cpu_memory", "gres/gpu": "gpus"}
    tres = rejection.what.removesuffix("/node")
    name = named.get(rejection.code) or what.get(tres)
    if name is None:
        return None
    least = rejection.code == "minimum"
    nodes = alternative.nodes if rejection.what == tres and tres in ("cpu", "mem", "gres/gpu") else 1
    value = -(-to // nodes) if least else to // nodes
    if value < 1:
        return None
    if name == "gpus":
        return _concede_gpus(alternative, value, least)
    now = getattr(alternative, name) or value
    value = max(value, now) if least else min(value, now)
    words = {"cpu_memory": "memory", "cores": "cores", "nodes": "nodes", "duration": "duration"}[name]
    shown = format_memory(value) if name == "cpu_memory" else format_timespan(value) if name == "duration" else value
    text = f"{words} were {shown} or {'more' if least else 'less'}"
    changed: dict[str, Any] = {name: value}
    return evolve(alternative, **changed), Change(words, getattr(alternative, name), value, text)


def _concede_device(alternative: Alternative, rejection: Rejection) -> tuple[Alternative, Change] | None:
    want, to = rejection.accelerator, rejection.offered
    assert want is not None
    others = [one for one in alternative.accelerators if one != want]
    mine = [one for one in alternative.accelerators if one == want]
    if rejection.code == "gpu-kind":
        if to == "none":
            return None
        change = Change("GPU kind", want.kind, to, f"any kind of GPU would do ({to} here)")
        changed = [evolve(want, kind="gpu")] * len(mine)
    elif rejection.code == "gpu-model":
        change = Change("GPU model", want.model, to, f"any GPU model would do ({to} here)")
        changed = [evolve(want, model=None)] * len(mine)
    elif rejection.code == "gpu-count":
        assert isinstance(to, int)
        change = Change("GPUs", len(mine), to, f"GPUs per node were {to} or fewer")
        changed = mine[:to]
    else:
        memory = _rounded(to) if rejection.code == "gpu-min-memory" else to
        assert isinstance(memory, int)
        bound = "more" if rejection.code == "gpu-min-memory" else "less"
        change = Change("GPU memory", want.memory, memory, f"GPU memory were {format_memory(memory)} or {bound}")
        changed = [evolve(want, memory=memory)] * len(mine)
    return evolve(alternative, accelerators=tuple(others + changed)), change


def _rounded(memory: int | str | None) -> int:
    """Up to whole GiB: a share such as 0.7 of 24G is 16.8G, and nobody types that."""
    assert isinstance(memory, int)
    return -(-memory // GIB) * GIB


def _concede_gpus(alternative: Alternative, each: int, least: bool) -> tuple[Alternative, Change] | None:
    have = len(alternative.accelerators)
    each = max(each, have) if least else min(each, have)
    if least and len(set(alternative.accelerators)) > 1:
        return None
    model = alternative.accelerators[0] if have else Accelerator("gpu")
    accelerators = alternative.accelerators[:each] if not least else (model,) * each
    text = f"GPUs per node were {each} or {'more' if least else 'fewer'}"
    return evolve(alternative, accelerators=accelerators), Change("GPUs", have, each, text)
