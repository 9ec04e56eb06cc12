"""Plans on this machine: the same plan, the same commands, without Slurm."""

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from steps import (
    CPU,
    ENDS,
    add,
    double,
    fail,
    failures,
    late_span,
    once_bad,
    once_bad_later,
    once_or_good,
    span,
    variables,
)

from launchers import find_launcher
from launchers.cli import main
from launchers.cli.status import job_json
from launchers.errors import RunError
from launchers.jobs.backend import JobInfo
from launchers.local.jobs import read_table
from launchers.plan import Chain, Dag, Map, Parallel, Plan, PlanError, ResultOf, Step, result_of
from launchers.plan.retry import overdue, retry
from launchers.plan.tree import Again
from launchers.runs.run import open_run
from launchers.runs.status import MemberState


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A machine of two cores, described by hand, so that the tests are the same everywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "builders"))
    (tmp_path / "launchers.yaml").write_text("local: [{id: box, cpu: {cores: 2, memory: 2G}}]\n")


def states(run):
    return {step.name: step.state for step in run.status()}


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
    told = json.loads((run.folder / "plan.json").read_text())
    assert told["command"][0] == sys.executable
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
    assert not plan.wait(60)
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


def test_retry_runs_what_failed_and_what_hung_on_it(tmp_path, capsys):
    plan = Plan(
        "p",
        Chain(
            Step("fine", None, double, 1),
            Map("some", None, once_or_good, [str(tmp_path / "x"), "good"]),
            Step("last", "cpu(cores=1, mem=10M)", add, ResultOf("fine")),
        ),
    )
    run = plan.submit()
    assert not run.wait(60)
    assert states(run)["last"] == "CANCELLED"
    before = (run.folder / "jobs" / "fine").stat().st_mtime_ns
    assert main(["retry", "--escalate", "mem*2"]) == 0
    assert capsys.readouterr().out == "submitted again: last, some\n"
    again = open_run(run.folder)
    assert again.wait(60)
    assert set(states(again).values()) == {"COMPLETED"}
    assert again["some"].result() == ["second time", "good"]
    assert again["last"].result() == 2
    assert (run.folder / "jobs" / "fine").stat().st_mtime_ns == before
    retried = [unit for unit in again.store.units if unit.attempt == 2]
    assert sum(len(unit.members) for unit in retried) == 2
    assert main(["retry"]) == 0
    assert capsys.readouterr().out == "nothing failed: nothing to retry\n"


@pytest.mark.parametrize("text", ["mem*", "memory*2", "mem*2;cores*2", "mem*-1", "mem*0", "mem*0.0"])
def test_an_escalation_that_cannot_be_read(text, capsys):
    Plan("p", Step("bad", None, fail)).submit().wait(60)
    assert main(["retry", "--escalate", text]) == 2
    assert "write mem*2, cores*2, duration*2, gpu_mem*2" in capsys.readouterr().err


def test_an_escalation_multiplies_what_the_last_attempt_asked(capsys):
    Plan("p", Step("bad", fail), need="cpu(cores=1, mem=10M) & duration=1s").submit().wait(60)
    for factor in ("mem*2, duration*1.5", "", "mem*2, duration*1.5"):
        assert main(["retry", "--escalate", factor]) == 0
        capsys.readouterr()
        assert main(["wait"]) == 1
    (folder,) = Path("runs").iterdir()
    assert [unit.need for unit in open_run(folder).store.units] == [
        None, *["duration=2s & cpu(mem=20M, cores=1)"] * 2, "duration=3s & cpu(mem=40M, cores=1)",
    ]  # fmt: skip
    limits = [job.time_limit for n in range(1, 5) for job in read_table(folder / "local" / str(n))[1].values()]
    assert limits == [1, 2, 2, 3]
    assert main(["status"]) == 0
    assert " 3s " in capsys.readouterr().out


def test_an_escalation_of_what_is_not_asked(capsys):
    Plan("p", Step("bad", "cpu(cores=1)", fail)).submit().wait(60)
    assert main(["retry", "--escalate", "cores*2, mem*2"]) == 2
    assert "bad: it asks for no mem that could be multiplied: say how much first" in capsys.readouterr().err
    step = Step("bad", "cpu(cores=1)", fail)
    step.again = Again(1, "duration*2")
    with pytest.raises(PlanError, match=r"step bad: escalate 'duration\*2': it asks for no duration"):
        Plan("p", step).submit()


