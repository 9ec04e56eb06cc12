"""Plans on the real OAR: what they do on this machine and on Slurm, unchanged; failures, retries, kills."""

import json
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from killed import Clients
from steps import CPU, Counting, double, fail, largest, once_or_good, pair, slow, small, span, submit_small, thesis

from launchers.cli import main
from launchers.commands import LocalConnector
from launchers.oar.backend import OarBackend
from launchers.oar.query import query
from launchers.oar.states import Condition, find_jobs
from launchers.plan import Chain, Map, Parallel, Plan, PlanError, ResultOf, Step
from launchers.runs.journal import Submitted
from launchers.runs.run import open_run
from launchers.runs.send import SubmitError, resume

BUILDERS = Path(__file__).resolve().parents[2] / "builders"


def states(run):
    return {step.name: step.state for step in run.status()}


@pytest.mark.parametrize("tag", ["here", "grid"])
def test_the_thesis_is_the_same_everywhere(oar, tag):
    plan = thesis()
    run = plan.submit(tags=tag)
    assert run.wait(110)
    assert run.record.scheduler == {"here": "local", "grid": "oar"}[tag]
    assert set(states(run).values()) == {"COMPLETED"}
    assert plan["evaluate_all"].result() == 6 + 12 + 16


def test_a_grid_search(oar):
    grid = [(lr, layers) for lr in (1, 2, 3) for layers in (10, 20)]
    plan = Plan(
        "grid_search",
        Chain(
            Step("data", CPU, double, 1), Map("train", CPU, pair, grid), Step("best", CPU, largest, ResultOf("train"))
        ),
    )
    run = plan.submit(tags="grid")
    assert run.wait(110)
    assert plan["best"].result() == 60
    assert len(run.record.folder.journal.state().jobs) == 3
    assert {path.name.partition("_")[2] for path in run.logs("train", 4)} == {"4_0_log.out", "4_0_log.err"}


def test_at_most_so_many_jobs_of_a_map_at_once(oar):
    """OAR bounds no array: smaller ones run one after the other, also where some of an earlier one failed."""
    plan = Plan("p", Parallel(Map("m", CPU, span, range(5), at_once=2), Map("bad", CPU, fail, range(2), at_once=1)))
    run = plan.submit(tags="grid")
    run.wait(110, check=False)
    assert states(run) == {"m": "COMPLETED", "bad": "FAILED"}
    assert all(one.info.exit == "1" for one in run.status()[1].members)
    assert [len(one.members) for one in run.record.submissions if one.name.startswith("m")] == [2, 2, 1]
    spans = plan["m"].result()
    assert max(sum(a <= t < b for a, b in spans) for t, _ in spans) <= 2  # a busy machine starts one after the other


def failing(folder):
    return Plan(
        "p",
        Parallel(
            Chain(Map("some", CPU, once_or_good, [str(folder / "x"), "good"]), Step("then", CPU, double, 1)),
            Chain(Step("bad", CPU, fail), Step("rescue", CPU, double, 2, on="failed")),
            Chain(Map("left", CPU, double, [1, 2, 3]), Map("each", CPU, double, [1, 2, 3], on="each")),
            Chain(Step("bad2", CPU, fail), Step("anyway", CPU, double, 3, on="any")),
        ),
    )


@pytest.mark.parametrize("tag", ["here", "grid"])
def test_a_failure_stops_its_children_and_a_retry(oar, tag, capsys):
    run = failing(Path.cwd()).submit(tags=tag)
    assert not run.wait(110, check=False)
    assert states(run) == {
        "some": "FAILED", "then": "CANCELLED", "bad": "FAILED", "rescue": "COMPLETED", "left": "COMPLETED",
        "each": "COMPLETED", "bad2": "FAILED", "anyway": "COMPLETED",
    }  # fmt: skip
    if tag == "grid":
        assert (
            next(step.reason for step in run.status() if step.name == "then")
            == "it waits for some, which ended otherwise"
        )
    assert main(["retry", str(run.folder), "--escalate", "mem*2, duration*1.5"]) == 0
    assert capsys.readouterr().out == "submitted again: bad, bad2, some, then\n"
    again = open_run(run.folder)
    again.wait(110, check=False)
    assert states(again)["some"] == states(again)["then"] == "COMPLETED"
    assert again["some"].result() == ["second time", "good"]


