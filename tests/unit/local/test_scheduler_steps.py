"""What a scheduler decides, one step at a time and in this process; test_scheduler.py has whole ones."""

import fcntl
import os
import signal
import subprocess
import time

import pytest
from attrs import evolve
from local_jobs import job, wait_until

from launchers.events import append, line_of
from launchers.local import scheduler as scheduler_module
from launchers.local.attempt import JobProcess
from launchers.local.jobs import Capacity, Wanted, write_table
from launchers.local.journal import (
    JOB_EVENTS,
    JobEnd,
    JobIntent,
    JobRequeue,
    JobStart,
    Status,
    journal_path,
    read_statuses,
)
from launchers.local.ledger import locked
from launchers.local.scheduler import KILL_DELAY, LONGEST_PAUSE, Scheduler, device_variables, main
from launchers.processes import born

PLENTY = Capacity(cores=4)


@pytest.fixture
def make(tmp_path):
    """Make a scheduler of jobs, as it is after these events; its children are ended when the test has."""
    made = []

    def make_scheduler(*jobs, events=(), capacity=PLENTY):
        for event in events:
            append(journal_path(tmp_path), line_of(event, JOB_EVENTS))
        statuses = {**{one.id: Status() for one in jobs}, **read_statuses(tmp_path)}
        journal = journal_path(tmp_path).open("a")
        made.append(Scheduler(tmp_path, capacity, {one.id: one for one in jobs}, statuses, journal))
        return made[-1]

    yield make_scheduler
    for one in made:
        for process in one.running.values():
            if process.child is not None:
                process.send_signal(signal.SIGKILL)
                process.child.wait()
        one.journal.close()


def states(scheduler):
    """The state and reason of each job, as another process would read them."""
    statuses = read_statuses(scheduler.folder)
    return {id: (statuses.get(id, Status()).state, statuses.get(id, Status()).reason) for id in scheduler.jobs}


class Watched(JobProcess):
    """A process that only writes down its signals."""

    def __init__(self, **more):
        super().__init__(1, 1, None, **more)
        self.signals = []

    def send_signal(self, number):
        self.signals.append(number)


# -- taking up where another was killed ------------------------------------------------------------------------


def test_what_was_not_started_waits(make):
    jobs = [job("a", "true"), job("b", "true"), job("c", "true")]
    scheduler = make(*jobs, events=[JobEnd("b", "COMPLETED", 0)])
    scheduler.adopt()
    assert (scheduler.waiting, scheduler.running) == (["a", "c"], {})


def test_a_job_whose_shell_never_came_up_is_started_in_another_try(tmp_path, make):
    first = make(job("a", "true"), events=[JobIntent("a", 1)])
    first.adopt()
    assert first.waiting == ["a"]
    assert first.try_of("a", 1).pid() == 0
    second = make(job("a", "true"))  # the first was killed before it had room for the job
    second.adopt()
    assert second.waiting == ["a"]
    second.start_ready()
    assert second.statuses["a"].tries == 2


@pytest.fixture
def left_behind(make):
    """A job that an earlier scheduler started, and how that went: (script, kept) makes it."""
    children = []

    def leave(script, *events, time_limit=None, warning=0):
        one = job("a", "sh", "-c", script, time_limit=time_limit, warning=warning)
        earlier = make(one)
        children.append(earlier.try_of("a", 1).start(one, dict(os.environ)))
        wait_until(lambda: earlier.try_of("a", 1).pid())
        start = born(children[-1].pid)
        return make(one, events=[JobIntent("a", 1), *(event(children[-1].pid, start) for event in events)]), children[
            -1
        ]

    yield leave
    for child in children:
        child.kill()
        child.wait()


def test_a_job_that_lives_is_watched(left_behind):
    scheduler, child = left_behind("exec sleep 60", time_limit=100, warning=30)
    before = time.time()
    scheduler.adopt()
    process = scheduler.running["a"]
    assert (process.pid, process.born, process.child, scheduler.waiting) == (child.pid, born(child.pid), None, [])
    assert before + 100 <= process.deadline <= time.time() + 100
    assert process.warn == process.deadline - 30
    assert states(scheduler)["a"][0] == "RUNNING"


