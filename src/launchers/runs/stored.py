"""A run as its folder has it: plan.json, with the places and lookups that go with it."""

from __future__ import annotations

import stat
from functools import cached_property
from pathlib import Path

from attrs import define, fields

from launchers.errors import ForeignRunError, RunError
from launchers.files.atomic import write_atomically
from launchers.files.owner import distrust, open_file
from launchers.jobs.backend import Backend, SubmissionRequest, Wait
from launchers.jobs.submission import Member, Submission
from launchers.runs.folder import RunFolder
from launchers.runs.journal import JournalState
from launchers.runs.record import RunRecord, StepRecord, dumps, loads
from launchers.schedulers import backend

PARTS = ("*", "steps/*", "jobs/*", "local/*", "local/*/*")
"""What of a run folder is looked at before it is worked on: all that says what is run, and where."""


@define(kw_only=True, slots=False)
class StoredRun(RunRecord):
    """A run folder and what its plan.json says.

    `own` is False for a run of another user, or one that another user can write: it is only looked at. Nothing of it
    is run, started or unpickled, and nothing is written to it.
    """

    folder: RunFolder
    own: bool = True

    @cached_property
    def backend(self) -> Backend:
        """The scheduler that the run is on."""
        return backend(self.scheduler)

    @cached_property
    def _steps_by_name(self) -> dict[str, StepRecord]:
        return {step.name: step for step in self.steps}

    @cached_property
    def submissions_by_name(self) -> dict[str, Submission]:
        """All submissions, of all attempts."""
        return {submission.name: submission for submission in self.submissions}

    def step(self, name: str) -> StepRecord:
        """A step.  Raises KeyError."""
        return self._steps_by_name[name]

    def latest(self) -> dict[Member, tuple[Submission, int]]:
        """Where each job of each step is now: the submission of its last attempt, and its position in that."""
        latest: dict[Member, tuple[Submission, int]] = {}
        for submission in self.submissions:  # later attempts come later
            if not submission.barrier:
                latest.update({member: (submission, position) for position, member in enumerate(submission.members)})
        return latest

    def tokens(self, journal: JournalState | None = None) -> dict[str, str]:
        """The token of each job that was submitted, by its id."""
        jobs = (journal or self.folder.journal.state()).jobs
        return {jobs[submission.name]: submission.token for submission in self.submissions if submission.name in jobs}

    def request(self, submission: Submission, waits: tuple[Wait, ...] = ()) -> SubmissionRequest:
        """A submission as its scheduler is asked for it."""
        step = None if submission.barrier else self.step(submission.members[0][0])
        return SubmissionRequest(
            run=self.folder.path,
            run_id=self.id,
            plan=self.plan,
            submission=submission,
            waits=waits,
            cwd=self.cwd,
            submissions=self.submissions_by_name,
            count=step.count if step else 1,
            jobs=self.jobs,
        )

    def add_submissions(self, submissions: tuple[Submission, ...]) -> None:
        """Add those of a further attempt; `write_run` makes it last."""
        self.submissions = (*self.submissions, *submissions)
        self.__dict__.pop("submissions_by_name", None)


def write_run(run: StoredRun) -> None:
    """Write plan.json whole: from here on the run can be resumed."""
    write_atomically(run.folder.plan_path, dumps(run))


def load_run(folder: str | Path, *, trust: bool = False) -> StoredRun:
    """Read a run folder.  Raises RunError for what is none, and for one whose submission never began.

    A run of another user, or one that another user can write, is a ForeignRunError, as git has its "dubious ownership":
    its commands and pickles would run with the rights of whoever works on it. With `trust` it is read to be looked at,
    and is not `own`.
    """
    path = Path(folder) / "plan.json"
    try:
        foreign = _foreign_part(path.parent) if path.parent.is_dir() else ""
        if foreign and not trust:
            raise ForeignRunError(f"{foreign}; to look at the run once: launchers status --trust {path.parent}")
        with open_file(path, own=False) as file:
            text = file.read().decode()
    except FileNotFoundError:
        if (path.parent / "steps").is_dir():
            why = "its client ended before anything was submitted: submit the plan again"
            raise RunError(f"{path.parent}: {why}") from None
        raise RunError(f"{path.parent} is not a run folder: it has no plan.json") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RunError(f"{path}:{line}: this is not UTF-8 text: restore it, or submit the plan again") from None
    except OSError as error:
        raise RunError(f"{error.filename or path} cannot be read: {error.strerror}") from None
    record = loads(text, path)
    values = {field.name: getattr(record, field.name) for field in fields(RunRecord)}
    return StoredRun(folder=RunFolder(path.parent.absolute()), own=not foreign, **values)


def _foreign_part(folder: Path) -> str:
    """The first part of a run folder that is not one's own, and why; "" where there is none.

    Looked at is what says what is run, and where; who opens one of the many files of the jobs looks once more
    (`open_file`).  Raises OSError, and RunError for a pipe or a device: to read it could take for ever.
    """
    for path in (folder, *(path for pattern in PARTS for path in sorted(folder.glob(pattern)))):
        try:
            mode = path.stat().st_mode
            reason = distrust(path, root=path != folder)
        except FileNotFoundError:
            continue
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise RunError(f"{path} is neither a file nor a folder: remove it")
        if reason:
            return f"{path} {reason}"
    return ""
