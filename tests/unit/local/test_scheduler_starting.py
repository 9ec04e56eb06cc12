"""What a scheduler starts, and in which order: each decision by itself; test_scheduler.py has whole runs."""

import fcntl
import os
import signal
import subprocess
import time

import pytest
from attrs import evolve
from local_jobs import PLENTY, job, start_ready, states, wait_until

from launchers.events import append, line_of
from launchers.local import scheduler as scheduler_module
from launchers.local.jobs import Capacity, Wanted, write_table
from launchers.local.journal import (
    JOB_EVENTS,
    JobEnd,
    JobIntent,
    JobStart,
    journal_path,
    read_statuses,
)
from launchers.local.ledger import locked
from launchers.local.scheduler import device_variables, main
from launchers.processes import born

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


def test_jobs_start_in_order_while_there_is_room(make):
    sizes = {"a": 2, "big": 3, "c": 1, "d": 1}
    scheduler = make(*[job(id, "sleep", "60", cores=cores) for id, cores in sizes.items()])
    assert start_ready(scheduler) == (["a"], ["big", "c", "d"], True)  # none takes what big waits for


def test_who_waits_for_another_resource_holds_nobody_up(make):
    jobs = [
        job("a", "sleep", "60", tokens=(("x", 1),)), job("b", "sleep", "60", tokens=(("x", 1),)),
        job("c", "sleep", "60", tokens=(("y", 1),)),
    ]  # fmt: skip
    assert start_ready(make(*jobs, capacity=Capacity(tokens=(("x", 1), ("y", 1))))) == (["a", "c"], ["b"], True)


def test_who_waits_for_another_job_is_not_looked_at_soon(make):
    scheduler = make(job("a", "sleep", "60"), job("b", "true", after=(("ok", "a"),)))
    assert start_ready(scheduler) == (["a"], ["b"], False)
    assert start_ready(make(job("a", "sleep", "60"))) == (["a"], [], False)


def test_what_can_never_start_ends_with_all_that_waits_for_it(make):
    """Also where those stand before it."""
    chain = [job(f"j{number}", "true", after=(("ok", f"j{number + 1}"),)) for number in range(30)]
    scheduler = make(*chain, job("j30", "true", cores=9), job("any", "sleep", "60", after=(("any", "j0"),)))
    assert start_ready(scheduler) == (["any"], [], False)
    assert states(scheduler)["j30"] == ("FAILED", "asks for 9 cores; this machine offers 4")
    assert states(scheduler)["j29"] == ("CANCELLED", "DependencyNeverSatisfied: j30 ended FAILED")
    assert states(scheduler)["j0"] == ("CANCELLED", "DependencyNeverSatisfied: j1 ended CANCELLED")


def test_a_thousand_that_wait_for_each_other_backwards(make, monkeypatch):
    monkeypatch.setattr(scheduler_module.os, "fsync", lambda descriptor: None)
    chain = [job(f"j{number}", "true", after=(("ok", f"j{number + 1}"),)) for number in range(1200)]
    scheduler = make(*chain, events=[JobEnd("j1200", "FAILED", 1)])
    assert start_ready(scheduler) == ([], [], False)


def test_jobs_of_other_folders_are_looked_at_again(tmp_path, make):
    other = tmp_path / "other" / "1"
    write_table(other, Capacity(), [job("x", "true")])
    scheduler = make(job("a", "sleep", "60", after=(("ok", str(other / "x")),)), job("b", "sleep", "60"))
    assert start_ready(scheduler) == (["b"], ["a"], True)
    append(journal_path(other), line_of(JobEnd("x", "COMPLETED", 0), JOB_EVENTS))
    assert start_ready(scheduler) == (["b", "a"], [], False)


def test_a_job_is_announced_before_it_is_started(make):
    scheduler = make(
        job("a", "sleep", "60", wanted=(Wanted("cuda"),)), capacity=Capacity(devices=(("cuda", "X", None, 1),))
    )
    start_ready(scheduler)
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
    assert start_ready(scheduler) == (["c"], [], False)
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
