"""How many offers each reason removes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from attrs import frozen

from launchers.matching.answer import Answer, Trial
from launchers.matching.rejection import Reason
from launchers.matching.words import stage_label
from launchers.offer.model import Group
from launchers.requirement import Alternative


@frozen
class FunnelStage:
    """One stage of a funnel: what is asked there, and how many offers are left after it."""

    code: Reason
    label: str
    left: int


@frozen(eq=False)
class Funnel:
    """How the offers of one group fared with alternative number `index`, stage after stage."""

    group: Group
    index: int
    offers: int
    stages: tuple[FunnelStage, ...]


def funnels(answer: Answer) -> Iterator[Funnel]:
    """A funnel for each alternative tried and group considered, in the order of the file."""
    for index, trials in enumerate(answer.trials):
        alternative = answer.requirement.alternatives[index]
        groups: dict[int, list[Trial]] = {}
        for trial in trials:
            groups.setdefault(id(trial.offer.group), []).append(trial)
        for tried in groups.values():
            yield _funnel(tried, index, alternative)


def _funnel(tried: Sequence[Trial], index: int, alternative: Alternative) -> Funnel:
    """An offer leaves at the first stage that rejects it; stages that ask nothing and remove nothing are left out."""
    removed = Counter(
        min((rejection.code for rejection in trial.rejections), key=lambda code: code.stage)
        for trial in tried
        if trial.rejections
    )
    left = len(tried)
    stages = []
    for reason in Reason:
        label = stage_label(reason, alternative)
        if label or removed[reason]:
            left -= removed[reason]
            stages.append(FunnelStage(reason, label or reason.value, left))
    return Funnel(tried[0].offer.group, index, len(tried), tuple(stages))
