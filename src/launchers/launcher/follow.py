"""Run a command as a job of a cluster, and follow it from here: its output, its exit status, why it waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from launchers.jobs.backend import Backend, JobInfo
from launchers.jobs.state import ENDED, NO_REASON, UNKNOWN, in_words
from launchers.launcher.foreground import start_failure_status

TICK = 0.25
"""Seconds between two looks at the output of a job."""
ASK = 2.0
"""Seconds between two questions to the scheduler about a job's state."""
GONE_LOOKS = 3
"""How often a job has to be gone before it counts as lost: a file system may be slower than the scheduler."""


def on_node(argv: list[str], cwd: str) -> int:
    """What the submitit job does on the node: run the command, its output in files of its own."""
    import submitit

    paths = submitit.JobEnvironment().paths
    env = {name: value for name, value in os.environ.items() if not name.startswith("SUBMITIT_")}
    with output_path(paths, "out").open("ab") as out, output_path(paths, "err").open("ab") as err:
        try:
            return subprocess.call(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        except OSError as error:
            err.write(f"launchers: cannot run {argv[0]}: {error.strerror}\n".encode())
            return start_failure_status(error)


def output_path(paths: Any, kind: str) -> Path:
    """The file for what a job's command writes to stdout ("out") or stderr ("err")."""
    return Path(paths.folder) / f"{paths.job_id}_command.{kind}"


def follow(job: Any, scheduler: Backend) -> int:
    """Copy the job's output here as it comes; its exit status when it has ended, of several nodes the highest.

    SIGTERM cancels the job, as Ctrl-C does.
    """

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    tails = (Tail(output_path(job.paths, "out"), sys.stdout), Tail(output_path(job.paths, "err"), sys.stderr))
    try:
        lost = _copy_until_done(job, scheduler, tails)
    finally:
        signal.signal(signal.SIGTERM, before)
    for tail in tails:
        tail.copy()
    if lost:
        log = job.paths.stderr
        print(f"launchers: job {job.job_id} ended {lost} before its command did; log: {log}", file=sys.stderr)
        return 1
    return max(128 - status if status < 0 else int(status) for status in job.results())


def _copy_until_done(job: Any, scheduler: Backend, tails: Sequence[Tail]) -> str:
    """Copy output until all results are there; else the state in which the scheduler ended the job without them."""
    tasks = (job.task(number) for number in range(job.num_tasks)) if job.num_tasks > 1 else (job,)
    results = [task.paths.result_pickle for task in tasks]
    watch = _QueueWatch(str(job.job_id), scheduler)
    while not all(path.exists() for path in results):
        for tail in tails:
            tail.copy()
        if lost := watch.look():
            return lost
        time.sleep(TICK)
    return ""


class _QueueWatch:
    """Asks the scheduler about a job now and then, and says why it waits when a person watches."""

    def __init__(self, job: str, scheduler: Backend) -> None:
        self.job, self.scheduler = job, scheduler
        self.asked, self.gone = 0.0, 0
        self.reason: str | None = None

    def look(self) -> str:
        """The state of a job that has ended, once a file system slower than the scheduler would show its results."""
        if time.monotonic() - self.asked <= ASK:
            return ""
        self.asked = time.monotonic()
        infos = list(self.scheduler.states(Path(), {self.job: ""}).infos.values())
        info = infos[-1] if infos else JobInfo(UNKNOWN)
        if info.state == "PENDING" and info.reason != self.reason and sys.stderr.isatty():
            self.reason = info.reason
            known = info.reason not in NO_REASON
            words = in_words(info.reason) if known else "is waiting in the queue (no reason given yet)"
            print(f"launchers: job {self.job} {words}", file=sys.stderr)
        self.gone = self.gone + 1 if info.state in ENDED or info.state == UNKNOWN else 0
        return info.state if self.gone > GONE_LOOKS else ""


class Tail:
    """A growing file, copied to a stream."""

    def __init__(self, path: Path, to: IO[str]) -> None:
        self.path, self.to, self.position = path, to, 0

    def copy(self) -> None:
        """Write what has come since the last time."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.position)
                fresh = file.read()
        except FileNotFoundError:
            return
        if fresh:
            self.position += len(fresh)
            self.to.flush()
            os.write(self.to.fileno(), fresh)
