"""Jobs of this machine as data on disk: the table of what to run, and the journal of what became of it.

A folder holds the jobs of one submission: `capacity.json`, `jobs.jsonl`, `events.jsonl`, and per job a small folder
with its exit status.  The words for states are Slurm's.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, define, field, frozen
from attrs.validators import deep_iterable, in_, instance_of, optional

from launchers.errors import RunError
from launchers.events import BadLineError, is_time, read_events, read_lines, structured

PENDING, RUNNING, COMPLETED = "PENDING", "RUNNING", "COMPLETED"
FAILED, TIMEOUT, CANCELLED = "FAILED", "TIMEOUT", "CANCELLED"
OUT_OF_MEMORY = "OUT_OF_MEMORY"
ENDED = frozenset({COMPLETED, FAILED, TIMEOUT, CANCELLED, OUT_OF_MEMORY})

_text, _whole = instance_of(str), instance_of(int)


@frozen
class Wanted:
    """One accelerator a job wants: kind ("gpu": any), memory in bytes, model."""

    kind: str = "gpu"
    memory: int = 0
    model: str | None = None


@frozen
class Capacity:
    """What the jobs of a folder may take of this machine together with all others; None: not bounded.

    `devices` are (kind, handle, model, memory); `tokens` how many jobs may hold each token at once.
    """

    cores: int | None = None
    memory: int | None = None
    devices: tuple[tuple[str, str, str | None, int | None], ...] = ()
    tokens: tuple[tuple[str, int], ...] = ()


@frozen
class LocalJob:
    """One job: what to run, what it needs, and after which jobs of the same folder.

    `after` has (kind, job id) with Slurm's kinds ok, any, notok, started; notok may have several ids, a line each, of
    which one has to fail, as with an array; a path instead of a job id stands for all
    jobs of another run, or one of an earlier attempt (`outcome`).  `time_limit` is in seconds, and `warning` says so
    many seconds before it, by SIGUSR2.  A job that ends with status `requeue` runs again, at most `requeues` times.
    """

    id: str = field(validator=_text)
    argv: tuple[str, ...] = field(validator=deep_iterable(_text))
    cwd: str = field(validator=_text)
    stdout: str = field(validator=_text)
    stderr: str = field(validator=_text)
    name: str = field(default="", validator=_text)
    env: tuple[tuple[str, str], ...] = field(default=(), validator=deep_iterable(deep_iterable(_text)))
    cores: int = field(default=1, validator=_whole)
    memory: int = field(default=0, validator=_whole)
    wanted: tuple[Wanted, ...] = ()
    tokens: tuple[tuple[str, int], ...] = ()
    time_limit: int | None = field(default=None, validator=optional(_whole))
    warning: int = field(default=0, validator=_whole)
    requeue: int | None = field(default=None, validator=optional(_whole))
    requeues: int = field(default=6, validator=_whole)
    after: tuple[tuple[str, str], ...] = field(default=(), validator=deep_iterable(deep_iterable(_text)))


@define
class Status:
    """What is known of a job: its state, exit status, reason, process, start and end (seconds of the epoch).

    `cpu` are seconds of CPU time and `memory` the bytes of its largest process, None where nobody measured them.
    """

    state: str = PENDING
    exit: int | None = None
    reason: str = ""
    pid: int | None = None
    born: int | None = None
    started: float | None = None
    ended: float | None = None
    tries: int = 0
    devices: tuple[str, ...] = ()
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
    """It runs as this process; `born` is None where that was gone at once."""

    pid: int = field(validator=_whole)
    born: int | None = field(validator=optional(instance_of(int)))


@frozen
class JobRequeue(JobEvent):
    """It ended, and is queued again."""

    reason: str = field(default="", validator=_text)


@frozen
class JobEnd(JobEvent):
    """It has ended; `cpu` in seconds, `memory` in bytes."""

    state: str = field(validator=in_(ENDED))
    exit: int | None = field(default=None, validator=optional(instance_of(int)))
    reason: str = field(default="", validator=_text)
    cpu: float | None = field(default=None, validator=optional(instance_of((int, float))))
    memory: int | None = field(default=None, validator=optional(instance_of(int)))


JOB_EVENTS: dict[str, type[JobEvent]] = {"intent": JobIntent, "start": JobStart, "requeue": JobRequeue, "end": JobEnd}


def private(folder: Path) -> Path:
    """Make a folder (and those above it) for this user alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_table(folder: Path, capacity: Capacity, jobs: Iterable[LocalJob]) -> None:
    """Write what is to be run, whole or not at all."""
    private(folder)
    lines = "".join(json.dumps(asdict(job)) + "\n" for job in jobs)
    for name, text in (("capacity.json", json.dumps(asdict(capacity))), ("jobs.jsonl", lines)):
        fresh = folder / f".{name}.new"
        with fresh.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        fresh.rename(folder / name)


