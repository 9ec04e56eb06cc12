"""Submit what a run has not submitted yet, each submission once.

What makes it once: the journal says "intent" before the scheduler is asked and "submitted" after, and every submission
carries a token in its comment or name.  Where an intent has no end, or the scheduler refuses, the token is looked for
before that is believed.  A job that comes all the same finds its name taken on the node (launchers.runs.gate).
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path

from attrs import define, field

from launchers.commands import CommandError
from launchers.errors import RunError
from launchers.jobs.backend import Element, RefusedError, Wait
from launchers.jobs.state import UNKNOWN
from launchers.jobs.submission import NEEDS_SUCCESS, Parent, Submission
from launchers.processes import boottime
from launchers.runs.gate import WHOLE, Runner, runner, runners
from launchers.runs.journal import Cancelled, Intent, JournalState, Never, Refused, Submitted
from launchers.runs.progress import progress
from launchers.runs.results import write_ticket
from launchers.runs.run import PlanRun
from launchers.runs.status import MemberState, check_cluster, member_states
from launchers.runs.stored import StoredRun, load_run

PAUSES = (0.5, 1, 2, 4, 8, 15, 30)
"""Seconds between two tries, while the scheduler cannot be reached."""
LOOK_AGAIN = 0.5
"""Seconds between two looks for a token."""
PARENT_FAILED_REASON = "what it waits for failed"
NOBODY_KNOWS = "it is not known how {name} ended, which it waits for"
FRESHNESS = 0.5
"""The part of the time for which a scheduler remembers an ended job, after which a parent is asked for again."""


class SubmitError(RuntimeError):
    """A submission that the scheduler refused: its words, what was asked, and what became of the rest.

    `transient` says that the scheduler could not be reached: the job may have been accepted all the same.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


def write_tickets(run: StoredRun, submissions: Iterable[Submission]) -> None:
    """Write what the nodes, and the scheduler of this machine, need to know of submissions."""
    submissions = list(submissions)
    for submission in submissions:
        steps = [] if submission.barrier else [run.step(name) for name in submission.steps]
        write_ticket(
            run.folder.job_folder(submission.name),
            submission,
            fail_fast=any(step.fail_fast for step in steps),
            rivals={step.name: step.rivals for step in steps if step.rivals},
            check_parents=run.backend.forgets_jobs,
        )
    run.backend.prepare([run.request(submission) for submission in submissions])


def resume(folder: str | Path, *, break_lock: bool = False, on_refusal: str = "cancel") -> PlanRun:
    """Finish a submission whose client was ended; nothing is submitted twice.  Raises RunError, SubmitError."""
    with load_run(folder).folder.lock(break_lock=break_lock):
        run = load_run(folder)  # whoever had it until now may have run something again
        run.backend.revive(run.folder.path, run.folder.journal.state().jobs.values())
        submit_pending(run, on_refusal=on_refusal)
    return PlanRun(run)


def submit_pending(run: StoredRun, *, on_refusal: str = "cancel") -> None:
    """Submit what is not submitted yet, parents first.  Raises SubmitError, RunError.

    `on_refusal` says what becomes of what is queued already when the scheduler refuses: "cancel" or "leave".
    """
    journal = run.folder.journal.state()
    pending = [submission for submission in run.submissions if _is_pending(journal, submission)]
    if pending and (missing := run.backend.missing_commands()):
        raise SubmitError(
            f"{run.folder}: nothing can be submitted from here: no {' and no '.join(missing)} on PATH. "
            f"Run this where {run.backend.title}'s commands are."
        )
    if pending and journal.sent:
        check_cluster(run)
    sender = _Sender(run, journal, on_refusal)
    with progress(f"submitting {run.plan}") as advance:
        for number, batch in enumerate(_batches(run, pending)):
            advance(number, len(pending))
            sender.submit(batch)


def _is_pending(journal: JournalState, submission: Submission) -> bool:
    return submission.name not in journal.jobs and submission.name not in journal.never


def _batches(run: StoredRun, pending: Sequence[Submission]) -> Iterator[list[Submission]]:
    """What is one request to the scheduler each: a submission, or all of an attempt."""
    if not run.backend.sends_attempts_whole:
        yield from ([submission] for submission in pending)
        return
    for attempt in sorted({submission.attempt for submission in pending}):
        yield [submission for submission in pending if submission.attempt == attempt]


class _End(Enum):
    """How a job ended that others wait for, as far as anybody knows."""

    GOOD, BAD, UNKNOWN = "good", "bad", "unknown"


