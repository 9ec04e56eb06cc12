"""The states of a run's steps and jobs.

To look at them executes nothing: result files are not unpickled, and no scheduler is started.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from launchers.errors import RunError
from launchers.events import LATEST, BadFileError, read_object
from launchers.files.atomic import write_atomically
from launchers.jobs.backend import Element, JobAnswer, JobInfo
from launchers.jobs.state import ENDED, LOST, NO_REASON, UNKNOWN, base, in_words
from launchers.jobs.submission import Submission
from launchers.quantities.units import format_timespan
from launchers.runs.gate import runner
from launchers.runs.journal import JournalState
from launchers.runs.results import CANCELLED, SUCCESS, Outcome, peek_outcome, result_paths
from launchers.runs.script import states_completed, withheld
from launchers.runs.stored import StoredRun

UNSUBMITTED = "UNSUBMITTED"
"""The state of a job that the scheduler has not been asked for yet."""

Seen = dict[str, list[Any]]
"""State and time of each job when a scheduler last knew it."""


@frozen
class MemberState:
    """One job of a step: its id in the scheduler, what is known of it, and what it was submitted as.

    `is_missing` says that its scheduler answered, and does not know it, and `lacks_result` that it ended with 0 as far
    as the scheduler knows, and there is no result to show for it, or not yet.
    """

    step: str
    item: int | None
    submission: str
    job: str
    info: JobInfo
    element: Element = ("", None)
    position: int = 0
    is_missing: bool = False
    lacks_result: bool = False

    @property
    def is_unreachable(self) -> bool:
        """Whether nobody knows its state since its scheduler could not be asked."""
        return self.info.state == UNKNOWN and not self.is_missing

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
            if info.state in ("PENDING", "RUNNING") and info.reason not in NO_REASON:
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

    `problem` says why the scheduler cannot be asked.  `numbers` are those of the submissions in the plan.  The folder
    of a submission is looked at once, when it is first needed.
    """

    run: StoredRun
    journal: JournalState
    infos: Mapping[Element, JobInfo]
    problem: str
    seen: Seen
    numbers: Mapping[str, int]
    _paths: dict[tuple[str, int], dict[int | None, Path]] = field(factory=dict)

    def outcome(self, submission: Submission, index: int | None) -> Outcome | None:
        """What the result files of a member say; None where there is none, or not of all its tasks."""
        outcomes: list[Outcome] = []
        for task in range(_tasks(submission)):
            key = (submission.name, task)
            if key not in self._paths:
                folder = self.run.folder.path
                self._paths[key] = result_paths(folder, submission.name, array=submission.array, task=task)
            path = self._paths[key].get(index)
            outcome = peek_outcome(path) if path else None
            if outcome is not None:
                outcomes.append(outcome)
        bad = next((outcome for outcome in outcomes if outcome.word != SUCCESS), None)
        return bad or (outcomes[0] if len(outcomes) == _tasks(submission) else None)


def _tasks(submission: Submission) -> int:
    """How many tasks, each with a result of its own, a job of a submission has."""
    parameters = submission.parameters
    if parameters.get("use_srun") is False:
        return 1
    counts = [str(parameters.get(name) or 1) for name in ("nodes", "ntasks_per_node")]
    if not all(count.isascii() and count.isdigit() for count in counts):
        return 1  # nodes may be a range, given by hand
    return max(1, int(counts[0]) * int(counts[1]))


