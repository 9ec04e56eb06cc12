"""Answers that are lost, ids that are used again, and a cluster that is away: what is believed of the real Slurm."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from following import until

from launchers import LauncherNotFoundError, RunError, find_launcher
from launchers.commands import CommandError
from launchers.plan import Chain, Map, Plan, Step
from launchers.slurm.backend import SlurmBackend

NEED = "cpu(cores=1) & duration=5m"
SLURM = SlurmBackend()


@pytest.fixture
def wrap(slurm, tmp_path, monkeypatch):
    """Puts a shell script before one of Slurm's commands, which is $REAL there."""
    folder = tmp_path / "wrappers"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def install(name, script):
        real = shutil.which(name, path=os.environ["PATH"].partition(":")[2])
        (folder / name).write_text(f"#!/bin/sh\nREAL={real}\n{script}\n")
        (folder / name).chmod(0o755)

    return install


def squeue(slurm, *words):
    return slurm.command("squeue", "-h", "-a", *words).stdout.split()


# -- answers that are lost -----------------------------------------------------------------------------------------

LOST = {
    "a message that did not come back": '$REAL "$@" >/dev/null; echo "sbatch: error: Message receive failure" >&2; exit 1',
    "a refusal that was none": '$REAL "$@" >/dev/null; echo "sbatch: error: Invalid account" >&2; exit 1',
    "a signal": '$REAL "$@" >/dev/null; kill -9 $$',
    "a banner before and after": 'echo "Welcome to cluster 42"; $REAL "$@"; echo "you have 3 mails"',
    "only a banner": '$REAL "$@" >/dev/null; echo "Welcome to cluster 42"',
    "bytes that are no text": r'$REAL "$@" >/dev/null; printf "\377\376\n"',
    "nothing": '$REAL "$@" >/dev/null',
    "nothing and a failure": '$REAL "$@" >/dev/null; exit 1',
    "words of old": 'echo "Submitted batch job $($REAL "$@")"',
    "words of old, of a cluster": 'echo "Submitted batch job $($REAL "$@") on cluster elsewhere"',
    "another number": 'echo 1; $REAL "$@"',
}


@pytest.mark.parametrize("script", LOST.values(), ids=LOST)
def test_a_job_whose_answer_was_lost_is_submitted_once(slurm, wrap, script):
    wrap("sbatch", f"echo x >> calls; {script}")
    launcher = find_launcher(NEED, tags=["slurm"])
    job = launcher.submit(pow, 2, 3)
    assert squeue(slurm, "-t", "all", "--name", f"submitit.{job.token}", "-o", "%i") == [job.job_id]
    assert Path("calls").read_text() == "x\n"


@pytest.mark.parametrize("name", ["a refusal that was none", "nothing"])
def test_a_step_whose_answer_was_lost_is_submitted_once(slurm, wrap, name):
    wrap("sbatch", f"echo x >> calls; {LOST[name]}")
    run = Plan("p", Step("a", NEED, pow, 2, 3)).submit(tags=["slurm"])
    assert run.wait(60)
    assert run["a"].result() == 8
    assert Path("calls").read_text() == "x\n"


def test_an_array_whose_answer_was_lost(slurm, wrap):
    wrap("sbatch", '$REAL "$@" >/dev/null; exit 1')
    jobs = find_launcher(NEED, tags=["slurm"]).executor("logs").map_array(pow, [2, 3], [2, 2])
    assert [job.result() for job in jobs] == [4, 9]


def test_a_refusal_is_one(slurm, wrap):
    wrap("sbatch", 'echo x >> calls; exec $REAL --qos=nosuch "$@"')
    with pytest.raises(LauncherNotFoundError, match="sbatch refused what was chosen"):
        find_launcher(NEED, tags=["slurm"]).submit(pow, 2, 3)
    assert Path("calls").read_text() == "x\n"