def test_the_time_limit_counts_from_the_start(left_behind):
    scheduler, _ = left_behind("exec sleep 60", lambda pid, when: JobStart("a", pid, when, time=5.0), time_limit=100)
    scheduler.adopt()
    assert (scheduler.running["a"].deadline, scheduler.running["a"].warn) == (105.0, None)
    assert len(read_statuses(scheduler.folder)) == 1


def test_a_job_that_has_ended_meanwhile_is_finished(left_behind):
    scheduler, child = left_behind("exit 3")
    child.wait()
    scheduler.adopt()
    assert states(scheduler)["a"] == ("FAILED", "exit status 3")
    assert (scheduler.running, scheduler.waiting) == ({}, [])


def test_a_job_that_was_killed_with_its_shell_has_no_exit_status(left_behind):
    scheduler, child = left_behind("exec sleep 60")
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    scheduler.adopt()
    assert states(scheduler)["a"] == ("FAILED", "its process has ended and left no exit status")


def test_another_process_with_its_pid_is_not_the_job(left_behind):
    scheduler, _ = left_behind("exec sleep 60", lambda pid, when: JobStart("a", pid, when + 1))
    scheduler.adopt()
    assert states(scheduler)["a"][0] == "FAILED"
    assert scheduler.running == {}


def test_a_process_of_another_scheduler_is_reaped(left_behind):
    scheduler, child = left_behind("sleep 0.3; exit 4")
    scheduler.adopt()
    scheduler.reap()
    assert "a" in scheduler.running
    child.wait()
    scheduler.reap()
    assert (scheduler.running, states(scheduler)["a"]) == ({}, ("FAILED", "exit status 4"))


# -- starting --------------------------------------------------------------------------------------------------


def started(scheduler):
    scheduler.waiting = [id for id in scheduler.jobs if id not in scheduler.running]
    soon = scheduler.start_ready()
    return list(scheduler.running), scheduler.waiting, soon


def test_jobs_start_in_order_while_there_is_room(make):
    sizes = {"a": 2, "big": 3, "c": 1, "d": 1}
    scheduler = make(*[job(id, "sleep", "60", cores=cores) for id, cores in sizes.items()])
    assert started(scheduler) == (["a"], ["big", "c", "d"], True)  # none takes what big waits for


def test_who_waits_for_another_resource_holds_nobody_up(make):
    jobs = [
        job("a", "sleep", "60", tokens=(("x", 1),)), job("b", "sleep", "60", tokens=(("x", 1),)),
        job("c", "sleep", "60", tokens=(("y", 1),)),
    ]  # fmt: skip
    assert started(make(*jobs, capacity=Capacity(tokens=(("x", 1), ("y", 1))))) == (["a", "c"], ["b"], True)


def test_who_waits_for_another_job_is_not_looked_at_soon(make):
    scheduler = make(job("a", "sleep", "60"), job("b", "true", after=(("ok", "a"),)))
    assert started(scheduler) == (["a"], ["b"], False)
    assert started(make(job("a", "sleep", "60"))) == (["a"], [], False)


def test_what_can_never_start_ends_with_all_that_waits_for_it(make):
    """Also where those stand before it."""
    chain = [job(f"j{number}", "true", after=(("ok", f"j{number + 1}"),)) for number in range(30)]
    scheduler = make(*chain, job("j30", "true", cores=9), job("any", "sleep", "60", after=(("any", "j0"),)))
    assert started(scheduler) == (["any"], [], False)
    assert states(scheduler)["j30"] == ("FAILED", "asks for 9 cores; this machine offers 4")
    assert states(scheduler)["j29"] == ("CANCELLED", "DependencyNeverSatisfied: j30 ended FAILED")
    assert states(scheduler)["j0"] == ("CANCELLED", "DependencyNeverSatisfied: j1 ended CANCELLED")


