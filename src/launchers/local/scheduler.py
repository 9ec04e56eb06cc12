"""Run the jobs of one folder on this machine: ``python -m launchers.local.scheduler FOLDER``.

There is no daemon.  Each submission has a scheduler of its own, which runs as long as its jobs do.  It may be killed at
any moment and started again on the same folder: jobs that ended keep their end, and jobs whose process lives are waited
for.  No job is started twice, because the first thing that a job's own shell does is to take a name that can be taken
once (launchers.local.attempt).

Jobs start in the order given.  A resource that a job waits for (cores, memory, accelerators, a token) is not given to a
later job.  So a big job is not starved by small ones of its own submission.  Between submissions the first to ask wins.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from attrs import define, field

from launchers.events import end_last_line, line_of
from launchers.jobs.state import ENDED
from launchers.local.attempt import JobProcess, Try
from launchers.local.control import cancelled_ids, name_scheduler, unname_scheduler
from launchers.local.jobs import Capacity, LocalJob, read_table, why_impossible
from launchers.local.journal import (
    CANCELLED,
    COMPLETED,
    FAILED,
    JOB_EVENTS,
    PENDING,
    TIMEOUT,
    JobEnd,
    JobEvent,
    JobIntent,
    JobRequeue,
    JobStart,
    Status,
    apply,
    journal_path,
    outcome,
    read_statuses,
    unmet,
)
from launchers.local.ledger import SHORTAGE_POLL, Shortage, locked, resources_of
from launchers.processes import alive, born
from launchers.variables import JOB_ID, OF_A_JOB

KILL_DELAY = 10.0
"""Seconds between SIGTERM and SIGKILL."""
LONGEST_PAUSE = 60.0
"""Seconds after which it looks around even where nothing has woken it."""


@define
class Scheduler:
    """The jobs of one folder while they run.

    `waiting` are the ids of those that wait, in the order given, `running` the processes of those that run.
    """

    folder: Path
    capacity: Capacity
    jobs: dict[str, LocalJob]
    statuses: dict[str, Status]
    journal: IO[str]
    selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    waiting: list[str] = field(factory=list)
    running: dict[str, JobProcess] = field(factory=dict)
    cancels_read: int = 0

    def run(self) -> None:
        """Run everything there is to run, then return."""
        self.adopt()
        while self.waiting or self.running:
            self.cancel_requested()
            look_soon = self.start_ready()
            if not self.waiting and not self.running:
                break
            self.sleep(look_soon)
            self.reap()
            self.enforce_limits()

    def record(self, event: JobEvent, *, durable: bool = True) -> None:
        """Append to the journal (before acting, where it announces an act), and bring the status up to date."""
        self.journal.write(line_of(event, JOB_EVENTS))
        self.journal.flush()
        if durable:
            os.fsync(self.journal.fileno())
        apply(self.statuses[event.job], event)

    def try_of(self, id: str, number: int) -> Try:
        """Where a try of a job keeps its pid and exit status."""
        return Try(self.folder / "tries" / f"{id}.{number}")

    # -- starting ----------------------------------------------------------------------------------------------

    def adopt(self) -> None:
        """Take up where an earlier scheduler was killed."""
        for id, job in self.jobs.items():
            if self.statuses[id].state not in ENDED:
                self._adopt(job, self.statuses[id])

    def _adopt(self, job: LocalJob, status: Status) -> None:
        attempt = self.try_of(job.id, status.tries)
        if not status.tries or attempt.prevent():
            self.waiting.append(job.id)
            return
        pid = attempt.pid()
        when = born(pid) if pid else None
        if pid and when is not None and status.born in (None, when) and attempt.exit_status() is None:
            self.watch(job, JobProcess(pid, when, None), status.started or time.time())
            if status.state == PENDING:
                self.record(JobStart(job.id, pid, when))
        else:
            self.finish(job, attempt.exit_status())

    def start_ready(self) -> bool:
        """Start every job whose time has come; whether any waits for what others hold, or do."""
        while True:
            elsewhere = self._look_elsewhere()
            count, scarce = len(self.waiting), set[str]()
            self.waiting = [id for id in self.waiting if not self._start_or_end(self.jobs[id], scarce)]
            moved = len(self.waiting) < count
            if scarce or not self.waiting or not moved:
                return bool(scarce or (self.waiting and elsewhere))

    def _look_elsewhere(self) -> bool:
        """Look at what became of jobs of other folders that jobs here wait for; whether there are any."""
        parents = {name for id in self.waiting for _, names in self.jobs[id].after for name in names.splitlines()}
        elsewhere = {name for name in parents if name.startswith("/")}
        self.statuses.update({name: outcome(Path(name)) for name in elsewhere})
        return bool(elsewhere)

    def _start_or_end(self, job: LocalJob, scarce: set[str]) -> bool:
        """Start a job, or end it where it can never start; False when it has to wait.

        `scarce` are the resources that jobs before it wait for.
        """
        waits, never = unmet(job, self.statuses)
        if never:
            self.record(JobEnd(job.id, CANCELLED, None, never))
            return True
        if why := why_impossible(job, self.capacity):
            self.record(JobEnd(job.id, FAILED, None, why))
            return True
        if waits or scarce & resources_of(job):
            return False
        shortage = self.start(job)
        if shortage is not None:
            scarce.add(shortage.resource)
        return shortage is None

    def start(self, job: LocalJob) -> Shortage | None:
        """Start a job if this machine has room for it; otherwise what it waits for."""
        with locked() as ledger:
            granted = ledger.grant(job, self.capacity)
            if isinstance(granted, Shortage):
                return granted
            number = self.statuses[job.id].tries + 1
            self.record(JobIntent(job.id, number, list(granted)))
            try:
                child = self.try_of(job.id, number).start(job, self.environment(job, granted))
            except OSError as error:
                self.record(JobEnd(job.id, FAILED, None, f"it cannot be started: {error.strerror}: {error.filename}"))
                return None
            when = born(child.pid)
            ledger.claim(job, granted, child.pid, when)
        self.record(JobStart(job.id, child.pid, when), durable=False)
        self.watch(job, JobProcess(child.pid, when, child), time.time())
        return None

    def environment(self, job: LocalJob, handles: tuple[str, ...]) -> dict[str, str]:
        """The variables of a job: the user's, and those that show it the devices it was given."""
        inherited = {name: value for name, value in os.environ.items() if name not in OF_A_JOB}
        return {**inherited, **device_variables(self.capacity, handles), JOB_ID: job.id, **dict(job.env)}

    def watch(self, job: LocalJob, process: JobProcess, started: float) -> None:
        """Be woken when a process ends, and at its time limit."""
        if job.time_limit is not None:
            process.deadline = started + job.time_limit
            process.warn = process.deadline - job.warning if job.warning else None
        self.running[job.id] = process
        with contextlib.suppress(ProcessLookupError, AttributeError):
            process.pidfd = os.pidfd_open(process.pid)
            self.selector.register(process.pidfd, selectors.EVENT_READ)

    # -- waiting -----------------------------------------------------------------------------------------------

    def sleep(self, look_soon: bool) -> None:
        """Wait until something may have happened."""
        for key, _ in self.selector.select(self.pause(look_soon)):
            if key.data == WAKE:
                with contextlib.suppress(BlockingIOError):
                    os.read(key.fd, 4096)

    def pause(self, look_soon: bool) -> float:
        """For how many seconds nothing can happen that does not wake us."""
        times = [t for process in self.running.values() for t in (process.deadline, process.warn) if t is not None]
        soonest = max(0.0, min(times) - time.time()) if times else LONGEST_PAUSE
        polled = look_soon or any(process.pidfd is None for process in self.running.values())
        return min(soonest, SHORTAGE_POLL) if polled else soonest

    # -- ending ------------------------------------------------------------------------------------------------

    def reap(self) -> None:
        """Notice what ended."""
        for id, process in list(self.running.items()):
            if process.child is not None:
                pid, code, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    process.child.returncode = status = os.waitstatus_to_exitcode(code)
                    self.forget(id, process)
                    cpu, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
                    self.finish(self.jobs[id], status, process.doomed, cpu=cpu, memory=memory)
            elif not alive(process.pid, process.born):
                self.forget(id, process)
                attempt = self.try_of(id, self.statuses[id].tries)
                self.finish(self.jobs[id], attempt.exit_status(), process.doomed)

    def forget(self, id: str, process: JobProcess) -> None:
        """End what a job that has ended left behind in its group, and give back what it held."""
        del self.running[id]
        if process.pidfd is not None:
            self.selector.unregister(process.pidfd)
            os.close(process.pidfd)
        process.send_signal(signal.SIGKILL)
        with locked() as ledger:
            ledger.release(process.pid)

    def finish(
        self,
        job: LocalJob,
        status: int | None,
        doomed: str = "",
        *,
        cpu: float | None = None,
        memory: int | None = None,
    ) -> None:
        """Write down how a job ended, or queue it again where it asks for that.

        `status` is its exit status (negative: the signal that killed it; None: not known) and `doomed` the state that
        it was ended for.
        """
        asks_again = job.requeue is not None and status == job.requeue
        if asks_again and self.statuses[job.id].tries <= job.requeues and doomed != CANCELLED:
            self.record(JobRequeue(job.id, "requeued at its own request"))
            self.waiting.append(job.id)
            return
        if doomed:
            state, reason = doomed, "time limit reached" if doomed == TIMEOUT else "cancelled"
        elif status is None:
            state, reason = FAILED, "its process has ended and left no exit status"
        else:
            status = 128 - status if status < 0 else status
            state, reason = (COMPLETED, "") if status == 0 else (FAILED, f"exit status {status}")
        self.record(JobEnd(job.id, state, status, reason, cpu, memory))

    def enforce_limits(self) -> None:
        """Warn and end jobs that are out of time, and kill those that did not end."""
        now = time.time()
        for process in self.running.values():
            if process.warn is not None and now >= process.warn:
                process.warn = None
                process.send_signal(signal.SIGUSR2)
            if process.deadline is not None and now >= process.deadline:
                self.doom(process, process.doomed or TIMEOUT)

    def doom(self, process: JobProcess, state: str) -> None:
        """SIGTERM first, SIGKILL after KILL_DELAY seconds."""
        process.send_signal(signal.SIGKILL if process.doomed else signal.SIGTERM)
        process.doomed, process.deadline = state, time.time() + KILL_DELAY

    def cancel_requested(self) -> None:
        """Cancel the jobs that somebody asked to cancel; what waits for them follows by itself."""
        ids = cancelled_ids(self.folder)
        for id in ids[self.cancels_read :]:
            if id in self.running and not self.running[id].doomed:
                self.doom(self.running[id], CANCELLED)
            elif id in self.waiting:
                self.waiting.remove(id)
                self.record(JobEnd(id, CANCELLED, None, "cancelled"))
        self.cancels_read = len(ids)