def test_an_escalation_that_nothing_offers(capsys):
    Plan("p", Step("bad", "cpu(cores=2)", fail)).submit().wait(60)
    assert main(["retry", "--escalate", "cores*2"]) == 2
    assert "nothing in box offers cpu(cores=4)" in capsys.readouterr().err


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
    assert capsys.readouterr().out == "cancelled: after, slow\n"
    assert not run.wait(30)
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


def test_a_time_limit_ends_a_step():
    plan = Plan("p", Step.command("long", "cpu(cores=1) & duration=1s", ["sleep", "30"]))
    run = plan.submit()
    assert not run.wait(30)
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
    assert not run.wait(60)
    assert states(run) == {"shell": "COMPLETED", "list": "FAILED"}
    assert Path("out.txt").read_text() == "42\n"
    with pytest.raises(RunError, match="exit status 3"):
        plan["list"].result()


CLIENT = """
import sys, time
sys.path.insert(0, {tests!r})
from steps import span
from launchers.plan import Chain, Plan, Step
Plan("p", Chain(Step("a", None, span), Step("b", None, span))).submit()
time.sleep(60)
"""


def test_the_client_and_the_scheduler_may_be_killed(tmp_path):
    code = CLIENT.format(tests=str(Path(__file__).resolve().parents[2] / "builders"))
    client = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    while not list(Path("runs").glob("*/plan.json")):
        time.sleep(0.02)
    (folder,) = Path("runs").iterdir()
    while not (folder / "local" / "1" / "scheduler.pid").exists():
        time.sleep(0.02)
    client.kill()
    client.wait()
    time.sleep(0.2)
    os.kill(int((folder / "local" / "1" / "scheduler.pid").read_text().split()[0]), signal.SIGKILL)
    assert main(["resume", str(folder)]) == 0
    run = open_run(folder)
    assert run.wait(60)
    assert set(states(run).values()) == {"COMPLETED"}


def test_runs_and_clean(capsys):
    first = Plan("one", Step("a", None, double, 1)).submit()
    second = Plan("two", Step("a", None, fail)).submit()
    first.wait(60), second.wait(60)
    assert main(["runs", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["plan"], one["steps"]) for one in told["runs"]] == [("one", {"COMPLETED": 1}), ("two", {"FAILED": 1})]
    assert main(["status", second.store.id, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["plan"], told["ended"], told["succeeded"]) == ("two", True, False)
    assert main(["clean"]) == 0
    assert "would remove" in capsys.readouterr().out
    assert first.folder.exists()
    assert main(["clean", "--yes", str(first.folder)]) == 0
    assert not first.folder.exists()
    assert second.folder.exists()


def test_json_has_the_documented_shape(capsys):
    Plan("p", Step("a", CPU, double, 1)).submit().wait()
    documented = (Path(__file__).resolve().parents[3] / "docs" / "json.md").read_text()
    for command in ("status", "runs"):
        assert main([command, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        section = documented.split(f"## {command}\n")[1].split("\n## ")[0]
        inner = [one for key in ("steps", "jobs", "runs") for one in _dicts(answer, key)]
        for key in {name for one in (answer, *inner) for name in one}:
            assert f"`{key}`" in section, key


def test_json_has_seconds_and_null(capsys):
    steps = Parallel(Step("a", CPU, time.sleep, 60), Chain(Step("b", CPU, fail), Step("c", CPU, double, 1)))
    run = Plan("p", steps).submit()
    while states(run)["c"] != "CANCELLED" or states(run)["a"] != "RUNNING":
        time.sleep(0.1)
    time.sleep(0.6)
    assert main(["status", "--json"]) == 0
    jobs = {one["name"]: one["jobs"][0] for one in json.loads(capsys.readouterr().out)["steps"]}
    run.cancel()
    elapsed = {name: job.pop("elapsed") for name, job in jobs.items()}
    assert {name: type(one) for name, one in elapsed.items()} == {"a": int, "b": int, "c": type(None)}
    never = "DependencyNeverSatisfied: b ended FAILED"
    nothing = {"item": None, "partition": None, "nodes": None}
    assert jobs == {
        "a": {**nothing, "job": "a", "state": "RUNNING", "reason": None, "exit": None},
        "b": {**nothing, "job": "b", "state": "FAILED", "reason": "exit status 1", "exit": "1"},
        "c": {**nothing, "job": "c", "state": "CANCELLED", "reason": never, "exit": None},
    }


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (JobInfo("COMPLETED", "Dependency", "n1", "00:00:02", "0:0", "cpu", started=10.0, ended=12.4), (None, "n1", 2, "0:0")),
        (JobInfo("RUNNING", "None", "n1", "0:05", "0:0", "cpu", started=95.2), (None, "n1", 5, None)),
        (JobInfo("CANCELLED", "None", "None assigned", "00:00:00", "0:0", "cpu", ended=9.0), (None, None, None, None)),
        (JobInfo("PENDING", "Dependency", "", "0:00", "", "cpu"), ("Dependency", None, None, None)),
        (JobInfo("FAILED", "NonZeroExitCode", "n1", "", "1:0", started=1.0), ("NonZeroExitCode", "n1", None, "1:0")),
    ],
)  # fmt: skip
def test_what_slurm_says_of_a_job_as_json(info, said):
    job = job_json(MemberState("a", None, "a", "1", info), now=100.0)
    assert tuple(job[key] for key in ("reason", "nodes", "elapsed", "exit")) == said


def _dicts(answer, key):
    """Every dict in a list under this key, at any depth."""
    if isinstance(answer, list):
        return [found for one in answer for found in _dicts(one, key)]
    if not isinstance(answer, dict):
        return []
    here = [one for one in answer.get(key, ()) if isinstance(one, dict)] if isinstance(answer.get(key), list) else []
    return here + [found for value in answer.values() for found in _dicts(value, key)]


def test_at_most_so_many_jobs_at_once(tmp_path):
    """Also where they are tried again with more."""
    steps = [Step(f"s{n}", CPU, late_span, str(tmp_path / f"{n}")) for n in range(3)]
    run = Plan("p", Parallel(*steps)).submit(jobs=1)
    assert not run.wait(60)
    assert main(["retry", str(run.folder), "--escalate", "mem*1.5"]) == 0
    run = open_run(run.folder)
    assert run.wait(60)
    spans = sorted(run[f"s{n}"].result() for n in range(3))
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))


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