def test_a_thousand_that_wait_for_each_other_backwards(make, monkeypatch):
    monkeypatch.setattr(scheduler_module.os, "fsync", lambda descriptor: None)
    chain = [job(f"j{number}", "true", after=(("ok", f"j{number + 1}"),)) for number in range(1200)]
    scheduler = make(*chain, events=[JobEnd("j1200", "FAILED", 1)])
    assert started(scheduler) == ([], [], False)


def test_jobs_of_other_folders_are_looked_at_again(tmp_path, make):
    other = tmp_path / "other" / "1"
    write_table(other, Capacity(), [job("x", "true")])
    scheduler = make(job("a", "sleep", "60", after=(("ok", str(other / "x")),)), job("b", "sleep", "60"))
    assert started(scheduler) == (["b"], ["a"], True)
    append(journal_path(other), line_of(JobEnd("x", "COMPLETED", 0), JOB_EVENTS))
    assert started(scheduler) == (["b", "a"], [], False)


def test_a_job_is_announced_before_it_is_started(make):
    scheduler = make(
        job("a", "sleep", "60", wanted=(Wanted("cuda"),)), capacity=Capacity(devices=(("cuda", "X", None, 1),))
    )
    started(scheduler)
    text = journal_path(scheduler.folder).read_text()
    assert text.index('"intent"') < text.index('"start"')
    process = scheduler.running["a"]
    status = read_statuses(scheduler.folder)["a"]
    assert (status.tries, status.devices, status.pid, status.born) == (1, ("X",), process.pid, process.born)
    with locked() as ledger:
        assert [(claim.pid, claim.devices) for claim in ledger.claims] == [(process.pid, ["X"])]


def test_a_job_that_cannot_be_started_fails_alone(tmp_path, make):
    gone = evolve(job("a", "true"), cwd=str(tmp_path / "gone"))
    scheduler = make(gone, job("b", "true", after=(("ok", "a"),)), job("c", "sleep", "60"))
    assert started(scheduler) == (["c"], [], False)
    assert states(scheduler)["a"] == ("FAILED", f"it cannot be started: No such file or directory: {tmp_path}/gone")
    assert states(scheduler)["b"][0] == "CANCELLED"
    with locked() as ledger:
        assert len(ledger.claims) == 1


def test_the_environment_of_a_job(make, monkeypatch):
    for name in ("RUN_DIR", "STEP", "ITEM", "OUTPUT", "JOB_ID"):
        monkeypatch.setenv(f"LAUNCHERS_{name}", "the client's")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "the client's")
    monkeypatch.setenv("KEPT", "yes")
    scheduler = make(capacity=Capacity(devices=(("cuda", "GPU-a", None, None),)))
    environment = scheduler.environment(job("a", "true", env=(("OWN", "1"), ("KEPT", "own"))), ("GPU-a",))
    assert {
        name: value for name, value in environment.items() if name.startswith("LAUNCHERS_") and "the client's" in value
    } == {}
    assert (environment["LAUNCHERS_JOB_ID"], environment["OWN"], environment["KEPT"]) == ("a", "1", "own")
    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-a"
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    ("handles", "cuda", "rocm"),
    [((), "", ""), (("A", "C"), "A,C", ""), (("B",), "", "B"), (("A", "B", "D"), "A,D", "B")],
)
def test_the_devices_that_a_job_sees(handles, cuda, rocm):
    kinds = {"A": "cuda", "B": "rocm", "C": "cuda", "D": "gpu", "E": "mps"}
    capacity = Capacity(devices=tuple((kind, handle, None, None) for handle, kind in kinds.items()))
    assert device_variables(capacity, handles) == {"CUDA_VISIBLE_DEVICES": cuda, "ROCR_VISIBLE_DEVICES": rocm}