def _pairs(value: Any) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(item) for item in value)


def read_table(folder: Path) -> tuple[Capacity, dict[str, LocalJob]]:
    """The capacity and jobs of a folder, by id, in the order in which they were given.  Raises BadLineError."""
    jobs = {}
    path = folder / "jobs.jsonl"
    for number, entry in read_lines(path):
        try:
            entry |= {key: _pairs(entry[key]) for key in ("env", "tokens", "after")}
            entry |= {"argv": tuple(entry["argv"]), "wanted": tuple(Wanted(**one) for one in entry["wanted"])}
        except (KeyError, TypeError) as error:
            raise BadLineError(path, number, f"not a job: {error}") from None
        job = structured(path, number, entry, LocalJob)
        jobs[job.id] = job
    return _read_capacity(folder / "capacity.json"), jobs


def _read_capacity(path: Path) -> Capacity:
    try:
        return read_capacity_entry(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BadLineError(path, 1, f"this is not what a machine offers to a run: {error}") from None


def read_capacity_entry(entry: Mapping[str, Any]) -> Capacity:
    """A capacity from the JSON object that stands for it.  Raises KeyError or TypeError for others."""
    return Capacity(entry["cores"], entry["memory"], _pairs(entry["devices"]), _pairs(entry["tokens"]))


def read_statuses(folder: Path) -> dict[str, Status]:
    """What became of the jobs of a folder, by folding its journal; a job that is not in it is pending.

    Raises BadLineError.
    """
    statuses: dict[str, Status] = {}
    for event in read_events(folder / "events.jsonl", JOB_EVENTS):
        apply(statuses.setdefault(event.job, Status()), event)
    return statuses


def outcome(attempts: Path) -> Status:
    """What became of a run, whose folders 1, 2... each have a further attempt at what failed (``job~2`` at ``job``).

    What is no folder is a job of the folder before: one of an earlier attempt.
    """
    if not attempts.is_dir():
        return read_statuses(attempts.parent).get(attempts.name, Status())
    latest: dict[str, Status] = {}
    for folder in sorted((one for one in attempts.iterdir() if one.name.isdigit()), key=lambda one: int(one.name)):
        statuses = read_statuses(folder)
        latest |= {id.partition("~")[0]: statuses.get(id, Status()) for id in read_table(folder)[1]}
    if any(status.state not in ENDED for status in latest.values()):
        return Status()
    bad = next((status.state for status in latest.values() if status.state != COMPLETED), COMPLETED)
    return Status(bad)


def apply(status: Status, event: JobEvent) -> None:
    """Bring a status up to date with one event of the journal."""
    if isinstance(event, JobIntent):
        status.tries, status.devices = event.tries, tuple(event.devices)
    elif isinstance(event, JobStart):
        status.state, status.pid, status.born, status.started = RUNNING, event.pid, event.born, event.time
    elif isinstance(event, JobRequeue):
        status.state, status.pid, status.reason = PENDING, None, event.reason
    elif isinstance(event, JobEnd):
        status.state, status.exit, status.reason = event.state, event.exit, event.reason
        status.ended, status.pid, status.cpu, status.memory = event.time, None, event.cpu, event.memory


def unmet(job: LocalJob, statuses: Mapping[str, Status]) -> tuple[bool, str]:
    """Whether a job still waits for others, and, if it never can any more, why (as Slurm: DependencyNeverSatisfied)."""
    waits = False
    for kind, parents in job.after:
        if kind == "notok":
            ends = [statuses.get(parent, Status()).state for parent in parents.splitlines()]
            if any(state not in ENDED for state in ends):
                waits = True
            elif set(ends) == {COMPLETED}:
                return False, f"DependencyNeverSatisfied: {', '.join(parents.splitlines())} ended COMPLETED"
            continue
        parent, status = parents, statuses.get(parents, Status())
        if kind == "started":
            waits = waits or (status.started is None and status.state not in ENDED)
        elif status.state not in ENDED:
            waits = True
        elif kind == "ok" and status.state != COMPLETED:
            return False, f"DependencyNeverSatisfied: {parent} ended {status.state}"
    return waits, ""


def impossible(job: LocalJob, capacity: Capacity) -> str:
    """Why a job could never run here however long it waited; empty when it could."""
    if capacity.cores is not None and job.cores > capacity.cores:
        return f"asks {job.cores} cores of {capacity.cores}"
    if capacity.memory is not None and job.memory > capacity.memory:
        return f"asks {job.memory} bytes of memory of {capacity.memory}"
    if len(job.wanted) > len(capacity.devices):
        return f"asks {len(job.wanted)} accelerators of {len(capacity.devices)}"
    for name, number in job.tokens:
        if number > dict(capacity.tokens).get(name, number):
            return f"asks {number} of token {name}, of which there are {dict(capacity.tokens)[name]}"
    return ""
