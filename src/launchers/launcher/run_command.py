"""Run one command where a launcher says, as if it were here."""

from __future__ import annotations

import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from launchers.commands import CommandError
from launchers.errors import RunError
from launchers.jobs.backend import Backend
from launchers.launcher.follow import follow, on_node, output_path
from launchers.launcher.foreground import run_here
from launchers.launcher.launcher import Launcher, new_token
from launchers.local.args import LocalArgs, empty_job

INTERRUPTED = 130
"""The exit status after Ctrl-C, as a shell has it."""
LOOKS = (0.5, 1.0, 0.0)
"""Seconds between looks for a job that was being submitted when Ctrl-C came."""


@frozen
class DetachedJob:
    """A job that nobody waits for: its id in the scheduler, and the files that its output goes to."""

    id: str
    stdout: Path
    stderr: Path


def run_command(launcher: Launcher, argv: Sequence[str]) -> int:
    """Run `argv` where the launcher says, with its output here; its exit status (128 + n for signal n).

    Ctrl-C and SIGTERM cancel a job of a cluster.  Raises LauncherNotFoundError when the cluster refuses the job or
    cannot be reached, and ValueError for no command and for what can never run on this machine.
    """
    _check(argv)
    if isinstance(launcher.resources, LocalArgs):
        return run_here(launcher.resources, list(argv))
    token, since, job = new_token(), time.time(), None
    with _sigterm_interrupts():
        try:
            job = _submit(launcher, argv, token)
            return follow(job, launcher.backend, token)
        except KeyboardInterrupt:
            id = str(job.job_id) if job else ""
            print(f"launchers: {_cancel(launcher.backend, id, token, since)}", file=sys.stderr)
            return INTERRUPTED


def _cancel(scheduler: Backend, id: str, token: str, since: float) -> str:
    """Cancel a job, or what may have become one before its id was known ("" as `id`); what came of it."""
    shown = f"job {id}" if id else f"the job (token {token})"
    try:
        for pause in LOOKS:
            id = id or scheduler.find_token(token, since) or ""
            if not id:
                time.sleep(pause)
        if not id:
            return "no job was submitted"
        shown = f"job {id}"
        scheduler.cancel(Path.cwd(), [(id, None)], {id: token})
    except (CommandError, RunError, OSError) as error:
        return f"{shown} could not be cancelled and may still wait or run: {error}"
    except KeyboardInterrupt:
        return f"{shown} may still wait or run: interrupted while it was being cancelled"
    return f"{shown} is cancelled"


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """A context in which SIGTERM does what Ctrl-C does."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # no other thread gets signals
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def detach_command(launcher: Launcher, argv: Sequence[str]) -> DetachedJob:
    """Start `argv` where the launcher says and leave it running.  Raises as `run_command`."""
    _check(argv)
    if isinstance(launcher.resources, LocalArgs):
        return _detach_here(launcher.resources, argv)
    job = _submit(launcher, argv, new_token())
    return DetachedJob(str(job.job_id), output_path(job.paths, "out"), output_path(job.paths, "err"))


def _check(argv: Sequence[str]) -> None:
    """Raise ValueError where there is no command."""
    if not argv:
        raise ValueError("no command to run: give its name and its arguments, as in ['make', '-j4']")


def _submit(launcher: Launcher, argv: Sequence[str], token: str) -> Any:
    """The submitit job that runs the command on a node, and carries the token."""
    executor = launcher.executor(name=f"launchers-{Path(argv[0]).name}"[:60], token=token, early_signal=False)
    return launcher.submit_with(executor, on_node, list(argv), str(Path.cwd()))


def _detach_here(resources: LocalArgs, argv: Sequence[str]) -> DetachedJob:
    """Under a scheduler of its own on this machine."""
    from launchers.local.control import submit_jobs

    id = secrets.token_hex(6)
    folder = Path.cwd() / ".launchers" / "jobs" / f"{id}.scheduler"
    folder.mkdir(mode=0o700, parents=True)
    detached = DetachedJob(id, folder / "stdout", folder / "stderr")
    job = evolve(
        empty_job(resources),
        id=id,
        argv=tuple(argv),
        cwd=str(Path.cwd()),
        stdout=str(detached.stdout),
        stderr=str(detached.stderr),
        name=argv[0],
    )
    submit_jobs(folder, resources.capacity, [job])
    return detached
