"""The states of a run's steps and jobs."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from launchers.errors import RunError
from launchers.files.atomic import write_atomically
from launchers.jobs.backend import Element, JobInfo
from launchers.jobs.state import ENDED, NO_REASON, UNKNOWN, base, in_words
from launchers.jobs.submission import Submission
from launchers.quantities.units import format_timespan
from launchers.runs.journal import JournalState
from launchers.runs.results import read_outcome, result_paths
from launchers.runs.script import states_completed
from launchers.runs.stored import StoredRun

UNSUBMITTED = "UNSUBMITTED"
"""The state of a job that the scheduler has not been asked for yet."""

Seen = dict[str, list[Any]]
"""State and time of each job when a scheduler last knew it."""


@frozen
class MemberState:
    """One job of a step: its id in the scheduler, what is known of it, and what it was submitted as."""

    step: str
    item: int | None
    submission: str
    job: str
    info: JobInfo
    element: Element = ("", None)

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.info.state in ENDED

    @property
    def succeeded(self) -> bool:
        """Whether it has ended well."""
        return self.info.state == "COMPLETED"

    @property
    def failed(self) -> bool:
        """Whether it has ended otherwise."""
        return self.ended and not self.succeeded

    @property
    def stuck(self) -> bool:
        """Whether it waits for what can never come, on a Slurm without kill_invalid_depend (man slurm.conf)."""
        return self.info.state == "PENDING" and base(self.info.reason) == "DEPENDENCYNEVERSATISFIED"

    @property
    def settled(self) -> bool:
        """Whether nothing will become of it any more by itself: it has ended, is stuck or was not submitted."""
        return self.ended or self.stuck or self.info.state == UNSUBMITTED

    @property
    def gone(self) -> bool:
        """Whether it can never succeed, or nobody can say whether it did."""
        return not self.succeeded and (self.ended or self.stuck or self.info.state == UNKNOWN)

    def elapsed(self, now: float) -> int | None:
        """Seconds for which it has run at the time `now`, or did; None where it never started, or nobody knows."""
        end = self.info.ended if self.ended else now
        return None if self.info.started is None or end is None else max(0, round(end - self.info.started))


@frozen
class StepState:
    """A step and all its jobs; `state` is the one that matters most: failed before running before waiting.

    `place` is the partition or machine for people, `seconds` the time limit (None: none).  `left_out` says that the
    step never ran since what it waits for a failure of succeeded, or was left out itself.
    """

    name: str
    place: str
    seconds: int | None
    members: tuple[MemberState, ...] = field(repr=False)
    left_out: bool = False

    @property
    def limit(self) -> str:
        """Its time limit, for people."""
        return format_timespan(self.seconds) if self.seconds else ""

    @property
    def counts(self) -> Counter[str]:
        """How many jobs are in each state."""
        return Counter(member.info.state for member in self.members)

    @property
    def state(self) -> str:
        """One word for all of them."""
        counts = self.counts
        alive = [state for state in counts if state not in ENDED]
        if alive:
            return "RUNNING" if "RUNNING" in alive else min(alive)
        return min((state for state in counts if state != "COMPLETED"), default="COMPLETED")

    @property
    def succeeded(self) -> bool:
        """Whether all went well with it: all its jobs completed, or it was left out."""
        return self.left_out or self.state == "COMPLETED"

    @property
    def failed(self) -> bool:
        """Whether any of them has ended without success, whatever the others do."""
        return not self.left_out and any(member.failed for member in self.members)

    @property
    def ended(self) -> bool:
        """Whether all of them have ended."""
        return all(member.ended for member in self.members)

    @property
    def reason(self) -> str:
        """Why the first job that says so waits or failed, in words."""
        for member in self.members:
            info = member.info
            if info.state == "PENDING" and info.reason not in NO_REASON:
                return in_words(info.reason)
            if info.state in (UNKNOWN, UNSUBMITTED):
                return info.reason
            if member.failed:
                return info.reason if info.reason not in NO_REASON else f"exit {info.exit}"
        return ""


def step_states(run: StoredRun, members: Iterable[MemberState]) -> list[StepState]:
    """The steps of a run, parents first, with their jobs."""
    by_step: dict[str, list[MemberState]] = {}
    for member in members:
        by_step.setdefault(member.step, []).append(member)
    limits = {step: submission.seconds for (step, _), (submission, _) in run.latest().items() if submission.seconds}
    states: dict[str, StepState] = {}
    for step in run.steps:
        mine = tuple(by_step.get(step.name, ()))
        left_out = _was_left_out(mine, step.waits, states)
        states[step.name] = StepState(step.name, step.place, limits.get(step.name, step.seconds), mine, left_out)
    return list(states.values())


def _was_left_out(
    members: Sequence[MemberState], waits: Sequence[tuple[str, str]], before: Mapping[str, StepState]
) -> bool:
    """Whether a step with these jobs was left out as what it waits for did not come about; that is no failure."""
    if not members or any(member.info.state != "CANCELLED" and not member.stuck for member in members):
        return False
    return any(
        before[name].succeeded if on == "failed" else before[name].left_out and on != "any"
        for name, on in waits
        if name in before
    )


# -- jobs ------------------------------------------------------------------------------------------------------


@frozen
class _Knowledge:
    """All that is known of a run: its journal, what the scheduler says, what was seen before, and its result files.

    The folder of a submission is looked at once, when it is first needed.
    """

    run: StoredRun
    journal: JournalState
    infos: Mapping[Element, JobInfo]
    seen: Seen
    _paths: dict[str, dict[int | None, Path]] = field(factory=dict)

    def result_path(self, submission: Submission, index: int | None) -> Path | None:
        """The result file of a member, if there is one."""
        if submission.name not in self._paths:
            folder = self.run.folder.path
            self._paths[submission.name] = result_paths(folder, submission.name, array=submission.array)
        return self._paths[submission.name].get(index)


def member_states(run: StoredRun, *, usage: bool = False) -> list[MemberState]:
    """Every job of a run; one question to the scheduler however many there are.

    What no scheduler knows any more is judged by the job's own result, and by what was seen last.
    """
    journal = run.folder.journal.state()
    elements = elements_of(run.submissions, journal.jobs)
    infos = run.backend.states(run.folder.path, run.tokens(journal), elements, usage=usage).infos
    known = _Knowledge(run, journal, infos, read_seen(run.folder.seen_path))
    members = [
        _member_state(known, step, item, submission, position)
        for (step, item), (submission, position) in run.latest().items()
    ]
    if run.backend.forgets_jobs:
        _remember(run.folder.seen_path, known.seen, members)
    return members


def _member_state(known: _Knowledge, step: str, item: int | None, submission: Submission, position: int) -> MemberState:
    """The job at a position of a submission, which is of a step and an item."""
    journal, job = known.journal, known.journal.jobs.get(submission.name)
    if job is None:
        return MemberState(step, item, submission.name, "", _unsubmitted(journal, submission.name))
    index = submission.element(position)
    id = _id((job, index))
    info = known.infos.get((job, index))
    if info is None:
        info = _forgotten(known, submission, index, id)
        if info.state == UNKNOWN and journal.was_cancelled(submission.name, step):
            info = JobInfo("CANCELLED", "cancelled before it started")
    elif info.submitted is None:
        info = evolve(info, submitted=journal.sent[submission.name])
    return MemberState(step, item, submission.name, info.job or id, info, (job, index))


def _unsubmitted(journal: JournalState, submission: str) -> JobInfo:
    if submission in journal.never:
        return JobInfo("CANCELLED", journal.never[submission])
    lines = journal.refused.get(submission)
    return JobInfo(UNSUBMITTED, "; ".join(lines) if lines else "not submitted: launchers resume finishes that")


def _forgotten(known: _Knowledge, submission: Submission, index: int | None, id: str) -> JobInfo:
    """A job that no scheduler knows any more: what its own file says, else what was seen last."""
    if submission.script and states_completed(known.run.folder.path):
        return JobInfo("COMPLETED", "its run says so")
    path = known.result_path(submission, index)
    if path is not None:
        succeeded, value = read_outcome(path)
        last = [] if succeeded else str(value).strip().splitlines()[-1:]
        return JobInfo("COMPLETED" if succeeded else "FAILED", "".join(last))
    if id not in known.seen:
        return JobInfo(UNKNOWN, "no scheduler knows it (any more)")
    state, when = known.seen[id]
    if state in ENDED:
        return JobInfo(state, "seen earlier")
    return JobInfo(UNKNOWN, f"last seen {state} {time.strftime('%Y-%m-%d %H:%M', time.localtime(when))}")


def elements_of(submissions: Iterable[Submission], jobs: Mapping[str, str]) -> set[Element]:
    """All jobs of the submissions that have an id."""
    return {
        (jobs[submission.name], submission.element(position))
        for submission in submissions
        if submission.name in jobs
        for position in range(len(submission.members))
    }


# -- what was seen ---------------------------------------------------------------------------------------------


def read_seen(path: Path) -> Seen:
    """State and time of each job when a scheduler last knew it.  Raises RunError."""
    try:
        seen = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        seen = None
    if not isinstance(seen, dict) or not all(map(_is_sighting, seen.values())):
        raise RunError(f"{path}:1: not the states that launchers has seen: remove the file")
    return seen


def _is_sighting(value: object) -> bool:
    return isinstance(value, list) and [type(part) for part in value] in ([str, float], [str, int])


def _remember(path: Path, seen: Seen, members: Iterable[MemberState]) -> None:
    """Write down the states that are known now, where they are others than before."""
    now = time.time()
    ids = ((_id(member.element), member.info.state) for member in members if member.element[0])
    known = {id: [state, now] for id, state in ids if state != UNKNOWN}
    before = {id: state for id, (state, _) in seen.items()}
    if known and {id: state for id, (state, _) in known.items()} != before:
        write_atomically(path, json.dumps({**seen, **known}))


def _id(element: Element) -> str:
    job, index = element
    return job if index is None else f"{job}_{index}"
