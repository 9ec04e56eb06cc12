"""A submitted plan, followed from its run folder: status, results, logs, cancelling, waiting."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from launchers.commands import LocalConnector
from launchers.errors import RunError
from launchers.files.atomic import write_atomically
from launchers.jobs.backend import Element, JobInfo
from launchers.jobs.state import ENDED, UNKNOWN
from launchers.jobs.submission import Unit
from launchers.local import scheduler
from launchers.local.backend import _local_usage
from launchers.local.jobs import Status, read_statuses
from launchers.runs import script
from launchers.runs.folder import Store, load
from launchers.runs.journal import Cancel, Never, Refused, Starting
from launchers.runs.lock import is_held
from launchers.runs.progress import progress
from launchers.runs.results import result as read_result
from launchers.runs.results import results
from launchers.runs.status import (
    NEVER,
    UNSENT,
    MemberState,
    StepState,
    _forgotten,
    _is_sighting,
    _left_out,
    _stopped,
    elements_of,
)
from launchers.schedulers import batch

TICK = 2.0
"""Seconds between two questions to the scheduler while waiting."""


class NoSuchStepError(KeyError):
    """A step that a run does not have; it names those that it has."""


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
            write_atomically(self.folder / "seen.json", json.dumps({**seen, **fresh}))

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
