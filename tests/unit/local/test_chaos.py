"""Schedulers that are killed at every moment, disks that are full, clocks that are set: nothing lost, nothing doubled."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from attrs import evolve
from effort import LONG
from killed import Clients
from local_jobs import be_scheduler, finished, job, scheduler_pid, state_of, wait_until

from launchers.errors import RunError
from launchers.local import control
from launchers.local.health import read_health, scheduler_of
from launchers.local.jobs import Capacity, Wanted, write_table
from launchers.local.journal import read_statuses
from launchers.processes import process

ONE = Capacity(cores=8, devices=(("cuda", "GPU-a", None, None),), tokens=(("licence", 1),))
"""A machine with one GPU and one licence."""


# -- kills -----------------------------------------------------------------------------------------------------


def visits(root, name, count=2):
    """Jobs that want the GPU and the licence; two at once, or one twice, are written to `root`/wrong."""
    script = (
        f"mkdir {root}/inside || echo $0 is not alone >>{root}/wrong; mkdir {root}/ran-$0 || echo $0 twice >>{root}/wrong; "
        f"sleep 0.05; rmdir {root}/inside"
    )
    needs = {"wanted": (Wanted("cuda"),), "tokens": (("licence", 1),)}
    return [job(f"{name}{n}", "sh", "-c", script, f"{name}{n}", **needs) for n in range(count)]


@pytest.mark.timeout(600)
def test_a_scheduler_that_is_killed_anywhere_loses_and_doubles_nothing(tmp_path):
    """Meanwhile the scheduler of another folder waits for the same GPU."""
    link = tmp_path / "next"

    def prepare(name):
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / name)
        write_table(tmp_path / name, ONE, visits(tmp_path, name))

    prepare("first")
    with Clients(be_scheduler, link=str(link)) as clients:
        points = clients.count()
        assert points > 20
        for at in range(1, points, 1 if LONG else points // 5):
            prepare(f"killed{at}x")
            clients.kill(at=at, wait=False)
            control.submit_jobs(tmp_path / f"other{at}", ONE, visits(tmp_path, f"other{at}x", 1))
            with contextlib.suppress(RunError):
                control.revive_scheduler(tmp_path / f"killed{at}x")
            for folder, count in ((f"killed{at}x", 2), (f"other{at}", 1)):
                ended = finished(tmp_path / folder, count)
                assert {status.state for status in ended.values()} == {"COMPLETED"}, (at, folder)
            assert not (tmp_path / "wrong").exists(), (at, (tmp_path / "wrong").read_text())


def test_schedulers_that_are_killed_again_and_again(tmp_path):
    """By time, with other jobs beside: who waits has them revived."""
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        control.submit_jobs(folder, ONE, visits(tmp_path, folder.name, 20 if LONG else 4))
    deadline, kills = time.monotonic() + 120, 0
    while any(not is_over(folder) for folder in folders):
        assert time.monotonic() < deadline, [read_statuses(folder) for folder in folders]
        for folder in folders:
            control.revive_scheduler(folder)
            found = scheduler_of(folder)
            if found and found[0].is_alive() and kills < (60 if LONG else 8):
                time.sleep(0.013 * (kills % 7))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(found[0].pid, signal.SIGKILL)
                kills += 1
        time.sleep(0.02)
    assert not (tmp_path / "wrong").exists(), (tmp_path / "wrong").read_text()
    for folder in folders:
        assert {status.state for status in read_statuses(folder).values()} == {"COMPLETED"}


def is_over(folder):
    statuses = read_statuses(folder)
    return len(statuses) == (20 if LONG else 4) and all(status.state == "COMPLETED" for status in statuses.values())


def test_a_job_keeps_its_gpu_when_its_scheduler_is_killed(tmp_path):
    go = tmp_path / "go"
    control.submit_jobs(
        tmp_path / "a", ONE, [job("a", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.02; done", wanted=(Wanted(),))]
    )
    wait_until(lambda: state_of(tmp_path / "a", "a") == "RUNNING")
    os.kill(scheduler_pid(tmp_path / "a"), signal.SIGKILL)
    control.submit_jobs(tmp_path / "b", ONE, visits(tmp_path, "b", 1))
    time.sleep(0.5)
    assert state_of(tmp_path / "b", "b0") == "PENDING"
    go.touch()  # nobody revives the scheduler of a
    assert finished(tmp_path / "b", 1)["b0"].state == "COMPLETED"


@pytest.mark.parametrize("remove", ["claims", "folder"])
def test_a_ledger_that_a_cleaner_has_removed_is_filled_again(tmp_path, monkeypatch, remove):
    monkeypatch.setenv("LAUNCHERS_LOCAL_STATE", str(tmp_path / "state"))
    control.submit_jobs(tmp_path / "a", ONE, [job("a", "sleep", "60", wanted=(Wanted(),))])
    wait_until(lambda: state_of(tmp_path / "a", "a") == "RUNNING")
    subprocess.run(
        ["rm", "-rf", *([tmp_path / "state"] if remove == "folder" else (tmp_path / "state").iterdir())], check=True
    )
    wait_until(lambda: list((tmp_path / "state").glob("claim-*")))
    control.cancel_jobs(tmp_path / "a", ["a"])
    finished(tmp_path / "a", 1)
    assert not list((tmp_path / "state").glob("claim-*"))


def replace_scheduler(folder):
    """Kill the scheduler of a folder, and have another one come up."""
    before = scheduler_of(folder)[0]
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: not before.is_alive())
    control.revive_scheduler(folder)
    wait_until(lambda: (found := scheduler_of(folder)) and found[0].is_alive())


# -- disks -----------------------------------------------------------------------------------------------------


@pytest.fixture
def mount(tmp_path):
    """Mount a small file system at `tmp_path`/disk; what still runs there is ended."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def change(options):
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "none", disk], check=False).returncode:
            pytest.skip("nothing can be mounted here")
        return disk

    yield change
    for folder in disk.iterdir():
        if (found := scheduler_of(folder)) and found[0].is_alive():
            os.kill(found[0].pid, signal.SIGKILL)
    subprocess.run(["umount", "-l", disk], check=False)


