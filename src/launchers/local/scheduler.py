"""Run the jobs of one folder on this machine: ``python -m launchers.local.scheduler FOLDER``.

There is no daemon: one of these runs per submission, as long as its jobs do.  It may be killed at any moment and
started again on the same folder: jobs that ended keep their end, jobs whose process lives are waited for, and no job
is started twice, because the first thing a job's own shell does is to take a name that can be taken once.

Jobs start in the order given: what one waits for (cores, memory, accelerators, a token), no later one may take
before it.  So a big job is not starved by small ones of its own submission; between submissions the first to ask wins.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from attrs import define, field

from launchers.errors import RunError
from launchers.events import end_last_line, line_of
from launchers.local.jobs import (
    CANCELLED,
    COMPLETED,
    ENDED,
    JOB_EVENTS,
    FAILED,
    PENDING,
    TIMEOUT,
    Capacity,
    JobEnd,
    JobEvent,
    JobIntent,
    LocalJob,
    JobRequeue,
    JobStart,
    Status,
    apply,
    impossible,
    outcome,
    private,
    read_statuses,
    read_table,
    unmet,
    write_table,
)
from launchers.local.ledger import Scarce, locked
from launchers.processes import alive, born
from launchers.variables import JOB_ID, OF_A_JOB

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""
_PROCESS = re.compile(r"(\d+) (\d+) (\S+)", re.ASCII)
"""What scheduler.pid says: pid, when that process was born, host."""
PATIENCE = 0.2
"""Seconds between two looks at what other processes hold."""
GATE = (
    'set -C; echo $$ 2>/dev/null >"$1" || exit 0; set +C; trap : TERM INT HUP USR2; out=$2; shift 2; '
    '"$@"; s=$?; echo $s >"$out"; exit $s'
)
"""The shell around a job: take the name $1 or go, run the rest, write its exit status to $2.

It outlives the signals that are meant for the job, so that the job has its time to react.
"""


@define
class Process:
    """A job's process, ours or one that an earlier scheduler started."""

    pid: int
    born: int | None
    child: subprocess.Popen[bytes] | None
    deadline: float | None
    warn: float | None
    doomed: str = ""
    pidfd: int | None = None