# -- waiting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "polled", "soon", "pause"),
    [
        ({}, False, False, LONGEST_PAUSE),
        ({}, False, True, 0.2),
        ({}, True, False, 0.2),
        ({"deadline": 10.0}, False, False, 10.0),
        ({"deadline": 10.0, "warn": 3.0}, False, False, 3.0),
        ({"deadline": 10.0}, False, True, 0.2),
        ({"deadline": 0.1}, False, True, 0.1),
        ({"deadline": -5.0}, False, False, 0.0),
        ({"deadline": 100.0}, False, False, 100.0),
    ],
)
def test_for_how_long_nothing_can_happen(make, monkeypatch, times, polled, soon, pause):
    monkeypatch.setattr(scheduler_module.time, "time", lambda: 1000.0)
    scheduler = make(job("a", "true"))
    if times or polled:
        scheduler.running["a"] = Watched(
            **{name: 1000.0 + value for name, value in times.items()}, pidfd=None if polled else 1
        )
    assert scheduler.pause(soon) == pytest.approx(pause)
    scheduler.running.clear()


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
    scheduler.finish(scheduler.jobs["a"], status, doomed, cpu=1.5, memory=7)
    found = read_statuses(scheduler.folder)["a"]
    assert (found.state, found.reason, found.exit) == end
    assert (found.cpu, found.memory) == (1.5, 7)


@pytest.mark.parametrize(
    ("status", "doomed", "tries", "again"),
    [
        (144, "", 1, True),
        (144, "TIMEOUT", 2, True),
        (144, "", 3, False),
        (144, "CANCELLED", 1, False),
        (143, "", 1, False),
        (None, "", 1, False),
    ],
)
def test_a_job_that_asks_to_run_again(make, status, doomed, tries, again):
    scheduler = make(job("a", "true", requeue=144, requeues=2), events=[JobIntent("a", tries)])
    scheduler.finish(scheduler.jobs["a"], status, doomed)
    assert scheduler.waiting == (["a"] if again else [])
    assert (states(scheduler)["a"] == ("PENDING", "requeued at its own request")) == again


def test_a_job_that_asks_for_nothing_ends_with_any_status(make):
    scheduler = make(job("a", "true"), events=[JobIntent("a", 1), JobRequeue("a")])
    scheduler.finish(scheduler.jobs["a"], None)
    assert states(scheduler)["a"][0] == "FAILED"


def test_what_a_job_used_is_written_down(make):
    scheduler = make(job("a", "sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"))
    started(scheduler)
    child = scheduler.running["a"].child
    wait_until(lambda: scheduler.try_of("a", 1).exit_status() is not None)
    wait_until(lambda: not scheduler.reap() and not scheduler.running)
    status = read_statuses(scheduler.folder)["a"]
    assert (status.state, child.returncode) == ("COMPLETED", 0)
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
    monkeypatch.setattr(scheduler_module.time, "time", lambda: now)
    scheduler = make(job("a", "true"))
    process = scheduler.running["a"] = Watched(deadline=130.0, warn=100.0)
    scheduler.enforce_limits()
    assert (process.signals, process.deadline, process.warn) == (signals, deadline, warn)
    scheduler.running.clear()


def test_a_job_that_does_not_end_is_killed(make, monkeypatch):
    now = [130.0]
    monkeypatch.setattr(scheduler_module.time, "time", lambda: now[0])
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
    assert (process.signals, process.doomed, scheduler.waiting) == ([signal.SIGTERM], "CANCELLED", ["other"])
    assert process.deadline > time.time() + KILL_DELAY - 5
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


# -- the process -----------------------------------------------------------------------------------------------


def test_a_folder_has_one_scheduler(tmp_path):
    write_table(tmp_path, PLENTY, [job("a", "true")])
    with (tmp_path / "scheduler.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main([str(tmp_path)]) == 0
    assert read_statuses(tmp_path) == {}


def test_a_scheduler_leaves_everything_as_it_was(tmp_path):
    write_table(tmp_path, PLENTY, [job("a", "true")])
    handlers = signal.getsignal(signal.SIGCHLD), signal.getsignal(signal.SIGUSR1)
    assert main([str(tmp_path)]) == 0
    assert read_statuses(tmp_path)["a"].state == "COMPLETED"
    assert not (tmp_path / "scheduler.pid").exists()
    assert (signal.getsignal(signal.SIGCHLD), signal.getsignal(signal.SIGUSR1)) == handlers
    assert signal.set_wakeup_fd(-1) == -1
    assert main([str(tmp_path)]) == 0  # there is nothing left to run
    subprocess.run(["true"], check=True)
