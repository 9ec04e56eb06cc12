"""A submitted plan, followed from its run folder: status, results, logs, cancelling, waiting."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from launchers.errors import ForeignRunError, RunError
from launchers.jobs.submission import Member, Submission
from launchers.quantities.units import format_timespan
from launchers.runs.cancel import cancel_steps, take_for_lost
from launchers.runs.folder import RunFolder
from launchers.runs.progress import progress
from launchers.runs.results import read_result
from launchers.runs.script import script_logs
from launchers.runs.status import UNSUBMITTED, MemberState, StepState, member_states, step_states
from launchers.runs.stored import StoredRun, load_run

NO_RESULT = "it ended with 0, and left no result"
GIVE_UP = 3600.0
"""Seconds after which a job that its scheduler does not know, and that has left no result, is taken for lost."""
RESULT_LAG = 60.0
"""Seconds for which a result may not be seen on a shared file system after its job has ended (man nfs: acdirmax)."""
REVIVAL = 2.0
"""Seconds between two looks at whether a scheduler of ours was killed."""


class NoSuchStepError(KeyError):
    """A step that a run does not have; the message names those that it has."""


class StepsFailedError(RunError):
    """Steps of a run ended without success: `steps` are their states."""

    def __init__(self, run: Path, steps: Sequence[StepState]) -> None:
        lines = [f"step {step.name} {step.state}{f': {step.reason}' if step.reason else ''}" for step in steps]
        super().__init__("\n".join([*lines, f"run folder: {run}; the logs: launchers logs {run} STEP"]))
        self.steps = tuple(steps)


@define(repr=False)
class PlanRun:
    """A submitted plan.  Iterating gives its steps, parents first; ``run["train"]`` is one of them."""

    record: StoredRun
    _written: int = field(default=0, init=False)

    def __repr__(self) -> str:
        where = self.record.group or self.record.scheduler
        return f"PlanRun({str(self.folder)!r}, {len(self.record.steps)} steps on {where})"

    def __iter__(self) -> Iterator[SubmittedStep]:
        return iter([SubmittedStep(self, step.name) for step in self.record.steps])

    def __len__(self) -> int:
        return len(self.record.steps)

    def __getitem__(self, name: str) -> SubmittedStep:
        """One step.  Raises NoSuchStepError with the names that there are."""
        names = [step.name for step in self.record.steps]
        if name not in names:
            raise NoSuchStepError(f"there is no step {name}: {', '.join(names)}")
        return SubmittedStep(self, name)

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.record.folder.path

    def reload(self) -> StoredRun:
        """Read plan.json again where it has changed: another client may have run something again since.

        Raises RunError.
        """
        path = self.record.folder.plan_path
        written = path.stat().st_mtime_ns if path.exists() else 0
        if written != self._written:
            self.record, self._written = load_run(self.folder, trust=not self.record.own), written
        return self.record

    def status(self, *, usage: bool = False) -> list[StepState]:
        """Every step, parents first; one question to the scheduler however many jobs there are.

        `usage` asks it also for what the jobs used, which may take longer.  Raises RunError.
        """
        run = self.reload()
        return step_states(run, member_states(run, usage=usage))

    def is_over(self) -> bool:
        """Whether nothing of it runs or waits: its jobs have ended, or the scheduler refused them, or one before."""
        refused = not self.record.folder.is_locked and bool(self.record.folder.journal.state().refused)
        members = [member for step in self.status() for member in step.members]
        return all(member.ended or (refused and member.info.state == UNSUBMITTED) for member in members)

    def wait(self, timeout: float | None = None, *, check: bool = True, give_up: float = GIVE_UP) -> bool:
        """Wait until nothing moves any more; whether all steps succeeded, or were left out.

        `timeout` is in seconds (None: no limit).  A job that its scheduler has not known for `give_up` seconds, though
        it answered, is LOST.  While the scheduler cannot be asked, it is waited for.  Raises TimeoutError when the time
        has passed and, unless `check` is False, StepsFailedError when a step failed.  Ctrl-C leaves the jobs as they
        are and says how to come back.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            steps = self._wait(deadline, give_up)
        except KeyboardInterrupt:
            print(
                f"\nlaunchers: The jobs keep running. To watch them again: launchers wait {self.folder}",
                file=sys.stderr,
            )
            raise
        bad = [step for step in steps if not step.succeeded]
        if bad and check:
            raise StepsFailedError(self.folder, bad)
        return not bad

    def _wait(self, deadline: float | None, give_up: float) -> list[StepState]:
        watch = _Watch(self, give_up)
        with progress(self.record.plan) as advance:
            while True:
                steps = watch.look()
                members = [member for step in steps for member in step.members]
                settled = sum(member.settled for member in members)
                advance(settled, len(members))
                if settled == len(members):
                    return steps
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError(f"{self.folder}: {len(members) - settled} of {len(members)} jobs have not ended")
                time.sleep(self.record.backend.poll_interval)

    # -- cancelling

    def cancel_stuck(self) -> list[str]:
        """Cancel what waits for ever, where Slurm does not do so itself; the names of the steps.

        Raises CommandError where the scheduler did not.
        """
        run = self._own()
        stuck = [member for member in member_states(run) if member.stuck]
        if stuck:
            run.backend.cancel(self.folder, [member.element for member in stuck], run.tokens())
        return list(dict.fromkeys(member.step for member in stuck))

    def cancel(
        self, names: Sequence[str] = (), *, except_item: int | None = None, descendants: bool = True
    ) -> list[str]:
        """Cancel steps and all that waits for them, or everything; the names of the steps.

        The item `except_item` of the steps named is left alone: it is what asks for it.  Without `descendants`, what
        waits for them is left to the scheduler, which knows job by job what can start no more.  Raises NoSuchStepError,
        and CommandError where the scheduler did not cancel them.
        """
        run = self._own()
        for name in names:
            _ = self[name]
        wanted = set(names) if names else {step.name for step in run.steps}
        if descendants:
            wanted = self.with_descendants(wanted)
        spared: set[Member] = {(name, except_item) for name in names} if except_item is not None else set()
        cancel_steps(run, wanted, spared)
        return sorted(wanted)

    def take_for_lost(self) -> list[MemberState]:
        """Take for lost what no scheduler knows and what has left no result: those jobs.

        Raises RunError where the scheduler cannot be asked, as its jobs may still run.
        """
        run = self._own()
        members = member_states(run)
        unreachable = next((member for member in members if member.is_unreachable), None)
        if unreachable is not None:
            raise RunError(f"{self.folder}: what is lost cannot be said now: {unreachable.info.reason}")
        missing = [member for member in members if member.is_missing]
        take_for_lost(run, missing, "no scheduler knows it, and it left no result")
        without_result = [member for member in members if member.lacks_result and not member.ended]
        take_for_lost(run, without_result, NO_RESULT)
        return missing + without_result

    def _own(self) -> StoredRun:
        """The run, read again, where it may be worked on.  Raises RunError."""
        run = self.reload()
        if not run.own:
            raise ForeignRunError(f"{self.folder} is not yours: it can be looked at, and not worked on")
        return run

    def with_descendants(self, names: Iterable[str]) -> set[str]:
        """Some steps and all that wait for them to succeed, fail or start."""
        wanted = set(names)
        for step in self.record.steps:  # parents come first
            if any(name in wanted and on != "any" for name, on in step.waits):
                wanted.add(step.name)
        return wanted

    # -- logs

    def logs(self, name: str, item: int | None = None) -> list[Path]:
        """The log files of a step that exist, output before errors, oldest first; of a Map, those of one item."""
        run = self.record
        jobs = run.folder.journal.state().jobs
        paths: list[Path] = []
        for (step, number), (submission, position) in run.latest().items():
            if step != name or item not in (None, number):
                continue
            if submission.script:
                paths += script_logs(run, submission, number, jobs.get(submission.name))
            else:
                paths += _submitit_logs(run.folder, submission, position)
        return list(dict.fromkeys(paths))


