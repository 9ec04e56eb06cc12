"""What the steps of a run asked for and what they used, and a requirement that would have been enough."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from attrs import evolve, field, frozen

from launchers.jobs.backend import JobInfo
from launchers.quantities.units import GIB, MIB
from launchers.requirement import Accelerator, Alternative, Requirement, parse
from launchers.runs.run import PlanRun
from launchers.runs.status import MemberState, StepState

MARGIN = 1.25
"""The proposal is the most that was used, times this, rounded up."""
KEEP = 1.5
"""What was asked for stays if it is at most the proposal times this: another run may use more."""
STOPPED = 2
"""A job that was stopped at a limit gets the limit times this: nobody knows how much it needs."""
SHORT = 10
"""Seconds. The busy cores of a shorter job are not known: Slurm counts whole seconds, and starting a job is no work."""
TIGHT = 0.9
"""A job that used this share of what it asked for, or more, gets a note."""
LIMITS = {"TIMEOUT": "time", "OUT_OF_MEMORY": "memory"}
"""States of jobs that were stopped at a limit, and which limit."""
_ROUNDING: dict[str, tuple[tuple[float, int], ...]] = {
    "seconds": ((600, 60), (3600, 300), (6 * 3600, 900), (48 * 3600, 3600), (float("inf"), 6 * 3600)),
    "memory": ((GIB, 100 * MIB), (16 * GIB, GIB), (128 * GIB, 4 * GIB), (float("inf"), 16 * GIB)),
}
"""Amounts up to the first number are rounded up to multiples of the second."""


@frozen
class Amounts:
    """Seconds, and of each node bytes of memory and cores; None if not known."""

    seconds: float | None = None
    memory: int | None = None
    cores: float | None = None


@frozen
class Advice:
    """What one step asked for, the most that a job of it used, and the requirement that would have been `enough`.

    `counted` of its `jobs` were compared. `need` is what it asked for, as a requirement. `enough` is None if there is
    nothing to compare. The `notes` say why, or what to know before using the proposal.
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
        """Whether the proposal differs from what was asked for."""
        return self.enough is not None and self.enough != self.need


def advise(run: PlanRun) -> list[Advice]:
    """The advice for each step, in the order of the plan. Asks the scheduler what the jobs used."""
    return advise_steps(run, run.status(usage=True))


def advise_steps(run: PlanRun, steps: Sequence[StepState]) -> list[Advice]:
    """The advice for each of these steps of a run, whose states have the usage of their jobs."""
    needs = {task.name: task.need for task in run.record.steps}
    return [_advise_step(step, needs[step.name]) for step in steps]


def _advise_step(step: StepState, written: str | None) -> Advice:
    stopped = {state: [job for job in step.members if job.info.state == state] for state in LIMITS}
    counted = [job for job in step.members if job.info.state == "COMPLETED" or job.info.state in LIMITS]
    asked, used = _asked(step), _used(counted)
    need = parse(written) if written else _as_requirement(step, asked)
    advice = Advice(step.name, len(step.members), len(counted), asked, used, need)
    if not counted:
        return evolve(advice, notes=("no job has succeeded: nothing to compare",))
    if used == Amounts():
        return evolve(advice, notes=("the scheduler has no accounting: nothing to compare",))
    proposed = Amounts(
        seconds=_propose("seconds", asked.seconds, used.seconds, bool(stopped["TIMEOUT"])),
        memory=_propose("memory", asked.memory, used.memory, bool(stopped["OUT_OF_MEMORY"])),
        cores=_propose_cores(asked.cores, used.cores),
    )
    enough = Requirement(tuple(_replace(each, asked, used, proposed) for each in need.alternatives))
    notes = _notes(advice, {LIMITS[state]: len(jobs) for state, jobs in stopped.items() if jobs})
    return evolve(advice, enough=enough, notes=tuple(notes))


def _asked(step: StepState) -> Amounts:
    """What each job asked for; the most, if a retry asked for more."""
    usages = [job.info.usage for job in step.members if job.info.usage]
    return Amounts(
        seconds=_most([step.seconds, *(usage.limit for usage in usages)]),
        memory=_most(usage.memory for usage in usages),
        cores=_most(usage.cores for usage in usages),
    )


def _used(jobs: Iterable[MemberState]) -> Amounts:
    """The most that any of these jobs used."""
    infos = [job.info for job in jobs]
    return Amounts(
        seconds=_most(elapsed(info) for info in infos),
        memory=_most(info.usage.peak for info in infos if info.usage),
        cores=_most(busy_cores(info) for info in infos),
    )


