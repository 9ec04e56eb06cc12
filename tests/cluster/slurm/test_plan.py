"""Plans on the real Slurm: planit's shapes with requirements, failures, retries, kills, a restart of slurmctld."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from killed import Clients
from steps import (
    CPU,
    ENDS,
    Counting,
    bad_or_slow,
    bad_then_slow,
    double,
    fail,
    failures,
    largest,
    once_bad_later,
    once_or_good,
    pair,
    slow,
    submit_small,
    thesis,
)

from launchers import SlurmArgs
from launchers.cli import main
from launchers.plan import Chain, Dag, Map, Parallel, Plan, PlanError, ResultOf, Step
from launchers.plan.retry import retry, retry_due_steps
from launchers.plan.tree import RetryPolicy
from launchers.runs.run import open_run
from launchers.runs.send import resume
from launchers.slurm.backend import SlurmBackend

BUILDERS = Path(__file__).resolve().parents[2] / "builders"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """What a plan names, the node imports."""
    monkeypatch.setenv("PYTHONPATH", str(BUILDERS))


def states(run):
    return {step.name: step.state for step in run.status()}


def until(happened, seconds=60):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.5)


def test_the_thesis(slurm):
    plan = thesis()
    text = plan.describe()
    assert "train_bert" in text
    assert "gpu" in text
    run = plan.submit()
    assert run.wait(90)
    assert set(states(run).values()) == {"COMPLETED"}
    assert plan["evaluate_all"].result() == 6 + 12 + 16
    names = {submission.name: submission for submission in run.record.submissions}
    assert [step for step, _ in names["train_bert"].members] == ["train_bert", "train_roberta", "hyperparam_search"]


def test_a_grid_search(slurm):
    grid = [(lr, layers) for lr in (1, 2, 3) for layers in (10, 20)]
    plan = Plan(
        "grid_search",
        Chain(
            Step("data", CPU, double, 1), Map("train", CPU, pair, grid), Step("best", CPU, largest, ResultOf("train"))
        ),
    )
    run = plan.submit()
    assert run.wait(90)
    assert plan["best"].result() == 60
    assert len(run.record.folder.journal.state().jobs) == 3


def test_parameters_that_submitit_does_not_know(slurm):
    """Found out before the first step is in the queue."""
    plan = Plan(
        "p", Chain(Step("z", {"cpus_per_task": 1}, double, 1), Step("a", {"timeout_min": 5, "foo": 3}, double, 2))
    )
    with pytest.raises(PlanError, match=r"step a: .*foo"):
        plan.submit(tags="slurm")
    assert not Path("runs").exists()


def test_a_failure_and_a_retry(slurm, tmp_path, capsys):
    plan = Plan(
        "p",
        Parallel(
            Chain(Map("some", CPU, once_or_good, [str(tmp_path / "x"), "good"]), Step("then", CPU, double, 1)),
            Chain(Step("bad", CPU, fail), Step("rescue", CPU, double, 2, on="failed")),
            Chain(Map("left", CPU, double, [1, 2, 3]), Map("each", CPU, double, [1, 2, 3], on="each")),
            Chain(Step("bad2", CPU, fail), Step("anyway", CPU, double, 3, on="any")),
        ),
    )
    run = plan.submit()
    assert not run.wait(90, check=False)
    assert states(run) == {
        "some": "FAILED", "then": "CANCELLED", "bad": "FAILED", "rescue": "COMPLETED", "left": "COMPLETED",
        "each": "COMPLETED", "bad2": "FAILED", "anyway": "COMPLETED",
    }  # fmt: skip
    assert main(["retry", str(run.folder), "--escalate", "mem*2, duration*1.5"]) == 0
    assert capsys.readouterr().out == "submitted again: bad, bad2, some, then\n"
    again = open_run(run.folder)
    again.wait(90, check=False)
    assert states(again)["some"] == states(again)["then"] == "COMPLETED"
    assert again["some"].result() == ["second time", "good"]
    retried = {submission.name: submission for submission in again.record.submissions if submission.attempt == 2}
    assert retried["some~2"].members == (("some", 0),)
    assert retried["some~2"].parameters["time"] == 15
    assert retried["some~2"].parameters["additional_parameters"]["mem"] == "400M"


def test_cancel(slurm, tmp_path, capsys):
    plan = Plan("p", Chain(Step("slow", CPU, slow, str(tmp_path / "on")), Step("after", CPU, double, 1)))
    run = plan.submit()
    deadline = time.monotonic() + 60
    while not (tmp_path / "on").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert states(run)["slow"] == "RUNNING"
    assert main(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [step["state"] for step in told["steps"]] == ["RUNNING", "PENDING"]
    assert told["steps"][1]["reason"] == "waits for another job"
    assert main(["cancel", str(run.folder), "slow"]) == 0
    assert not run.wait(60, check=False)
    assert set(states(run).values()) == {"CANCELLED"}


def no_sacct(monkeypatch, tmp_path):
    """A cluster without accounting: sacct fails, and slurm.conf says why."""
    real, folder = shutil.which("scontrol"), tmp_path / "none"
    folder.mkdir()
    none = "s/accounting_storage.slurmdbd/accounting_storage\\/none/"
    (folder / "sacct").write_text("#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2; exit 1\n")
    (folder / "scontrol").write_text(f'#!/bin/sh\n{real} "$@" | sed "{none}"\n')
    for path in folder.iterdir():
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("accounting", [True, False])
def test_items_that_are_cancelled_before_they_start(slurm, tmp_path, monkeypatch, accounting):
    items = Map(
        "some", CPU, bad_or_slow, ["bad", *[str(tmp_path / f"{n}") for n in range(5)]], at_once=2, fail_fast=True
    )
    run = Plan("p", items).submit()
    if not accounting:
        no_sacct(monkeypatch, tmp_path)
    assert not run.wait(90, check=False)
    (step,) = run.status()
    assert step.ended, step.counts
    assert step.counts["CANCELLED"] >= 4


def test_one_of_an_array_is_cancelled_while_it_waits_and_tried_again(slurm, tmp_path, capsys):
    first = Step("first", CPU, slow, str(tmp_path / "on"), 8)
    same = [Step(name, CPU, double, number) for number, name in enumerate("wxyz")]
    after = {**{name: {"first": "ok"} for name in "wxyz"}, "xx": {"x": "ok"}}
    run = Plan("p", Dag(first, *same, Step("xx", CPU, double, ResultOf("x")), after=after)).submit()
    until(lambda: states(run)["first"] == "RUNNING")
    assert main(["cancel", str(run.folder), "x"]) == 0
    (array,) = [job for submission, job in run.record.folder.journal.state().jobs.items() if submission == "w"]
    slurm.command("scancel", f"{array}_[2-3]")
    assert not run.wait(90, check=False)
    assert states(run) == {
        "first": "COMPLETED", "w": "COMPLETED", "x": "CANCELLED", "y": "CANCELLED", "z": "CANCELLED", "xx": "CANCELLED",
    }  # fmt: skip
    capsys.readouterr()
    assert main(["retry", str(run.folder)]) == 0
    assert capsys.readouterr().out == "submitted again: x, xx, y, z\n"
    again = open_run(run.folder)
    assert again.wait(90)
    assert again["xx"].result() == 4


def test_a_client_knows_what_another_one_has_tried_again(slurm, tmp_path):
    a = Step("a", CPU, once_bad_later, str(tmp_path / "a"), str(tmp_path / "go"))
    a.retry = RetryPolicy(1, "mem*2")
    on = str(tmp_path / "on")
    attached = Plan("p", Parallel(a, Step("c", CPU, bad_then_slow, on))).submit()
    until(lambda: attached.status()[1].failed)
    assert main(["retry", str(attached.folder)]) == 0
    until(lambda: Path(on + ".again").exists())
    (tmp_path / "go").touch()
    until(lambda: states(attached)["a"] == "FAILED")
    assert retry_due_steps(attached) == [("a", "mem*2")]
    until(lambda: states(attached)["a"] == "COMPLETED")
    assert states(attached) == states(open_run(attached.folder)) == {"a": "COMPLETED", "c": "RUNNING"}
    assert main(["cancel", str(attached.folder)]) == 0
    assert not attached.wait(60, check=False)


def test_a_failure_is_one_of_every_step_and_of_a_map_any(slurm):
    run = failures().submit()
    assert not run.wait(90, check=False)
    assert states(run) == ENDS
    assert sorted(retry(run)) == ["some", "x"]


def test_a_map_that_is_several_arrays_cannot_be_waited_for_to_fail(slurm, monkeypatch):
    monkeypatch.setattr(SlurmBackend, "largest_array", lambda self: 2)
    with pytest.raises(PlanError, match='on="failed" of some, which has more items than an array may have here'):
        failures().submit()


def test_a_thousand_steps_in_a_handful_of_sbatch_calls(slurm):
    plan = Plan(
        "big",
        Chain(
            Map("prepare", CPU, double, range(500)),
            Map("train", CPU, double, range(500), on="each"),
            Step("evaluate", CPU, double, 1),
        ),
    )
    started = time.monotonic()
    run = plan.submit()
    assert time.monotonic() - started < 10
    assert len(run.record.folder.journal.state().jobs) == 3
    assert sum(len(step.members) for step in run.status()) == 1001
    run.cancel()
    assert not run.wait(60, check=False)


def test_without_sacct(slurm, monkeypatch, tmp_path):
    plan = Plan("p", Chain(Step("a", CPU, double, 1), Step("bad", CPU, fail), Step("never", CPU, double, 2)))
    run = plan.submit()
    no_sacct(monkeypatch, tmp_path)
    assert not run.wait(60, check=False)
    assert states(run) == {"a": "COMPLETED", "bad": "FAILED", "never": "CANCELLED"}


def test_a_checkpointable_step_is_requeued(slurm, tmp_path):
    """As submitit does it: USR2 comes before the time limit or a preemption."""
    run = Plan("p", Step("count", CPU, Counting(), str(tmp_path / "tries"))).submit()
    until(lambda: (tmp_path / "tries").exists())
    (job,) = run.record.folder.journal.state().jobs.values()
    slurm.command("scancel", "--signal=USR2", job)
    until(lambda: (tmp_path / "tries").read_text() == "2", 90)
    assert run.wait(30)
    assert run["count"].result() == 2


def test_steps_that_can_never_run_are_found_and_cancelled_on_request(slurm, capsys):
    """This cluster has no kill_invalid_depend for a job that says --kill-on-invalid-dep=no."""
    never = SlurmArgs(partition="cpu", time=5, additional_params={"kill-on-invalid-dep": "no"})
    run = Plan("p", Chain(Step("bad", CPU, fail), Step("never", never, double, 1))).submit()
    assert not run.wait(60, check=False)
    (stuck,) = [step for step in run.status() if step.name == "never"]
    assert (stuck.state, stuck.ended) == ("PENDING", False)
    assert "can never start" in stuck.reason
    assert main(["cancel", run.folder.name, "--stuck"]) == 0
    assert "cancelled: never" in capsys.readouterr().out
    until(lambda: states(run)["never"] == "CANCELLED")


@pytest.mark.parametrize("share", [0.5, 0.6, 0.7, 0.8, 0.9])
def test_killed_and_resumed(slurm, share, monkeypatch):
    monkeypatch.setattr(SlurmBackend, "grace", 3.0)
    with Clients(submit_small) as clients:
        clients.count()  # fills the cache of what the cluster says
        points = clients.count()
        before = set(Path("runs").iterdir())
        clients.kill(at=int(points * share), wait=False)
    (folder,) = set(Path("runs").iterdir()) - before
    if not (folder / "plan.json").exists():
        pytest.fail("this point lies before anything was written: choose a later one")
    run = resume(folder)
    assert run.wait(90)
    listed = slurm.command("squeue", "-h", "-a", "-t", "all", "-o", "%F|%k").stdout.splitlines()
    jobs = Counter(line.split("|")[1] for line in set(listed) if f"-{run.record.id}-" in line)
    assert jobs == {submission.token: 1 for submission in run.record.submissions}


def test_slurmctld_goes_away_and_comes_back(slurm, tmp_path):
    """While it is away sbatch fails with what is worth asking again."""
    if os.environ.get("LAUNCHERS_TESTBED"):
        pytest.skip("LOUD: slurmctld is not restarted on a cluster that these tests did not start")
    code = f"import sys; sys.path.insert(0, {str(BUILDERS)!r})\nfrom steps import small\nsmall().submit()"
    Path("launchers.yaml").write_text(
        "slurm: [{id: hand, partitions: {cpu: {configuration: {cpu: {cores: 8, memory: 9G}}}}}]\n"
    )
    slurm.stop("slurmctld")
    client = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    assert client.poll() is None
    slurm.up()
    _, said = client.communicate(timeout=100)
    assert client.returncode == 0, said
    run = open_run(next(Path("runs").iterdir()))
    assert run.wait(90)
    assert len(set(run.record.folder.journal.state().jobs.values())) == 3
