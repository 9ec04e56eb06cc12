"""Run one command where a launcher says, as if it were here."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from launchers.launcher.follow import follow, on_node, output_path
from launchers.launcher.foreground import run_here
from launchers.launcher.launcher import Launcher
from launchers.local.args import LocalArgs, empty_job


@frozen
class DetachedJob:
    """A job that nobody waits for: its id in the scheduler, and the files that its output goes to."""

    id: str
    stdout: Path
    stderr: Path


def run_command(launcher: Launcher, argv: Sequence[str]) -> int:
    """Run `argv` where the launcher says, with its output here; its exit status (128 + n for signal n).

    Ctrl-C cancels a job of a cluster.  Raises LauncherNotFoundError when the cluster refuses the job or cannot be
    reached, and ValueError for no command and for what can never run on this machine.
    """
    _check(argv)
    if isinstance(launcher.resources, LocalArgs):
        return run_here(launcher.resources, list(argv))
    job = _submit(launcher, argv)
    try:
        return follow(job, launcher.backend)
    except KeyboardInterrupt:
        job.cancel(check=False)
        print(f"launchers: job {job.job_id} is cancelled", file=sys.stderr)
        return 130


def detach_command(launcher: Launcher, argv: Sequence[str]) -> DetachedJob:
    """Start `argv` where the launcher says and leave it running.  Raises as `run_command`."""
    _check(argv)
    if isinstance(launcher.resources, LocalArgs):
        return _detach_here(launcher.resources, argv)
    job = _submit(launcher, argv)
    return DetachedJob(str(job.job_id), output_path(job.paths, "out"), output_path(job.paths, "err"))


def _check(argv: Sequence[str]) -> None:
    """Raise ValueError where there is no command."""
    if not argv:
        raise ValueError("no command to run: give its name and its arguments, as in ['make', '-j4']")


def _submit(launcher: Launcher, argv: Sequence[str]) -> Any:
    """The submitit job that runs the command on a node."""
    executor = launcher.executor(name=f"launchers-{Path(argv[0]).name}"[:60], early_signal=False)
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
