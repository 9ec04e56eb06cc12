"""The run folder: the only state there is of a submitted plan.

plan.json        what was submitted, by whom and from which source; written last, so where it is all is there
journal.jsonl    what was done since, append-only, each line on disk before what it announces is done
lock             who is working on it: host, pid, since when
steps/<step>/    the function and its arguments, pickled
jobs/<unit>/     a submitit folder per submission: script, logs, results
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import define, field, fields

from launchers.errors import RunError
from launchers.events import append, line_of, read_events
from launchers.files.atomic import write_atomically
from launchers.jobs.submission import Member, Unit
from launchers.local.jobs import LocalJob, read_table
from launchers.runs.journal import EVENTS, Event, Submitted
from launchers.runs.lock import HeldError, Holder, hold
from launchers.runs.record import Record, TaskEntry, dumps, loads

BREAK = "launchers resume --break-lock"
NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


@define(kw_only=True)
class Store(Record):
    """A run folder and what plan.json says."""

    folder: Path
    _named: tuple[tuple[TaskEntry, ...], dict[str, TaskEntry]] = field(
        default=((), {}), init=False, repr=False, eq=False
    )

    def task(self, name: str) -> TaskEntry:
        """A step as plan.json has it."""
        if self._named[0] is not self.tasks:  # a scan's are not known from the start
            self._named = self.tasks, {task.name: task for task in self.tasks}
        return self._named[1][name]

    def journal(self) -> list[Event]:
        """Everything that was done, in order.  Raises BadLineError."""
        return read_events(self.folder / "journal.jsonl", EVENTS)

    def record(self, event: Event) -> None:
        """Write down what is about to be done, or was; on disk when this returns.  Raises OSError."""
        append(self.folder / "journal.jsonl", line_of(event, EVENTS))

    def submitted(self) -> dict[str, str]:
        """Job ids by unit: the last attempt of each."""
        return {one.unit: one.job for one in self.journal() if isinstance(one, Submitted)}

    def latest(self) -> dict[Member, tuple[Unit, int]]:
        """Where each job of each step is now: the submission of its last attempt, and its position in that."""
        found: dict[Member, tuple[Unit, int]] = {}
        for unit in self.units:  # later attempts come later
            if not unit.barrier:
                found.update({member: (unit, position) for position, member in enumerate(unit.members)})
        return found

    def local_folder(self, attempt: int) -> Path:
        """Where this machine's scheduler runs the jobs of one attempt."""
        return self.folder / "local" / str(attempt)

    def local_jobs(self) -> dict[str, LocalJob]:
        """The jobs of this machine's scheduler by the names of their submissions.  Raises RunError."""
        jobs: dict[str, LocalJob] = {}
        for attempt in sorted({unit.attempt for unit in self.units}):
            folder = self.local_folder(attempt)
            jobs |= read_table(folder)[1]
            for unit in self.units:
                if unit.attempt == attempt and unit.name not in jobs:
                    table = folder / "jobs.jsonl"
                    raise RunError(f"{table} lacks the job {unit.name}, which plan.json has: restore the file")
        return jobs

    def job_folder(self, unit: str) -> Path:
        """The submitit folder of a submission."""
        return self.folder / "jobs" / unit

    def step_folder(self, step: str) -> Path:
        """Where the function and the arguments of a step are."""
        return self.folder / "steps" / step

    @contextmanager
    def locked(self, *, break_lock: bool = False) -> Iterator[None]:
        """Work on the run alone.  Raises RunError that names who does.

        The lock of a process of this machine that is gone is taken over; of another machine's only with `break_lock`.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(hold(self.lock, break_lock=break_lock))
            except HeldError as error:
                raise RunError(_who_works(self.folder, error.holder)) from None
            except OSError as error:
                hint = "; the lock needs hard links: put run folders on another file system"
                why = f"{error.strerror}{hint if error.errno in NO_HARD_LINKS else ''}"
                raise RunError(f"{self.folder} cannot be locked: {why}") from None
            yield

    @property
    def lock(self) -> Path:
        """The lock's file."""
        return self.folder / "lock"


def _who_works(folder: Path, holder: Holder) -> str:
    """Who holds the lock of a run folder, and what to do."""
    if holder.here:
        return f"process {holder.pid} on this machine is working on {folder}: wait for it to end"
    if not holder.host:
        return f"{folder / 'lock'} does not say which process works on the run; if none does: {BREAK} {folder}"
    who = f"process {holder.pid} on {holder.host}"
    return f"{who} is working on {folder}; if it is gone: {BREAK} {folder}"


def create(root: Path, plan: str) -> tuple[Path, str]:
    """A new run folder, for this user alone, and its id."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{root} is where run folders go, and it cannot be a folder: {error.strerror}") from None
    while True:
        id = secrets.token_hex(4)
        folder = root.absolute() / f"{plan}-{id}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        (folder / "steps").mkdir(mode=0o700)
        (folder / "jobs").mkdir(mode=0o700)
        return folder, id


def write(store: Store) -> None:
    """Write plan.json whole: from here on the run can be resumed."""
    write_atomically(store.folder / "plan.json", dumps(store))


def load(folder: Path) -> Store:
    """Read a run folder; raises RunError when it is none, or one whose submission never began."""
    path = folder / "plan.json"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if (folder / "steps").is_dir():
            raise RunError(f"{folder}: its client ended before anything was submitted: submit the plan again") from None
        raise RunError(f"{folder} is not a run folder: it has no plan.json") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RunError(f"{path}:{line}: this is not UTF-8 text: restore it, or submit the plan again") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    record = loads(text, path)
    return Store(folder=folder.absolute(), **{one.name: getattr(record, one.name) for one in fields(Record)})