def device_variables(capacity: Capacity, handles: tuple[str, ...]) -> dict[str, str]:
    """The variables that show a job the devices it was given and no others."""
    given = [device for device in capacity.devices if device[1] in handles]
    cuda = ",".join(handle for kind, handle, _, _ in given if kind in ("cuda", "gpu"))
    rocm = ",".join(handle for kind, handle, _, _ in given if kind == "rocm")
    return {"CUDA_VISIBLE_DEVICES": cuda, "ROCR_VISIBLE_DEVICES": rocm}


# -- the process -----------------------------------------------------------------------------------------------

WAKE = "wake"
"""What stands for the end of the pipe that signals write to."""


def main(argv: list[str]) -> int:
    """Be the scheduler of a folder, unless another one is."""
    folder = Path(argv[0]).resolve()
    with (folder / "scheduler.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        with signals() as woken:
            name_scheduler(folder)
            capacity, jobs = read_table(folder)
            statuses = {**{id: Status() for id in jobs}, **read_statuses(folder)}
            end_last_line(journal_path(folder))
            with journal_path(folder).open("a", encoding="utf-8") as journal:
                scheduler = Scheduler(folder, capacity, jobs, statuses, journal)
                scheduler.selector.register(woken, selectors.EVENT_READ, WAKE)
                scheduler.run()
        unname_scheduler(folder)
    return 0


@contextmanager
def signals() -> Iterator[int]:
    """The end of a pipe that can be read whenever a child ends (SIGCHLD), or jobs are to be cancelled (SIGUSR1)."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    before = signal.set_wakeup_fd(wake)
    handlers = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGUSR1, signal.SIGCHLD)}
    try:
        yield woken
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
