"""Run one command where a launcher says, as if it were here."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from attrs import evolve

from launchers.jobs.backend import Backend, JobInfo
from launchers.jobs.state import ENDED, UNKNOWN, in_words
from launchers.launcher.launcher import Launcher
from launchers.local.args import LocalArgs, empty_job
from launchers.local.jobs import Capacity, LocalJob
from launchers.local.ledger import Ledger, Scarce

TICK = 0.25
"""Seconds between two looks at the output of a job elsewhere."""
ASK = 2.0
"""Seconds between two questions to the scheduler about a job's state."""
GONE_LOOKS = 3
"""How often a job has to be gone before it counts as lost: a file system may be slower than the scheduler."""


def run_command(launcher: Launcher, argv: Sequence[str], *, detach: bool = False) -> int:
    """Run `argv` where the launcher says, with its output here; its exit status (128 + n for signal n).

    `detach` prints the id of the job to stdout and leaves it running.  Raises LauncherNotFoundError, ValueError.
    """
    if isinstance(launcher.resources, LocalArgs):
        return _detach(launcher.resources, list(argv)) if detach else _run_here(launcher.resources, list(argv))
    return _run_elsewhere(launcher, list(argv), detach)


# -- on this machine -------------------------------------------------------------------------------------------


def _run_here(resources: LocalArgs, argv: list[str]) -> int:
    """In the foreground: wait for room on this machine, then be the command's terminal."""
    from launchers.local.jobs import impossible
    from launchers.local.ledger import locked
    from launchers.local.scheduler import PATIENCE

    job = empty_job(resources)
    if why := impossible(job, resources.capacity):
        raise ValueError(f"it {why}")
    waiting = ""
    while True:
        with locked() as ledger:
            started = _start_if_room(ledger, job, resources.capacity, argv)
        if not isinstance(started, Scarce):
            break
        if started.says != waiting and sys.stderr.isatty():
            waiting = started.says
            print(f"launchers: waiting for {waiting}", file=sys.stderr)
        time.sleep(PATIENCE)
    if isinstance(started, OSError):
        print(f"launchers: cannot run {argv[0]}: {started.strerror}", file=sys.stderr)
        return _status_of(started)
    child, forwarder = started
    try:
        return _wait_with_limit(child, job.time_limit)
    finally:
        forwarder.stop()
        with locked() as ledger:
            ledger.release(child.pid)


def _start_if_room(
    ledger: Ledger, job: LocalJob, capacity: Capacity, argv: list[str]
) -> tuple[subprocess.Popen[bytes], SignalForwarder] | Scarce | OSError:
    """Start a command on what the ledger grants it, or why it cannot start."""
    from launchers.local.scheduler import visible
    from launchers.processes import born

    granted = ledger.grant(job, capacity)
    if isinstance(granted, Scarce):
        return granted
    forwarder = SignalForwarder()
    try:
        child = forwarder.start(argv, {**os.environ, **visible(capacity, granted)})
    except OSError as error:
        forwarder.stop()
        return error
    ledger.claim(job, granted, child.pid, born(child.pid))
    return child, forwarder


def _status_of(error: OSError) -> int:
    """The exit status of a command that cannot be started, as a shell has it."""
    return 127 if isinstance(error, FileNotFoundError) else 126


class SignalForwarder:
    """Signals to this process that go on to a child, but those that a terminal sends to both by itself.

    They are kept from before the child starts: one that came just then would end this process and leave it alone.
    """

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.early: list[int] = []
        self.at_terminal = sys.stdin.isatty()
        self.before = {
            number: signal.signal(number, self.on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }

    def start(self, argv: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start the child and give it what came in the meantime."""
        child = subprocess.Popen(argv, env=env)
        self.child = child
        for number in self.early:
            self.on(number, None)
        return child

    def on(self, number: int, _: Any) -> None:
        """Send a signal on, or keep it."""
        if self.child is None:
            self.early.append(number)
        elif number != signal.SIGINT or not self.at_terminal:
            self.child.send_signal(number)

    def stop(self) -> None:
        """Put the handlers back that were there."""
        for number, handler in self.before.items():
            signal.signal(number, handler)


def _wait_with_limit(child: subprocess.Popen[bytes], limit: int | None) -> int:
    """Wait for a child; end it when time is up."""
    try:
        status = child.wait(limit)
    except subprocess.TimeoutExpired:
        print(f"launchers: time limit of {limit} s reached", file=sys.stderr)
        child.terminate()
        try:
            status = child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            status = child.wait()
    return 128 - status if status < 0 else status


def _detach(resources: LocalArgs, argv: list[str]) -> int:
    """In the background, under a scheduler of its own."""
    from launchers.local import scheduler

    id = secrets.token_hex(6)
    folder = Path.cwd() / ".launchers" / "jobs" / f"{id}.scheduler"
    folder.mkdir(mode=0o700, parents=True)
    out, err = folder / "stdout", folder / "stderr"
    job = evolve(
        empty_job(resources),
        id=id,
        argv=tuple(argv),
        cwd=str(Path.cwd()),
        stdout=str(out),
        stderr=str(err),
        name=argv[0],
    )
    scheduler.submit(folder, resources.capacity, [job])
    print(id)
    print(f"launchers: output goes to {out} and {err.name} beside it", file=sys.stderr)
    return 0


# -- on a cluster -----------------------------------------------------------------------------------------------


def on_node(argv: list[str], cwd: str) -> int:
    """What the submitit job does on the node: run the command, its output in files of its own."""
    import submitit

    paths = submitit.JobEnvironment().paths
    env = {name: value for name, value in os.environ.items() if not name.startswith("SUBMITIT_")}
    with _output(paths, "out").open("ab") as out, _output(paths, "err").open("ab") as err:
        try:
            return subprocess.call(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        except OSError as error:
            err.write(f"launchers: cannot run {argv[0]}: {error.strerror}\n".encode())
            return _status_of(error)


def _output(paths: Any, kind: str) -> Path:
    return Path(paths.folder) / f"{paths.job_id}_command.{kind}"


def _run_elsewhere(launcher: Launcher, argv: list[str], detach: bool) -> int:
    """Submit through submitit, then follow the job's output until it ends."""
    executor = launcher.executor(name=f"launchers-{Path(argv[0]).name}"[:60], early_signal=False)
    job = launcher.submit_with(executor, on_node, argv, str(Path.cwd()))
    if detach:
        print(job.job_id)
        print(f"launchers: output goes to {_output(job.paths, 'out')} and .err beside it", file=sys.stderr)
        return 0
    try:
        return _follow(job, launcher.backend)
    except KeyboardInterrupt:
        job.cancel(check=False)
        print(f"launchers: job {job.job_id} is cancelled", file=sys.stderr)
        return 130


def _follow(job: Any, scheduler: Backend) -> int:
    """Copy the job's output here as it comes; its exit status when it has ended, of several nodes the highest.

    SIGTERM cancels the job, as Ctrl-C does.
    """

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    tails = (Tail(_output(job.paths, "out"), sys.stdout), Tail(_output(job.paths, "err"), sys.stderr))
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
        infos = list(self.scheduler.states(Path(), [self.job]).values())
        info = infos[-1] if infos else JobInfo(UNKNOWN)
        if info.state == "PENDING" and info.reason != self.reason and sys.stderr.isatty():
            self.reason = info.reason
            print(f"launchers: job {self.job} {in_words(info.reason)}", file=sys.stderr)
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