def member_states(run: StoredRun, *, usage: bool = False, only: Collection[str] | None = None) -> list[MemberState]:
    """Every job of a run, of several attempts the last; one question to the scheduler however many there are.

    What no scheduler knows is judged by the job's own result, and by what was seen last.  `only` keeps to these
    submissions, whichever attempts they are, and barriers.
    """
    journal = run.folder.journal.state()
    if only is None:
        wanted = [(member, *place) for member, place in run.latest().items()]
        submissions: Sequence[Submission] = run.submissions
    else:
        submissions = [run.submissions_by_name[name] for name in only]
        wanted = [(member, one, position) for one in submissions for position, member in enumerate(one.members)]
    jobs = {journal.jobs[one.name]: one.token for one in submissions if one.name in journal.jobs}
    elements = elements_of(submissions, journal.jobs)
    answer = run.backend.states(run.folder.path, jobs, elements, usage=usage) if jobs else JobAnswer()
    problem = answer.problem
    if not problem and not elements <= answer.infos.keys():
        problem = elsewhere(run)
    numbers = {submission.name: number for number, submission in enumerate(run.submissions)}
    known = _Knowledge(run, journal, answer.infos, problem, read_seen(run.folder.seen_path), numbers)
    members = [_member_state(known, step, item, one, position) for (step, item), one, position in wanted]
    members = _with_other_runners(known, members)
    if run.backend.forgets_jobs and run.own:
        _remember(run.folder.seen_path, known.seen, members)
    return members


def elsewhere(run: StoredRun) -> str:
    """Why the scheduler's commands here cannot speak for a run: they are another cluster's; "" where they can."""
    here = run.backend.cluster() if run.cluster else ""
    if here in ("", run.cluster):
        return ""
    return f"the run is on the cluster {run.cluster}, and the commands here are those of {here}"


def check_cluster(run: StoredRun) -> None:
    """Raise RunError where a run is on another cluster than that of the commands here."""
    if why := elsewhere(run):
        raise RunError(f"{run.folder}: {why}: work on it from a machine of {run.cluster}")


def _member_state(known: _Knowledge, step: str, item: int | None, submission: Submission, position: int) -> MemberState:
    """The job at a position of a submission, which is of a step and an item."""
    journal, job = known.journal, known.journal.jobs.get(submission.name)
    if job is None:
        info = _unsubmitted(known, submission, position, step)
        return MemberState(step, item, submission.name, "", info, position=position)
    index = submission.element(position)
    id = _id((job, index))
    answer, missing, lacks_result = known.infos.get((job, index)), False, False
    if answer is None:
        info = _forgotten(known, submission, index, id, step, position)
        missing = info.state == UNKNOWN and not known.problem
    elif answer.state in ENDED and answer.state != "COMPLETED":
        info = _withdrawn(known, submission, index) or answer
    else:
        info, lacks_result = answer, answer.state == "COMPLETED" and not _is_proven(known, submission, index, id)
    if lacks_result:
        info = _without_result(known, submission, position, info)
    if answer is not None and info.submitted is None:
        info = evolve(info, submitted=journal.sent[submission.name])
    place = (job, index)
    return MemberState(step, item, submission.name, info.job or id, info, place, position, missing, lacks_result)


def _is_proven(known: _Knowledge, submission: Submission, index: int | None, id: str) -> bool:
    """Whether a job that its scheduler calls COMPLETED has run its step to the end."""
    if known.run.backend.proves_success or submission.script or known.seen.get(id, ("",))[0] == "COMPLETED":
        return True
    outcome = known.outcome(submission, index)
    return outcome is not None and outcome.word == SUCCESS


def _without_result(known: _Knowledge, submission: Submission, position: int, info: JobInfo) -> JobInfo:
    """A job that ended with 0 and has no result: it may not be seen yet on a shared file system."""
    lost = known.journal.lost.get((submission.name, position))
    if lost is not None:
        return evolve(info, state=LOST, reason=lost)
    return evolve(info, state="COMPLETING", reason="it ended with 0, and its result is not there (yet)")


def _unsubmitted(known: _Knowledge, submission: Submission, position: int, step: str) -> JobInfo:
    journal = known.journal
    if submission.name in journal.never:
        return JobInfo("CANCELLED", journal.never[submission.name])
    if journal.is_to_be_cancelled(known.numbers[submission.name], step):
        return JobInfo("CANCELLED", "cancelled before it was submitted")
    if (submission.name, position) in journal.lost:
        return JobInfo(LOST, journal.lost[submission.name, position])
    lines = journal.refused.get(submission.name)
    return JobInfo(UNSUBMITTED, "; ".join(lines) if lines else "not submitted: launchers resume finishes that")


