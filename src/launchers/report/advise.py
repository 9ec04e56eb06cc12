"""What the steps of a run asked against what they used, and the requirement that would have been enough."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve, field, frozen

from launchers.jobs.backend import JobInfo
from launchers.quantities.units import GIB, MIB
from launchers.requirement import Accelerator, Alternative, Requirement, parse
from launchers.runs.run import Run
from launchers.runs.status import MemberState, StepState

MARGIN = 1.25
"""What is proposed is so many times the most that was used, then rounded up."""
KEPT = 1.5
"""What was asked is kept while it is at most so many times what is proposed: a run is a sample, not a law."""
STOPPED = 2
"""What is proposed for a job that was stopped at its limit: nobody knows how much it needed."""
BRIEF = 10
"""Seconds below which the share of busy cores says nothing: Slurm counts whole seconds, and a start is no work."""
TIGHT = 0.9
LIMITS = {"TIMEOUT": "time", "OUT_OF_MEMORY": "memory"}
"""States of jobs that were stopped at a limit, and which."""
_STEPS: dict[str, tuple[tuple[float, int], ...]] = {
    "seconds": ((600, 60), (3600, 300), (6 * 3600, 900), (48 * 3600, 3600), (float("inf"), 6 * 3600)),
    "memory": ((GIB, 100 * MIB), (16 * GIB, GIB), (128 * GIB, 4 * GIB), (float("inf"), 16 * GIB)),
}
"""Up to so much, round up to multiples of that."""


@frozen
class Amounts:
    """Seconds, and of each node bytes of memory and cores; None where nobody says."""

    seconds: float | None = None
    memory: int | None = None
    cores: float | None = None


@frozen
class Advice:
    """One step: how many jobs it has and how many of them count, what each asked, the most that one used, `enough`.

    `need` is what was asked as a requirement, `enough` what would have been enough, None where nothing is known, and
    `notes` say why, or what is missing.
    """

    step: str
    jobs: int
    counted: int
    asked: Amounts
    used: Amounts
    need: Requirement
    enough: Requirement | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def changed(self) -> bool:
        """Whether something else than what was asked is proposed."""
        return self.enough is not None and self.enough != self.need


def advise(run: Run) -> list[Advice]:
    """The advice for each step, in the order of the plan."""
    return advices(run, run.status(usage=True))


def advices(run: Run, steps: Sequence[StepState]) -> list[Advice]:
    """The same from states that were asked with their usage."""
    needs = {task.name: task.need for task in run.store.tasks}
    return [_advice(step, needs[step.name]) for step in steps]


def _advice(step: StepState, need: str | None) -> Advice:
    good = [one for one in step.members if one.info.state == "COMPLETED"]
    stopped = {limit: [one for one in step.members if one.info.state == limit] for limit in LIMITS}
    counted = [*good, *(one for members in stopped.values() for one in members)]
    asked, used = _asked(step), _used(counted)
    written = parse(need) if need else _said(step, asked)
    told = Advice(step.name, len(step.members), len(counted), asked, used, written)
    if not counted:
        return evolve(told, notes=("no job of it has succeeded: nothing to compare",))
    if used == Amounts():
        return evolve(told, notes=("no accounting: nothing to compare",))
    proposed = Amounts(
        seconds=_proposed("seconds", asked.seconds, used.seconds, bool(stopped["TIMEOUT"])),
        memory=_proposed("memory", asked.memory, used.memory, bool(stopped["OUT_OF_MEMORY"])),
        cores=_cores(asked.cores, used.cores),
    )
    enough = Requirement(tuple(_with(one, asked, used, proposed) for one in written.alternatives))
    return evolve(told, enough=enough, notes=tuple(_notes(told, stopped)))


def _asked(step: StepState) -> Amounts:
    """What each job asked; after retries with more, the most."""
    usages = [one.info.usage for one in step.members if one.info.usage]
    return Amounts(
        seconds=_most([step.seconds, *(one.limit for one in usages)]),
        memory=_most(one.memory for one in usages),
        cores=_most(one.cores for one in usages),
    )


def _used(members: Iterable[MemberState]) -> Amounts:
    """The most that one of these jobs used."""
    infos = [one.info for one in members]
    return Amounts(
        seconds=_most(elapsed(one) for one in infos),
        memory=_most(one.usage.peak for one in infos if one.usage),
        cores=_most(busy(one) for one in infos),
    )


def elapsed(info: JobInfo) -> float | None:
    """Seconds that a job ran; None where it has not ended."""
    if info.started is None or info.ended is None:
        return None
    return max(0.0, info.ended - info.started)


def busy(info: JobInfo) -> float | None:
    """How many cores of each node were busy on average."""
    seconds = elapsed(info)
    if info.usage is None or info.usage.cpu is None or seconds is None or seconds < BRIEF:
        return None
    return info.usage.cpu / seconds / info.usage.nodes


def _said(step: StepState, asked: Amounts) -> Requirement:
    """As a requirement what was asked in the scheduler's own words."""
    usage = next((one.info.usage for one in step.members if one.info.usage), None)
    return Requirement(
        (
            Alternative(
                duration=int(asked.seconds) if asked.seconds else None,
                cpu_memory=asked.memory or 0,
                cores=int(asked.cores or 0),
                accelerators=(Accelerator("gpu"),) * (usage.gpus if usage else 0),
                nodes=usage.nodes if usage else 1,
            ),
        )
    )