@define
class Scheduler:
    """The jobs of one folder while they run."""

    folder: Path
    capacity: Capacity
    jobs: dict[str, LocalJob]
    statuses: dict[str, Status]
    journal: Any
    waiting: list[str] = field(factory=list)
    running: dict[str, Process] = field(factory=dict)
    selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    cancelled: int = 0

    def run(self) -> None:
        """Run everything there is to run, then return."""
        self.adopt()
        while self.waiting or self.running:
            self.cancel_requested()
            blocked = self.start_what_can()
            if not self.waiting and not self.running:
                break
            for key, _ in self.selector.select(self.pause(blocked)):
                if key.data == "wake":
                    with contextlib.suppress(BlockingIOError):
                        os.read(key.fd, 4096)
            self.reap()
            self.enforce()

    # -- the journal -------------------------------------------------------------------------------------------

    def record(self, event: JobEvent, *, durable: bool = True) -> None:
        """Append to the journal (before acting, where it announces an act), and bring the status up to date."""
        self.journal.write(line_of(event, JOB_EVENTS))
        self.journal.flush()
        if durable:
            os.fsync(self.journal.fileno())
        apply(self.statuses[event.job], event)

    # -- starting ----------------------------------------------------------------------------------------------

    def adopt(self) -> None:
        """Take up where an earlier scheduler was killed."""
        for id, job in self.jobs.items():
            status = self.statuses[id]
            if status.state in ENDED:
                continue
            place = self.place(id, status.tries)
            pid = _number(place / "pid") if status.tries else None
            when = born(pid) if pid else None
            if pid is None and status.tries and not _take(place / "pid"):
                pid = _number(place / "pid")  # its shell was quicker
                when = born(pid) if pid else None
            if pid is None:
                self.waiting.append(id)
            elif _number(place / "exit") is None and when is not None and status.born in (None, when):
                self.watch(id, Process(pid, when, None, *self.deadlines(job, status.started or time.time())))
                if status.state == PENDING:
                    self.record(JobStart(id, pid, when))
            else:
                self.finish(id, _number(place / "exit"), "")

    def start_what_can(self) -> bool:
        """Start every job whose time has come; whether one waits for what others hold, or do."""
        scarce: set[str] = set()
        awaited = {one for id in self.waiting for _, some in self.jobs[id].after for one in some.splitlines()}
        elsewhere = {one for one in awaited if one.startswith("/")}
        self.statuses.update({one: outcome(Path(one)) for one in elsewhere})
        still: list[str] = []
        moved = False
        for id in self.waiting:
            job = self.jobs[id]
            waits, never = unmet(job, self.statuses)
            if never or (reason := impossible(job, self.capacity)):
                self.record(JobEnd(id, CANCELLED if never else FAILED, None, never or reason))
                moved = True
            elif waits or scarce & _takes(job):
                still.append(id)
            elif (refusal := self.start(job)) is not None:
                self.statuses[id].reason = f"waits for {refusal.says}"
                scarce.add(refusal.what)
                still.append(id)
            else:
                moved = True
        self.waiting = still
        return self.start_what_can() if moved and still and not scarce else bool(scarce or (still and elsewhere))

    def start(self, job: LocalJob) -> Scarce | None:
        """Start one job if this machine has room for it; otherwise what it waits for."""
        with locked() as ledger:
            granted = ledger.grant(job, self.capacity)
            if isinstance(granted, Scarce):
                return granted
            tries = self.statuses[job.id].tries + 1
            self.record(JobIntent(job.id, tries, list(granted)))
            child = self.spawn(job, granted, tries)
            when = born(child.pid)
            ledger.claim(job, granted, child.pid, when)
        self.record(JobStart(job.id, child.pid, when), durable=False)
        self.watch(job.id, Process(child.pid, when, child, *self.deadlines(job, time.time())))
        return None

    def spawn(self, job: LocalJob, handles: tuple[str, ...], tries: int) -> subprocess.Popen[bytes]:
        """The job's process, in a group of its own, seeing only the devices it was given."""
        place = private(self.place(job.id, tries))
        inherited = {name: value for name, value in os.environ.items() if name not in OF_A_JOB}
        env = {**inherited, **visible(self.capacity, handles), JOB_ID: job.id, **dict(job.env)}
        with Path(job.stdout).open("ab") as out, Path(job.stderr).open("ab") as err:
            return subprocess.Popen(
                ["/bin/sh", "-c", GATE, "launchers", str(place / "pid"), str(place / "exit"), *job.argv],
                cwd=job.cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def place(self, id: str, tries: int) -> Path:
        """Where one try of a job keeps its pid and exit status."""
        return self.folder / "tries" / f"{id}.{tries}"

    def deadlines(self, job: LocalJob, started: float) -> tuple[float | None, float | None]:
        """When the job is out of time, and when it is warned of that."""
        if job.time_limit is None:
            return None, None
        end = started + job.time_limit
        return end, end - job.warning if job.warning else None

    def watch(self, id: str, process: Process) -> None:
        """Be woken when a process ends."""
        self.running[id] = process
        with contextlib.suppress(ProcessLookupError, AttributeError):
            process.pidfd = os.pidfd_open(process.pid)
            self.selector.register(process.pidfd, selectors.EVENT_READ, id)

    # -- ending ------------------------------------------------------------------------------------------------

    def pause(self, blocked: bool) -> float | None:
        """How long nothing can happen that does not wake us."""
        times = [t for process in self.running.values() for t in (process.deadline, process.warn) if t is not None]
        waits = [max(0.0, min(times) - time.time())] if times else []
        polled = blocked or any(process.pidfd is None for process in self.running.values())
        return min([*waits, PATIENCE]) if polled else min(waits, default=60.0)

    def reap(self) -> None:
        """Notice what ended."""
        for id, process in list(self.running.items()):
            used: dict[str, float] = {}
            if process.child is not None:
                pid, code, usage = os.wait4(process.pid, os.WNOHANG)
                if not pid:
                    continue
                status: int | None = os.waitstatus_to_exitcode(code)
                process.child.returncode = status
                used = {"cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss * 1024}
            elif alive(process.pid, process.born):
                continue
            else:
                status = _number(self.place(id, self.statuses[id].tries) / "exit")
            del self.running[id]
            if process.pidfd is not None:
                self.selector.unregister(process.pidfd)
                os.close(process.pidfd)
            _signal(process, signal.SIGKILL)  # what the job left behind in its group
            with locked() as ledger:
                ledger.release(process.pid)
            self.finish(id, status, process.doomed, **used)

    def finish(self, id: str, status: int | None, doomed: str, **used: Any) -> None:
        """Write down how a job ended, or queue it again where it asks for that."""
        job = self.jobs[id]
        again = job.requeue is not None and status == job.requeue and self.statuses[id].tries <= job.requeues
        if again and doomed != CANCELLED:
            self.record(JobRequeue(id, "requeued at its own wish"))
            self.waiting.append(id)
            return
        if doomed:
            reason = "time limit reached" if doomed == TIMEOUT else "cancelled"
            self.record(JobEnd(id, doomed, status, reason, **used))
        elif status is None:
            self.record(JobEnd(id, FAILED, None, "its process is gone and left no exit status"))
        else:
            code = 128 - status if status < 0 else status
            said = "" if code == 0 else f"exit status {code}"
            self.record(JobEnd(id, COMPLETED if code == 0 else FAILED, code, said, **used))

    def enforce(self) -> None:
        """Warn and end jobs that are out of time, and insist where that was not enough."""
        now = time.time()
        for process in self.running.values():
            if process.warn is not None and now >= process.warn:
                process.warn = None
                _signal(process, signal.SIGUSR2)
            if process.deadline is not None and now >= process.deadline:
                self.doom(process, process.doomed or TIMEOUT)

    def doom(self, process: Process, state: str) -> None:
        """SIGTERM first, SIGKILL after GRACE seconds."""
        _signal(process, signal.SIGKILL if process.doomed else signal.SIGTERM)
        process.doomed, process.deadline = state, time.time() + GRACE

    def cancel_requested(self) -> None:
        """Cancel what `cancel` asked for; what hangs on it follows by itself."""
        lines = _lines(self.folder / "cancel")
        for id in lines[self.cancelled :]:
            if id in self.running and not self.running[id].doomed:
                self.doom(self.running[id], CANCELLED)
            elif id in self.waiting:
                self.waiting.remove(id)
                self.record(JobEnd(id, CANCELLED, None, "cancelled"))
        self.cancelled = len(lines)


def visible(capacity: Capacity, handles: tuple[str, ...]) -> dict[str, str]:
    """The variables that show a job the devices it was given and no others."""
    given = [device for device in capacity.devices if device[1] in handles]
    cuda = ",".join(handle for kind, handle, _, _ in given if kind in ("cuda", "gpu"))
    rocm = ",".join(handle for kind, handle, _, _ in given if kind == "rocm")
    return {"CUDA_VISIBLE_DEVICES": cuda, "ROCR_VISIBLE_DEVICES": rocm}


def _takes(job: LocalJob) -> set[str]:
    """The names of what a job takes, in the words of `Scarce.what`."""
    taken = {"cores", *(f"token {name}" for name, _ in job.tokens)}
    return taken | ({"memory"} if job.memory else set()) | ({"accelerators"} if job.wanted else set())


def _take(name: Path) -> bool:
    """Take the name that a job's shell would take, so that it cannot start any more; False when it was there first."""
    private(name.parent)
    try:
        with name.open("x", encoding="ascii") as out:
            out.write("0\n")
    except FileExistsError:
        return False
    return True


def _signal(process: Process, number: int) -> None:
    """Signal the whole group of a job, unless its process is another one by now."""
    if process.child is None and not alive(process.pid, process.born):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _number(path: Path) -> int | None:
    """The number in a file; None while it is not there or not whole."""
    try:
        text = path.read_text(encoding="ascii")
    except OSError:
        return None
    return int(text) if text.endswith("\n") and text.strip().isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except OSError:
        return []


# -- from outside ----------------------------------------------------------------------------------------------


def submit(folder: Path, capacity: Capacity, jobs: list[LocalJob]) -> None:
    """Write the jobs down and start a scheduler for them that does not need this process.

    Raises ValueError for a job that could never run here, before anything is written.
    """
    for job in jobs:
        if why := impossible(job, capacity):
            raise ValueError(f"job {job.name or job.id} can never run here: it {why}")
    write_table(folder, capacity, jobs)
    ensure(folder)


def ensure(folder: Path) -> None:
    """Start a scheduler for the folder unless one is there; the one that comes too late just ends."""
    with (folder / "scheduler.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "launchers.local.scheduler", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def cancel(folder: Path, ids: list[str]) -> None:
    """Ask for jobs to be cancelled; the scheduler sees to it (and is started again if it was killed).

    Raises RunError.
    """
    check_readable(folder)
    with (folder / "cancel").open("a", encoding="utf-8") as out:
        out.writelines(f"{id}\n" for id in ids)
    process = _serving(folder)
    if process is not None and alive(*process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process[0], signal.SIGUSR1)
    else:
        ensure(folder)


def revive(folder: Path) -> None:
    """Start a scheduler again that was killed; one of another machine is left to those who are there.

    Raises RunError.
    """
    table = folder / "jobs.jsonl"
    if not table.exists():
        raise RunError(f"{table} is missing, so its jobs cannot run: restore it, or submit the plan again")
    process = _serving(folder)
    if process is not None and not alive(*process):
        check_readable(folder)
        ensure(folder)


def check_readable(folder: Path) -> None:
    """Raise RunError where a scheduler could not read what it is to run: it would say so to nobody."""
    read_table(folder)
    read_statuses(folder)


def _serving(folder: Path) -> tuple[int, int] | None:
    """The process of this machine that is, or was when it was killed, the scheduler of a folder."""
    found = _PROCESS.fullmatch("".join(_lines(folder / "scheduler.pid")))
    return (int(found[1]), int(found[2])) if found and found[3] == socket.gethostname() else None


def main(argv: list[str]) -> int:
    """Be the scheduler of a folder, unless another one is."""
    folder = Path(argv[0]).resolve()
    with (folder / "scheduler.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        (folder / "scheduler.pid").write_text(f"{os.getpid()} {born(os.getpid())} {socket.gethostname()}\n")
        capacity, jobs = read_table(folder)
        statuses = {**{id: Status() for id in jobs}, **read_statuses(folder)}
        end_last_line(folder / "events.jsonl")
        with (folder / "events.jsonl").open("a", encoding="utf-8") as journal:
            scheduler = Scheduler(folder, capacity, jobs, statuses, journal)
            scheduler.selector.register(woken, selectors.EVENT_READ, "wake")
            scheduler.run()
        (folder / "scheduler.pid").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
