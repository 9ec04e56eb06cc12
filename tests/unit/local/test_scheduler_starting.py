"""What a scheduler starts, and in which order: each decision by itself; test_scheduler.py has whole runs."""

import errno
import fcntl
import os
import signal
import subprocess
from pathlib import Path

import pytest
from attrs import evolve
from local_jobs import PLENTY, job, start_ready, states, wait_until

from launchers.events import append, line_of
from launchers.local import scheduler as scheduler_module
from launchers.local.health import read_health
from launchers.local.jobs import Capacity, Wanted, write_table
from launchers.local.journal import (
    JOB_EVENTS,
    JobEnd,
    JobIntent,
    JobRequeue,
    JobStart,
    journal_path,
    read_statuses,
)
from launchers.local.ledger import Held, LedgerError, locked
from launchers.local.scheduler import device_variables, main
from launchers.processes import boottime, process

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
    assert first.try_of("a", 1).prevent()
    second = make(job("a", "true"))  # the first was killed before it had room for the job
    second.adopt()
    assert second.waiting == ["a"]
    second.start_ready()
    assert second.statuses["a"].tries == 2


@pytest.fixture
def left_behind(make):
    """A job that an earlier scheduler started, and how that went: (script, kept) makes it."""
    children = []

    def leave(script, *events, **more):
        one = job("a", "sh", "-c", script, **more)
        attempt = make(one).try_of("a", 1)
        attempt.prepare()
        with open(os.devnull) as claim, open(os.devnull, "ab") as out:
            children.append(attempt.start(one, dict(os.environ), claim, out, out))
        found = attempt.process()
        return make(one, events=[JobIntent("a", 1), *(event(found) for event in events)]), children[-1]

    yield leave
    for child in children:
        child.kill()
        child.wait()


def test_a_job_that_lives_is_watched(left_behind):
    scheduler, child = left_behind("exec sleep 60", time_limit=100, warning=30)
    scheduler.adopt()
    watched = scheduler.running["a"]
    assert (watched.process, watched.child, scheduler.waiting) == (process(child.pid), None, [])
    assert watched.deadline == pytest.approx(boottime() + 100, abs=5)
    assert watched.warn == watched.deadline - 30
    assert states_in_memory(scheduler) == {"a": "RUNNING"}


def states_in_memory(scheduler):
    return {id: status.state for id, status in scheduler.statuses.items()}


def test_the_time_limit_counts_from_the_birth_of_the_process_whatever_the_clock_says(left_behind):
    scheduler, child = left_behind(
        "exec sleep 60", lambda it: JobStart("a", it.pid, it.born, it.boot, it.pids, time=5.0), time_limit=100
    )
    scheduler.adopt()
    born_at = process(child.pid).born / os.sysconf("SC_CLK_TCK")
    assert scheduler.running["a"].deadline == pytest.approx(born_at + 100, abs=0.1)
    assert scheduler.running["a"].warn is None
    assert len(read_statuses(scheduler.folder)) == 1


def test_what_it_holds_is_claimed_again_where_the_ledger_was_lost(left_behind):
    scheduler, _ = left_behind("exec sleep 60", cores=3)
    scheduler.adopt()
    with locked() as ledger:
        assert ledger.claims == []
    for _ in range(2):
        scheduler.renewed = 0.0
        scheduler.renew_claims()
        with locked() as ledger:
            assert [claim.cores for claim in ledger.claims] == [3]


def test_a_claim_that_cannot_be_written_again_is_tried_again(make, monkeypatch):
    scheduler = make(job("a", "sleep", "60", cores=3))
    scheduler.work()
    scheduler.running["a"].held.path.unlink()

    def failing(*_):
        raise LedgerError("full")

    for expected in ([], [3]):
        scheduler.renewed = 0.0
        with monkeypatch.context() as patch:
            if not expected:
                patch.setattr("launchers.local.ledger.Ledger.claim", failing)
            scheduler.work()
        assert scheduler.troubles == ([] if expected else ["full"])
        with locked() as ledger:
            assert [claim.cores for claim in ledger.claims] == expected