def test_grandchildren_are_stopped_too(oar):
    plan = Plan("p", Chain(Step("bad", CPU, fail), Step("child", CPU, double, 1), Step("grandchild", CPU, double, 2)))
    run = plan.submit(tags="grid")
    assert not run.wait(110, check=False)
    assert states(run) == {"bad": "FAILED", "child": "CANCELLED", "grandchild": "CANCELLED"}
    (said,) = (path.read_text() for path in run.logs("grandchild") if path.name.endswith("_0_log.err"))
    assert said == "launchers: this job is cancelled: it waits for child, which ended otherwise\n"


def test_cancel(oar, capsys):
    on = Path.cwd() / "on"
    plan = Plan("p", Chain(Step("slow", CPU, slow, str(on)), Step("after", CPU, double, 1)))
    run = plan.submit(tags="grid")
    deadline = time.monotonic() + 60
    while not on.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert states(run)["slow"] == "RUNNING"
    assert main(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [step["state"] for step in told["steps"]] == ["RUNNING", "PENDING"]
    assert main(["cancel", str(run.folder), "slow"]) == 0
    assert not run.wait(60, check=False)
    assert set(states(run).values()) == {"CANCELLED"}


def test_what_oar_cannot_wait_for_is_said_before(oar):
    plan = Plan("p", Chain(Step("a", CPU, double, 1), Step("b", CPU, double, 1, on="started")))
    with pytest.raises(PlanError, match='step b: OAR cannot wait for on="started"'):
        plan.submit(tags="grid")
    assert not Path("runs").exists()


def test_nothing_waits_for_a_parent_that_does_not_exist(oar):
    """oarsub takes it, and the job would wait for ever (docs/oar-facts.md, Dependencies)."""
    run = small().submit(tags="grid")
    assert run.wait(110)
    jobs = run.record.folder.journal.state().jobs
    run.record.folder.journal.path.unlink()
    run.record.folder.journal.append(Submitted({"a": jobs["a"], "m": "99999999"}))
    folder = run.record.folder.job_folder("m")
    for path in (*folder.glob("*_result.pkl"), *folder.glob("runner*")):  # either would tell what came of it
        path.unlink()
    resume(run.folder, on_refusal="leave")
    (last,) = run["z"].status().members
    assert (last.info.state, last.info.reason) == ("CANCELLED", "it is not known how m ended, which it waits for")


def test_a_refusal_says_what_oar_said(oar):
    """The file promises what the cluster has not got."""
    Path("launchers.yaml").write_text("oar: [{id: wrong, nodes: [{count: 90, cpu: {cores: 4, memory: 9G}}]}]\n")
    need = "cpu(cores=1) & nodes=40 & duration=5m"
    with pytest.raises(SubmitError, match="oarsub refused a: There are not enough resources") as caught:
        Plan("p", Step("a", need, double, 1)).submit()
    assert "reason code: limit" in str(caught.value)


@pytest.mark.parametrize("share", [0.5, 0.65, 0.8, 0.9])
def test_killed_and_resumed(oar, share, monkeypatch):
    monkeypatch.setattr(OarBackend, "grace", 3.0)
    query(refresh=True)  # a client that has to ask makes more steps than one that remembers
    with Clients(submit_small, tags="grid") as clients:
        points = clients.count()
        first = next(Path("runs").iterdir())
        clients.kill(at=int(points * share), wait=False)
    (folder,) = [path for path in Path("runs").iterdir() if path != first]
    if not (folder / "plan.json").exists():
        pytest.fail("this point lies before anything was written: choose a later one")
    run = resume(folder)
    assert run.wait(110)
    token = f"launchers-{run.record.id}-"
    known = find_jobs(LocalConnector(), Condition(f"job_name LIKE '%{token}%'", lambda job: token in job.name))
    counts = Counter((job.name.rpartition(".")[2], job.index) for job in known)
    assert counts == {(one.token, at): 1 for one in run.record.submissions for at in range(len(one.members))}


@pytest.mark.timeout(240)
def test_a_checkpoint_goes_on_under_a_new_id(oar):
    """OAR submits an idempotent job again that ran for a minute and ends with 99; its child waits for the new one."""
    tries = Path.cwd() / "tries"
    plan = Plan("p", Chain(Step("count", CPU, Counting(), str(tries)), Step("after", CPU, double, ResultOf("count"))))
    run = plan.submit(tags="grid")
    deadline = time.monotonic() + 60
    while not tries.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(62)
    first = run.record.folder.journal.state().jobs["count"]
    subprocess.run(["oardel", "-c", first], check=True, capture_output=True)
    assert run.wait(120)
    assert plan["after"].result() == 4
    assert next(step.members[0].job for step in run.status() if step.name == "count") != first
