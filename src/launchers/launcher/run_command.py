"""Run one command where a launcher says, as if it were here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from launchers.launcher.launcher import TO_THE_END, Launcher

TICK = 0.25
"""Seconds between two looks at the output of a job elsewhere."""


ASK = 2.0
"""Seconds between two questions to the scheduler about a job's state."""


def run_command(launcher: Launcher, argv: Sequence[str], *, detach: bool = False) -> int:
    """Run `argv` where the launcher says, with its output here; its exit status (128 + n for signal n)."""
    if launcher.args is not None:
        return _elsewhere(launcher, list(argv), detach)
    return _detached(launcher, list(argv)) if detach else _here(launcher, list(argv))


# -- on this machine -------------------------------------------------------------------------------------------


def _here(launcher: Launcher, argv: list[str]) -> int:
    """In the foreground: wait for room on this machine, then be the command's terminal."""
    from launchers.local.capacity import capacity
    from launchers.local.jobs import impossible
    from launchers.local.ledger import Scarce, locked
    from launchers.local.scheduler import PATIENCE, visible
    from launchers.processes import born

    job, room = launcher.local_job(), capacity(launcher.group)
    if why := impossible(job, room):
        raise ValueError(f"it {why}")
    told = ""
    while True:
        with locked() as ledger:
            granted = ledger.grant(job, room)
            if not isinstance(granted, Scarce):
                passed = Passed()
                try:
                    child = passed.start(argv, {**os.environ, **visible(room, granted)})
                except OSError as error:
                    passed.stop()
                    print(f"launchers: cannot run {argv[0]}: {error.strerror}", file=sys.stderr)
                    return 127 if isinstance(error, FileNotFoundError) else 126
                ledger.claim(job, granted, child.pid, born(child.pid))
                break
        if granted.says != told and sys.stderr.isatty():
            told = granted.says
            print(f"launchers: waiting for {told}", file=sys.stderr)
        time.sleep(PATIENCE)
    try:
        return _attend(child, job.time_limit)
    finally:
        passed.stop()
        with locked() as ledger:
            ledger.release(child.pid)


class Passed:
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


def _attend(child: subprocess.Popen[bytes], limit: int | None) -> int:
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


def _detached(launcher: Launcher, argv: list[str]) -> int:
    """In the background, under a scheduler of its own."""
    import secrets

    from attrs import evolve

    from launchers.local import scheduler
    from launchers.local.capacity import capacity

    id = secrets.token_hex(6)
    folder = Path.cwd() / ".launchers" / "jobs" / f"{id}.scheduler"
    folder.mkdir(mode=0o700, parents=True)
    out, err = folder / "stdout", folder / "stderr"
    job = evolve(
        launcher.local_job(),
        id=id,
        argv=tuple(argv),
        cwd=str(Path.cwd()),
        stdout=str(out),
        stderr=str(err),
        name=argv[0],
    )
    scheduler.submit(folder, capacity(launcher.group), [job])
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
            return 127 if isinstance(error, FileNotFoundError) else 126


def _output(paths: Any, kind: str) -> Path:
    return Path(paths.folder) / f"{paths.job_id}_command.{kind}"


def _elsewhere(launcher: Launcher, argv: list[str], detach: bool) -> int:
    """Submit through submitit, then follow the job's output until it ends."""
    name = f"launchers-{Path(argv[0]).name}"[:60]
    told = {"n": name} if launcher.oar_args else {"job_name": name, **TO_THE_END}
    executor = launcher.executor(**told)
    job = launcher.submitted(executor, on_node, argv, str(Path.cwd()))
    if detach:
        print(job.job_id)
        print(f"launchers: output goes to {_output(job.paths, 'out')} and .err beside it", file=sys.stderr)
        return 0
    try:
        return _follow(job, _asked_oar if launcher.oar_args else _asked_slurm)
    except KeyboardInterrupt:
        job.cancel(check=False)
        print(f"launchers: job {job.job_id} is cancelled", file=sys.stderr)
        return 130


def _asked_slurm(job: str) -> tuple[str, str]:
    """State and reason of a job."""
    from launchers.commands import LocalConnector
    from launchers.slurm.states import job_state

    found = job_state(LocalConnector(), job)
    return found.state, found.reason


def _asked_oar(job: str) -> tuple[str, str]:
    """State and reason of a job, under the id that it has now."""
    from launchers.commands import CommandError, LocalConnector
    from launchers.oar.states import arrays_condition, find_jobs

    try:
        found = find_jobs(LocalConnector(), arrays_condition([job]))
    except CommandError:
        return "UNKNOWN", ""  # it is asked again
    return (found[-1].state, found[-1].reason) if found else ("UNKNOWN", "")


def _follow(job: Any, ask: Callable[[str], tuple[str, str]]) -> int:
    """Copy the job's output here as it comes; its exit status when it has ended, of several nodes the highest."""
    from launchers.jobs.state import ENDED, in_words

    def terminated(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminated)
    tails = (Tail(_output(job.paths, "out"), sys.stdout), Tail(_output(job.paths, "err"), sys.stderr))
    tasks = (job.task(number) for number in range(job.num_tasks)) if job.num_tasks > 1 else (job,)
    results = [one.paths.result_pickle for one in tasks]
    state, reason, asked, told, gone = "PENDING", "", 0.0, "", 0
    try:
        while not all(one.exists() for one in results):
            for tail in tails:
                tail.copy()
            if time.monotonic() - asked > ASK:
                asked = time.monotonic()
                state, reason = ask(str(job.job_id))
                if state == "PENDING" and reason != told and sys.stderr.isatty():
                    told = reason
                    print(f"launchers: job {job.job_id} {in_words(told)}", file=sys.stderr)
                gone = gone + 1 if state in ENDED or state == "UNKNOWN" else 0
                if gone > 3:  # a file system may be slower than the scheduler
                    return _lost(job, state, tails)
            time.sleep(TICK)
    finally:
        signal.signal(signal.SIGTERM, before)
    for tail in tails:
        tail.copy()
    return max(128 - status if status < 0 else int(status) for status in job.results())


def _lost(job: Any, state: str, tails: Sequence[Tail]) -> int:
    """A job that ended with no exit status of its command: the scheduler ended it."""
    for tail in tails:
        tail.copy()
    print(f"launchers: job {job.job_id} ended {state} before its command did; log: {job.paths.stderr}", file=sys.stderr)
    return 1


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
