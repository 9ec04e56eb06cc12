"""A submitted plan, followed from its run folder: status, results, logs, cancelling, waiting."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from launchers.connector import LocalConnector
from launchers.journal import RunError
from launchers.local import scheduler
from launchers.local.jobs import LocalJob, Status, read_statuses
from launchers.plan import script
from launchers.plan.batch import Element, JobInfo, batch
from launchers.plan.journal import Cancel, Cancelled, Event, Never, Refused, Starting, Submitted
from launchers.plan.lock import is_held
from launchers.plan.node import result as read_result
from launchers.plan.progress import progress
from launchers.plan.store import Store, load, replace, results
from launchers.plan.units import Unit
from launchers.requirement import format_timespan
from launchers.slurm.accounting import Usage
from launchers.slurm.states import ENDED, UNKNOWN, base, in_words

TICK = 2.0
"""Seconds between two questions to the scheduler while waiting."""
UNSENT, NEVER = "UNSUBMITTED", "CANCELLED"


class NoSuchStepError(KeyError):
    """A step that a run does not have; it names those that it has."""


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


@define
class Run:
    """A submitted plan."""

    store: Store
    _written: int = field(default=0, init=False)

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.store.folder

    def reload(self) -> Store:
        """Read plan.json again where it has changed: another client may have run something again since.

        Raises RunError.
        """
        path = self.folder / "plan.json"
        written = path.stat().st_mtime_ns if path.exists() else 0
        if written != self._written:
            self.store, self._written = load(self.folder), written
        return self.store

    def status(self, *, usage: bool = False) -> list[StepState]:
        """Every step; one question to the scheduler however many jobs there are.

        `usage` asks it also for what the jobs used, which may take longer.
        """
        self.reload()
        known = self._local(usage) if self.store.scheduler == "local" else self._batched(usage)
        members: dict[str, list[MemberState]] = {}
        for one in known:
            members.setdefault(one.step, []).append(one)
        asked = {step: unit.seconds for unit, _, step, _ in self._units() if unit.seconds}
        found: dict[str, StepState] = {}
        for task in self.store.tasks:  # parents come first
            mine = tuple(members.get(task.name, ()))
            left_out = _left_out(mine, task.waits, found)
            limit = asked.get(task.name, task.seconds)
            found[task.name] = StepState(task.name, task.says, limit, mine, left_out=left_out)
        return list(found.values())

    def _units(self) -> Iterator[tuple[Unit, int, str, int | None]]:
        for (step, number), (unit, position) in self.store.latest().items():
            yield unit, position, step, number

    def _local(self, usage: bool = False) -> Iterator[MemberState]:
        statuses: dict[str, Status] = {}
        asked = self.store.local_jobs() if usage else {}
        for attempt in sorted({unit.attempt for unit in self.store.units}):
            folder = self.store.local_folder(attempt)
            found = read_statuses(folder)
            if any(
                found.get(unit.name, Status()).state not in ENDED
                for unit in self.store.units
                if unit.attempt == attempt
            ):
                scheduler.revive(folder)
            statuses |= found
        sent = {one.attempt: one.time for one in reversed(self.store.journal()) if isinstance(one, Starting)}
        for unit, _, step, number in self._units():
            status = statuses.get(unit.name, Status())
            end = status.ended or time.time()
            info = JobInfo(
                state=status.state,
                reason=status.reason,
                elapsed=f"{end - status.started:.0f} s" if status.started else "",
                exit="" if status.exit is None else str(status.exit),
                submitted=sent.get(unit.attempt),
                started=status.started,
                ended=status.ended,
                usage=_local_usage(asked[unit.name], status) if usage else None,
            )
            yield MemberState(step, number, unit.name, unit.name, info)

    def _batched(self, usage: bool = False) -> Iterator[MemberState]:
        ids = self.store.submitted()
        events = self.store.journal()
        never = {one.unit: one.reason for one in events if isinstance(one, Never)}
        refused = {one.unit: "; ".join(one.said) for one in events if isinstance(one, Refused)}
        stopped = _stopped(events)
        elements = elements_of(self.store.units, ids)
        found = batch(self.store.scheduler).states(LocalConnector(), ids.values(), elements, usage=usage)
        written: dict[str, dict[int | None, Path]] = {}
        seen = self._seen()
        fresh: dict[str, list[Any]] = {}
        for unit, position, step, number in self._units():
            job = ids.get(unit.name)
            if job is None:
                state = NEVER if unit.name in never else UNSENT
                why = never.get(unit.name) or refused.get(unit.name) or "not submitted: launchers resume finishes that"
                yield MemberState(step, number, unit.name, "", JobInfo(state, why))
                continue
            index = unit.element(position)
            id = job if index is None else f"{job}_{index}"
            info = found.get((job, index))
            if info is None:
                if unit.name not in written:
                    written[unit.name] = results(self.folder, unit.name, array=unit.array)
                info = _forgotten(self.folder, unit, written[unit.name].get(index), seen.get(id))
                if info.state == UNKNOWN and stopped.has(unit.name, step):
                    info = JobInfo("CANCELLED", "cancelled before it started")
            if info.state != UNKNOWN:
                fresh[id] = [info.state, time.time()]
            yield MemberState(step, number, unit.name, info.job or id, info, (job, index))
        if fresh and {key: value[0] for key, value in fresh.items()} != {key: value[0] for key, value in seen.items()}:
            replace(self.folder / "seen.json", json.dumps({**seen, **fresh}))

    def _seen(self) -> dict[str, list[Any]]:
        """State and time of each job when a scheduler last knew it.  Raises RunError."""
        path = self.folder / "seen.json"
        try:
            seen = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            seen = None
        if not isinstance(seen, dict) or not all(map(_is_sighting, seen.values())):
            raise RunError(f"{path}:1: not the states that launchers has seen: remove the file")
        return seen

    def over(self) -> bool:
        """Whether nothing of it runs or waits: its jobs have ended, or the scheduler refused them, or one before."""
        submitting = is_held(self.store.lock)
        refused = not submitting and any(isinstance(one, Refused) for one in self.store.journal())
        members = [one for step in self.status() for one in step.members]
        return all(one.ended or (refused and one.info.state == UNSENT) for one in members)

    def __getitem__(self, name: str) -> SubmittedStep:
        """One step; NoSuchStepError with the names that there are."""
        names = [task.name for task in self.store.tasks]
        if name not in names:
            raise NoSuchStepError(f"there is no step {name}: {', '.join(names)}")
        return SubmittedStep(self, name)

    def wait(self, timeout: float | None = None, tick: float = TICK) -> bool:
        """Wait until nothing moves any more or `timeout` seconds passed; whether all succeeded or were left out.

        Ctrl-C leaves the jobs as they are and says how to come back.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            with progress(self.store.plan) as tell:
                while True:
                    steps = self.status()
                    members = [one for step in steps for one in step.members]
                    over = sum(one.ended or one.stuck or one.info.state == UNSENT for one in members)
                    tell(over, len(members))
                    if over == len(members) or (deadline is not None and time.monotonic() > deadline):
                        return all(step.succeeded for step in steps)
                    time.sleep(0.1 if self.store.scheduler == "local" else tick)
        except KeyboardInterrupt:
            print(f"\nlaunchers: the jobs go on; come back with: launchers wait {self.folder}", file=sys.stderr)
            raise

    def cancel_stuck(self) -> list[str]:
        """Cancel what waits for ever, where Slurm does not do so itself; the names of the steps."""
        if self.store.scheduler == "local":
            return []
        stuck = [one for one in self._batched() if one.stuck]
        if stuck:
            batch(self.store.scheduler).cancel(LocalConnector(), [one.element for one in stuck])
        return list(dict.fromkeys(one.step for one in stuck))

    def cancel(self, names: Sequence[str] = (), *, but: int | None = None, alone: bool = False) -> list[str]:
        """Cancel steps and all that hangs on them, or everything; the names of the steps.

        The item `but` of the steps named is left alone: it is what asks for it.  `alone` leaves what hangs on them to
        the scheduler, which knows job by job what can start no more.

        Raises NoSuchStepError.
        """
        self.reload()
        for name in names:
            _ = self[name]
        wanted = set(names) if names else {task.name for task in self.store.tasks}
        wanted = wanted if alone else self.with_descendants(wanted)
        mine = [
            (unit, position)
            for unit, position, step, item in self._units()
            if step in wanted and (step not in names or but is None or item != but)
        ]
        self.store.record(Cancel(sorted(wanted)))
        if self.store.scheduler == "local":
            for attempt in sorted({unit.attempt for unit, _ in mine}):
                units = [unit.name for unit, _ in mine if unit.attempt == attempt]
                scheduler.cancel(self.store.local_folder(attempt), units)
            return sorted(wanted)
        ids = self.store.submitted()
        walls = {parent.unit for unit in self.store.units if unit.members[0][0] in wanted for parent in unit.parents}
        counts = Counter(unit.name for unit, _ in mine)
        whole = {
            unit.name
            for unit in self.store.units
            if (unit.name in walls if unit.barrier else counts[unit.name] == len(unit.members))
        }
        jobs: list[Element] = [(ids[name], None) for name in whole if name in ids]
        jobs += [(ids[u.name], u.element(at)) for u, at in mine if u.name not in whole and u.name in ids]
        if jobs:
            batch(self.store.scheduler).cancel(LocalConnector(), jobs)
        return sorted(wanted)

    def with_descendants(self, names: Iterable[str]) -> set[str]:
        """Some steps and all that hangs on them, where they have to succeed, fail or start."""
        found = set(names)
        for task in self.store.tasks:  # parents come first
            if any(name in found and on != "any" for name, on in task.waits):
                found.add(task.name)
        return found

    def logs(self, name: str, number: int | None = None) -> list[Path]:
        """The log files of a step that exist, output before errors, oldest first."""
        found: list[Path] = []
        ids = self.store.submitted()
        for unit, position, step, item in self._units():
            if step == name and number in (None, item):
                if unit.script:
                    found += script.logs(self.store, unit, item, ids.get(unit.name))
                    continue
                tail = f"_{position}" if unit.array else ""
                folder = self.store.job_folder(unit.name)
                pattern = f"*{tail}_*_log." if tail else "*_log."
                for kind in ("out", "err"):
                    found += sorted(folder.glob(pattern + kind), key=lambda path: path.stat().st_mtime_ns)
        return list(dict.fromkeys(found))


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


def _local_usage(job: LocalJob, status: Status) -> Usage:
    return Usage(
        cores=job.cores,
        memory=job.memory or None,
        gpus=len(job.wanted),
        limit=job.time_limit,
        reserved=job.cores,
        peak=status.memory,
        cpu=status.cpu,
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


@frozen
class SubmittedStep:
    """A step of a run: its result, and its state."""

    run: Run
    name: str

    @property
    def state(self) -> str:
        """Its state, in Slurm's words."""
        return next(step.state for step in self.run.status() if step.name == self.name)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the step and give its result, of a Map a list; raises RunError when it failed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            step = next(step for step in self.run.status() if step.name == self.name)
            if step.ended:
                break
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"step {self.name} is {step.state} after {timeout} s")
            time.sleep(0.1 if self.run.store.scheduler == "local" else TICK)
        try:
            return read_result(self.run.folder, self.name)
        except LookupError as error:
            raise RunError(f"step {self.name} ended {step.state}: {step.reason or error}\n{error}") from None


def open_run(folder: str | Path) -> Run:
    """A run by its folder; raises RunError when it is none."""
    return Run(load(Path(folder)))
