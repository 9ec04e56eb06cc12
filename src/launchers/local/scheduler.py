"""Run the jobs of one folder on this machine: ``python -m launchers.local.scheduler FOLDER``.

There is no daemon.  Each submission has a scheduler of its own, which runs as long as its jobs do.  It may be killed at
any moment and started again on the same folder: jobs that ended keep their end, and jobs whose process lives are waited
for.  No job is started twice, because the first thing that a job's own process does is to take a name that can be taken
once (launchers.local.attempt).

Jobs start in the order given.  A resource that a job waits for (cores, memory, accelerators, a token) is not given to a
later job.  So a big job is not starved by small ones of its own submission.  Between submissions the first to ask wins.

Trouble of the machine (a full disk, a ledger that cannot be used) ends neither a job nor the scheduler.  What runs goes
on and is watched, what happened is kept in memory, nothing is started, and every few seconds all is tried again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, evolve, field

from launchers.errors import RunError
from launchers.jobs.state import ENDED
from launchers.local.attempt import JobProcess, NotStartedError, Try
from launchers.local.control import cancelled_ids
from launchers.local.health import Health, name_scheduler, only_scheduler, read_health, unname_scheduler, write_health
from launchers.local.jobs import Capacity, LocalJob, read_table, why_impossible
from launchers.local.journal import (
    CANCELLED,
    COMPLETED,
    FAILED,
    PENDING,
    TIMEOUT,
    JobEnd,
    JobEvent,
    JobIntent,
    JobJournal,
    JobRequeue,
    JobStart,
    Status,
    apply,
    journal_path,
    outcome,
    read_statuses,
    unmet,
)
from launchers.local.ledger import SHORTAGE_POLL, Held, Shortage, locked, resources_of
from launchers.processes import Process, boottime
from launchers.variables import JOB_ID, OF_A_JOB

KILL_DELAY = 10.0
"""Seconds between SIGTERM and SIGKILL."""
LONGEST_PAUSE = 60.0
"""Seconds after which it looks around even where nothing has woken it."""
RENEWAL = 2.0
"""Seconds between two looks whether the claims of what runs are still in the ledger."""
TROUBLE_PAUSES = (0.25, 0.5, 1.0, 2.0, 3.0)
"""Seconds before the next try, by how many in a row have failed."""
OF_THE_JOB = frozenset(
    {
        errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG,
        errno.E2BIG, errno.ENOEXEC, errno.ENXIO,
    }
)  # fmt: skip
"""What a job cannot be started for that no waiting mends (man 2 open, execve); the rest is trouble of the machine."""


@define
class Scheduler:
    """The jobs of one folder while they run.

    `unadopted` are the ids of jobs of which an earlier scheduler may have started some, `waiting` of those that wait,
    in the order given.  `running` are the processes of those that run.  `troubles` says why nothing, or a job, can be
    started, in the order of the tries, and `failures` is how many in a row had trouble.
    """

    folder: Path
    capacity: Capacity
    jobs: dict[str, LocalJob]
    statuses: dict[str, Status]
    selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    unadopted: list[str] = field(factory=list)
    waiting: list[str] = field(factory=list)
    running: dict[str, JobProcess] = field(factory=dict)
    troubles: list[str] = field(factory=list)
    failures: int = 0
    renewed: float = 0.0
    journal: JobJournal = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.journal = JobJournal(journal_path(self.folder))
        self.unadopted = [id for id in self.jobs if self.statuses[id].state not in ENDED]

    def run(self) -> None:
        """Run everything there is to run, then return."""
        while True:
            look_soon = self.work()
            if not (self.unadopted or self.waiting or self.running or self.journal.unwritten):
                return
            if not self.running and not self.folder.is_dir():
                return  # nobody can see any more what would become of the rest
            self.sleep(look_soon)
            self.reap()
            self.enforce_limits()

    def work(self) -> bool:
        """Do what can be done now; whether that has to be looked at again soon."""
        self.troubles = []
        look_soon = False
        for act in (self.adopt, self.cancel_requested, self.start_ready, self.renew_claims, self.journal.write):
            try:
                look_soon = bool(act()) or look_soon
            except (OSError, RunError) as error:
                self.troubles.append(in_words(error, self.folder))
        self.tell()
        return look_soon or bool(self.unadopted)

    def tell(self) -> None:
        """Write down what it suffers from, for those who look on."""
        had_trouble = self.failures > 0
        self.failures = self.failures + 1 if self.troubles else 0
        if self.troubles or had_trouble:
            write_health(self.folder, Health(trouble=self.troubles[0] if self.troubles else ""))

    def record(self, event: JobEvent) -> None:
        """Keep what has happened; it is written as soon as that can be."""
        self.journal.note(event)
        apply(self.statuses[event.job], event)

    def announce(self, event: JobEvent) -> None:
        """Bring to disk what is about to be done.  Raises OSError; then it must not be done."""
        self.journal.write(event)
        apply(self.statuses[event.job], event)

    def try_of(self, id: str, number: int) -> Try:
        """Where a try of a job keeps its process and exit status."""
        return Try(self.folder / "tries" / f"{id}.{number}")

    # -- starting ----------------------------------------------------------------------------------------------

    def adopt(self) -> None:
        """Take up where an earlier scheduler was killed.  Raises OSError; what was not taken up then is later."""
        while self.unadopted:
            id = self.unadopted[0]
            self._adopt(self.jobs[id])
            self.unadopted.pop(0)

    def _adopt(self, job: LocalJob) -> None:
        """Watch the process of a job, or finish the job; have it wait where its last try was not started."""
        status = self.statuses[job.id]
        attempt = self.try_of(job.id, status.tries)
        has_not_run = status.process is None and (status.tries == status.requeued or attempt.prevent())
        if has_not_run:
            self.waiting.append(job.id)
            return
        process = attempt.process() or status.process
        if process and process.is_alive() and attempt.exit_status() is None:
            if status.state == PENDING:
                self.record(JobStart(job.id, process.pid, process.born, process.boot, process.pids))
            self.watch(job, JobProcess(process, None), process.age())
        else:
            self.finish(job, attempt.exit_status())

    def start_ready(self) -> bool:
        """Start every job whose time has come; whether any waits for what others hold, or do."""
        while True:
            elsewhere = self._look_elsewhere()
            scarce = set[str]()
            moved = False
            for id in list(self.waiting):
                if self._start_or_end(self.jobs[id], scarce):
                    self.waiting.remove(id)
                    moved = True
            if scarce or not self.waiting or not moved:
                return bool(scarce or (self.waiting and elsewhere))

    def _look_elsewhere(self) -> bool:
        """Look at what became of jobs of other folders that jobs here wait for; whether there are any."""
        parents = {name for id in self.waiting for _, names in self.jobs[id].after for name in names.splitlines()}
        elsewhere = {name for name in parents if name.startswith("/")}
        for name in sorted(elsewhere):
            try:
                self.statuses[name] = outcome(Path(name))
            except (OSError, RunError) as error:
                self.statuses[name] = Status()
                self.troubles.append(in_words(error))
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
        """Start a job if this machine has room for it; otherwise what it waits for.

        Raises OSError and RunError for trouble of the machine.
        """
        attempt = self.try_of(job.id, self.statuses[job.id].tries + 1)
        with locked() as ledger:
            granted = ledger.grant(job, self.capacity)
            if isinstance(granted, Shortage):
                return granted
            held = ledger.claim(job, granted, str(attempt.folder))
        try:
            attempt.prepare()
            self._spawn(job, attempt, granted, held)
        finally:
            if job.id not in self.running:
                held.release()
        return None

    def _spawn(self, job: LocalJob, attempt: Try, granted: tuple[str, ...], held: Held) -> None:
        """Start a job on what was claimed for it; it ends where no waiting would help."""
        with contextlib.ExitStack() as stack:
            try:
                out, err = (stack.enter_context(Path(log).open("ab", buffering=0)) for log in (job.stdout, job.stderr))
            except OSError as error:
                return self._cannot_start(job, error)
            self.announce(JobIntent(job.id, self.statuses[job.id].tries + 1, list(granted)))
            try:
                child = attempt.start(job, self.environment(job, granted), held.file, out, err)
            except NotStartedError as error:
                if attempt.prevent():
                    raise RunError(str(error)) from None
                return self.unadopted.append(job.id)  # the process of another scheduler has taken the name
            except (OSError, ValueError) as error:
                return self._cannot_start(job, error)
        process = attempt.process()
        if process is None:
            if attempt.prevent():
                child.wait()
                raise RunError(f"a process was killed before it became that of job {job.id}")
            process = Process(child.pid, 0)  # whose file cannot be read now
        self.record(JobStart(job.id, process.pid, process.born, process.boot, process.pids))
        return self.watch(job, JobProcess(process, child, held), 0.0)

    def _cannot_start(self, job: LocalJob, error: OSError | ValueError) -> None:
        """End a job that cannot be started.  Raises the error again where it is trouble of the machine."""
        if isinstance(error, OSError) and error.errno not in OF_THE_JOB:
            raise error
        self.record(JobEnd(job.id, FAILED, None, f"it cannot be started: {in_words(error)}"))

    def renew_claims(self) -> None:
        """Claim again for what runs where somebody has removed the ledger's files, or there is another ledger now."""
        now = boottime()
        lost = (process.held is None or process.held.is_missing() for process in self.running.values())
        if now < self.renewed + RENEWAL or not any(lost):
            return
        self.renewed = now
        with locked() as ledger:
            for id, process in self.running.items():
                holder, status = str(self.try_of(id, self.statuses[id].tries).folder), self.statuses[id]
                if ledger.is_claimed_for(holder):
                    continue
                if process.held is not None:
                    process.held.release()
                process.held = None
                process.held = ledger.claim(self.jobs[id], status.devices, holder)

    def environment(self, job: LocalJob, handles: tuple[str, ...]) -> dict[str, str]:
        """The variables of a job: the user's, and those that show it the devices it was given."""
        inherited = {name: value for name, value in os.environ.items() if name not in OF_A_JOB}
        return {**inherited, **device_variables(self.capacity, handles), JOB_ID: job.id, **dict(job.env)}

    def watch(self, job: LocalJob, process: JobProcess, age: float) -> None:
        """Be woken when a process ends, and at its time limit; it has run for `age` seconds."""
        process.started = boottime() - age
        if job.time_limit is not None:
            process.deadline = process.started + job.time_limit
            process.warn = process.deadline - job.warning if job.warning else None
        self.running[job.id] = process
        with contextlib.suppress(OSError, AttributeError):
            process.pidfd = os.pidfd_open(process.process.pid)
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
        soonest = max(0.0, min(times) - boottime()) if times else LONGEST_PAUSE
        if self.running:
            soonest = min(soonest, RENEWAL)
        if self.troubles:
            return min(soonest, TROUBLE_PAUSES[min(self.failures, len(TROUBLE_PAUSES)) - 1])
        polled = look_soon or any(process.pidfd is None for process in self.running.values())
        return min(soonest, SHORTAGE_POLL) if polled else soonest

    # -- ending ------------------------------------------------------------------------------------------------

    def reap(self) -> None:
        """Notice what ended."""
        for id, process in list(self.running.items()):
            if process.child is not None:
                pid, code, usage = os.wait4(process.child.pid, os.WNOHANG)
                if pid:
                    process.child.returncode = status = os.waitstatus_to_exitcode(code)
                    cpu, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
                    self.forget(id, process)
                    self.finish(self.jobs[id], status, process, cpu=cpu, memory=memory)
            elif not process.process.is_alive():
                self.forget(id, process)
                attempt = self.try_of(id, self.statuses[id].tries)
                self.finish(self.jobs[id], attempt.exit_status(), process)

    def forget(self, id: str, process: JobProcess) -> None:
        """End what a job that has ended left behind in its group, and give back what it held."""
        del self.running[id]
        if process.pidfd is not None:
            self.selector.unregister(process.pidfd)
            os.close(process.pidfd)
        process.send_signal(signal.SIGKILL)
        if process.held is not None:
            process.held.release()

    def finish(
        self,
        job: LocalJob,
        status: int | None,
        process: JobProcess | None = None,
        *,
        cpu: float | None = None,
        memory: int | None = None,
    ) -> None:
        """Write down how a job ended, or queue it again where it asks for that.

        `status` is its exit status (negative: the signal that killed it; None: not known), `process` what was watched
        until it ended.  Without an exit status of 0, nothing is COMPLETED.
        """
        doomed = process.doomed if process else ""
        asks_again = job.requeue is not None and status == job.requeue
        if asks_again and self.statuses[job.id].requeues < job.requeues and doomed != CANCELLED:
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
        seconds = round(boottime() - process.started, 2) if process else None
        self.record(JobEnd(job.id, state, status, reason, seconds, cpu, memory))

    def enforce_limits(self) -> None:
        """Warn and end jobs that are out of time, and kill those that did not end."""
        now = boottime()
        for process in self.running.values():
            if process.warn is not None and now >= process.warn:
                process.warn = None
                process.send_signal(signal.SIGUSR2)
            if process.deadline is not None and now >= process.deadline:
                self.doom(process, process.doomed or TIMEOUT)

    def doom(self, process: JobProcess, state: str) -> None:
        """SIGTERM first, SIGKILL after KILL_DELAY seconds."""
        process.send_signal(signal.SIGKILL if process.doomed else signal.SIGTERM)
        process.doomed, process.deadline = state, boottime() + KILL_DELAY

    def cancel_requested(self) -> None:
        """Cancel the jobs that somebody asked to cancel; what waits for them follows by itself."""
        for id in cancelled_ids(self.folder):
            if id in self.running and not self.running[id].doomed:
                self.doom(self.running[id], CANCELLED)
            elif id in self.waiting:
                self.waiting.remove(id)
                self.record(JobEnd(id, CANCELLED, None, "cancelled"))


