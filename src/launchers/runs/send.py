"""Submit what a run has not submitted yet, each submission once.

What makes it once: the journal says "intent" before the scheduler is asked and "submitted" after, and every submission
carries a token in its comment or name.  Where an intent has no end, the token is looked for before it is asked again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import define, field

from launchers.commands import CommandError
from launchers.jobs.backend import Element, JobInfo, RefusedError, Wait
from launchers.jobs.state import ENDED
from launchers.jobs.submission import NEEDS_SUCCESS, Parent, Submission
from launchers.runs.journal import Cancelled, Intent, JournalState, Never, Refused, Submitted
from launchers.runs.progress import progress
from launchers.runs.results import write_ticket
from launchers.runs.run import PlanRun
from launchers.runs.status import elements_of
from launchers.runs.stored import StoredRun, load_run

PAUSES = (0.5, 1, 2, 4, 8, 15, 30)
"""Seconds between two tries, while the scheduler cannot be reached."""
MIN_JOB_AGE = 60.0
"""Seconds after which a parent may have left slurmctld's memory (man slurm.conf, MinJobAge has 300 by default)."""
LOOK_AGAIN = 0.5
"""Seconds between two looks for a token."""
PARENT_FAILED_REASON = "what it waits for failed"


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
    pending = [
        submission
        for submission in run.submissions
        if submission.name not in journal.jobs and submission.name not in journal.never
    ]
    if pending and (missing := run.backend.missing_commands()):
        raise SubmitError(
            f"{run.folder}: nothing can be submitted from here: no {' and no '.join(missing)} on PATH. "
            f"Run this where {run.backend.title}'s commands are."
        )
    sender = _Sender(run, journal, on_refusal)
    with progress(f"submitting {run.plan}") as advance:
        for number, batch in enumerate(_batches(run, pending)):
            advance(number, len(pending))
            sender.submit(batch)


def _batches(run: StoredRun, pending: Sequence[Submission]) -> Iterator[list[Submission]]:
    """What is one request to the scheduler each: a submission, or all of an attempt."""
    if not run.backend.sends_attempts_whole:
        yield from ([submission] for submission in pending)
        return
    for attempt in sorted({submission.attempt for submission in pending}):
        yield [submission for submission in pending if submission.attempt == attempt]