def test_a_scheduler_that_is_killed_is_started_again_by_who_waits(tmp_path):
    run = Plan("p", Chain(Step.command("nap", CPU, "sleep 1"), Step("then", CPU, double, 1))).submit()
    pid = run.store.local_folder(1) / "scheduler.pid"
    while not pid.exists() or not pid.read_text() or states(run)["nap"] != "RUNNING":
        time.sleep(0.01)
    os.kill(int(pid.read_text().split()[0]), signal.SIGKILL)
    assert run.wait(30)
    assert states(run) == {"nap": "COMPLETED", "then": "COMPLETED"}


def test_a_run_that_has_ended_and_one_that_cannot_be_read(tmp_path, capsys):
    run = Plan("p", Step("one", CPU, double, 1)).submit()
    assert run.wait(60)
    broken = run.folder.parent / "broken"
    broken.mkdir()
    (broken / "plan.json").write_text("{")
    assert main(["runs"]) == 0
    said = capsys.readouterr()
    assert run.folder.name in said.out
    assert "skipped a run" in said.err
    assert main(["cancel", str(run.folder)]) == 0
    assert capsys.readouterr().out == "nothing to cancel: all of that has ended\n"
    assert main(["logs", str(run.folder), "one:7"]) == 2
    assert "one has no item 7: its last one is 0" in capsys.readouterr().err
    assert main(["clean", "--yes"]) == 0
    assert not run.folder.exists()


def test_what_is_no_run(tmp_path, capsys):
    assert main(["status"]) == 2
    assert "no run: the folder ./runs has none" in capsys.readouterr().err
    broken = tmp_path / "runs" / "x-1"
    broken.mkdir(parents=True)
    (broken / "plan.json").write_text("{")
    assert main(["status", str(broken)]) == 2
    assert f"{broken}/plan.json:1: this is not JSON" in capsys.readouterr().err
    (broken / "plan.json").write_text('{"version": 99}')
    assert main(["status", str(broken)]) == 2
    assert "has version 99" in capsys.readouterr().err


def test_a_lock_names_its_owner(tmp_path):
    run = Plan("p", Step("a", None, double, 1)).submit()
    run.wait(60)
    with run.store.locked(), pytest.raises(RunError, match=f"process {os.getpid()} on this machine"):
        run.store.locked().__enter__()
    (run.folder / "lock").write_text("elsewhere 1 2 abc\n")
    with pytest.raises(RunError, match="process 1 on elsewhere"):
        run.store.locked().__enter__()
    with run.store.locked(break_lock=True):
        pass
    gone = subprocess.Popen(["true"])
    gone.wait()
    (run.folder / "lock").write_text(f"{os.uname().nodename} {gone.pid} 1 abc\n")
    with run.store.locked():
        pass