def in_words(error: Exception, folder: Path | None = None) -> str:
    """An error for people: of one of the system what it says, and of which file, or at least in which folder."""
    if isinstance(error, OSError) and error.strerror:
        where = error.filename or folder
        return f"{error.strerror}: {where}" if where else error.strerror
    return str(error)


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
    before = read_health(folder)
    try:
        with only_scheduler(folder) as is_only:
            if is_only:
                schedule(folder)
        return 0
    except (OSError, RunError) as error:
        trouble = in_words(error)
        print(f"launchers: {trouble}", file=sys.stderr)
    except Exception as error:
        trouble = f"launchers has an error, see {folder}/scheduler.log: {error!r}"
        traceback.print_exc()
    unname_scheduler(folder)
    write_health(folder, evolve(read_health(folder), starts=max(1, before.starts), trouble=trouble))
    return 1


def schedule(folder: Path) -> None:
    """Be the scheduler of a folder that no other process is.  Raises RunError and OSError where it cannot come up."""
    with signals() as woken:
        capacity, jobs = read_table(folder)
        statuses = {**{id: Status() for id in jobs}, **read_statuses(folder)}
        write_health(folder, Health())
        name_scheduler(folder)
        scheduler = Scheduler(folder, capacity, jobs, statuses)
        scheduler.selector.register(woken, selectors.EVENT_READ, WAKE)
        scheduler.run()
    unname_scheduler(folder)


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