def test_a_job_that_has_ended_meanwhile_is_finished(left_behind):
    scheduler, child = left_behind("exit 3")
    child.wait()
    scheduler.work()
    assert states(scheduler)["a"] == ("FAILED", "exit status 3")
    assert (scheduler.running, scheduler.waiting) == ({}, [])


def test_a_job_that_was_killed_with_its_shell_has_no_exit_status(left_behind):
    scheduler, child = left_behind("exec sleep 60")
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    scheduler.work()
    assert states(scheduler)["a"] == ("FAILED", "its process has ended and left no exit status")


@pytest.mark.parametrize("change", [{"born": 1}, {"boot": "0" * 16}])
def test_another_process_with_its_pid_is_not_the_job(left_behind, monkeypatch, change):
    """As after a reboot."""
    scheduler, _ = left_behind("exec sleep 60")
    found = scheduler.try_of("a", 1).process()
    monkeypatch.setattr("launchers.local.attempt.Try.process", lambda self: evolve(found, **change))
    scheduler.work()
    assert states(scheduler)["a"][0] == "FAILED"
    assert scheduler.running == {}


def test_a_process_of_another_scheduler_is_reaped(left_behind):
    scheduler, child = left_behind("sleep 0.3; exit 4")
    scheduler.adopt()
    scheduler.reap()
    assert "a" in scheduler.running
    child.wait()
    scheduler.reap()
    scheduler.journal.write()
    assert (scheduler.running, states(scheduler)["a"]) == ({}, ("FAILED", "exit status 4"))


def test_a_job_whose_try_was_removed_while_it_ran_is_not_started_again(left_behind):
    scheduler, _ = left_behind("exec sleep 60", lambda it: JobStart("a", it.pid, it.born, it.boot, it.pids))
    subprocess.run(["rm", "-r", scheduler.folder / "tries"], check=True)
    scheduler.work()
    assert (list(scheduler.running), scheduler.waiting) == (["a"], [])


def test_a_job_that_asked_to_run_again_does(make):
    scheduler = make(job("a", "true"), events=[JobIntent("a", 1), JobStart("a", 1, 1), JobRequeue("a")])
    scheduler.adopt()
    assert (scheduler.waiting, scheduler.running) == (["a"], {})
    assert not scheduler.try_of("a", 1).folder.exists()


def test_what_cannot_be_taken_up_now_is_later(make, monkeypatch):
    def failing(self):
        raise OSError(28, "No space left on device")

    scheduler = make(job("a", "true"), job("b", "sleep", "60"), events=[JobIntent("a", 1)])
    with monkeypatch.context() as patch:
        patch.setattr("launchers.local.attempt.Try.prevent", failing)
        scheduler.work()
        assert (scheduler.unadopted, scheduler.troubles) == (
            ["a", "b"],
            [f"No space left on device: {scheduler.folder}"],
        )
    scheduler.work()
    assert (scheduler.unadopted, scheduler.troubles, list(scheduler.running)) == ([], [], ["a", "b"])


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
    status = read_statuses(scheduler.folder)["a"]
    assert (status.tries, status.devices, status.process) == (1, ("X",), scheduler.running["a"].process)
    with locked() as ledger:
        assert [(claim.holder, claim.devices) for claim in ledger.claims] == [
            (str(scheduler.try_of("a", 1).folder), ["X"])
        ]


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


