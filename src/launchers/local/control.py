"""What others ask of the scheduler of a folder: to run jobs, to cancel some, to come back after it was killed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from launchers.errors import RunError
from launchers.jobs.state import ENDED
from launchers.local.jobs import Capacity, LocalJob, read_table, why_impossible, write_table
from launchers.local.journal import Status, read_statuses
from launchers.processes import alive, born

_PROCESS = re.compile(r"(\d+) (\d+) (\S+)\n", re.ASCII)
"""What scheduler.pid has: pid, when that process was born, host."""


def submit_jobs(folder: Path, capacity: Capacity, jobs: Sequence[LocalJob]) -> None:
    """Write the jobs down and start a scheduler for them that does not need this process.

    Raises ValueError for a job that could never run here, before anything is written.
    """
    for job in jobs:
        if why := why_impossible(job, capacity):
            raise ValueError(f"job {job.name or job.id} can never run here: it {why}")
    write_table(folder, capacity, jobs)
    start_scheduler(folder)


def start_scheduler(folder: Path) -> None:
    """Start a scheduler for the folder unless it has one; the one that comes too late just ends."""
    with (folder / "scheduler.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "launchers.local.scheduler", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def cancel_jobs(folder: Path, ids: Iterable[str]) -> None:
    """Ask for jobs to be cancelled; the scheduler sees to it (and is started again if it was killed).

    Raises RunError where its files cannot be read.
    """
    check_readable(folder)
    with _cancel_path(folder).open("a", encoding="utf-8") as out:
        out.writelines(f"{id}\n" for id in ids)
    process = _scheduler_process(folder)
    if process is not None and alive(*process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process[0], signal.SIGUSR1)
    else:
        start_scheduler(folder)


def cancelled_ids(folder: Path) -> list[str]:
    """The jobs that were to be cancelled, in order; a line that is being written is left for later."""
    return _whole_lines(_cancel_path(folder))


def revive_scheduler(folder: Path) -> None:
    """Start a scheduler again that was killed; one of another machine is left to those who are there.

    Raises RunError where its files are missing or cannot be read.
    """
    table = folder / "jobs.jsonl"
    if not table.exists():
        raise RunError(f"{table} is missing, so its jobs cannot run: restore it, or submit the plan again")
    process = _scheduler_process(folder)
    if process is not None and not alive(*process):
        check_readable(folder)
        start_scheduler(folder)


def resume_scheduler(folder: Path) -> None:
    """As `revive_scheduler`; also start a scheduler that never came up, though jobs of the folder have not ended.

    While somebody only looks on, that is left alone: it may be coming up just then.
    """
    check_readable(folder)
    revive_scheduler(folder)
    if _pid_path(folder).exists():
        return
    statuses = read_statuses(folder)
    if any(statuses.get(id, Status()).state not in ENDED for id in read_table(folder)[1]):
        start_scheduler(folder)


def check_readable(folder: Path) -> None:
    """Raise RunError where a scheduler could not read what it is to run: its message would reach no one."""
    read_table(folder)
    read_statuses(folder)


# -- which process it is ---------------------------------------------------------------------------------------


def name_scheduler(folder: Path) -> None:
    """Write down that this process is the scheduler of a folder."""
    fresh = folder / ".scheduler.pid.new"
    fresh.write_text(f"{os.getpid()} {born(os.getpid())} {socket.gethostname()}\n", encoding="utf-8")
    fresh.rename(_pid_path(folder))


def unname_scheduler(folder: Path) -> None:
    """Write down that a folder has no scheduler any more."""
    _pid_path(folder).unlink(missing_ok=True)


def _scheduler_process(folder: Path) -> tuple[int, int] | None:
    """The process of this machine that is, or was when it was killed, the scheduler of a folder."""
    match = _PROCESS.fullmatch("".join(f"{line}\n" for line in _whole_lines(_pid_path(folder))))
    return (int(match[1]), int(match[2])) if match and match[3] == socket.gethostname() else None


def _pid_path(folder: Path) -> Path:
    return folder / "scheduler.pid"


def _cancel_path(folder: Path) -> Path:
    return folder / "cancel"


def _whole_lines(path: Path) -> list[str]:
    """The lines of a file that have their end."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except OSError:
        return []
