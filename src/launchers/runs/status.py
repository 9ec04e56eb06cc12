"""The states of a run's steps and jobs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from launchers.jobs.backend import Element, JobInfo
from launchers.jobs.state import ENDED, UNKNOWN, base, in_words
from launchers.jobs.submission import Unit
from launchers.quantities.units import format_timespan
from launchers.runs import script
from launchers.runs.journal import Cancel, Cancelled, Event, Submitted

UNSENT, NEVER = "UNSUBMITTED", "CANCELLED"


@frozen
class MemberState:
    """One job of a step: its id in the scheduler, what is known of it, and what it was submitted as."""

    step: str
    number: int | None
    unit: str
    job: str
    info: JobInfo
    element: Element = ("", None)

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.info.state in ENDED

    def elapsed(self, now: float) -> int | None:
        """Seconds for which it has run at the time `now`, or did; None where it never started, or nobody knows."""
        end = self.info.ended if self.ended else now
        return None if self.info.started is None or end is None else max(0, round(end - self.info.started))

    @property
    def stuck(self) -> bool:
        """Whether it waits for what can never come, on a Slurm without kill_invalid_depend (man slurm.conf)."""
        return self.info.state == "PENDING" and base(self.info.reason) == "DEPENDENCYNEVERSATISFIED"

    @property
    def gone(self) -> bool:
        """Whether it can never succeed, or nobody can say whether it did."""
        return self.info.state != "COMPLETED" and (self.ended or self.stuck or self.info.state == UNKNOWN)


@frozen
class StepState:
    """A step and all its jobs; `state` is the one that matters most: failed before running before waiting.

    `left_out` says that it never ran since what it waits for a failure of succeeded, or was left out itself.
    """

    name: str
    says: str
    seconds: int | None
    members: tuple[MemberState, ...]
    left_out: bool = False

    @property
    def limit(self) -> str:
        """Its time limit, for people."""
        return format_timespan(self.seconds) if self.seconds else ""

    @property
    def counts(self) -> Counter[str]:
        """How many jobs are in each state."""
        return Counter(one.info.state for one in self.members)

    @property
    def state(self) -> str:
        """One word for all of them."""
        counts = self.counts
        bad = [state for state in counts if state in ENDED and state != "COMPLETED"]
        alive = [state for state in counts if state not in ENDED]
        if alive:
            return "RUNNING" if "RUNNING" in alive else sorted(alive)[0]
        return sorted(bad)[0] if bad else "COMPLETED"

    @property
    def succeeded(self) -> bool:
        """Whether all went well with it: all its jobs completed, or it was left out."""
        return self.left_out or self.state == "COMPLETED"

    @property
    def failed(self) -> bool:
        """Whether any of them has ended without success, whatever the others do."""
        return not self.left_out and any(one.ended and one.info.state != "COMPLETED" for one in self.members)

    @property
    def ended(self) -> bool:
        """Whether all of them have ended."""
        return all(one.ended for one in self.members)

    @property
    def reason(self) -> str:
        """Why the first job that says so waits or failed, in words."""
        for one in self.members:
            if one.info.state == "PENDING" and one.info.reason not in ("", "None"):
                return in_words(one.info.reason)
            if one.info.state in (UNKNOWN, UNSENT):
                return one.info.reason
            if one.ended and one.info.state != "COMPLETED":
                return one.info.reason if one.info.reason not in ("", "None") else f"exit {one.info.exit}"
        return ""


def _is_sighting(value: object) -> bool:
    return isinstance(value, list) and [type(one) for one in value] in ([str, float], [str, int])


def _left_out(
    members: Sequence[MemberState], waits: Sequence[tuple[str, str]], before: Mapping[str, StepState]
) -> bool:
    """Whether a step with these jobs was left out as what it waits for did not come about; that is no failure."""
    if not members or any(one.info.state != "CANCELLED" and not one.stuck for one in members):
        return False
    return any(
        before[name].succeeded if on == "failed" else before[name].left_out and on != "any"
        for name, on in waits
        if name in before
    )


def elements_of(units: Iterable[Unit], ids: Mapping[str, str]) -> set[Element]:
    """All jobs of the submissions that have an id."""
    return {
        (ids[unit.name], unit.element(position))
        for unit in units
        if unit.name in ids
        for position in range(len(unit.members))
    }


@define
class Stopped:
    """What was cancelled: submissions by the order in which they were made, and how far each order to cancel goes.

    `orders` are (submissions there were then, steps): all pairs of them would be millions.
    """

    positions: dict[str, int] = field(factory=dict)
    orders: list[tuple[int, frozenset[str]]] = field(factory=list)
    whole: set[str] = field(factory=set)

    def has(self, unit: str, step: str) -> bool:
        """Whether the jobs of a step in a submission were cancelled."""
        position = self.positions.get(unit)
        return unit in self.whole or any(
            position is not None and position < count and step in steps for count, steps in self.orders
        )


def _stopped(events: Iterable[Event]) -> Stopped:
    stopped = Stopped()
    for one in events:
        if isinstance(one, Submitted):
            stopped.positions.setdefault(one.unit, len(stopped.positions))
        elif isinstance(one, Cancel):
            stopped.orders.append((len(stopped.positions), frozenset(one.steps)))
        elif isinstance(one, Cancelled):
            stopped.whole.update(one.units)
    return stopped


def _forgotten(run: Path, unit: Unit, result: Path | None, seen: list[Any] | None) -> JobInfo:
    """A job that no scheduler knows any more: what its own file says, else what was seen last."""
    if unit.script and script.said_completed(run):
        return JobInfo("COMPLETED", "its run says so")
    if result is not None:
        import pickle

        with result.open("rb") as file:
            outcome, value = pickle.load(file)  # noqa: S301 - written by this user's own jobs
        last = str(value).strip().splitlines()[-1:] if outcome != "success" else []
        return JobInfo("COMPLETED" if outcome == "success" else "FAILED", "".join(last))
    if seen and seen[0] in ENDED:
        return JobInfo(seen[0], "seen earlier")
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(seen[1])) if seen else ""
    return JobInfo(UNKNOWN, f"last seen {seen[0]} {when}" if seen else "no scheduler knows it (any more)")
