"""Jobs of this machine as data on disk: the table of what to run, and of what there is to run it on.

A folder holds the jobs of one submission: `capacity.json`, `jobs.jsonl`, `events.jsonl` (launchers.local.journal), how
its scheduler does (launchers.local.health), and for each try of a job a small folder (launchers.local.attempt).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen
from attrs.validators import deep_iterable, instance_of, optional

from launchers.errors import RunError
from launchers.events import BadLineError, read_lines, structure_line
from launchers.files.atomic import write_atomically
from launchers.local.health import make_room
from launchers.offer.assign import assign
from launchers.offer.model import Device
from launchers.quantities.units import format_memory
from launchers.requirement import Accelerator

_text, _whole = instance_of(str), instance_of(int)


@frozen
class Wanted:
    """One accelerator that a job asks for: its kind ("gpu": any), least memory in bytes, model (None: any)."""

    kind: str = "gpu"
    memory: int = 0
    model: str | None = None


LocalDevice = tuple[str, str, str | None, int | None]
"""A device of this machine: kind, handle, model and memory in bytes."""


@frozen
class Capacity:
    """What the jobs of a folder may take of this machine together with all others; None: no limit.

    `tokens` says how many jobs may hold each token at once.
    """

    cores: int | None = None
    memory: int | None = None
    devices: tuple[LocalDevice, ...] = ()
    tokens: tuple[tuple[str, int], ...] = ()


@frozen
class LocalJob:
    """One job: what to run, what it needs, and after which jobs.

    `after` has (condition, job id) with the conditions ok, any, notok and started.  notok may have several ids, a line
    each; one of them has to fail, as with an array.  A path instead of a job id stands for all jobs of another run, or
    for a job of an earlier attempt (launchers.local.journal.outcome).  `time_limit` is in seconds; `warning` seconds
    before it, the job gets SIGUSR2.  A job that ends with exit status `requeue` runs again, at most `requeues` times.
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


def why_impossible(job: LocalJob, capacity: Capacity) -> str:
    """Why a job could never run here however long it waited, to be read after "it"; "" when it could."""
    if capacity.cores is not None and job.cores > capacity.cores:
        return f"asks for {job.cores} cores; this machine offers {capacity.cores}"
    if capacity.memory is not None and job.memory > capacity.memory:
        return f"asks for {job.memory} bytes of memory; this machine offers {capacity.memory} bytes"
    if len(job.wanted) > len(capacity.devices):
        return f"asks for {len(job.wanted)} accelerators; this machine offers {len(capacity.devices)}"
    if assign_devices(job.wanted, capacity.devices) is None:
        wanted = _in_words((one.kind, one.model, one.memory) for one in job.wanted)
        offered = _in_words((kind, model, memory) for kind, _, model, memory in capacity.devices)
        return f"asks for the accelerators {wanted}; this machine offers {offered}"
    limits = dict(capacity.tokens)
    for name, number in job.tokens:
        if number > limits.get(name, number):
            return f"asks for {number} of token {name}; there are {limits[name]}"
    return ""


def assign_devices(wanted: Sequence[Wanted], devices: Sequence[LocalDevice]) -> tuple[str, ...] | None:
    """The handles of the devices that serve what is wanted best; None where they cannot serve all of it."""
    if not wanted:
        return ()
    wants = [(Accelerator(one.kind, one.memory, one.model), 1) for one in wanted]
    rows = assign(wants, [Device(kind, 1, memory, model) for kind, _, model, memory in devices])
    if rows is None:
        return None
    return tuple(devices[column][1] for row in rows for column, number in enumerate(row) if number)


def _in_words(devices: Iterable[tuple[str, str | None, int | None]]) -> str:
    """Devices for people, equal ones with their number: ``2 x cuda A100 40G, rocm``."""
    names = Counter(
        " ".join(filter(None, (kind, model, format_memory(memory) if memory else "")))
        for kind, model, memory in devices
    )
    return ", ".join(name if number == 1 else f"{number} x {name}" for name, number in names.items())


def submitit_variables(id: str) -> dict[str, str]:
    """The variables in which a submitit job of this machine finds what it is: one task on one node."""
    return {
        "SUBMITIT_EXECUTOR": "local",
        "SUBMITIT_LOCAL_JOB_ID": id,
        "SUBMITIT_LOCAL_NTASKS": "1",
        "SUBMITIT_LOCAL_JOB_NUM_NODES": "1",
        "SUBMITIT_LOCAL_NODEID": "0",
        "SUBMITIT_LOCAL_LOCALID": "0",
        "SUBMITIT_LOCAL_GLOBALID": "0",
    }


# -- the table on disk -----------------------------------------------------------------------------------------


def make_private(folder: Path) -> Path:
    """Make a folder (and those above it) for this user alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_table(folder: Path, capacity: Capacity, jobs: Iterable[LocalJob]) -> None:
    """Write what is to be run, whole or not at all.  Raises OSError."""
    make_private(folder)
    make_room(folder)
    lines = "".join(json.dumps(asdict(job)) + "\n" for job in jobs)
    for name, text in (("capacity.json", json.dumps(asdict(capacity))), ("jobs.jsonl", lines)):
        write_atomically(folder / name, text)


def read_table(folder: Path) -> tuple[Capacity, dict[str, LocalJob]]:
    """The capacity and jobs of a folder, by id, in the order in which they were given.

    Raises RunError, and BadLineError for what launchers did not write.
    """
    jobs = {}
    path = folder / "jobs.jsonl"
    for number, entry in read_lines(path):
        try:
            entry |= {key: _pairs(entry[key]) for key in ("env", "tokens", "after")}
            entry |= {"argv": tuple(entry["argv"]), "wanted": tuple(Wanted(**wanted) for wanted in entry["wanted"])}
        except (KeyError, TypeError) as error:
            raise BadLineError(path, number, f"not a job: {error}") from None
        job = structure_line(path, number, entry, LocalJob)
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


def _pairs(value: Any) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(item) for item in value)
