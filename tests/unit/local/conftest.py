"""A scheduler of this machine in the process of the test, where it does nothing by itself."""

import signal

import pytest
from local_jobs import PLENTY

from launchers.events import append, line_of
from launchers.local.health import make_room
from launchers.local.journal import JOB_EVENTS, Status, journal_path, read_statuses
from launchers.local.scheduler import Scheduler


@pytest.fixture
def make(tmp_path):
    """Make a scheduler of jobs, as it is after these events; its children are ended when the test has."""
    made = []

    def make_scheduler(*jobs, events=(), capacity=PLENTY):
        make_room(tmp_path)
        for event in events:
            append(journal_path(tmp_path), line_of(event, JOB_EVENTS))
        statuses = {**{one.id: Status() for one in jobs}, **read_statuses(tmp_path)}
        made.append(Scheduler(tmp_path, capacity, {one.id: one for one in jobs}, statuses))
        return made[-1]

    yield make_scheduler
    for one in made:
        for process in one.running.values():
            if process.child is not None:
                process.send_signal(signal.SIGKILL)
                process.child.wait()
            if process.held is not None:
                process.held.release()
