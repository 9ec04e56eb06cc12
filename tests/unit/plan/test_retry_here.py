"""Retries of plans on this machine: what runs again, what it waits for, and what it asks for."""

import time
from pathlib import Path

import pytest
from following import states, until
from steps import CPU, ENDS, add, double, fail, failures, once_bad, once_bad_later, once_or_good, span

from launchers.cli import main
from launchers.local.jobs import read_table
from launchers.plan import Chain, Dag, Map, Parallel, Plan, PlanError, ResultOf, Step
from launchers.plan.retry import retry, retry_due_steps
from launchers.plan.tree import RetryPolicy
from launchers.runs.run import open_run

pytestmark = pytest.mark.usefixtures("here")


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
    assert not run.wait(60, check=False)
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
    retried = [submission for submission in again.record.submissions if submission.attempt == 2]
    assert sum(len(submission.members) for submission in retried) == 2
    assert main(["retry"]) == 0
    assert capsys.readouterr().out == "nothing failed: nothing to retry\n"


def test_an_escalation_multiplies_what_the_last_attempt_asked(capsys):
    Plan("p", Step("bad", None, fail), need="cpu(cores=1, mem=10M) & duration=1s").submit().wait(60, check=False)
    for factor in ("mem*2, duration*1.5", "", "mem*2, duration*1.5"):
        assert main(["retry", "--escalate", factor]) == 0
        capsys.readouterr()
        assert main(["wait"]) == 1
    (folder,) = Path("runs").iterdir()
    assert [submission.need for submission in open_run(folder).record.submissions] == [
        None, *["duration=2s & cpu(mem=20M, cores=1)"] * 2, "duration=3s & cpu(mem=40M, cores=1)",
    ]  # fmt: skip
    limits = [job.time_limit for n in range(1, 5) for job in read_table(folder / "local" / str(n))[1].values()]
    assert limits == [1, 2, 2, 3]
    assert main(["status"]) == 0
    assert " 3s " in capsys.readouterr().out


def test_an_escalation_of_what_is_not_asked(capsys):
    Plan("p", Step("bad", "cpu(cores=1)", fail)).submit().wait(60, check=False)
    assert main(["retry", "--escalate", "cores*2, mem*2"]) == 2
    assert "bad: it asks for no mem that could be multiplied: say how much first" in capsys.readouterr().err
    step = Step("bad", "cpu(cores=1)", fail)
    step.retry = RetryPolicy(1, "duration*2")
    with pytest.raises(PlanError, match=r"step bad: escalate 'duration\*2': it asks for no duration"):
        Plan("p", step).submit()


def test_an_escalation_that_nothing_offers(capsys):
    Plan("p", Step("bad", "cpu(cores=2)", fail)).submit().wait(60, check=False)
    assert main(["retry", "--escalate", "cores*2"]) == 2
    assert "nothing in box offers cpu(cores=4)" in capsys.readouterr().err


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
    a.retry = RetryPolicy(1, "mem*2")
    attached = Plan("p", Parallel(a, Step("c", CPU, once_bad, str(tmp_path / "c")))).submit()
    until(lambda: states(attached)["c"] == "FAILED")
    assert main(["retry", str(attached.folder)]) == 0
    until(lambda: states(open_run(attached.folder))["c"] == "COMPLETED")
    (tmp_path / "go").touch()
    until(lambda: states(attached)["a"] == "FAILED")
    assert retry_due_steps(attached) == [("a", "mem*2")]
    for run in (attached, open_run(attached.folder)):
        assert run.wait(30)
        assert states(run) == {"a": "COMPLETED", "c": "COMPLETED"}
    assert [submission.name for submission in run.record.submissions] == ["a", "c", "c~2", "a~3"]


def test_a_step_for_a_failure_that_did_not_come_about_is_left_alone(tmp_path, capsys):
    rescue = Chain(Step("fine", None, span), Step("rescue", None, span, on="failed"), Step("then", None, span))
    run = Plan("p", Parallel(rescue, Step("bad", None, once_bad, str(tmp_path / "bad")))).submit()
    assert not run.wait(30, check=False)
    assert states(run) == {"fine": "COMPLETED", "rescue": "CANCELLED", "then": "CANCELLED", "bad": "FAILED"}
    assert retry(run) == ["bad"]
    assert run.wait(30)
    assert states(run) == {"fine": "COMPLETED", "rescue": "CANCELLED", "then": "CANCELLED", "bad": "COMPLETED"}
    assert main(["retry"]) == 0
    assert capsys.readouterr().out == "nothing failed: nothing to retry\n"


def test_a_failure_is_one_of_every_step_and_of_a_map_any():
    run = failures().submit()
    assert not run.wait(30, check=False)
    assert states(run) == ENDS
    assert sorted(retry(run)) == ["some", "x"]


def test_what_waits_for_a_step_that_is_not_run_again_is_not_either(tmp_path):
    steps = [Step("one", None, once_bad, str(tmp_path / "one")), Step("other", None, fail), Step("both", None, span)]
    run = Plan("p", Dag(*steps, after={"both": {"one": "ok", "other": "ok"}})).submit()
    assert not run.wait(30, check=False)
    assert retry(run, only=["one"]) == ["one"]
    again = open_run(run.folder)
    assert not again.wait(30, check=False)
    assert states(again) == {"one": "COMPLETED", "other": "FAILED", "both": "CANCELLED"}
