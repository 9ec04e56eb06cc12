"""Plans on this machine: the same plan and the same commands, without a cluster."""

import itertools
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from following import states, until
from killed import END, Clients
from steps import CPU, add, double, fail, late_span, span, submit_small, variables

from launchers import find_launcher
from launchers.cli import main
from launchers.errors import RunError
from launchers.plan import Chain, Map, Parallel, Plan, PlanError, ResultOf, Step, result_of
from launchers.runs.run import open_run

pytestmark = pytest.mark.usefixtures("here")


def test_results_go_from_step_to_step():
    plan = Plan(
        "p",
        Chain(
            Step("a", None, double, 3),
            Parallel(Step("b", "cpu(cores=1)", double, 5), Map("m", "cpu(cores=1)", double, range(4))),
            Step("sum", "cpu(cores=1) & duration=1h", add, ResultOf("a"), ResultOf("b")),
        ),
    )
    run = plan.submit()
    assert plan.wait(60)
    assert plan["sum"].result() == 16
    assert plan["m"].result() == [0, 2, 4, 6]
    assert set(states(run).values()) == {"COMPLETED"}
    assert (run.folder.stat().st_mode & 0o777) == 0o700
    printed = json.loads((run.folder / "plan.json").read_text())
    assert printed["command"][0] == sys.executable
    with pytest.raises(KeyError, match="there is no step x: a, b, m, sum"):
        plan["x"]


def test_a_failure_stops_what_hangs_on_it_and_nothing_else(capfd):
    plan = Plan(
        "p",
        Parallel(
            Chain(Step("bad", None, fail), Step("never", None, double, 1), Step("never-too", None, double, 1)),
            Chain(Step("good", None, double, 1), Step("then", None, double, 2)),
            Chain(
                Step("bad2", None, fail), Step("rescue", None, double, 4, on="failed"), Step("after", None, double, 5)
            ),
            Chain(Step("bad3", None, fail), Step("anyway", None, double, 6, on="any")),
        ),
    )
    run = plan.submit()
    assert not plan.wait(60, check=False)
    assert states(run) == {
        "bad": "FAILED", "never": "CANCELLED", "never-too": "CANCELLED", "good": "COMPLETED", "then": "COMPLETED",
        "bad2": "FAILED", "rescue": "COMPLETED", "after": "COMPLETED", "bad3": "FAILED", "anyway": "COMPLETED",
    }  # fmt: skip
    with pytest.raises(RunError, match="no such luck"):
        plan["bad"].result()
    assert main(["wait"]) == 1
    assert "never CANCELLED: DependencyNeverSatisfied" in capfd.readouterr().err
    assert main(["status"]) == 0
    assert "never-too" in capfd.readouterr().out
    assert main(["logs", str(run.folder), "good"]) == 0
    assert "doubling 1" in capfd.readouterr().out


def test_cancel_ends_a_step_and_its_descendants(tmp_path, capsys):
    plan = Plan(
        "p",
        Parallel(
            Chain(
                Step.command("slow", None, f"touch {tmp_path}/started; exec sleep 60"), Step("after", None, double, 1)
            ),
            Step("other", None, double, 1),
        ),
    )
    run = plan.submit()
    while not (tmp_path / "started").exists():
        time.sleep(0.02)
    assert main(["cancel", str(run.folder), "slow"]) == 0
    assert capsys.readouterr().out == "cancelled: slow, after\n"
    assert not run.wait(30, check=False)
    assert states(run) == {"slow": "CANCELLED", "after": "CANCELLED", "other": "COMPLETED"}
    assert main(["cancel", str(run.folder), "nothing"]) == 2
    assert "there is no step nothing" in capsys.readouterr().err


def test_branches_run_side_by_side_within_the_cores():
    stamp = Plan("p", Parallel(*[Step(f"s{i}", "cpu(cores=1)", span) for i in range(4)]))
    run = stamp.submit()
    assert run.wait(60)
    spans = [stamp[f"s{i}"].result() for i in range(4)]
    overlap = max(sum(a <= t < b for a, b in spans) for t, _ in spans)
    assert overlap == 2


def test_at_most_so_many_jobs_at_once(tmp_path):
    """Also where they are tried again with more."""
    steps = [Step(f"s{n}", CPU, late_span, str(tmp_path / f"{n}")) for n in range(3)]
    run = Plan("p", Parallel(*steps)).submit(jobs=1)
    assert not run.wait(60, check=False)
    assert main(["retry", str(run.folder), "--escalate", "mem*1.5"]) == 0
    run = open_run(run.folder)
    assert run.wait(60)
    spans = sorted(run[f"s{n}"].result() for n in range(3))
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))