class _Watch:
    """What a client that waits remembers between two looks: since when its scheduler is away, and what is missing.

    Times are of the monotonic clock: nobody can set it.
    """

    def __init__(self, run: PlanRun, give_up: float) -> None:
        self.run, self.give_up = run, give_up
        self.missing: dict[tuple[str, int], float] = {}
        self.away = self.trouble = ""
        self.revived = 0.0

    def look(self) -> list[StepState]:
        """Every step, after what has to be done: schedulers of ours are started again, and jobs are given up."""
        self._revive()
        steps = self.run.status()
        members = [member for step in steps for member in step.members]
        self._tell_of_outages(members)
        overdue = self._overdue(members)
        if not overdue or not self.run.record.own:
            return steps
        unknown = f"no scheduler has known it for {format_timespan(max(1, round(self.give_up)))}, and it left no result"
        take_for_lost(self.run.record, [member for member in overdue if member.is_missing], unknown)
        take_for_lost(self.run.record, [member for member in overdue if member.lacks_result], NO_RESULT)
        return self.run.status()

    def _revive(self) -> None:
        now = time.monotonic()
        if self.run.record.own and now >= self.revived:
            record = self.run.record
            trouble = record.backend.revive(record.folder.path, record.folder.journal.state().jobs.values())
            if trouble and trouble != self.trouble:
                print(f"launchers: {trouble}", file=sys.stderr)
            self.trouble = trouble
            self.revived = now + REVIVAL

    def _tell_of_outages(self, members: Sequence[MemberState]) -> None:
        """Say once that the scheduler cannot be asked, and once that it can be again."""
        problem = next((member.info.reason for member in members if member.is_unreachable), "")
        if problem and not self.away:
            self.away = time.strftime("%H:%M:%S")
            print(f"launchers: since {self.away}, {problem}; waiting for it", file=sys.stderr)
        elif self.away and not problem:
            print(f"launchers: {self.run.record.backend.title} answers again", file=sys.stderr)
            self.away = ""

    def _overdue(self, members: Sequence[MemberState]) -> list[MemberState]:
        """The jobs that have been missing for too long."""
        now = time.monotonic()
        missing = {
            (member.submission, member.position): member
            for member in members
            if member.is_missing or (member.lacks_result and not member.ended)
        }
        self.missing = {key: self.missing.get(key, now) for key in missing}
        bounds = {True: self.give_up, False: min(self.give_up, RESULT_LAG)}
        return [member for key, member in missing.items() if now - self.missing[key] >= bounds[member.is_missing]]


