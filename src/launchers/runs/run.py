"""A submitted plan, followed from its run folder: status, results, logs, cancelling, waiting."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from launchers.errors import RunError
from launchers.jobs.backend import Element
from launchers.jobs.submission import Member, Submission
from launchers.runs.folder import RunFolder
from launchers.runs.journal import Cancel
from launchers.runs.progress import progress
from launchers.runs.results import read_result
from launchers.runs.script import script_logs
from launchers.runs.status import UNSUBMITTED, StepState, member_states, step_states
from launchers.runs.stored import StoredRun, load_run


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
            self.record, self._written = load_run(self.folder), written
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

    def wait(self, timeout: float | None = None, *, check: bool = True) -> bool:
        """Wait until nothing moves any more; whether all steps succeeded, or were left out.

        `timeout` is in seconds (None: no limit).  Raises TimeoutError when it has passed and, unless `check` is False,
        StepsFailedError when a step failed.  Ctrl-C leaves the jobs as they are and says how to come back.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            steps = self._wait(deadline)
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

    def _wait(self, deadline: float | None) -> list[StepState]:
        with progress(self.record.plan) as advance:
            while True:
                steps = self.status()
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
        """Cancel what waits for ever, where Slurm does not do so itself; the names of the steps."""
        stuck = [member for member in member_states(self.record) if member.stuck]
        if stuck:
            self.record.backend.cancel(self.folder, [member.element for member in stuck], self.record.tokens())
        return list(dict.fromkeys(member.step for member in stuck))

    def cancel(
        self, names: Sequence[str] = (), *, except_item: int | None = None, descendants: bool = True
    ) -> list[str]:
        """Cancel steps and all that waits for them, or everything; the names of the steps.

        The item `except_item` of the steps named is left alone: it is what asks for it.  Without `descendants`, what
        waits for them is left to the scheduler, which knows job by job what can start no more.  Raises NoSuchStepError.
        """
        run = self.reload()
        for name in names:
            _ = self[name]
        wanted = set(names) if names else {step.name for step in run.steps}
        if descendants:
            wanted = self.with_descendants(wanted)
        spared: set[Member] = {(name, except_item) for name in names} if except_item is not None else set()
        run.folder.journal.append(Cancel(sorted(wanted)))
        elements = _elements_to_cancel(run, wanted, spared)
        if elements:
            run.backend.cancel(self.folder, elements, run.tokens())
        return sorted(wanted)

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


def _elements_to_cancel(run: StoredRun, steps: set[str], spared: set[Member]) -> list[Element]:
    """The jobs of some steps but for what is spared; whole submissions, with the barriers before them, as one."""
    jobs = run.folder.journal.state().jobs
    mine = [
        (submission, position)
        for member, (submission, position) in run.latest().items()
        if member[0] in steps and member not in spared and submission.name in jobs
    ]
    counts = Counter(submission.name for submission, _ in mine)
    whole = {submission.name for submission, _ in mine if counts[submission.name] == len(submission.members)}
    together = sorted(whole | _useless_barriers(run, steps, spared))
    elements: list[Element] = [(jobs[name], None) for name in together if name in jobs]
    parts = [(submission, position) for submission, position in mine if submission.name not in whole]
    return elements + [(jobs[submission.name], submission.element(position)) for submission, position in parts]


def _useless_barriers(run: StoredRun, steps: set[str], spared: set[Member]) -> set[str]:
    """The names of the barriers behind which nothing is left when some steps are cancelled but for what is spared."""
    behind: dict[str, list[Member]] = {}
    for submission in run.submissions:
        for parent in submission.parents:
            if run.submissions_by_name[parent.submission].barrier:
                behind.setdefault(parent.submission, []).extend(submission.members)
    return {
        barrier
        for barrier, members in behind.items()
        if all(step in steps and (step, item) not in spared for step, item in members)
    }


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
        while True:
            step = self.status()
            if step.ended:
                break
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"step {self.name} is {step.state} after {timeout} s")
            time.sleep(self.run.record.backend.poll_interval)
        try:
            return read_result(self.run.folder, self.name)
        except LookupError as error:
            raise RunError(f"step {self.name} ended {step.state}: {step.reason or error}\n{error}") from None


def open_run(folder: str | Path) -> PlanRun:
    """A run by its folder.  Raises RunError when it is none."""
    return PlanRun(load_run(folder))
