"""Jobs of this machine's scheduler, and waiting for them."""

import time
from pathlib import Path

from launchers.jobs.state import ENDED
from launchers.local import control
from launchers.local.jobs import Capacity, LocalJob
from launchers.local.journal import Status, read_statuses


def job(id, *argv, **more):
    """A job whose output goes nowhere."""
    return LocalJob(id, argv, str(Path.cwd()), "/dev/null", "/dev/null", **more)


def run_jobs(folder, jobs, capacity=None, seconds=20):
    """Submit jobs; their statuses once all have ended."""
    control.submit_jobs(folder, capacity or Capacity(cores=4), jobs)
    return finished(folder, len(jobs), seconds)


def finished(folder, count, seconds=20):
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


def wait_until(happened, seconds=10, explain=lambda: ""):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen: {explain()}"
        time.sleep(0.01)
