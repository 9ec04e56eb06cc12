"""The scheduler of this machine: real processes, real kills."""

import contextlib
import os
import signal
import sys
import time

import pytest
from local_jobs import finished, job, run_jobs, scheduler_pid, state_of, wait_until

from launchers.local import control, scheduler
from launchers.local.jobs import Capacity, Wanted, write_table
from launchers.local.journal import read_statuses
from launchers.local.ledger import locked
from launchers.processes import born


def test_ends_and_exit_statuses(tmp_path):
    ended = run_jobs(
        tmp_path / "r",
        [job("a", "true"), job("b", "sh", "-c", "exit 7"), job("c", "/no/such"), job("d", "sh", "-c", "kill -9 $$")],
    )
    assert [(ended[id].state, ended[id].exit) for id in "abcd"] == [
        ("COMPLETED", 0), ("FAILED", 7), ("FAILED", 127), ("FAILED", 137),
    ]  # fmt: skip


def test_every_kind_of_dependency(tmp_path):
    jobs = [
        job("good", "true"),
        job("bad", "false"),
        job("ok", "true", after=(("ok", "good"),)),
        job("never", "true", after=(("ok", "bad"),)),
        job("child", "true", after=(("ok", "never"),)),
        job("any", "true", after=(("any", "bad"), ("any", "good"))),
        job("notok", "true", after=(("notok", "bad"),)),
        job("nonotok", "true", after=(("notok", "good"),)),
        job("started", "true", after=(("started", "good"),)),
        job("free", "true"),
    ]
    statuses = run_jobs(tmp_path / "r", jobs)
    ended = {id: status.state for id, status in statuses.items()}
    cancelled = {"never", "child", "nonotok"}
    assert {id for id, state in ended.items() if state == "CANCELLED"} == cancelled
    assert {id for id, state in ended.items() if state == "FAILED"} == {"bad"}
    assert statuses["never"].reason == "DependencyNeverSatisfied: bad ended FAILED"
    assert statuses["ok"].started >= statuses["good"].ended


def test_a_dependent_job_waits_for_the_end(tmp_path):
    jobs = [job("b", "true", after=(("ok", "a"),)), job("a", "sleep", "0.3")]
    ended = run_jobs(tmp_path / "r", jobs)
    assert ended["b"].started >= ended["a"].ended


def test_cores_bound_what_runs_at_once(tmp_path):
    log = tmp_path / "log"
    script = f"echo + >>{log}; sleep 0.1; echo - >>{log}"
    run_jobs(tmp_path / "r", [job(f"j{n}", "sh", "-c", script, cores=2) for n in range(6)], Capacity(cores=4))
    depth = most = 0
    for line in log.read_text().split():
        depth += 1 if line == "+" else -1
        most = max(most, depth)
    assert most == 2


def test_a_big_job_is_not_starved(tmp_path):
    jobs = [
        job("s0", "sleep", "0.2"),
        job("big", "true", cores=2),
        *(job(f"s{n}", "sleep", "0.05") for n in range(1, 20)),
    ]
    ended = run_jobs(tmp_path / "r", jobs, Capacity(cores=2))
    assert all(ended["big"].started <= ended[f"s{n}"].started for n in range(1, 20))


def test_tokens_bound_jobs_of_all_processes(tmp_path):
    log = tmp_path / "log"
    script = f"echo + >>{log}; sleep 0.15; echo - >>{log}"
    capacity = Capacity(cores=8, tokens=(("licence", 1),))
    folders = [tmp_path / name for name in "xyz"]
    for folder in folders:
        control.submit_jobs(
            folder, capacity, [job(f"{folder.name}{n}", "sh", "-c", script, tokens=(("licence", 1),)) for n in range(2)]
        )
    for folder in folders:
        finished(folder, 2)
    assert log.read_text().split() == ["+", "-"] * 6


def test_a_device_is_given_to_one_job_at_a_time(tmp_path):
    devices = (
        ("cuda", "GPU-a", "A100", 40 << 30),
        ("cuda", "GPU-b", "V100", 16 << 30),
        ("rocm", "0", "MI250", 64 << 30),
    )
    capacity = Capacity(cores=9, devices=devices)
    script = 'echo "$CUDA_VISIBLE_DEVICES/$ROCR_VISIBLE_DEVICES" >"$0"; sleep 0.1'
    wants = {
        "big": (Wanted("cuda", 32 << 30),),
        "any": (Wanted("cuda"),),
        "both": (Wanted("cuda"), Wanted("cuda")),
        "amd": (Wanted("rocm"),),
        "none": (),
    }
    jobs = [job(id, "sh", "-c", script, str(tmp_path / id), wanted=wanted) for id, wanted in wants.items()]
    ended = run_jobs(tmp_path / "r", jobs, capacity)
    seen = {id: (tmp_path / id).read_text().strip() for id in wants}
    assert seen["big"] == "GPU-a/"
    assert seen["any"] == "GPU-b/"  # the tightest that is free
    assert seen["both"] == "GPU-a,GPU-b/"
    assert seen["amd"] == "/0"
    assert seen["none"] == "/"
    assert ended["both"].started >= max(ended["big"].started, ended["any"].started) + 0.1


def test_the_time_limit_is_first_a_request(tmp_path):
    note = tmp_path / "note"
    polite = f"trap 'echo saved >{note}; exit 3' TERM; sleep 30 & wait"
    ended = run_jobs(tmp_path / "r", [job("a", "sh", "-c", polite, time_limit=1)])
    assert (ended["a"].state, ended["a"].reason) == ("TIMEOUT", "time limit reached")
    assert note.read_text() == "saved\n"


