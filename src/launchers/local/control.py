"""What others ask of the scheduler of a folder: to run jobs, to cancel some, to come back after it was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import evolve

from launchers.errors import RunError
from launchers.events import CUT_OFF, append
from launchers.jobs.state import ENDED
from launchers.local.health import Health, is_scheduled, read_health, scheduler_of, write_health
from launchers.local.jobs import Capacity, LocalJob, read_table, why_impossible, write_table
from launchers.local.journal import Status, read_statuses
from launchers.local.ledger import ledger_folders
from launchers.processes import Process, boottime, process, read_process, this_boot

PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds after a start before the next one, by how many in a row came to nothing; there is none after the last."""


def submit_jobs(folder: Path, capacity: Capacity, jobs: Sequence[LocalJob]) -> None:
    """Write the jobs down and start a scheduler for them that does not need this process.

    Raises ValueError for a job that could never run here, and LedgerError where no job could: before anything is
    written.  Raises OSError.
    """
    for job in jobs:
        if why := why_impossible(job, capacity):
            raise ValueError(f"job {job.name or job.id} can never run here: it {why}")
    ledger_folders()
    write_table(folder, capacity, jobs)
    start_scheduler(folder)


def start_scheduler(folder: Path) -> None:
    """Start a scheduler for the folder unless it has one; the one that comes too late just ends.  Raises RunError.

    It imports nothing from the current folder, which may be another user's, or removed.
    """
    health = read_health(folder)
    try:
        with (folder / "scheduler.log").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "launchers.local.scheduler", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:
        raise RunError(f"no scheduler can be started for {folder}: {error.strerror}: {error.filename}") from None
    started = process(child.pid)
    write_health(folder, evolve(health, starts=health.starts + 1, started=boottime(), process=str(started or "")))


def cancel_jobs(folder: Path, ids: Iterable[str]) -> None:
    """Ask for jobs to be cancelled; the scheduler sees to it (and is started again if it was killed).

    Raises RunError where that cannot be: its files cannot be read or written, or it is on another machine.
    """
    check_readable(folder)
    scheduler = scheduler_of(folder)
    if scheduler and _is_elsewhere(folder, *scheduler):
        raise RunError(f"the jobs in {folder} are those of {scheduler[1]}: cancel them there")
    path = _cancel_path(folder)
    try:
        append(path, "".join(f"{id}\n" for id in ids))
    except OSError as error:
        raise RunError(f"{path} cannot be written, so nothing is cancelled: {error.strerror}") from None
    if scheduler and scheduler[0].is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(scheduler[0].pid, signal.SIGUSR1)
    else:
        start_scheduler(folder)


def cancelled_ids(folder: Path) -> list[str]:
    """The jobs that were to be cancelled, in order; a line that is being written is left for later."""
    try:
        lines = _cancel_path(folder).read_bytes().split(b"\n")[:-1]
    except OSError:
        return []
    return [line.decode(errors="replace") for line in lines if not line.endswith(CUT_OFF)]


def revive_scheduler(folder: Path) -> None:
    """Start a scheduler again that has ended before its jobs; one of another machine is left to those who are there.

    To be called again and again by who waits: one that dies at once is started again later and later.  Raises RunError
    where its files are missing or cannot be read, and where it has died at once too often.
    """
    scheduler = scheduler_of(folder)
    if (scheduler and (scheduler[0].is_alive() or _is_elsewhere(folder, *scheduler))) or not _unended(folder):
        return
    health = read_health(folder)
    if _is_coming_up(health) or _came_to_nothing_just_now(health):
        return
    if health.starts >= len(PAUSES):
        write_health(folder, evolve(health, starts=0))  # whoever asks after this one is told has mended something
        raise RunError(
            f"the scheduler of {folder} cannot run: {health.trouble or f'see {folder}/scheduler.log'}: "
            "when that is mended, run launchers resume"
        )
    start_scheduler(folder)


def check_readable(folder: Path) -> None:
    """Raise RunError where a scheduler could not read what it is to run: its message would reach no one."""
    _unended(folder)


def why_nothing_moves(folder: Path, run: Path) -> tuple[str, bool]:
    """Why the jobs of a folder may not go on, for people ("": they do), and whether they have no scheduler at all."""
    health, scheduler = read_health(folder), scheduler_of(folder)
    if scheduler and _is_elsewhere(folder, *scheduler):
        where = f"look at the run there, or remove {folder}/scheduler.pid if that machine is gone"
        return f"its scheduler runs on {scheduler[1]}: {where}", False
    if scheduler and scheduler[0].is_alive():
        return health.trouble, False
    if _is_coming_up(health):
        return "", False
    if health.trouble:
        return f"its scheduler cannot run: {health.trouble}: to try again: launchers resume {run}", True
    return f"its scheduler has gone: to start another: launchers resume {run}", True


def _is_elsewhere(folder: Path, scheduler: Process, host: str) -> bool:
    """Whether a scheduler may live where its pid cannot be asked about: on another machine, or in another container.

    One of this machine has locked its file as long as it lives.
    """
    if scheduler.is_of_here():
        return False
    if scheduler.boot == this_boot():
        return is_scheduled(folder)
    return host != socket.gethostname()


def _unended(folder: Path) -> list[str]:
    """The jobs of a folder that have not ended.  Raises RunError."""
    table = folder / "jobs.jsonl"
    if not table.exists():
        raise RunError(f"{table} is missing, so its jobs cannot run: restore it, or submit the plan again")
    statuses = read_statuses(folder)
    return [id for id in read_table(folder)[1] if statuses.get(id, Status()).state not in ENDED]


def _is_coming_up(health: Health) -> bool:
    """Whether the process that was started last is there: then it is about to say so."""
    started = read_process(health.process)
    return started is not None and started.is_alive()


def _came_to_nothing_just_now(health: Health) -> bool:
    pause = PAUSES[min(health.starts, len(PAUSES) - 1)]
    return 0 <= boottime() - health.started < pause


def _cancel_path(folder: Path) -> Path:
    return folder / "cancel"
