"""What became of the jobs of a folder: the events of events.jsonl, what they come to, and who waits for whom.

The words for states are Slurm's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field, frozen
from attrs.validators import deep_iterable, in_, instance_of, optional

from launchers.errors import RunError
from launchers.events import append, is_time, line_of, read_events
from launchers.jobs.state import ENDED
from launchers.local.jobs import LocalJob, read_table
from launchers.processes import Process

PENDING, RUNNING, COMPLETED = "PENDING", "RUNNING", "COMPLETED"
FAILED, TIMEOUT, CANCELLED = "FAILED", "TIMEOUT", "CANCELLED"

_text, _whole = instance_of(str), instance_of(int)


@define
class Status:
    """What is known of a job: its state, exit status, reason, process, start and end (seconds of the epoch).

    `tries` is how often it was started, `requeues` how often it was queued again at its own request, and `requeued` the
    try that asked for that last.  `seconds` is for how long it ran, by a clock that nobody sets.  `cpu` are seconds of
    CPU time and `memory` the bytes of its largest process.  They are None where they were not measured.
    """

    state: str = PENDING
    exit: int | None = None
    reason: str = ""
    process: Process | None = None
    started: float | None = None
    ended: float | None = None
    tries: int = 0
    requeues: int = 0
    requeued: int = 0
    devices: tuple[str, ...] = ()
    seconds: float | None = None
    cpu: float | None = None
    memory: int | None = None


@frozen
class JobEvent:
    """What happened to a job, and when (seconds of the epoch)."""

    job: str = field(validator=_text)
    time: float = field(factory=time.time, validator=is_time, kw_only=True)


@frozen
class JobIntent(JobEvent):
    """It is about to be started, for the `tries`th time, on these devices."""

    tries: int = field(validator=_whole)
    devices: list[str] = field(factory=list, validator=deep_iterable(instance_of(str), instance_of(list)))


@frozen
class JobStart(JobEvent):
    """It runs as this process, of which launchers.processes.Process has the parts."""

    pid: int = field(validator=_whole)
    born: int = field(validator=_whole)
    boot: str = field(default="", validator=_text)
    pids: str = field(default="", validator=_text)


@frozen
class JobRequeue(JobEvent):
    """It ended, and is queued again."""

    reason: str = field(default="", validator=_text)


@frozen
class JobEnd(JobEvent):
    """It has ended; `seconds` is for how long it ran, `cpu` in seconds, `memory` in bytes."""

    state: str = field(validator=in_(ENDED))
    exit: int | None = field(default=None, validator=optional(instance_of(int)))
    reason: str = field(default="", validator=_text)
    seconds: float | None = field(default=None, validator=optional(instance_of((int, float))))
    cpu: float | None = field(default=None, validator=optional(instance_of((int, float))))
    memory: int | None = field(default=None, validator=optional(instance_of(int)))


JOB_EVENTS: dict[str, type[JobEvent]] = {
    "intent": JobIntent,
    "start": JobStart,
    "requeue": JobRequeue,
    "end": JobEnd,
}


def journal_path(folder: Path) -> Path:
    """The journal of a folder."""
    return folder / "events.jsonl"


def read_statuses(folder: Path) -> dict[str, Status]:
    """What became of the jobs of a folder, by folding its journal; a job that is not in it is pending.

    Raises BadLineError.
    """
    statuses: dict[str, Status] = {}
    for event in read_events(journal_path(folder), JOB_EVENTS):
        apply(statuses.setdefault(event.job, Status()), event)
    return statuses


def apply(status: Status, event: JobEvent) -> None:
    """Bring a status up to date with one event of the journal."""
    match event:
        case JobIntent():
            status.tries, status.devices = event.tries, tuple(event.devices)
        case JobStart():
            status.state, status.started = RUNNING, event.time
            status.process = Process(event.pid, event.born, event.boot, event.pids)
        case JobRequeue():
            status.state, status.process, status.reason = PENDING, None, event.reason
            if status.requeued != status.tries:  # not twice, should the event stand there twice
                status.requeued = status.tries
                status.requeues += 1
        case JobEnd():
            status.state, status.exit, status.reason = event.state, event.exit, event.reason
            status.ended, status.process, status.seconds = event.time, None, event.seconds
            status.cpu, status.memory = event.cpu, event.memory


@define
class JobJournal:
    """The journal of a folder for its scheduler, which does not end where the disk is full.

    `unwritten` are lines that are not on disk yet.
    """

    path: Path
    unwritten: list[str] = field(factory=list)

    def note(self, event: JobEvent) -> None:
        """Keep an event of what has happened until it is written."""
        self.unwritten.append(line_of(event, JOB_EVENTS))

    def write(self, announced: JobEvent | None = None) -> None:
        """Bring everything to disk, and then what is about to be done.  Raises OSError; then that is not announced.

        It opens the file each time: a file system can be made read-only, and the scheduler stays.
        """
        last = [line_of(announced, JOB_EVENTS)] if announced else []
        if lines := [*self.unwritten, *last]:
            append(self.path, "".join(lines))
            self.unwritten.clear()


# -- who waits for whom ----------------------------------------------------------------------------------------


def unmet(job: LocalJob, statuses: Mapping[str, Status]) -> tuple[bool, str]:
    """Whether a job still waits for others, and, if it can never start, why (as Slurm: DependencyNeverSatisfied)."""
    waits = False
    for condition, parents in job.after:
        names = parents.splitlines()
        met, never = _condition(condition, {name: statuses.get(name, Status()) for name in names})
        if never:
            return False, f"DependencyNeverSatisfied: {', '.join(names)} ended {never}"
        waits = waits or not met
    return waits, ""


def _condition(condition: str, parents: Mapping[str, Status]) -> tuple[bool, str]:
    """Whether what a job waits for has come about, and the state of its parents in which it never can."""
    ended = all(status.state in ENDED for status in parents.values())
    if condition == "started":
        return ended or all(status.started is not None for status in parents.values()), ""
    if condition == "any" or not ended:
        return ended, ""
    bad = [status.state for status in parents.values() if status.state != COMPLETED]
    if condition == "notok":
        return bool(bad), "" if bad else COMPLETED
    return not bad, bad[0] if bad else ""


def outcome(attempts: Path) -> Status:
    """What became of a run, whose folders 1, 2... each have a further attempt at what failed (``job~2`` at ``job``).

    What is no folder is a job of the folder before: a job of an earlier attempt.  Raises RunError where nobody can say.
    """
    if not attempts.is_dir():
        if not attempts.parent.is_dir():
            raise RunError(f"waits for {attempts.parent}, which is not there")
        return read_statuses(attempts.parent).get(attempts.name, Status())
    latest: dict[str, Status] = {}
    folders = [folder for folder in attempts.iterdir() if folder.name.isdigit()]
    for folder in sorted(folders, key=lambda folder: int(folder.name)):
        statuses = read_statuses(folder)
        latest |= {id.partition("~")[0]: statuses.get(id, Status()) for id in read_table(folder)[1]}
    if any(status.state not in ENDED for status in latest.values()):
        return Status()
    return Status(next((status.state for status in latest.values() if status.state != COMPLETED), COMPLETED))