# -- how much would have been enough ---------------------------------------------------------------------------


def _proposed(what: str, asked: float | None, used: float | None, stopped: bool) -> int | None:
    """What to ask: what was asked where that is about right, else what was used and a margin, rounded up."""
    if stopped and asked:
        return rounded(what, asked * STOPPED)
    if used is None:
        return None
    enough = rounded(what, used * MARGIN)
    return int(asked) if asked and enough <= asked <= enough * KEPT else enough


def _cores(asked: float | None, used: float | None) -> int | None:
    """Never more than was asked: a job cannot show that it wants more cores than it has."""
    if not asked or used is None:
        return None
    enough = min(int(asked), max(1, math.ceil(used - 0.1), round(used * MARGIN)))  # a little over 1 is one busy core
    return int(asked) if asked <= enough * KEPT else enough


def rounded(what: str, amount: float) -> int:
    """The next round number: minutes for a short time, hours for a long one, likewise for memory."""
    step = next(step for most, step in _STEPS[what] if amount <= most)
    return max(1, int(-(-amount // step))) * step


def _with(one: Alternative, asked: Amounts, used: Amounts, proposed: Amounts) -> Alternative:
    """An alternative with what is proposed in the place of what was asked."""
    return evolve(
        one,
        duration=_stated(one.duration, asked.seconds, used.seconds, proposed.seconds),
        cpu_memory=_stated(one.cpu_memory, asked.memory, used.memory, proposed.memory) or 0,
        cores=_stated(one.cores, asked.cores, used.cores, proposed.cores) or 0,
    )


def _stated(said: int | None, asked: float | None, used: float | None, proposed: float | None) -> int | None:
    """What a requirement says then: as before where what was asked is kept, unless a retry had to ask for more."""
    if proposed is None or (proposed == asked and (not said or said >= (used or 0))):
        return said
    return int(proposed)


def _notes(told: Advice, stopped: dict[str, list[MemberState]]) -> Iterable[str]:
    """What a person should know before believing it."""
    for state, members in stopped.items():
        if members:
            who = "it was" if told.jobs == 1 else f"{len(members)} of {told.jobs} jobs were"
            yield f"{who} stopped at the {LIMITS[state]} limit: how much it needs is not known, twice is a guess"
    for what, asked, used in (
        ("time", told.asked.seconds, told.used.seconds),
        ("memory", told.asked.memory, told.used.memory),
    ):
        if asked and used and TIGHT * asked <= used <= asked:
            yield f"its {what} was tight: {used / asked:.0%} of it used"
    if told.used.memory is None:
        yield "its memory was not measured (Slurm does not for jobs shorter than its sampling interval)"
    if told.counted < told.jobs:
        yield f"{told.jobs - told.counted} of {told.jobs} jobs did not succeed and do not count"
    if len(told.need.alternatives) > 1:
        yield "it ran as one of its alternatives: the others may need more or less"


def _most(values: Iterable[float | None]) -> Any:
    return max((value for value in values if value is not None), default=None)