@pytest.mark.parametrize("room", ["size=120k", "size=4m,nr_inodes=30"])
@pytest.mark.parametrize("kill", [False, True])
def test_a_full_disk_has_jobs_wait_and_none_is_called_completed_that_did_not_run(tmp_path, mount, room, kill):
    disk, log, count = mount(room), tmp_path / "log", 60 if LONG else 24
    log.touch()
    jobs = [job(f"j{n}", "sh", "-c", f"echo j{n} >>{log}; echo out; [ {n} != 3 ]") for n in range(count)]
    jobs = [evolve(one, stdout=str(disk / "r" / f"{one.id}.out")) for one in jobs]
    control.submit_jobs(disk / "r", Capacity(cores=3), jobs)
    wait_until(lambda: "No space left on device" in read_health(disk / "r").trouble)
    if kill:
        replace_scheduler(disk / "r")
        wait_until(
            lambda: control.why_nothing_moves(disk / "r", "r")[0] and not control.why_nothing_moves(disk / "r", "r")[1]
        )
    completed = {id for id, status in read_statuses(disk / "r").items() if status.state == "COMPLETED"}
    assert completed <= set(log.read_text().split())
    assert len(completed) < count
    assert "No space left on device" in control.why_nothing_moves(disk / "r", "r")[0]
    subprocess.run(["mount", "-o", "remount,size=40m,nr_inodes=10000", disk], check=True)
    ended = finished(disk / "r", count)
    assert sorted(log.read_text().split()) == sorted(one.id for one in jobs)
    assert {id: status.state for id, status in ended.items() if status.state != "COMPLETED"} == {"j3": "FAILED"}
    assert "Traceback" not in (disk / "r" / "scheduler.log").read_text()


# -- clocks ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/usr/bin/faketime"), reason="Debian's faketime is not installed")
@pytest.mark.parametrize("jump", ["+2h", "-2h"])
def test_a_clock_that_jumps_ends_no_job(tmp_path, monkeypatch, jump):
    """The scheduler's clock is set while the job runs (libfaketime reads the time from a file)."""
    (library,) = [
        path for path in os.popen("dpkg -L libfaketime").read().split() if path.endswith("/libfaketimeMT.so.1")
    ]
    (tmp_path / "time").write_text("+0\n")
    for name, value in {
        "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "time"), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    folder, go = tmp_path / "r", tmp_path / "go"
    one = job("a", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.02; done", time_limit=60)
    control.submit_jobs(folder, Capacity(cores=1), [one])
    wait_until(lambda: state_of(folder, "a") == "RUNNING")
    (tmp_path / "time").write_text(f"{jump}\n")
    os.kill(scheduler_pid(folder), signal.SIGUSR1)  # look around now
    time.sleep(0.2)
    replace_scheduler(folder)  # the next one counts from the birth of the process
    time.sleep(0.2)
    assert state_of(folder, "a") == "RUNNING"
    go.touch()
    ended = finished(folder, 1)["a"]
    assert ended.state == "COMPLETED"
    assert abs(ended.ended - time.time()) > 3600  # as the scheduler's clock said
    assert 0 < ended.seconds < 60


def test_seconds_are_those_of_the_process(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        before = process(child.pid).age()
        time.sleep(0.3)
        assert 0.25 < process(child.pid).age() - before < 10
        child.kill()