def _withdrawn(known: _Knowledge, submission: Submission, index: int | None) -> JobInfo | None:
    """A job that ended before it ran its step, as it says itself, or as the name says that it could not take."""
    if submission.script:
        reason = withheld(known.run, submission, index)
        return JobInfo("CANCELLED", reason) if reason else None
    outcome = known.outcome(submission, index)
    return JobInfo("CANCELLED", outcome.reason) if outcome and outcome.word == CANCELLED else None


def _forgotten(
    known: _Knowledge, submission: Submission, index: int | None, id: str, step: str, position: int
) -> JobInfo:
    """A job that the scheduler does not know, or cannot be asked of: its own result counts, else what was seen last."""
    if submission.script and states_completed(known.run.folder.path):
        return JobInfo("COMPLETED", "its run says so")
    outcome = known.outcome(submission, index)
    if outcome is not None:
        state = {SUCCESS: "COMPLETED", CANCELLED: "CANCELLED"}.get(outcome.word, "FAILED")
        return JobInfo(state, outcome.reason)
    state, when = known.seen.get(id, ("", 0.0))
    if state in ENDED:
        return JobInfo(state, "seen earlier")
    lost = known.journal.lost.get((submission.name, position))
    if lost is not None:
        return JobInfo(LOST, lost)
    last = f"; last seen {state} {time.strftime('%Y-%m-%d %H:%M', time.localtime(when))}" if state else ""
    if known.problem:
        return JobInfo(UNKNOWN, f"{known.run.backend.title} cannot be asked: {known.problem}{last}")
    if known.journal.was_cancelled(submission.name, known.numbers[submission.name], step):
        return JobInfo("CANCELLED", "cancelled before it started")
    return JobInfo(UNKNOWN, f"no scheduler knows it (any more){last}")


def _with_other_runners(known: _Knowledge, members: list[MemberState]) -> list[MemberState]:
    """Members whose name another job has than the one that the journal knows: what came of that job counts."""
    if not known.run.backend.forgets_jobs:
        return members
    by_name = known.run.submissions_by_name
    others: dict[int, Element] = {}
    for number, member in enumerate(members):
        if member.element[0] and not member.succeeded and (member.ended or member.is_missing):
            submission = by_name[member.submission]
            has = runner(known.run.folder.job_folder(submission.name), submission.element(member.position))
            job = has.job.partition("_")[0] if has else ""
            if job not in ("", member.element[0]):
                others[number] = (job, member.element[1])
    if not others:
        return members
    tokens = {job: by_name[members[number].submission].token for number, (job, _) in others.items()}
    answer = known.run.backend.states(known.run.folder.path, tokens, set(others.values()))
    for number, element in others.items():
        if element in answer.infos:
            info = evolve(answer.infos[element], job=answer.infos[element].job or _id(element))
            members[number] = evolve(members[number], info=info, job=info.job, element=element, is_missing=False)
    return members


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
        seen = read_object(path)
    except FileNotFoundError:
        return {}
    except BadFileError:
        seen = {"": None}
    if not all(map(_is_sighting, seen.values())):
        raise RunError(f"{path}:1: not the states that launchers has seen: remove the file")
    return seen


def _is_sighting(value: object) -> bool:
    if not isinstance(value, list) or [type(part) for part in value] not in ([str, float], [str, int]):
        return False
    return bool(0 <= value[1] < LATEST)


def _remember(path: Path, seen: Seen, members: Iterable[MemberState]) -> None:
    """Write down the states that are known now, where they are others than before; a view needs no write for itself."""
    now = time.time()
    ids = ((_id(member.element), member.info.state) for member in members if member.element[0])
    known = {id: [state, now] for id, state in ids if state not in (UNKNOWN, LOST)}
    before = {id: state for id, (state, _) in seen.items()}
    if known and {id: state for id, (state, _) in known.items()} != before:
        with contextlib.suppress(OSError):
            write_atomically(path, json.dumps({**seen, **known}))


def _id(element: Element) -> str:
    job, index = element
    return job if index is None else f"{job}_{index}"