def test_a_time_limit_ends_a_step():
    plan = Plan("p", Step.command("long", "cpu(cores=1) & duration=1s", ["sleep", "30"]))
    run = plan.submit()
    assert not run.wait(30, check=False)
    assert states(run) == {"long": "TIMEOUT"}


def test_commands():
    plan = Plan(
        "p",
        Chain(
            Step.command("shell", None, "echo $((6*7)) > out.txt && test -f out.txt"),
            Step.command("list", None, ["sh", "-c", "exit 3", "no shell; here"]),
        ),
    )
    run = plan.submit()
    assert not run.wait(60, check=False)
    assert states(run) == {"shell": "COMPLETED", "list": "FAILED"}
    assert Path("out.txt").read_text() == "42\n"
    with pytest.raises(RunError, match="exit status 3"):
        plan["list"].result()


def test_results_inside_of_what_is_given(tmp_path):
    first = Step("first", CPU, double, 2)
    inside = Step("inside", CPU, dict, {"a": [result_of(first), (result_of(first), 1)]}, b=result_of(first))
    run = Plan("p", Chain(first, Map("m", CPU, double, [result_of(first), [result_of(first)]]), inside)).submit()
    assert run.wait(60)
    assert run["inside"].result() == {"a": [4, (4, 1)], "b": 4}
    assert run["m"].result() == [8, [4, 4]]
    with pytest.raises(PlanError, match="takes the result of later, which is not a step before it"):
        Plan("p", Chain(Step("one", CPU, add, [{"x": result_of("later")}]), Step("later", CPU, double, 1))).submit()
    with pytest.raises(PlanError, match="at least one job of it has to run at once, not -1"):
        Plan("p", Map("m", CPU, double, [1], at_once=-1)).submit()


def test_the_client_and_the_scheduler_may_be_killed():
    with Clients(submit_small) as clients:
        clients.kill(at=END, wait=False)
        (folder,) = Path("runs").iterdir()
        pid = folder / "local" / "1" / "scheduler.pid"
        until(lambda: pid.exists() and pid.read_text())
        os.kill(int(pid.read_text().split()[0]), signal.SIGKILL)
        assert main(["resume", str(folder)]) == 0
        run = open_run(folder)
        assert run.wait(60)
    assert set(states(run).values()) == {"COMPLETED"}


def test_a_scheduler_that_is_killed_is_started_again_by_who_waits(tmp_path):
    run = Plan("p", Chain(Step.command("nap", CPU, "sleep 1"), Step("then", CPU, double, 1))).submit()
    pid = run.folder / "local" / "1" / "scheduler.pid"
    while not pid.exists() or not pid.read_text() or states(run)["nap"] != "RUNNING":
        time.sleep(0.01)
    os.kill(int(pid.read_text().split()[0]), signal.SIGKILL)
    assert run.wait(30)
    assert states(run) == {"nap": "COMPLETED", "then": "COMPLETED"}


def test_a_step_is_told_of_itself_and_not_of_its_client(tmp_path, monkeypatch):
    """The client may be an item of a Map itself."""
    for name in ("RUN_DIR", "STEP", "ITEM", "OUTPUT", "JOB_ID"):
        monkeypatch.setenv(f"LAUNCHERS_{name}", "the client's")
    monkeypatch.setenv("LAUNCHERS_NOTIFY_URL_X", "kept")
    run = Plan("p", Chain(Step("a", None, variables), Map("m", None, variables, [1, 2]))).submit()
    assert run.wait(60)
    plain, (_, second) = run["a"].result(), run["m"].result()
    own = {"LAUNCHERS_RUN_DIR": str(run.folder), "LAUNCHERS_NOTIFY_URL_X": "kept"}
    assert plain | own | {"LAUNCHERS_STEP": "a"} == plain
    assert "LAUNCHERS_ITEM" not in plain
    assert second | own | {"LAUNCHERS_STEP": "m", "LAUNCHERS_ITEM": "1"} == second
    assert "the client's" not in (*plain.values(), *second.values())


def test_a_command_alone_is_no_item_of_its_clients_map(tmp_path, monkeypatch):
    monkeypatch.setenv("LAUNCHERS_ITEM", "7")
    assert "LAUNCHERS_ITEM" not in find_launcher("cpu(cores=1)").submit(variables).result()


def test_the_jobs_of_a_run_are_submitted_as_one():
    run = Plan("p", Chain(Step("a", None, double, 1), Map("m", None, double, [1, 2]))).submit()
    intent, submitted = run.record.folder.journal.events()
    assert intent.submissions == ["a", "m.0", "m.1"]
    assert submitted.jobs == {"a": "1/a", "m.0": "1/m.0", "m.1": "1/m.1"}
    assert run.wait(60)