def test_a_lock_that_cannot_be_taken_is_told(tmp_path, monkeypatch):
    run = Plan("p", Step("a", None, double, 1)).submit()
    run.wait(60)

    def refuse(source, target):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", refuse)  # as file systems without hard links have it
        with pytest.raises(RunError, match="cannot be locked: Operation not permitted; the lock needs hard links"):
            run.store.locked().__enter__()
    (run.folder / "lock").mkdir()
    with pytest.raises(RunError, match=r"cannot be locked: Is a directory$"):
        run.store.locked().__enter__()


def test_what_is_run_again_waits_for_what_still_runs_and_not_for_what_is_lost(tmp_path):
    go = tmp_path / "go"
    steps = [
        Step("bad", CPU, once_bad, str(tmp_path / "bad")),
        Step.command("long", CPU, f"until test -e {go}; do sleep 0.05; done; date +%s.%N > {tmp_path}/long"),
        Step("both", CPU, span),
    ]
    run = Plan("p", Dag(*steps, after={"both": {"bad": "ok", "long": "ok"}})).submit()
    until(lambda: states(run)["both"] == "CANCELLED")
    assert retry(run) == ["bad", "both"]
    again = open_run(run.folder)
    until(lambda: states(again)["bad"] == "COMPLETED")
    time.sleep(0.5)
    assert states(again)["both"] == "PENDING"
    go.touch()
    assert again.wait(30)
    assert again["both"].result()[0] > float((tmp_path / "long").read_text())


def test_a_client_knows_what_another_one_has_tried_again(tmp_path):
    a = Step("a", CPU, once_bad_later, str(tmp_path / "a"), str(tmp_path / "go"))
    a.again = Again(1, "mem*2")
    attached = Plan("p", Parallel(a, Step("c", CPU, once_bad, str(tmp_path / "c")))).submit()
    until(lambda: states(attached)["c"] == "FAILED")
    assert main(["retry", str(attached.folder)]) == 0
    until(lambda: states(open_run(attached.folder))["c"] == "COMPLETED")
    (tmp_path / "go").touch()
    until(lambda: states(attached)["a"] == "FAILED")
    assert overdue(attached) == [("a", "mem*2")]
    for run in (attached, open_run(attached.folder)):
        assert run.wait(30)
        assert states(run) == {"a": "COMPLETED", "c": "COMPLETED"}
    assert [unit.name for unit in run.store.units] == ["a", "c", "c~2", "a~3"]


def test_a_step_for_a_failure_that_did_not_come_about_is_left_alone(tmp_path, capsys):
    rescue = Chain(Step("fine", None, span), Step("rescue", None, span, on="failed"), Step("then", None, span))
    run = Plan("p", Parallel(rescue, Step("bad", None, once_bad, str(tmp_path / "bad")))).submit()
    assert not run.wait(30)
    assert states(run) == {"fine": "COMPLETED", "rescue": "CANCELLED", "then": "CANCELLED", "bad": "FAILED"}
    assert retry(run) == ["bad"]
    assert run.wait(30)
    assert states(run) == {"fine": "COMPLETED", "rescue": "CANCELLED", "then": "CANCELLED", "bad": "COMPLETED"}
    assert main(["retry"]) == 0
    assert capsys.readouterr().out == "nothing failed: nothing to retry\n"


def test_a_failure_is_one_of_every_step_and_of_a_map_any():
    run = failures().submit()
    assert not run.wait(30)
    assert states(run) == ENDS
    assert sorted(retry(run)) == ["some", "x"]


def test_what_waits_for_a_step_that_is_not_run_again_is_not_either(tmp_path):
    steps = [Step("one", None, once_bad, str(tmp_path / "one")), Step("other", None, fail), Step("both", None, span)]
    run = Plan("p", Dag(*steps, after={"both": {"one": "ok", "other": "ok"}})).submit()
    assert not run.wait(30)
    assert retry(run, only=["one"]) == ["one"]
    again = open_run(run.folder)
    assert not again.wait(30)
    assert states(again) == {"one": "COMPLETED", "other": "FAILED", "both": "CANCELLED"}


def until(happened):
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


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