def test_a_cluster_may_name_itself(slurm, wrap):
    """sbatch with --clusters answers ``12;cluster``."""
    wrap("sbatch", f'exec $REAL --clusters={slurm.cluster} "$@"')
    find_launcher(NEED, tags=["slurm"]).submit(pow, 2, 3).cancel()


def test_a_cluster_that_is_named_wrongly(slurm, wrap):
    """The job is here all the same, and is found."""
    wrap("sbatch", 'echo "$($REAL "$@");elsewhere"')
    assert find_launcher(NEED, tags=["slurm"]).submit(pow, 2, 3).result() == 8


# -- a cluster that is away ------------------------------------------------------------------------------------------

AWAY = 'if [ -e away ]; then echo "$0: error: Unable to contact slurm controller (connect failure)" >&2; exit 1; fi'


@pytest.mark.parametrize("cut", [True, False])
def test_run_waits_for_a_cluster_that_is_away(slurm, wrap, cut):
    """It neither ends the job as unknown nor believes that it is gone."""
    for name in ("squeue", "sacct", "scontrol"):
        wrap(name, f'{AWAY}\nexec $REAL "$@"')
    script = f"touch {'away' if cut else 'on'}; sleep 6; echo done; exit 3"
    done = subprocess.run(
        [sys.executable, "-m", "launchers", "run", NEED, "--", "sh", "-c", script],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "done\n")
    assert done.stderr.count("cannot reach Slurm since") == cut
    assert "UNKNOWN" not in done.stderr


def test_what_cannot_be_asked_is_not_known(slurm, wrap, tmp_path):
    job = find_launcher(NEED, tags=["slurm"]).submit(time.sleep, 100)
    for name in ("squeue", "sacct"):
        wrap(name, f'{AWAY}\nexec $REAL "$@"')
    Path("away").touch()
    answer = SLURM.states(tmp_path, {job.job_id: job.token}, {(job.job_id, None)})
    assert (len(answer.infos), "Unable to contact" in answer.problem) == (0, True)
    with pytest.raises(CommandError, match="Unable to contact"):
        SLURM.find_token(job.token, time.time())
    with pytest.raises(CommandError, match="Unable to contact"):
        job.cancel()
    Path("away").unlink()
    job.cancel()
    until(lambda: job.get_info()["State"] == "CANCELLED")


def test_a_cancellation_that_failed_is_told(slurm, wrap, tmp_path):
    job = find_launcher(NEED, tags=["slurm"]).submit(time.sleep, 100)
    wrap("scancel", 'echo "scancel: error: Kill job error on job id 1: Access/permission denied" >&2; exit 210')
    with pytest.raises(CommandError, match=f"scancel {job.job_id}: .*permission denied"):
        job.cancel()
    wrap("scancel", 'exec $REAL "$@"')
    job.cancel()


# -- ids that are used again -----------------------------------------------------------------------------------------


def test_an_id_that_is_used_again_is_another_job(slurm, tmp_path):
    """A controller that lost its state counts from 1 again."""
    slurm.forget()
    old = find_launcher(NEED, tags=["slurm"]).submit(pow, 2, 3)
    assert old.result() == 8
    until(lambda: old.get_info()["State"] == "COMPLETED")
    until(lambda: "COMPLETED" in slurm.command("sacct", "-X", "-n", "-P", "-j", old.job_id, "-o", "State").stdout)
    slurm.forget()
    last = ""
    while last != old.job_id:
        last = slurm.command(
            "sbatch", "--parsable", "-J", "precious", "-o", "/dev/null", "--wrap", "sleep 60"
        ).stdout.strip()
        assert int(last) <= int(old.job_id)
    until(lambda: squeue(slurm, "-j", last, "-o", "%T") == ["RUNNING"])
    answer = SLURM.states(tmp_path, {old.job_id: old.token}, {(old.job_id, None)})
    assert (answer.infos[old.job_id, None].state, answer.problem) == ("COMPLETED", "")
    SLURM.cancel(tmp_path, [(old.job_id, None)], {old.job_id: old.token})
    old.cancel()
    assert squeue(slurm, "-j", last, "-o", "%T") == ["RUNNING"]
    assert SLURM.states(tmp_path, {last: "never-was"}).infos == {}
    slurm.command("scancel", "--name=precious")


