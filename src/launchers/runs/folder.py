"""The run folder: the only state there is of a submitted plan.

plan.json        what was submitted, by whom and from which source; written last, so where it is all is there
journal.jsonl    what was done since, append-only, each line on disk before what it announces is done;
                 journal.*.jsonl what was noted beside it without the lock
lock/            who is working on it: host, pid, time of birth, and where these mean one process
seen.json        the last state of each job that a scheduler knew
steps/<step>/    the function and its arguments, pickled
jobs/<name>/     a submitit folder per submission: script, logs, results
cwd/             the folder from which a script of the run is submitted
local/<n>/       the table and the journal of this machine's scheduler for attempt n
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import frozen

from launchers.errors import RunError
from launchers.files.paths import unusable
from launchers.runs.journal import Journal
from launchers.runs.lock import HeldError, Holder, hold, is_held

BREAK = "launchers resume --break-lock"


@frozen
class RunFolder:
    """The places in a run folder."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def plan_path(self) -> Path:
        """plan.json."""
        return self.path / "plan.json"

    @property
    def seen_path(self) -> Path:
        """seen.json."""
        return self.path / "seen.json"

    @property
    def journal(self) -> Journal:
        """journal.jsonl."""
        return Journal(self.path / "journal.jsonl")

    def job_folder(self, submission: str) -> Path:
        """The submitit folder of a submission."""
        return self.path / "jobs" / submission

    def step_folder(self, step: str) -> Path:
        """Where the function and the arguments of a step are."""
        return self.path / "steps" / step

    @property
    def is_locked(self) -> bool:
        """Whether another process works on the run, or may."""
        return is_held(self.path / "lock")

    @contextmanager
    def lock(self, *, break_lock: bool = False) -> Iterator[None]:
        """Work on the run alone.  Raises RunError that names who else does, or why nothing can be submitted from here.

        The lock of a process of this machine that is gone is taken over; of another machine's only with `break_lock`.
        """
        _check_path(self.path)
        with ExitStack() as stack:
            try:
                stack.enter_context(hold(self.path / "lock", break_lock=break_lock))
            except HeldError as error:
                raise RunError(_who_works(self.path, error.holder)) from None
            except OSError as error:
                raise RunError(f"{self.path} cannot be locked: {error.strerror}") from None
            yield


def _who_works(folder: Path, holder: Holder) -> str:
    """Who holds the lock of a run folder, and what to do."""
    if holder.here:
        return f"process {holder.pid} on this machine is working on {folder}: wait for it to end"
    if not holder.host:
        return f"{folder / 'lock'} does not name the process that works on the run; if none does: {BREAK} {folder}"
    return f"process {holder.pid} on {holder.host} is working on {folder}; if it is gone: {BREAK} {folder}"


def _check_path(path: Path) -> None:
    """Raises RunError for a run folder whose files its jobs would look for elsewhere."""
    if reason := unusable(path):
        raise RunError(f"{path} {reason}: use another folder for run folders")


def create_folder(root: Path, plan: str) -> tuple[RunFolder, str]:
    """A new run folder under `root`, for this user alone, and the run's id.  Raises RunError."""
    try:
        root = root.absolute()
        _check_path(root)
        root.mkdir(parents=True, exist_ok=True)
        while True:
            id = secrets.token_hex(4)
            folder = root / f"{plan}-{id}"
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                continue
            (folder / "steps").mkdir(mode=0o700)
            (folder / "jobs").mkdir(mode=0o700)
            return RunFolder(folder), id
    except OSError as error:
        raise RunError(f"cannot make a run folder in {root}: {error.strerror}") from None