@define
class _Sender:
    """Submits the batches of a run one after the other, and keeps the journal's state up to date meanwhile.

    `alive` has, by submission, when some of its jobs had certainly not ended (seconds since boot).  `ended` has, by
    submission and position, what came of a job that has ended.
    """

    run: StoredRun
    journal: JournalState
    on_refusal: str
    alive: dict[str, float] = field(factory=dict)
    ended: dict[str, dict[int, _End]] = field(factory=dict)
    _moment: float | None = None

    def submit(self, batch: list[Submission]) -> None:
        """Submit a batch once, or note that it never will be."""
        names = [submission.name for submission in batch]
        ids = self._recover(batch)
        if ids is None:
            waits = () if self.run.backend.sends_attempts_whole else self._waits(batch[0])
            withheld = self._withheld(batch[0])
            if withheld or isinstance(waits, str):
                self._record(Never(names[0], withheld or str(waits)))
                return
            self._record(Intent(names))
            now = boottime()
            ids = self._send(batch, waits)
            self.alive.update(dict.fromkeys(names, now))
        self._record(Submitted(dict(zip(names, ids, strict=True))))

    def _record(self, event: Intent | Submitted | Never) -> None:
        self.run.folder.journal.append(event)
        self.journal.apply(event)

    def _withheld(self, submission: Submission) -> str:
        """Why a submission must not be made any more: somebody cancelled it before."""
        if self.run.backend.sends_attempts_whole:
            return ""
        has = runner(self.run.folder.job_folder(submission.name), WHOLE)
        return has.withheld if has else ""

    # -- answers that were lost

    def _recover(self, batch: Sequence[Submission]) -> list[str] | None:
        """The job of an intent that has no end; None where there is none, and none can be on its way any more."""
        first, backend = batch[0], self.run.backend
        if first.name not in self.journal.intended:
            return None
        intended, start = self.journal.intended[first.name], time.monotonic()
        while True:
            job = self._job_that_ran(first) or self._find(first)
            if job:
                return [job]
            waited = time.monotonic() - start  # the clock of the wall may have been set since
            if waited > backend.grace or time.time() - intended > backend.grace:
                return None
            time.sleep(LOOK_AGAIN)

    def _job_that_ran(self, submission: Submission) -> str:
        """The id of a job that has taken the name of a member, as the scheduler may have forgotten it; "": none."""
        if self.run.backend.sends_attempts_whole:
            return ""
        taken: Collection[Runner] = runners(self.run.folder.job_folder(submission.name)).values()
        return next((has.job.partition("_")[0] for has in taken if has.job), "")

    def _find(self, submission: Submission) -> str:
        """The id of the job that carries a token; "" where there is none.  Raises SubmitError: nobody knows."""
        try:
            return self.run.backend.find_token(submission.token, self.run.created) or ""
        except CommandError as error:
            raise SubmitError(
                f"it is not known whether {self.run.backend.title} has {submission.name} already, so it is not "
                f"submitted: {error}\nonce it answers: launchers resume {self.run.folder}",
                transient=True,
            ) from error

    def _send(self, batch: Sequence[Submission], waits: tuple[Wait, ...]) -> list[str]:
        """Submit until the scheduler takes the jobs, or certainly does not.

        No refusal is believed, and nothing is sent again, before the scheduler has said that it has no such job.
        """
        requests = [self.run.request(submission, waits) for submission in batch]
        pauses = iter(PAUSES)
        while True:
            try:
                return self.run.backend.send(requests)
            except RefusedError as error:
                refusal = error
            pause = next(pauses, None) if refusal.transient else 0.0
            time.sleep(pause or 0.0)
            if job := self._find_patiently(batch[0], refusal, pauses):
                return [job]
            if pause is None or not refusal.transient:
                raise SubmitError(self._refuse(batch[0], refusal), transient=refusal.transient) from refusal

    def _find_patiently(self, submission: Submission, refusal: RefusedError, pauses: Iterator[float]) -> str:
        """The id of the job that carries a token; "" where there is none.  Raises SubmitError when pauses run out."""
        while True:
            try:
                return self.run.backend.find_token(submission.token, self.run.created) or ""
            except CommandError as error:
                pause = next(pauses, None)
                if pause is None:
                    raise SubmitError(self._refuse(submission, refusal), transient=True) from error
                time.sleep(pause)

    def _refuse(self, submission: Submission, error: RefusedError) -> str:
        """Write down a refusal and cancel what is queued if asked; the message that says all that."""
        run, queued = self.run, self.journal.jobs
        run.folder.journal.append(Refused(submission.name, list(error.lines), error.code))
        code = f" (reason code: {error.code})" if error.code else ""
        message = [
            f"{run.backend.submit_command} refused {submission.name}: {'; '.join(error.lines)}{code}",
            f"it was asked: {json.dumps(submission.parameters, default=str)}",
        ]
        if queued and self.on_refusal == "cancel":
            message.append(self._cancel_queued())
        elif queued:
            message.append(f"the {len(queued)} submissions before it are left queued: launchers cancel {run.folder}")
        message.append(f"run folder: {run.folder}")
        return "\n".join(message)

    def _cancel_queued(self) -> str:
        """Cancel what is queued; what became of it."""
        run, queued = self.run, self.journal.jobs
        before = f"the {len(queued)} submissions before it"
        try:
            run.backend.cancel(run.folder.path, [(job, None) for job in queued.values()], run.tokens())
        except (CommandError, RunError) as error:
            return f"{before} could not be cancelled, so they wait or run: {error}: launchers cancel {run.folder}"
        run.folder.journal.append(Cancelled(sorted(queued)))
        return f"{before} are cancelled"

    # -- dependencies

    def _waits(self, submission: Submission) -> tuple[Wait, ...] | str:
        """The dependencies of a submission, or why they can never be met."""
        elsewhere = live_jobs(submission.after)
        if elsewhere is None:
            return PARENT_FAILED_REASON
        waits = [Wait("afterok", element) for element in elsewhere]
        self._look_at_parents({parent.submission for parent in submission.parents})
        failing: dict[str, set[_End | None]] = {}  # by step, of those that have to fail: one submission is enough
        for parent in submission.parents:
            end = self._end(parent)
            if end is None:
                waits.append(Wait(parent.kind, (self.journal.jobs[parent.submission], parent.index)))
            elif parent.kind in NEEDS_SUCCESS and end is not _End.GOOD and not self._may_go_on(parent, submission):
                return PARENT_FAILED_REASON if end is _End.BAD else NOBODY_KNOWS.format(name=parent.submission)
            if parent.kind == "afternotok":
                step = self.run.submissions_by_name[parent.submission].members[parent.index or 0][0]
                failing.setdefault(step, set()).add(end)
        for step, ends in failing.items():
            if ends <= {_End.GOOD, _End.UNKNOWN}:
                return NOBODY_KNOWS.format(name=step) if _End.UNKNOWN in ends else PARENT_FAILED_REASON
        return tuple(waits)

    def _may_go_on(self, parent: Parent, submission: Submission) -> bool:
        """Whether items of a Map can start though the Map before it failed: each asks for its own item, on the node."""
        ends = self.ended.get(parent.submission, {}).values()
        return parent.kind == "aftercorr" and submission.array and self.run.backend.forgets_jobs and _End.GOOD in ends

    def _look_at_parents(self, names: Collection[str]) -> None:
        """Learn what became of parents that the scheduler may have forgotten.

        afterok on an id that slurmctld does not know is refused or, worse, ignored (docs/slurm-facts.md, dependencies).
        A parent that had not ended a moment ago is still known; how long a moment is, the cluster says.
        """
        now = boottime()
        stale = [name for name in sorted(names) if name in self.journal.jobs and self._is_stale(name, now)]
        if not stale:
            return
        by_submission: dict[str, list[MemberState]] = {}
        for member in member_states(self.run, only=stale):
            by_submission.setdefault(member.submission, []).append(member)
        for name, members in by_submission.items():
            unknown = next((member for member in members if member.is_unreachable), None)
            if unknown is not None:
                raise SubmitError(
                    f"it is not known how {name} ended, which others wait for, so nothing more is submitted: "
                    f"{unknown.info.reason}\nonce it answers: launchers resume {self.run.folder}",
                    transient=True,
                )
            self.ended[name] = {
                member.position: _End.GOOD if member.succeeded else _End.BAD if member.ended else _End.UNKNOWN
                for member in members
                if member.ended or member.is_missing
            }
            if len(self.ended[name]) < len(members):
                self.alive[name] = now

    def _is_stale(self, name: str, now: float) -> bool:
        """Whether the scheduler may have forgotten a parent since it was last known."""
        if len(self.ended.get(name, ())) == len(self.run.submissions_by_name[name].members):
            return False
        if name not in self.alive:
            return True
        if self._moment is None:
            self._moment = self.run.backend.forget_after() * FRESHNESS
        return now - self.alive[name] >= self._moment

    def _end(self, parent: Parent) -> _End | None:
        """What came of all that is waited for of a parent; None while any has not ended."""
        if parent.submission not in self.journal.jobs:
            return _End.BAD  # it was never made
        ended = self.ended.get(parent.submission, {})
        if parent.index is not None:
            return ended.get(parent.index)
        if len(ended) < len(self.run.submissions_by_name[parent.submission].members):
            return None
        return next((end for end in (_End.BAD, _End.UNKNOWN) if end in ended.values()), _End.GOOD)


def live_jobs(folders: Iterable[str | Path]) -> list[Element] | None:
    """The jobs of other runs that have not ended; None when one of these runs has failed already.

    Raises RunError for a folder that is none, and where nobody knows what became of a job.
    """
    jobs: list[Element] = []
    for folder in folders:
        run = PlanRun(load_run(folder))
        steps = run.status()
        if any(step.failed for step in steps):
            return None
        live = [member for step in steps for member in step.members if not member.ended]
        unknown = next((member for member in live if member.info.state == UNKNOWN), None)
        if unknown is not None:
            raise RunError(f"{folder} cannot be waited for, as its state is not known: {unknown.info.reason}")
        jobs += _elements_of(run.record, live)
    return jobs


def _elements_of(run: StoredRun, members: Collection[MemberState]) -> Iterator[Element]:
    """The elements of members that have a job; a job whose members are all among them stands for its elements."""
    counts = Counter(member.submission for member in members)
    ids = run.folder.journal.state().jobs
    whole = {name for name, count in counts.items() if count == len(run.submissions_by_name[name].members)}
    yield from ((ids[name], None) for name in sorted(whole & ids.keys()))
    yield from (member.element for member in members if member.submission not in whole and member.job)