def elapsed(info: JobInfo) -> float | None:
    """Seconds that a job ran; None if it has not ended."""
    if info.started is None or info.ended is None:
        return None
    return max(0.0, info.ended - info.started)


def busy_cores(info: JobInfo) -> float | None:
    """How many cores of each node were busy on average; None if not known."""
    seconds = elapsed(info)
    if info.usage is None or info.usage.cpu is None or seconds is None or seconds < SHORT:
        return None
    return info.usage.cpu / seconds / info.usage.nodes


def _as_requirement(step: StepState, asked: Amounts) -> Requirement:
    """What was asked for with options of the scheduler, as a requirement."""
    usage = next((job.info.usage for job in step.members if job.info.usage), None)
    need = Alternative(
        duration=int(asked.seconds) if asked.seconds else None,
        cpu_memory=asked.memory or 0,
        cores=int(asked.cores or 0),
        accelerators=(Accelerator("gpu"),) * (usage.gpus if usage else 0),
        nodes=usage.nodes if usage else 1,
    )
    return Requirement((need,))


# -- how much would have been enough ---------------------------------------------------------------------------


def _propose(quantity: str, asked: float | None, used: float | None, stopped: bool) -> int | None:
    """What was used and a margin, rounded up; what was asked for, if that is about right."""
    if stopped and asked:
        return round_up(quantity, asked * STOPPED)
    if used is None:
        return None
    enough = round_up(quantity, used * MARGIN)
    return int(asked) if asked and enough <= asked <= enough * KEEP else enough


def _propose_cores(asked: float | None, used: float | None) -> int | None:
    """Never more than what was asked for: a job cannot keep more cores busy than it has."""
    if not asked or used is None:
        return None
    enough = min(int(asked), max(1, math.ceil(used - 0.1), round(used * MARGIN)))  # a little over 1 is one busy core
    return int(asked) if asked <= enough * KEEP else enough


def round_up(quantity: str, amount: float) -> int:
    """The next round number of seconds or bytes: minutes for a short time, hours for a long one."""
    step = next(step for limit, step in _ROUNDING[quantity] if amount <= limit)
    return max(1, int(-(-amount // step))) * step


def _replace(need: Alternative, asked: Amounts, used: Amounts, proposed: Amounts) -> Alternative:
    """An alternative with the proposed amounts."""
    return evolve(
        need,
        duration=_amount(need.duration, asked.seconds, used.seconds, proposed.seconds),
        cpu_memory=_amount(need.cpu_memory, asked.memory, used.memory, proposed.memory) or 0,
        cores=_amount(need.cores, asked.cores, used.cores, proposed.cores) or 0,
    )


def _amount(written: int | None, asked: float | None, used: float | None, proposed: float | None) -> int | None:
    """The amount for a requirement where `written` is now: that stays if the proposal is what was asked for.

    It does not stay if the step used more than is written, because then a retry had to ask for more.
    """
    if proposed is None or (proposed == asked and (not written or written >= (used or 0))):
        return written
    return int(proposed)


def _notes(advice: Advice, stopped: dict[str, int]) -> Iterator[str]:
    """What to know before using the proposal; `stopped` has how many jobs were stopped at the limit of a quantity."""
    for quantity, count in stopped.items():
        jobs = "it was" if advice.jobs == 1 else f"{count} of {advice.jobs} jobs were"
        yield f"{jobs} stopped at the {quantity} limit: how much it needs is not known, so twice the limit is a guess"
    for quantity, asked, used in (
        ("time", advice.asked.seconds, advice.used.seconds),
        ("memory", advice.asked.memory, advice.used.memory),
    ):
        if asked and used and TIGHT * asked <= used <= asked:
            yield f"its {quantity} was tight: it used {used / asked:.0%}"
    if advice.used.memory is None:
        yield "its memory was not measured: Slurm does not measure jobs that are shorter than its sampling interval"
    if advice.counted < advice.jobs:
        yield f"{advice.jobs - advice.counted} of {advice.jobs} jobs did not succeed and do not count"
    if len(advice.need.alternatives) > 1:
        yield "it ran as one of its alternatives: the others may need more or less"


def _most(values: Iterable[float | None]) -> Any:
    return max((value for value in values if value is not None), default=None)
