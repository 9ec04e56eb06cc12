"""Each step is submitted once, wherever the client is killed.

The cluster is a fake here, because the client is killed at every boundary, some hundred times; tests/cluster kills it at
a sample of them on real ones.
"""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from effort import LONG
from fake_slurm import jobs, plan, submit_plan
from killed import Clients

from launchers import SlurmArgs
from launchers.cli import main
from launchers.errors import RunError
from launchers.plan import Plan, PlanError, Step
from launchers.runs.run import open_run
from launchers.runs.send import SubmitError, resume
from launchers.runs.stored import load_run
from launchers.slurm.backend import SlurmBackend


@pytest.fixture
def clients(slurm):
    """Clients of the fake cluster."""
    with Clients(submit_plan) as clients:
        yield clients


def forget(slurm):
    """Remove the run and what the cluster knows of it."""
    shutil.rmtree("runs", ignore_errors=True)
    for name in ("jobs", "calls"):
        (slurm / name).unlink(missing_ok=True)


def comes_by(condition, seconds=0.8):
    """Whether something is seen before that: a command that was just started has no name yet in /proc."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def on_its_way():
    """Whether an sbatch of this cluster runs: a client that is killed does not take it with it."""
    name = shutil.which("sbatch").encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if name in path.read_bytes().split(b"\0"):
                return True
    return False


@pytest.mark.timeout(600)  # 12 s of computing, on two cores that have much else to do
def test_killed_everywhere(slurm, clients, monkeypatch):
    monkeypatch.setattr(SlurmBackend, "grace", 0.0)  # commands of the killed client are waited for
    points = clients.count()
    (folder,) = Path("runs").iterdir()
    assert len(jobs(slurm)) == len(load_run(folder).submissions) == 4
    assert points > 60
    lost = doubled = resumed = 0
    stride = 1 if LONG else 4
    for point in range(0, points, stride):
        forget(slurm)
        assert not clients.kill(at=point)
        folders = list(Path("runs").iterdir()) if Path("runs").exists() else []
        if not folders or not (folders[0] / "plan.json").exists():
            assert jobs(slurm) == []
            continue
        resumed += 1
        run = resume(folders[0]).record
        counts = Counter(comment for _, comment, *_ in jobs(slurm))
        tokens = {submission.token for submission in run.submissions}
        assert set(counts) <= tokens
        lost += len(tokens - set(counts))
        doubled += sum(number - 1 for number in counts.values())
        ids = {comment: id for id, comment, *_ in jobs(slurm)}
        assert run.folder.journal.state().jobs == {one.name: ids[one.token] for one in run.submissions}
    print(f"points tried {points // stride}, resumed {resumed}, jobs lost {lost}, jobs doubled {doubled}")
    assert (lost, doubled) == (0, 0)
    assert resumed > 30 // stride


def test_an_sbatch_that_is_still_on_its_way(slurm, clients, monkeypatch):
    """The client is killed while its sbatch runs, and the submission is finished before that has come through."""
    monkeypatch.setattr(SlurmBackend, "grace", 10.0)
    (slurm / "takes").write_text("1")
    for point in itertools.count():
        left = clients.kill(at=point, wait=False)
        if left and comes_by(on_its_way) and not jobs(slurm):
            break
        while on_its_way():
            time.sleep(0.01)
        forget(slurm)
    (slurm / "takes").unlink()
    (folder,) = Path("runs").iterdir()
    resume(folder)
    assert not on_its_way()
    assert Counter(Counter(comment for _, comment, *_ in jobs(slurm)).values()) == {1: 4}


def test_dependencies_name_the_jobs_before(slurm):
    run = plan().submit()
    sent = {name.split(".")[1]: (dependency, array) for _, _, name, dependency, array in jobs(slurm)}
    assert sent == {
        "a": ("", ""), "b": ("afterok:100", ""), "c": ("afterok:100", ""), "m": ("afterok:101:102", "0-1%2"),
    }  # fmt: skip
    assert {step.state for step in run.status()} == {"PENDING"}


@pytest.mark.parametrize("kind", ["lost", "no"])
def test_sbatch_fails_once(slurm, kind):
    """A socket timeout may come before or after slurmctld took the job: either way there is one."""
    (slurm / "trouble").write_text(f"1 {kind} Socket timed out on send/recv operation\n")
    plan().submit()
    assert Counter(Counter(comment for _, comment, *_ in jobs(slurm)).values()) == {1: 4}


@pytest.mark.parametrize("on_refusal", ["cancel", "leave"])
def test_a_refusal_half_way(slurm, on_refusal, capsys):
    (slurm / "trouble").write_text("2 no Requested time limit is invalid (missing or exceeds some limit)\n")
    with pytest.raises(SubmitError) as caught:
        plan().submit(on_refusal=on_refusal)
    message = str(caught.value)
    assert "sbatch refused c: " in message
    assert "reason code: duration" in message
    assert ("are cancelled" if on_refusal == "cancel" else "are left queued") in message
    cancelled = (slurm / "cancelled").read_text().split() if (slurm / "cancelled").exists() else []
    assert cancelled == (["100", "101"] if on_refusal == "cancel" else [])
    assert main(["status"]) == 0
    assert "Requested time limit is invalid" in capsys.readouterr().out


def test_a_run_that_was_refused_can_be_cleaned(slurm, capsys):
    (slurm / "trouble").write_text("0 no Invalid qos specification\n")
    with pytest.raises(SubmitError):
        plan().submit()
    (folder,) = Path("runs").iterdir()
    (folder / "lock").touch()  # somebody resumes it
    assert main(["clean", "--yes"]) == 0
    assert folder.exists()
    (folder / "lock").unlink()
    assert main(["clean", "--yes"]) == 0
    assert not folder.exists()
    (slurm / "trouble").write_text("2 no Invalid qos specification\n")
    (slurm / "calls").unlink()
    with pytest.raises(SubmitError):
        plan().submit(on_refusal="leave")
    capsys.readouterr()
    assert main(["clean", "--yes"]) == 0
    assert "kept, its jobs have not ended" in capsys.readouterr().err


def test_the_disk_is_full(slurm, monkeypatch):
    """Nothing is submitted that could not be written down first; what was is not lost."""
    real, calls = os.fsync, []

    def full(descriptor):
        calls.append(1)
        if len(calls) == 6:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        plan().submit()
    (folder,) = Path("runs").iterdir()
    assert not (folder / "lock").exists()
    resume(folder)
    assert Counter(Counter(comment for _, comment, *_ in jobs(slurm)).values()) == {1: 4}


def test_a_line_that_was_cut_off_did_not_happen(slurm):
    run = plan().submit()
    path = run.folder / "journal.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20])
    resumed = resume(run.folder).record
    assert resumed.folder.journal.state().jobs == {"a": "100", "b": "101", "c": "102", "m": "103"}
    assert len(jobs(slurm)) == 4
    assert json.loads(path.read_text().splitlines()[-1])["event"] == "submitted"


def test_before_anything_was_submitted(slurm, tmp_path):
    folder = tmp_path / "runs" / "p-1"
    (folder / "steps").mkdir(parents=True)
    with pytest.raises(RunError, match="submit the plan again"):
        open_run(folder)
    with pytest.raises(PlanError):
        Plan("p", Step("a b", SlurmArgs(time=1), print)).submit()
    assert jobs(slurm) == []


def test_a_job_that_nobody_knows(slurm):
    run = plan().submit()
    assert {step.state for step in run.status()} == {"PENDING"}
    (slurm / "jobs").unlink()
    (step, *_) = run.status()
    assert step.state == "UNKNOWN"
    assert step.reason.startswith("no scheduler knows it (any more); last seen PENDING 20")


def test_the_sbatch_file_is_shown_before(slurm):
    text = plan().dry_run()
    assert text.count("#SBATCH --partition=p") == 4
    assert "afterok:<b>:<c>" in text
    assert "#SBATCH --array=0-1%2" in text
    assert not Path("runs").exists()
    assert jobs(slurm) == []


def test_a_client_that_fails_is_not_taken_for_one_that_was_killed(slurm):
    shutil.rmtree(slurm)
    with Clients(submit_plan) as clients:
        with pytest.raises(AssertionError, match="the client failed"):
            clients.count()
        with pytest.raises(AssertionError, match="never came to point 100000"):
            clients.kill(at=100_000)
    assert subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "killed.py"], check=False).returncode == 1
