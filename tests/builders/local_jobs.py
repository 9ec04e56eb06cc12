"""Jobs of this machine's scheduler, and waiting for them."""

import time
from pathlib import Path

from launchers.jobs.state import ENDED
from launchers.local import control, scheduler
from launchers.local.attempt import JobProcess
from launchers.local.jobs import Capacity, LocalJob
from launchers.local.journal import Status, read_statuses
from launchers.processes import Process

PLENTY = Capacity(cores=4)


def job(id, *argv, **more):
    """A job whose output goes nowhere."""
    return LocalJob(id, argv, str(Path.cwd()), "/dev/null", "/dev/null", **more)


def run_jobs(folder, jobs, capacity=None, seconds=60):
    """Submit jobs; their statuses once all have ended."""
    control.submit_jobs(folder, capacity or Capacity(cores=4), jobs)
    return finished(folder, len(jobs), seconds)


def finished(folder, count, seconds=60):
    """The statuses once so many jobs have ended."""
    wait_until(lambda: len(ended(folder)) == count, seconds, lambda: (folder / "scheduler.log").read_text())
    return read_statuses(folder)


def ended(folder):
    return [status for status in read_statuses(folder).values() if status.state in ENDED]


def state_of(folder, id):
    return read_statuses(folder).get(id, Status()).state


def scheduler_pid(folder):
    """The pid of the scheduler, once it has come up."""
    path = folder / "scheduler.pid"
    wait_until(path.exists)
    return int(path.read_text().split()[0])


def wait_until(happened, seconds=40, explain=lambda: ""):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen: {explain()}"
        time.sleep(0.01)


def be_scheduler(link):
    """Be the scheduler of the folder that a link names."""
    scheduler.main([str(Path(link).resolve())])


# -- a scheduler in the process of the test ------------------------------------------------------------------


def states(scheduler):
    """The state and reason of each of its jobs, as another process would read them."""
    statuses = read_statuses(scheduler.folder)
    return {id: (statuses.get(id, Status()).state, statuses.get(id, Status()).reason) for id in scheduler.jobs}


class Watched(JobProcess):
    """A process that only writes down its signals."""

    def __init__(self, **more):
        super().__init__(Process(1, 1), None, **more)
        self.signals = []

    def send_signal(self, number):
        self.signals.append(number)


def start_ready(scheduler):
    """Start what can start: what runs then, what waits, and whether that is looked at again soon."""
    scheduler.unadopted = []
    scheduler.waiting = [id for id in scheduler.jobs if id not in scheduler.running]
    soon = scheduler.start_ready()
    scheduler.journal.write()
    return list(scheduler.running), scheduler.waiting, soon
