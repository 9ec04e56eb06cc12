"""How many offers each reason removes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from launchers.matching.answer import Answer, Trial
from launchers.matching.rejection import STAGES
from launchers.offer.model import Group
from launchers.quantities.units import format_memory, format_timespan
from launchers.requirement import Alternative


@frozen
class Step:
    """One stage of a funnel: what is asked there, and how many offers are left after it."""

    code: str
    label: str
    left: int


@frozen(eq=False)
class Funnel:
    """How the offers of one group fared with one alternative, stage after stage."""

    group: Group
    index: int
    offers: int
    steps: tuple[Step, ...]


# -- funnel ----------------------------------------------------------------------------------------------------


def funnels(answer: Answer) -> Iterator[Funnel]:
    """A funnel per alternative tried and group considered, in the order of the file."""
    for index, trials in enumerate(answer.trials):
        alternative = answer.requirement.alternatives[index]
        groups: dict[int, list[Trial]] = {}
        for trial in trials:
            groups.setdefault(id(trial.offer.group), []).append(trial)
        for tried in groups.values():
            yield _funnel(tried, index, alternative)


def _funnel(tried: Sequence[Trial], index: int, alternative: Alternative) -> Funnel:
    first = [min(STAGES.index(reason.code) for reason in trial.rejections) for trial in tried if trial.rejections]
    left = len(tried)
    steps = []
    for position, code in enumerate(STAGES):
        label = stage_label(code, alternative)
        gone = first.count(position)
        if label or gone:
            left -= gone
            steps.append(Step(code, label or code, left))
    return Funnel(tried[0].offer.group, index, len(tried), tuple(steps))


def stage_label(code: str, alternative: Alternative) -> str:
    """What an alternative asks at a stage, such as ``mem>=40G``; empty when it asks nothing there."""
    accelerators = alternative.accelerators
    memories = sorted({one.memory for one in accelerators if one.memory})
    labels = {
        "gpu-kind": "/".join(sorted({one.kind for one in accelerators})),
        "gpu-model": "/".join(sorted({f"model={one.model}" for one in accelerators if one.model})),
        "gpu-memory": "/".join(f"mem>={format_memory(memory)}" for memory in memories),
        "gpu-count": f"count>={len(accelerators)}" if accelerators else "",
        "memory": f"cpu mem>={format_memory(alternative.cpu_memory)}" if alternative.cpu_memory else "",
        "cores": f"cores>={alternative.cores}" if alternative.cores else "",
        "nodes": f"nodes>={alternative.nodes}" if alternative.nodes > 1 else "",
        "duration": f"duration<={format_timespan(alternative.duration)}" if alternative.duration else "",
    }
    return labels.get(code, "")
