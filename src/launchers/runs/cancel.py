"""Withdraw jobs of a run: cancel steps, and take for lost what nobody knows anything of any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from launchers.commands import CommandError
from launchers.jobs.backend import Element
from launchers.jobs.submission import Member, Submission
from launchers.runs.gate import WHOLE, runners, withhold
from launchers.runs.journal import Cancel, JournalState, Lost
from launchers.runs.status import MemberState, check_cluster
from launchers.runs.stored import StoredRun

BEFORE_SUBMISSION = "cancelled before it was submitted"


def cancel_steps(run: StoredRun, steps: Collection[str], spared: Collection[Member] = ()) -> None:
    """Cancel the jobs of some steps but for what is spared, also those that are only on their way to the scheduler.

    Raises CommandError where the scheduler did not cancel them, and RunError.
    """
    check_cluster(run)
    journal = run.folder.journal
    order = Cancel(sorted(steps), len(run.submissions))
    journal.note([order])
    _withhold_unsubmitted(run, journal.state(), steps, spared)
    state = journal.state()  # what was submitted in the meantime has an id now
    elements = _elements_to_cancel(run, state.jobs, steps, spared)
    tokens = run.tokens(state)
    for submission in _on_their_way(run, state, steps):
        job = run.backend.find_token(submission.token, run.created)
        if job is not None:
            elements.append((job, None))
            tokens[job] = submission.token
    for submission, element in _other_runners(run, state.jobs, steps):
        elements.append(element)
        tokens[element[0]] = submission.token
    try:
        if elements:
            run.backend.cancel(run.folder.path, elements, tokens)
    except CommandError as error:
        raise CommandError(f"{run.folder}: its jobs may not be cancelled, but wait or run: {error}") from error
    journal.note([Cancel(order.steps, order.submissions, done=True)])


def take_for_lost(run: StoredRun, members: Iterable[MemberState], reason: str) -> None:
    """Write down that nobody will know what became of jobs; none of them can start any more.  Raises RunError."""
    by_submission: dict[str, list[int]] = {}
    for member in members:
        by_submission.setdefault(member.submission, []).append(member.position)
    lost = [Lost(name, sorted(positions), reason) for name, positions in by_submission.items()]
    if not lost:
        return
    for name, positions in by_submission.items():
        submission = run.submissions_by_name[name]
        for position in positions:
            withhold(run.folder.job_folder(name), submission.element(position), reason)
    run.folder.journal.note(lost)


# -- what is withheld ------------------------------------------------------------------------------------------


def _withhold_unsubmitted(
    run: StoredRun, state: JournalState, steps: Collection[str], spared: Collection[Member]
) -> None:
    """Take the names of jobs that have no id yet: an sbatch that is on its way may still bring them."""
    for submission in run.submissions:
        if submission.name in state.jobs or submission.name in state.never:
            continue
        wanted = [
            position
            for position, member in enumerate(submission.members)
            if member[0] in steps and member not in spared and not submission.barrier
        ]
        folder = run.folder.job_folder(submission.name)
        if wanted and len(wanted) == len(submission.members):
            withhold(folder, WHOLE, BEFORE_SUBMISSION)
        else:
            for position in wanted:
                withhold(folder, submission.element(position), BEFORE_SUBMISSION)


def _on_their_way(run: StoredRun, state: JournalState, steps: Collection[str]) -> list[Submission]:
    """Submissions that some client was about to make, all of whose steps are cancelled."""
    return [
        submission
        for submission in run.submissions
        if submission.name in state.intended and set(submission.steps) <= set(steps) and not submission.barrier
    ]


# -- what is cancelled -----------------------------------------------------------------------------------------


def _elements_to_cancel(
    run: StoredRun, jobs: Mapping[str, str], steps: Collection[str], spared: Collection[Member]
) -> list[Element]:
    """The jobs of some steps but for what is spared; whole submissions, with the barriers before them, as one."""
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


def _useless_barriers(run: StoredRun, steps: Collection[str], spared: Collection[Member]) -> set[str]:
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


def _other_runners(run: StoredRun, jobs: Mapping[str, str], steps: Collection[str]) -> list[tuple[Submission, Element]]:
    """Jobs that run a member though the journal knows its submission by another job, or by none."""
    others: list[tuple[Submission, Element]] = []
    if run.backend.sends_attempts_whole:
        return others
    for submission in run.submissions:
        if submission.barrier or not set(submission.steps) & set(steps):
            continue
        taken = runners(run.folder.job_folder(submission.name))
        for position, (step, _) in enumerate(submission.members):
            element = submission.element(position)
            job = taken[element].job.partition("_")[0] if element in taken else ""
            if job and job != jobs.get(submission.name) and step in steps:
                others.append((submission, (job, element)))
    return others
