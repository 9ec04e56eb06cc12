"""Each step is submitted once, wherever the client is killed.

The cluster is a fake here, because the client is killed at every boundary, some hundred times; tests/slurm kills it at a
sample of them on the real one.  Its commands answer in the form that the real ones do (Slurm 22.05).
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from launchers import SlurmArgs
from launchers.cli import main
from launchers.errors import RunError
from launchers.plan import Chain, Map, Parallel, Plan, PlanError, Step, submit
from launchers.runs.folder import load
from launchers.runs.run import open_run

SBATCH = """#!{python} -IS
import fcntl, os, re, sys, time
text = open(sys.argv[-1]).read()
state = os.environ["FAKE_SLURM"]
time.sleep(float(open(state + "/takes").read()) if os.path.exists(state + "/takes") else 0)
with open(state + "/lock", "a") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    calls = int(open(state + "/calls").read() or 0) if os.path.exists(state + "/calls") else 0
    open(state + "/calls", "w").write(str(calls + 1))
    trouble = open(state + "/trouble").read().split("\\n") if os.path.exists(state + "/trouble") else []
    mine = [line.split(" ", 2)[1:] for line in trouble if line.startswith(str(calls) + " ")]
    jobs = state + "/jobs"
    number = 100 + (sum(1 for _ in open(jobs)) if os.path.exists(jobs) else 0)
    said = {key: value.strip('"') for key, value in re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", text, re.M)}
    if not mine or mine[0][0] == "lost":
        with open(jobs, "a") as out:
            out.write("|".join([str(number), said["comment"], said["job-name"], said.get("dependency", ""), said.get("array", "")]) + "\\n")
    if mine:
        print("sbatch: error: Batch job submission failed: " + mine[0][1], file=sys.stderr)
        sys.exit(1)
print("Submitted batch job", number)
"""
SQUEUE = """#!{python} -IS
import os, sys
form = sys.argv[sys.argv.index("-o") + 1]
path = os.environ["FAKE_SLURM"] + "/jobs"
for line in open(path) if os.path.exists(path) else ():
    id, comment, name, dependency, array = line.rstrip("\\n").split("|")
    elements = range(int(array.split("%")[0].split("-")[1]) + 1) if array and "-r" in sys.argv else ["N/A"]
    for element in elements:
        text = form
        known = {"%F": id, "%k": comment, "%j": name, "%K": str(element), "%T": "PENDING", "%P": "p", "%r": "None"}
        for key, value in {**known, "%N": "", "%M": "0:00"}.items():
            text = text.replace(key, value)
        print(text)
"""
SCANCEL = """#!/bin/sh
echo "$@" >> "$FAKE_SLURM/cancelled"
"""
NONE = """#!/bin/sh
echo "accounting storage is disabled" >&2; exit 1
"""

KILLER = """
import ctypes, os, signal, subprocess, sys
sys.path.insert(0, {tests!r})
import cloudpickle, submitit, launchers.slurm.executor
from test_once import plan
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
def tick():
    global seen
    if seen == point:
        os.kill(os.getpid(), signal.SIGKILL)
    seen += 1
def around(function):
    def ticking(*args, **kwargs):
        tick()
        found = function(*args, **kwargs)
        tick()
        return found
    return ticking
os.fsync = around(os.fsync)
os.rename = around(os.rename)
os.open = around(os.open)
subprocess.Popen.__init__ = around(subprocess.Popen.__init__)
subprocess.Popen.wait = around(subprocess.Popen.wait)
for line in sys.stdin:
    point, orphans = line.split()
    point, seen = int(point), 0
    child = os.fork()
    if not child:
        plan().submit()
        os.write(1, b"%d " % seen)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = True
    try:
        while orphans == "awaited":
            os.waitpid(-1, 0)
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        left = False
    print(status, "left" if left and orphans == "left" else "", flush=True)
"""
"""Clients, each killed when it comes to the point that is read: forked from one that has everything imported.

The commands that a killed client leaves behind become children of that one, which can wait for them.
"""


def plan():
    cpu = SlurmArgs(time=5, partition="p", cpus_per_task=1)
    big = SlurmArgs(time=5, partition="p", cpus_per_task=2)
    return Plan(
        "p",
        Chain(
            Step("a", cpu, print), Parallel(Step("b", cpu, print), Step("c", big, print)), Map("m", cpu, print, [1, 2])
        ),
    )


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A cluster whose jobs stay pending, in a folder."""
    folder, state = tmp_path / "bin", tmp_path / "slurm"
    folder.mkdir(), state.mkdir()
    scripts = {"sbatch": SBATCH, "squeue": SQUEUE, "scancel": SCANCEL, "sacct": NONE, "srun": NONE, "scontrol": NONE}
    for name, text in scripts.items():
        (folder / name).write_text(text.replace("{python}", sys.executable))
        (folder / name).chmod((folder / name).stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(state))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(submit, "GRACE", 1.0)
    monkeypatch.setattr(submit, "PAUSES", (0.01, 0.01, 0.01))
    return state


def jobs(state):
    path = state / "jobs"
    return [line.split("|") for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def client(fake):
    """Be a client that is killed at a point; -1: not killed, but counting the points."""
    code = KILLER.format(tests=str(Path(__file__).resolve().parents[2] / "builders"))
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as clients:

        def run(point, orphans="awaited"):
            clients.stdin.write(f"{point} {orphans}\n")
            *numbers, left = clients.stdout.readline().rstrip("\n").split(" ")
            return [int(number) for number in numbers] + [left] * bool(left)

        yield run
        clients.stdin.close()


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


def test_killed_everywhere(fake, tmp_path, client, monkeypatch):
    monkeypatch.setattr(submit, "GRACE", 0.0)  # commands of the killed client are waited for
    points, status = client(-1)
    assert status == 0
    (folder,) = (tmp_path / "runs").iterdir()
    units = len(load(folder).units)
    assert len(jobs(fake)) == units == 4
    assert points > 60
    lost = doubled = resumed = 0
    for point in range(points):
        subprocess.run(["rm", "-rf", "runs", str(fake / "jobs"), str(fake / "calls")], check=True)
        assert client(point) == [-signal.SIGKILL]
        folders = list((tmp_path / "runs").iterdir()) if (tmp_path / "runs").exists() else []
        if folders and (folders[0] / "plan.json").exists():
            resumed += 1
            submit.resume(folders[0])
            counts = Counter(comment for _, comment, *_ in jobs(fake))
            tokens = {unit.token for unit in load(folders[0]).units}
            lost += len(tokens - set(counts))
            doubled += sum(number - 1 for number in counts.values())
            assert set(counts) <= tokens
            ids = {comment: id for id, comment, *_ in jobs(fake)}
            store = load(folders[0])
            assert store.submitted() == {unit.name: ids[unit.token] for unit in store.units}
        else:
            assert jobs(fake) == []
    print(f"points tried {points}, resumed {resumed}, jobs lost {lost}, jobs doubled {doubled}")
    assert (lost, doubled) == (0, 0)
    assert resumed > 30


def test_an_sbatch_that_is_still_on_its_way(fake, tmp_path, client, monkeypatch):
    """The client is killed while its sbatch runs, and the submission is finished before that has come through."""
    monkeypatch.setattr(submit, "GRACE", 10.0)
    (fake / "takes").write_text("1")
    for point in itertools.count():
        status, *left = client(point, orphans="left")
        assert status == -signal.SIGKILL
        if left and comes_by(on_its_way) and not jobs(fake):
            break
        while on_its_way():
            time.sleep(0.01)
        subprocess.run(["rm", "-rf", "runs", str(fake / "jobs"), str(fake / "calls")], check=True)
    (fake / "takes").unlink()
    (folder,) = (tmp_path / "runs").iterdir()
    submit.resume(folder)
    assert not on_its_way()
    assert set(Counter(comment for _, comment, *_ in jobs(fake)).values()) == {1}
    assert len(jobs(fake)) == 4


def test_dependencies_name_the_jobs_before(fake):
    run = plan().submit()
    found = {name.split(".")[1]: (dependency, array) for _, _, name, dependency, array in jobs(fake)}
    assert found == {
        "a": ("", ""), "b": ("afterok:100", ""), "c": ("afterok:100", ""), "m": ("afterok:101:102", "0-1%2"),
    }  # fmt: skip
    assert {step.state for step in run.status()} == {"PENDING"}


@pytest.mark.parametrize("kind", ["lost", "no"])
def test_sbatch_fails_once(fake, kind):
    """A socket timeout may come before or after slurmctld took the job: either way there is one."""
    (fake / "trouble").write_text(f"1 {kind} Socket timed out on send/recv operation\n")
    plan().submit()
    assert Counter(comment for _, comment, *_ in jobs(fake)).most_common(1)[0][1] == 1
    assert len(jobs(fake)) == 4


@pytest.mark.parametrize("what", ["cancel", "leave"])
def test_a_refusal_half_way(fake, what, capsys):
    (fake / "trouble").write_text("2 no Requested time limit is invalid (missing or exceeds some limit)\n")
    with pytest.raises(submit.SubmitError) as caught:
        plan().submit(on_refusal=what)
    text = str(caught.value)
    assert "sbatch refused c: " in text
    assert "reason code: duration" in text
    assert ("are cancelled" if what == "cancel" else "are left queued") in text
    cancelled = (fake / "cancelled").read_text().split() if (fake / "cancelled").exists() else []
    assert cancelled == (["100", "101"] if what == "cancel" else [])
    assert main(["status"]) == 0
    assert "Requested time limit is invalid" in capsys.readouterr().out


def test_a_run_that_was_refused_can_be_cleaned(fake, capsys):
    (fake / "trouble").write_text("0 no Invalid qos specification\n")
    with pytest.raises(submit.SubmitError):
        plan().submit()
    (folder,) = Path("runs").iterdir()
    (folder / "lock").touch()  # somebody resumes it
    assert main(["clean", "--yes"]) == 0
    assert folder.exists()
    (folder / "lock").unlink()
    assert main(["clean", "--yes"]) == 0
    assert not folder.exists()
    (fake / "trouble").write_text("2 no Invalid qos specification\n")
    shutil.rmtree(fake / "calls", ignore_errors=True)
    (fake / "calls").unlink(missing_ok=True)
    with pytest.raises(submit.SubmitError):
        plan().submit(on_refusal="leave")
    assert main(["clean", "--yes"]) == 0
    assert "kept, its jobs have not ended" in capsys.readouterr().err


def test_the_disk_is_full(fake, monkeypatch):
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
    submit.resume(folder)
    assert Counter(Counter(comment for _, comment, *_ in jobs(fake)).values()) == {1: 4}


def test_a_line_that_was_cut_off_did_not_happen(fake):
    run = plan().submit()
    path = run.folder / "journal.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20])
    assert submit.resume(run.folder).store.submitted() == {"a": "100", "b": "101", "c": "102", "m": "103"}
    assert len(jobs(fake)) == 4
    assert json.loads(path.read_text().splitlines()[-1])["event"] == "submitted"


def test_before_anything_was_submitted(fake, tmp_path):
    folder = tmp_path / "runs" / "p-1"
    (folder / "steps").mkdir(parents=True)
    with pytest.raises(RunError, match="submit the plan again"):
        open_run(folder)
    with pytest.raises(PlanError):
        Plan("p", Step("a b", SlurmArgs(time=1), print)).submit()
    assert jobs(fake) == []


def test_a_job_that_nobody_knows(fake):
    run = plan().submit()
    assert {step.state for step in run.status()} == {"PENDING"}
    (fake / "jobs").unlink()
    (step, *_) = run.status()
    assert step.state == "UNKNOWN"
    assert step.reason.startswith("last seen PENDING 20")


def test_the_sbatch_file_is_shown_before(fake, capsys):
    text = plan().dry_run()
    assert text.count("#SBATCH --partition=p") == 4
    assert "afterok:<b>:<c>" in text
    assert "#SBATCH --array=0-1%2" in text
    assert not Path("runs").exists()
    assert jobs(fake) == []