# -- elements --------------------------------------------------------------------------------------------------------


def test_an_element_that_was_cancelled_before_it_started(slurm):
    """squeue and sacct have no word about it (docs/slurm-facts.md#arrays)."""
    run = Plan("p", Chain(Map("m", NEED, time.sleep, [1, 1, 1, 1], at_once=1))).submit(tags=["slurm"])
    (job,) = run.record.folder.journal.state().jobs.values()
    slurm.command("scancel", f"{job}_2")
    until(lambda: run.status()[0].counts.get("CANCELLED") == 1)
    run.wait(60, check=False)
    assert run.status()[0].counts == {"COMPLETED": 3, "CANCELLED": 1}


def test_names_and_comments_may_hold_anything(slurm, tmp_path):
    words = ["sbatch", "--parsable", "--hold", "-o", "/dev/null", "-J", "a|b\n7|tok\n.tok", "--comment", "x|y\nz"]
    job = slurm.command(*words, "--wrap", "true").stdout.strip()
    try:
        assert SLURM.find_token("tok", time.time()) == job
        assert SLURM.states(tmp_path, {job: "tok"}, {(job, None)}).infos[job, None].state == "PENDING"
        SLURM.cancel(tmp_path, [(job, None)], {job: "tok"})
        assert squeue(slurm, "-j", f"{job},{job}", "-o", "%i") == []
    finally:
        slurm.command("scancel", job)


# -- surroundings ----------------------------------------------------------------------------------------------------


def test_the_environment_changes_no_question(slurm, tmp_path, monkeypatch):
    job = find_launcher(NEED, tags=["slurm"]).submit(time.sleep, 100)
    for name, value in (
        ("SLURM_CLUSTERS", "elsewhere"), ("SQUEUE_STATES", "CD"), ("SQUEUE_USERS", "nobody"), ("SACCT_FEDERATION", "1"),
        ("SCANCEL_STATE", "SUSPENDED"), ("SLURM_TIME_FORMAT", "relative"), ("SQUEUE_FORMAT", "%i"), ("SCANCEL_USER", "nobody"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    info = SLURM.states(tmp_path, {job.job_id: job.token}, {(job.job_id, None)}).infos[job.job_id, None]
    assert time.time() - 300 < info.submitted < time.time() + 300
    job.cancel()
    assert find_launcher(NEED, tags=["slurm"]).submit(pow, 2, 3).result() == 8


@pytest.mark.parametrize("name", ["a%jb", "a%A", r"back\slash"])
def test_a_folder_whose_name_slurm_would_change_is_refused(slurm, tmp_path, monkeypatch, name):
    """Results went to another folder, and were lost."""
    (tmp_path / name).mkdir()
    launcher = find_launcher(NEED, tags=["slurm"])
    monkeypatch.chdir(name)
    with pytest.raises(RunError, match="submit from another folder"):
        launcher.submit(pow, 2, 3)


def test_odd_folders_work(slurm, tmp_path, monkeypatch):
    folder = tmp_path / 'it\'s a "folder" #1; $HOME [1-2], ü'
    folder.mkdir()
    launcher = find_launcher(NEED, tags=["slurm"])
    monkeypatch.chdir(folder)
    assert launcher.submit(pow, 2, 3).result() == 8


def test_an_sbatch_that_does_not_end(slurm, wrap, monkeypatch):
    """It is killed, and its job is found."""
    wrap("sbatch", '$REAL "$@" > /dev/null; sleep 30')
    monkeypatch.setattr("launchers.slurm.sbatch.TIMEOUT", 1.0)
    find_launcher(NEED, tags=["slurm"]).submit(pow, 2, 3).cancel()