def test_the_time_limit_is_then_insisted_upon(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler, "KILL_DELAY", 0.2)
    folder = tmp_path / "r"
    write_table(folder, Capacity(), [job("a", "sh", "-c", "trap '' TERM; sleep 30; sleep 30", time_limit=1)])
    started = time.monotonic()
    assert scheduler.main([str(folder)]) == 0
    assert read_statuses(folder)["a"].state == "TIMEOUT"
    assert time.monotonic() - started < 10


def test_cancel_takes_what_hangs_on_it_along(tmp_path):
    folder = tmp_path / "r"
    jobs = [job("a", "sleep", "30"), job("b", "true", after=(("ok", "a"),)), job("c", "true", after=(("any", "a"),))]
    control.submit_jobs(folder, Capacity(cores=1), jobs)
    wait_until(lambda: state_of(folder, "a") == "RUNNING")
    control.cancel_jobs(folder, ["a"])
    ended = finished(folder, 3)
    assert [ended[id].state for id in "abc"] == ["CANCELLED", "CANCELLED", "COMPLETED"]


@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 0.3, 0.6])
def test_a_killed_scheduler_is_carried_on(tmp_path, after):
    """SIGKILL at some moment, then another scheduler: each job runs exactly once, and ends are kept."""
    folder = tmp_path / "r"
    log = tmp_path / "log"
    jobs = [job(f"j{n}", "sh", "-c", f"echo j{n} >>{log}; sleep 0.1") for n in range(8)]
    jobs.append(job("last", "sh", "-c", f"echo last >>{log}", after=tuple(("ok", one.id) for one in jobs)))
    control.submit_jobs(folder, Capacity(cores=2), jobs)
    pid = scheduler_pid(folder)
    time.sleep(after)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    control.start_scheduler(folder)
    ended = finished(folder, 9)
    assert {status.state for status in ended.values()} == {"COMPLETED"}
    assert sorted(log.read_text().split()) == sorted(one.id for one in jobs)


def test_what_a_killed_scheduler_cut_off_spoils_no_line_of_the_next(tmp_path):
    write_table(tmp_path, Capacity(cores=4), [job("a", "true"), job("b", "false")])
    (tmp_path / "events.jsonl").write_text('{"event": "intent", "job": "a", "ti')
    control.start_scheduler(tmp_path)
    assert [(id, status.state, status.tries) for id, status in finished(tmp_path, 2).items()] == [
        ("a", "COMPLETED", 1),
        ("b", "FAILED", 1),
    ]


def test_a_job_that_outlives_its_scheduler_is_waited_for(tmp_path):
    folder = tmp_path / "r"
    go = tmp_path / "go"
    control.submit_jobs(
        folder,
        Capacity(cores=1),
        [job("a", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.05; done; exit 5"), job("b", "true")],
    )
    wait_until(lambda: state_of(folder, "a") == "RUNNING")
    os.kill(scheduler_pid(folder), signal.SIGKILL)
    control.start_scheduler(folder)
    time.sleep(0.3)
    assert read_statuses(folder)["a"].state == "RUNNING"
    assert "b" not in read_statuses(folder)  # a still holds its core
    go.touch()
    ended = finished(folder, 2)
    assert (ended["a"].state, ended["a"].exit, ended["b"].state) == ("FAILED", 5, "COMPLETED")


def test_two_schedulers_on_one_folder_are_one(tmp_path):
    folder = tmp_path / "r"
    log = tmp_path / "log"
    control.submit_jobs(
        folder, Capacity(cores=4), [job(f"j{n}", "sh", "-c", f"echo {n} >>{log}; sleep 0.1") for n in range(6)]
    )
    for _ in range(3):
        control.start_scheduler(folder)
    finished(folder, 6)
    assert sorted(log.read_text().split()) == [str(n) for n in range(6)]


def test_a_job_may_ask_to_run_again(tmp_path):
    count = tmp_path / "count"
    script = f"echo x >>{count}; [ $(wc -l <{count}) -ge 3 ] || exit 144"
    ended = run_jobs(tmp_path / "r", [job("a", "sh", "-c", script, requeue=144)])
    assert (ended["a"].state, ended["a"].tries) == ("COMPLETED", 3)
    ended = run_jobs(tmp_path / "s", [job("a", "sh", "-c", "exit 144", requeue=144, requeues=2)])
    assert (ended["a"].state, ended["a"].tries) == ("FAILED", 3)


def test_what_a_job_leaves_behind_ends_with_it(tmp_path):
    pid = tmp_path / "pid"
    run_jobs(tmp_path / "r", [job("a", "sh", "-c", f"sleep 60 & echo $! >{pid}")])
    deadline = time.monotonic() + 5
    while born(int(pid.read_text())) is not None:
        assert time.monotonic() < deadline


def test_claims_of_the_dead_are_dropped(tmp_path):
    with locked() as ledger:
        ledger.claim(job("x", "true", cores=4), (), "x").file.close()
    assert run_jobs(tmp_path / "r", [job("a", "true", cores=4)])["a"].state == "COMPLETED"


def test_a_thousand_jobs(tmp_path, capsys):
    started = time.monotonic()
    ended = run_jobs(tmp_path / "r", [job(f"j{n}", "true") for n in range(1000)], Capacity(cores=2), seconds=60)
    took = time.monotonic() - started
    assert {status.state for status in ended.values()} == {"COMPLETED"}
    with capsys.disabled():
        print(f"[1000 jobs: {took:.2f} s, {took:.2f} ms each]", file=sys.stderr)


def test_run_folders_are_private(tmp_path):
    run_jobs(tmp_path / "r", [job("a", "true")])
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700
