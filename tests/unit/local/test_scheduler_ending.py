"""How a scheduler waits for the ends of jobs, and ends them: each decision by itself."""

import signal

import pytest
from local_jobs import Watched, job, start_ready, states, wait_until

from launchers.local import scheduler as scheduler_module
from launchers.local.journal import (
    JobIntent,
    JobRequeue,
    read_statuses,
)
from launchers.local.ledger import locked
from launchers.local.scheduler import KILL_DELAY, LONGEST_PAUSE, RENEWAL, TROUBLE_PAUSES
from launchers.processes import boottime

# -- waiting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "polled", "soon", "pause"),
    [
        ({}, False, False, LONGEST_PAUSE),
        ({}, False, True, 0.2),
        ({}, True, False, 0.2),
        ({"deadline": 10.0}, False, False, RENEWAL),
        ({"deadline": 1.5}, False, False, 1.5),
        ({"deadline": 10.0, "warn": 0.3}, False, False, 0.3),
        ({"deadline": 10.0}, False, True, 0.2),
        ({"deadline": 0.1}, False, True, 0.1),
        ({"deadline": -5.0}, False, False, 0.0),
        ({"deadline": 0.0}, False, True, 0.0),
    ],
)
def test_for_how_long_nothing_can_happen(make, monkeypatch, times, polled, soon, pause):
    monkeypatch.setattr(scheduler_module, "boottime", lambda: 1000.0)
    scheduler = make(job("a", "true"))
    if times or polled:
        scheduler.running["a"] = Watched(
            **{name: 1000.0 + value for name, value in times.items()}, pidfd=None if polled else 1
        )
    assert scheduler.pause(soon) == pytest.approx(pause)
    scheduler.running.clear()


def test_trouble_is_tried_again_later_and_later(make):
    scheduler = make(job("a", "true"))
    pauses = []
    for _ in range(8):
        scheduler.troubles = ["No space left on device"]
        scheduler.tell()
        pauses.append(scheduler.pause(True))
    assert pauses == [*TROUBLE_PAUSES, *[TROUBLE_PAUSES[-1]] * (8 - len(TROUBLE_PAUSES))]
    scheduler.troubles = []
    scheduler.tell()
    assert scheduler.pause(False) == LONGEST_PAUSE


# -- ending ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "doomed", "end"),
    [
        (0, "", ("COMPLETED", "", 0)),
        (3, "", ("FAILED", "exit status 3", 3)),
        (-9, "", ("FAILED", "exit status 137", 137)),
        (None, "", ("FAILED", "its process has ended and left no exit status", None)),
        (0, "TIMEOUT", ("TIMEOUT", "time limit reached", 0)),
        (-15, "CANCELLED", ("CANCELLED", "cancelled", -15)),
        (None, "CANCELLED", ("CANCELLED", "cancelled", None)),
    ],
)
def test_how_a_job_ended(make, status, doomed, end):
    scheduler = make(job("a", "true"))
    process = Watched(doomed=doomed, started=boottime() - 100)
    scheduler.finish(scheduler.jobs["a"], status, process, cpu=1.5, memory=7)
    scheduler.journal.write()
    found = read_statuses(scheduler.folder)["a"]
    assert (found.state, found.reason, found.exit) == end
    assert (found.cpu, found.memory) == (1.5, 7)
    assert found.seconds == pytest.approx(100, abs=5)


@pytest.mark.parametrize(
    ("status", "doomed", "requeues", "again"),
    [
        (144, "", 0, True),
        (144, "TIMEOUT", 1, True),
        (144, "", 2, False),
        (144, "CANCELLED", 0, False),
        (143, "", 0, False),
        (None, "", 0, False),
    ],
)
def test_a_job_that_asks_to_run_again(make, status, doomed, requeues, again):
    """However often it had to be tried because it could not be started."""
    earlier = [event for number in range(requeues) for event in (JobIntent("a", number + 1), JobRequeue("a"))]
    scheduler = make(job("a", "true", requeue=144, requeues=2), events=[*earlier, JobIntent("a", 9)])
    scheduler.finish(scheduler.jobs["a"], status, Watched(doomed=doomed))
    scheduler.journal.write()
    assert scheduler.waiting == (["a"] if again else [])
    assert (states(scheduler)["a"] == ("PENDING", "requeued at its own request")) == again