def _submitit_logs(folder: RunFolder, submission: Submission, position: int) -> list[Path]:
    """The logs that submitit has a job write."""
    pattern = f"*_{position}_*_log." if submission.array else "*_log."
    logs = folder.job_folder(submission.name)
    return [
        path
        for kind in ("out", "err")
        for path in sorted(logs.glob(pattern + kind), key=lambda path: path.stat().st_mtime_ns)
    ]


@frozen
class SubmittedStep:
    """A step of a run: its result, and its state."""

    run: PlanRun
    name: str

    def status(self) -> StepState:
        """The step and all its jobs."""
        return next(step for step in self.run.status() if step.name == self.name)

    @property
    def state(self) -> str:
        """Its state, in Slurm's words."""
        return self.status().state

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the step and give its result, of a Map a list.

        Raises TimeoutError after `timeout` seconds, and RunError when it failed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        watch = _Watch(self.run, GIVE_UP)
        while True:
            step = next(step for step in watch.look() if step.name == self.name)
            if step.ended:
                break
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"step {self.name} is {step.state} after {timeout} s")
            time.sleep(self.run.record.backend.poll_interval)
        try:
            return read_result(self.run.folder, self.name)
        except LookupError as error:
            raise RunError(f"step {self.name} ended {step.state}: {step.reason or error}\n{error}") from None


def open_run(folder: str | Path, *, trust: bool = False) -> PlanRun:
    """A run by its folder.  Raises RunError when it is none.

    With `trust` a run of another user is opened as well; it is only looked at.
    """
    return PlanRun(load_run(folder, trust=trust))