# -- trouble of the machine --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EAGAIN, errno.EMFILE, errno.ENOMEM]
)
@pytest.mark.parametrize("where", ["prepare", "start"])
def test_trouble_of_the_machine_ends_no_job(make, monkeypatch, where, number):
    def failing(*_):
        raise OSError(number, os.strerror(number))

    scheduler = make(job("a", "sleep", "60"), job("b", "true", after=(("ok", "a"),)))
    with monkeypatch.context() as patch:
        patch.setattr(f"launchers.local.attempt.Try.{where}", failing)
        for _ in range(3):
            scheduler.work()
            assert (scheduler.waiting, scheduler.running) == (["a", "b"], {})
            assert read_health(scheduler.folder).trouble == f"{os.strerror(number)}: {scheduler.folder}"
            with locked() as ledger:
                assert ledger.claims == []
    scheduler.work()
    assert (scheduler.waiting, list(scheduler.running)) == (["b"], ["a"])
    assert read_health(scheduler.folder).trouble == ""


def test_a_ledger_that_cannot_be_used_ends_no_job(make, monkeypatch, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    scheduler = make(job("a", "sleep", "60"))
    with monkeypatch.context() as patch:
        patch.setenv("LAUNCHERS_LOCAL_STATE", str(tmp_path / "open"))
        scheduler.work()
    assert "has to be a folder of yours that others cannot enter" in read_health(scheduler.folder).trouble
    assert scheduler.waiting == ["a"]
    scheduler.work()
    assert list(scheduler.running) == ["a"]


def test_what_cannot_be_written_down_is_kept_and_nothing_is_started(make):
    """The journal comes back; what runs has gone on."""
    scheduler = make(
        job("a", "sleep", "60"), job("b", "true", tokens=(("x", 1),)), job("c", "true", after=(("ok", "b"),))
    )
    scheduler.work()
    path = journal_path(scheduler.folder)
    path.rename(path.with_name("away"))
    path.mkdir()
    wait_until(lambda: not scheduler.reap() and "b" not in scheduler.running)
    scheduler.work()
    assert (states_in_memory(scheduler), scheduler.waiting) == (
        {"a": "RUNNING", "b": "COMPLETED", "c": "PENDING"},
        ["c"],
    )
    assert "Is a directory" in read_health(scheduler.folder).trouble
    path.rmdir()
    path.with_name("away").rename(path)
    scheduler.work()
    assert {id: state for id, (state, _) in states(scheduler).items()} == {
        "a": "RUNNING",
        "b": "COMPLETED",
        "c": "RUNNING",
    }


def test_a_run_that_is_waited_for_and_not_there_is_told(tmp_path, make):
    scheduler = make(job("a", "true", after=(("ok", f"{tmp_path}/gone/local"),)), job("b", "sleep", "60"))
    scheduler.work()
    assert (scheduler.waiting, list(scheduler.running)) == (["a"], ["b"])
    assert read_health(scheduler.folder).trouble == f"waits for {tmp_path}/gone, which is not there"


def test_a_folder_that_was_removed_is_left(tmp_path, make):
    scheduler = make(job("a", "true", after=(("ok", "b"),)), job("b", "sleep", "0.2"))
    scheduler.work()
    subprocess.run(["rm", "-rf", tmp_path / "tries", *tmp_path.glob("*.jsonl")], check=True)
    scheduler.folder = tmp_path / "gone"
    scheduler.journal.path = scheduler.folder / "events.jsonl"
    scheduler.run()
    assert scheduler.waiting == ["a"]
    assert not (tmp_path / "gone").exists()


def test_a_name_that_another_scheduler_has_taken_is_taken_up(make, monkeypatch):
    """Where its lock does not exclude."""
    other, scheduler = make(job("a", "sleep", "60")), make(job("a", "sleep", "60"))
    start_ready(other)
    (scheduler.try_of("a", 1).folder / "ready").unlink()
    with locked() as ledger:
        monkeypatch.setattr(
            type(ledger), "claim", lambda self, job, handles, holder: Held(Path("/no/such"), open(os.devnull))
        )
    start_ready(scheduler)
    assert (scheduler.running, scheduler.unadopted) == ({}, ["a"])
    scheduler.adopt()
    assert scheduler.running["a"].process == other.running["a"].process


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