def test_a_job_that_asks_for_nothing_ends_with_any_status(make):
    scheduler = make(job("a", "true"), events=[JobIntent("a", 1), JobRequeue("a")])
    scheduler.finish(scheduler.jobs["a"], None)
    scheduler.journal.write()
    assert states(scheduler)["a"][0] == "FAILED"


def test_what_a_job_used_is_written_down(make):
    scheduler = make(job("a", "sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"))
    start_ready(scheduler)
    child = scheduler.running["a"].child
    wait_until(lambda: scheduler.try_of("a", 1).exit_status() is not None)
    wait_until(lambda: not scheduler.reap() and not scheduler.running)
    scheduler.journal.write()
    status = read_statuses(scheduler.folder)["a"]
    assert (status.state, child.returncode) == ("COMPLETED", 0)
    assert len(scheduler.selector.get_map()) == 0  # what has ended wakes it no more
    assert status.cpu > 0
    assert 2**19 < status.memory < 2**30
    with locked() as ledger:
        assert ledger.claims == []


@pytest.mark.parametrize(
    ("now", "signals", "deadline", "warn"),
    [
        (99.0, [], 130.0, 100.0),
        (100.0, [signal.SIGUSR2], 130.0, None),
        (129.9, [signal.SIGUSR2], 130.0, None),
        (130.0, [signal.SIGUSR2, signal.SIGTERM], 130.0 + KILL_DELAY, None),
    ],
)
def test_a_job_is_warned_and_then_ended(make, monkeypatch, now, signals, deadline, warn):
    monkeypatch.setattr(scheduler_module, "boottime", lambda: now)
    scheduler = make(job("a", "true"))
    process = scheduler.running["a"] = Watched(deadline=130.0, warn=100.0)
    scheduler.enforce_limits()
    assert (process.signals, process.deadline, process.warn) == (signals, deadline, warn)
    scheduler.running.clear()


def test_a_job_that_does_not_end_is_killed(make, monkeypatch):
    now = [130.0]
    monkeypatch.setattr(scheduler_module, "boottime", lambda: now[0])
    scheduler = make(job("a", "true"))
    process = scheduler.running["a"] = Watched(deadline=130.0)
    for now[0], signals in ((130.0, [15]), (139.9, [15]), (140.0, [15, 9])):
        scheduler.enforce_limits()
        assert process.signals == signals
    assert process.doomed == "TIMEOUT"
    scheduler.running.clear()


def test_jobs_are_cancelled_as_they_come(tmp_path, make):
    scheduler = make(job("runs", "true"), job("waits", "true"), job("other", "true"), job("ended", "true"))
    process = scheduler.running["runs"] = Watched()
    scheduler.waiting = ["waits", "other"]
    scheduler.cancel_requested()
    (tmp_path / "cancel").write_text("runs\nwaits\nended\nunheard of\n")
    scheduler.cancel_requested()
    scheduler.journal.write()
    assert (process.signals, process.doomed, scheduler.waiting) == ([signal.SIGTERM], "CANCELLED", ["other"])
    assert process.deadline > boottime() + KILL_DELAY - 5
    assert states(scheduler) == {
        "runs": ("PENDING", ""), "waits": ("CANCELLED", "cancelled"), "other": ("PENDING", ""), "ended": ("PENDING", ""),
    }  # fmt: skip
    (tmp_path / "cancel").write_text("runs\nwaits\nended\nunheard of\nother\nruns\n")
    scheduler.cancel_requested()
    assert (process.signals, scheduler.waiting) == ([signal.SIGTERM], [])
    scheduler.running.clear()


def test_a_job_that_is_out_of_time_stays_so_when_it_is_cancelled(tmp_path, make):
    scheduler = make(job("a", "true"))
    process = scheduler.running["a"] = Watched(doomed="TIMEOUT")
    (tmp_path / "cancel").write_text("a\n")
    scheduler.cancel_requested()
    assert (process.doomed, process.signals) == ("TIMEOUT", [])
    scheduler.running.clear()
