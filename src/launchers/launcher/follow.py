"""Run a command as a job of a cluster, and follow it from here: its output, its exit status, why it waits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from attrs import define

from launchers.jobs.backend import Backend, JobInfo
from launchers.jobs.state import ENDED, LOST, NO_REASON, in_words
from launchers.launcher.foreground import start_failure_status

TICK = 0.25
"""Seconds between two looks at the output of a job."""
ASK = 2.0
"""Seconds between two questions to the scheduler about a job's state."""
GONE_LOOKS = 3
"""How often a job has to have ended before it counts: a file system may be slower than the scheduler."""
LOST_AFTER = 120.0
"""Seconds for which the scheduler has to answer and not know a job before it is lost."""


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


def follow(job: Any, scheduler: Backend, token: str) -> int:
    """Copy the job's output here as it comes; its exit status when it has ended, of several nodes the highest.

    `token` is what the job carries.  While the scheduler cannot be asked, the job is neither ended nor lost: that is
    said, and waited for.
    """
    tails = (Tail(output_path(job.paths, "out"), sys.stdout), Tail(output_path(job.paths, "err"), sys.stderr))
    ended = _copy_until_done(job, _QueueWatch(str(job.job_id), token, Path(job.paths.folder), scheduler), tails)
    for tail in tails:
        tail.copy()
    if ended:
        words = "is lost: the scheduler does not know it (any more)" if ended == LOST else f"ended {ended}"
        print(f"launchers: job {job.job_id} {words} before its command did; log: {job.paths.stderr}", file=sys.stderr)
        return 1
    try:
        return max(128 - status if status < 0 else int(status) for status in job.results())
    except Exception as error:  # reading a result runs what it is made of, and raises what the job raised
        words = f"left no exit status that can be read ({type(error).__name__})"
        print(f"launchers: job {job.job_id} {words}; log: {job.paths.stderr}", file=sys.stderr)
        return 1


def _copy_until_done(job: Any, watch: _QueueWatch, tails: Sequence[Tail]) -> str:
    """Copy output until all results are there; else the state in which the scheduler ended the job without them."""
    tasks = (job.task(number) for number in range(job.num_tasks)) if job.num_tasks > 1 else (job,)
    results = [task.paths.result_pickle for task in tasks]
    while not all(path.exists() for path in results):
        for tail in tails:
            tail.copy()
        if ended := watch.look():
            return ended
        time.sleep(TICK)
    return ""


@define
class _QueueWatch:
    """Asks the scheduler about a job now and then, and tells when it cannot be asked and why the job waits."""

    job: str
    token: str
    folder: Path
    scheduler: Backend
    _next: float = float("-inf")
    _times_ended: int = 0
    _missing_since: float | None = None
    _is_away: bool = False
    _reason: str | None = None

    def look(self) -> str:
        """The state of a job that has ended, once a file system slower than the scheduler would show its results.

        LOST where the scheduler has not known it for a while; "" while it has not ended, or nobody knows.
        """
        asked = time.monotonic()
        if asked < self._next:
            return ""
        answer = self.scheduler.states(self.folder, {self.job: self.token})
        answered = time.monotonic()
        self._next = answered + max(ASK, 2 * (answered - asked))  # the output is copied meanwhile
        infos = list(answer.infos.values())
        self._tell_whether_away("" if infos else answer.problem)
        if not infos:
            if answer.problem or self._missing_since is None:
                self._missing_since = None if answer.problem else answered
                return ""
            return LOST if answered - self._missing_since > LOST_AFTER else ""
        self._missing_since = None
        self._tell_reason(infos[-1])
        self._times_ended = self._times_ended + 1 if infos[-1].state in ENDED else 0
        return infos[-1].state if self._times_ended > GONE_LOOKS else ""

    def _tell_whether_away(self, problem: str) -> None:
        """Say once that the scheduler cannot be asked, and once that it can again."""
        if bool(problem) != self._is_away:
            self._is_away = bool(problem)
            when, title = time.strftime("%H:%M:%S"), self.scheduler.title
            words = f"cannot reach {title} since {when}: {problem}" if problem else f"{title} answers again"
            print(f"launchers: {words}", file=sys.stderr)

    def _tell_reason(self, info: JobInfo) -> None:
        """Say why a job waits when a person watches, and the reason is new."""
        if info.state == "PENDING" and info.reason != self._reason and sys.stderr.isatty():
            self._reason = info.reason
            known = info.reason not in NO_REASON
            words = in_words(info.reason) if known else "is waiting in the queue (no reason given yet)"
            print(f"launchers: job {self.job} {words}", file=sys.stderr)


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