@define
class _Sender:
    """Submits the batches of a run one after the other, and keeps the journal's state up to date meanwhile."""

    run: StoredRun
    journal: JournalState
    on_refusal: str
    resumed: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.resumed = bool(self.journal.sent or self.journal.intended) and (
            time.time() - self.run.created > MIN_JOB_AGE
        )

    def submit(self, batch: list[Submission]) -> None:
        """Submit a batch once, or note that it never will be."""
        names = [submission.name for submission in batch]
        ids = self._recover(batch)
        if ids is None:
            waits = () if self.run.backend.sends_attempts_whole else self._waits(batch[0])
            if waits is None:
                self._record(Never(names[0], PARENT_FAILED_REASON))
                return
            self._record(Intent(names))
            ids = self._send(batch, waits)
        self._record(Submitted(dict(zip(names, ids, strict=True))))

    def _record(self, event: Intent | Submitted | Never) -> None:
        self.run.folder.journal.append(event)
        self.journal.apply(event)

    def _recover(self, batch: Sequence[Submission]) -> list[str] | None:
        """The job of an intent that has no end; None where there is none, and none can be on its way any more."""
        if batch[0].name not in self.journal.intended:
            return None
        since, backend = self.journal.intended[batch[0].name], self.run.backend
        while True:
            job = backend.find_token(batch[0].token, self.run.created)
            if job is not None:
                return [job]
            if time.time() - since > backend.grace:
                return None
            time.sleep(LOOK_AGAIN)

    def _send(self, batch: Sequence[Submission], waits: tuple[Wait, ...]) -> list[str]:
        """Submit until the scheduler takes the jobs; the token tells whether an answer that got lost was a yes."""
        requests = [self.run.request(submission, waits) for submission in batch]
        for pause in (*PAUSES, None):
            try:
                return self.run.backend.send(requests)
            except RefusedError as error:
                if pause is None or not error.transient:
                    raise SubmitError(self._refuse(batch[0], error), transient=error.transient) from error
            time.sleep(pause)
            try:
                job = self.run.backend.find_token(batch[0].token, self.run.created)
            except CommandError:
                continue  # the scheduler is still away: it is asked again, and then its queue
            if job is not None:
                return [job]
        raise AssertionError("unreachable: the last try raises")

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
            run.backend.cancel(run.folder.path, [(job, None) for job in queued.values()], run.tokens())
            run.folder.journal.append(Cancelled(sorted(queued)))
            message.append(f"the {len(queued)} submissions before it are cancelled")
        elif queued:
            message.append(f"the {len(queued)} submissions before it are left queued: launchers cancel {run.folder}")
        message.append(f"run folder: {run.folder}")
        return "\n".join(message)

    # -- dependencies

    def _waits(self, submission: Submission) -> tuple[Wait, ...] | None:
        """The dependencies of a submission; None when they can never be met."""
        elsewhere = live_jobs(submission.after)
        if elsewhere is None:
            return None
        waits = [Wait("afterok", element) for element in elsewhere]
        known = self._known_parents(submission)
        all_good: dict[str, bool] = {}  # by step, of those that have to fail: one of its submissions is enough
        for parent in submission.parents:
            ended = self._ended(parent, known)
            if ended is None:
                waits.append(Wait(parent.kind, (self.journal.jobs[parent.submission], parent.index)))
            elif parent.kind in NEEDS_SUCCESS and not ended:
                return None
            if parent.kind == "afternotok":
                step = self.run.submissions_by_name[parent.submission].members[parent.index or 0][0]
                all_good[step] = all_good.get(step, True) and ended is True
        return None if any(all_good.values()) else tuple(waits)

    def _known_parents(self, submission: Submission) -> Mapping[Element, JobInfo]:
        """The states of parents that may have left slurmctld's memory.

        afterok on an id that it does not know is refused or, worse, ignored (docs/slurm-facts.md, dependencies).
        """
        if not self.resumed:
            return {}
        names = {parent.submission for parent in submission.parents}
        parents = [self.run.submissions_by_name[name] for name in sorted(names & set(self.journal.jobs))]
        jobs = {self.journal.jobs[parent.name]: parent.token for parent in parents}
        return self.run.backend.states(self.run.folder.path, jobs, elements_of(parents, self.journal.jobs)).infos

    def _ended(self, parent: Parent, known: Mapping[Element, JobInfo]) -> bool | None:
        """Whether all that is waited for of a parent succeeded; None while any has not ended, or nobody knows."""
        job = self.journal.jobs.get(parent.submission)
        if job is None:
            return False  # it was never made
        states = [info.state for (id, index), info in known.items() if id == job and parent.index in (None, index)]
        if not states or any(state not in ENDED for state in states):
            return None
        return all(state == "COMPLETED" for state in states)


def live_jobs(folders: Iterable[str | Path]) -> list[Element] | None:
    """The jobs of other runs that have not ended; None when one of these runs has failed already.

    Raises RunError for a folder that is none.
    """
    jobs: list[Element] = []
    for folder in folders:
        run = PlanRun(load_run(folder))
        steps = run.status()
        if any(step.failed for step in steps):
            return None
        live = [member for step in steps for member in step.members if not member.ended]
        counts: dict[str, int] = {}
        for member in live:
            counts[member.submission] = counts.get(member.submission, 0) + 1
        by_name, ids = run.record.submissions_by_name, run.record.folder.journal.state().jobs
        whole = {name for name, count in counts.items() if count == len(by_name[name].members)}
        jobs += [(ids[name], None) for name in sorted(whole & set(ids))]
        jobs += [member.element for member in live if member.submission not in whole and member.job]
    return jobs
