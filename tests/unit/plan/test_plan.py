"""Plan's verbs, and the run that submitting gives: waiting, iterating, what is printed and where."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from config_files import local_entry, write_config
from steps import double, fail

from launchers import Launcher, StepsFailedError, find_launcher
from launchers.errors import RunError
from launchers.plan import Chain, Map, Parallel, Plan, PlanError, Step, result_of
from launchers.runs.run import NoSuchStepError, open_run
from launchers.runs.status import StepState

BUILDERS = Path(__file__).resolve().parents[2] / "builders"
REFERENCE = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "launchers.reference.yaml"


@pytest.fixture(autouse=True)
def box(tmp_path, monkeypatch):
    """This machine, with two cores."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(BUILDERS))
    write_config(tmp_path, local=[local_entry(cores=2)])


def failing():
    return Plan(
        "p", Parallel(Chain(Step("bad", None, fail), Step("never", None, double, 1)), Step("good", None, double, 2))
    )


def sleeping():
    return Plan("p", Chain(Step.command("nap", None, "sleep 60"), Step("then", None, double, 1)))


# -- waiting ---------------------------------------------------------------------------------------------------


def test_wait_says_that_all_went_well():
    plan = Plan("p", Step("a", None, double, 2))
    run = plan.submit()
    assert plan.run is run
    assert plan.wait() is True
    assert run.wait(0) is True
    assert plan["a"].result() == 4


def test_wait_raises_when_a_step_failed():
    run = failing().submit()
    with pytest.raises(StepsFailedError) as caught:
        run.wait(60)
    assert [(step.name, step.state) for step in caught.value.steps] == [("bad", "FAILED"), ("never", "CANCELLED")]
    assert str(caught.value).splitlines() == [
        "step bad FAILED: exit status 1",
        "step never CANCELLED: DependencyNeverSatisfied: bad ended FAILED",
        f"run folder: {run.folder}; the logs: launchers logs {run.folder} STEP",
    ]
    assert isinstance(caught.value, RunError)
    assert not isinstance(caught.value, TimeoutError)


def test_wait_can_return_instead():
    plan = failing()
    run = plan.submit()
    assert run.wait(60, check=False) is False
    assert plan.wait(check=False) is False
    with pytest.raises(StepsFailedError):
        plan.wait()


@pytest.mark.parametrize("check", [True, False])
def test_a_timeout_is_no_failure(check):
    run = sleeping().submit()
    with pytest.raises(TimeoutError, match=rf"^{run.folder}: 2 of 2 jobs have not ended$") as caught:
        run.wait(0.2, check=check)
    assert not isinstance(caught.value, RunError)
    run.cancel()
    with pytest.raises(StepsFailedError):
        run.wait(60)


def test_a_timeout_counts_what_still_goes_on():
    run = Plan("p", Parallel(Step("quick", None, double, 1), Step.command("nap", None, "sleep 60"))).submit()
    assert run["quick"].result(60) == 2
    with pytest.raises(TimeoutError, match="1 of 2 jobs have not ended"):
        run.wait(0)
    run.cancel()


def test_one_step_can_be_waited_for():
    run = failing().submit()
    assert run["good"].result(60) == 4
    with pytest.raises(RunError, match=r"step bad ended FAILED: exit status 1\n(.*\n)*.*no such luck"):
        run["bad"].result(60)
    nap = sleeping().submit()
    with pytest.raises(TimeoutError, match=r"step then is PENDING after 0\.1 s"):
        nap["then"].result(0.1)
    nap.cancel()


CLIENT = """
import sys
from launchers import Plan, Step
plan = Plan("p", Step.command("nap", None, "touch started; sleep 1"))
plan.submit()
try:
    plan.wait()
except KeyboardInterrupt:
    sys.exit(9)
"""


def test_ctrl_c_leaves_the_jobs(tmp_path):
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not Path("started").exists():
        assert client.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(client.pid, signal.SIGINT)
    out, err = client.communicate(timeout=30)
    (folder,) = Path("runs").iterdir()
    assert client.returncode == 9
    assert out == ""
    assert err == f"\nlaunchers: The jobs keep running. To watch them again: launchers wait {folder.absolute()}\n"
    assert open_run(folder).wait(30) is True


def test_nothing_but_describe_prints(capfd):
    plan = Plan("p", Step("a", None, double, 2))
    plan.submit()
    plan.wait(60)
    plan.graph()
    plan.dry_run()
    assert capfd.readouterr() == ("", "")
    text = plan.describe()
    assert capfd.readouterr() == (text + "\n", "")


# -- a run is its steps ------------------------------------------------------------------------------------------


def test_a_run_is_iterated_step_by_step():
    run = Plan(
        "p", Chain(Step("a", None, double, 1), Map("m", None, double, [1, 2]), Step("z", None, double, 3))
    ).submit()
    assert [step.name for step in run] == ["a", "m", "z"]
    assert (len(run), bool(run)) == (3, True)
    assert run.wait(60)
    assert [step.result() for step in run] == [2, [2, 4], 6]
    assert [step.state for step in open_run(run.folder)] == ["COMPLETED"] * 3
    status = run["m"].status()
    assert isinstance(status, StepState)
    assert (status.name, len(status.members)) == ("m", 2)


def test_a_step_that_there_is_not():
    plan = Plan("p", Chain(Step("a", None, double, 1), Step("b", None, double, 1)))
    plan.submit()
    with pytest.raises(NoSuchStepError, match="there is no step x: a, b"):
        plan["x"]
    with pytest.raises(KeyError):
        plan.run[0]
    plan.wait(60)


def test_what_has_not_been_submitted():
    plan = Plan("p", Step("a", None, double, 1))
    for ask in (plan.wait, lambda: plan["a"]):
        with pytest.raises(PlanError, match="plan p has not been submitted"):
            ask()
    assert plan.run is None


# -- reprs -------------------------------------------------------------------------------------------------------


def test_reprs_fit_on_a_line(tmp_path):
    plan = Plan(
        "sums", Chain(Step("one", None, double, 1), Map("two", None, double, range(9)), Step("three", None, double, 1))
    )
    assert repr(plan) == "Plan('sums', 3 steps)"
    run = plan.submit()
    assert repr(run) == f"PlanRun({str(run.folder)!r}, 3 steps on box)"
    assert repr(run["one"]).endswith("name='one')")
    assert all(len(repr(thing)) < 200 for thing in (plan, run, run["one"]))
    run.cancel()
    launcher = find_launcher("cpu(cores=2) & duration=1h")
    assert repr(launcher) == "Launcher('box', for 'duration=1h & cpu(cores=2)')"


def test_reprs_are_short_with_a_large_file():
    """A Launcher's had 457,826 characters."""
    if not REFERENCE.exists():
        pytest.skip(f"LOUD: {REFERENCE} is not there")
    for need in ("cuda(mem=24G)*2", "duration=10h & cuda(mem=40G)*2", "cpu(cores=4)"):
        launcher = find_launcher(need, config=REFERENCE)
        assert isinstance(launcher, Launcher)
        assert len(repr(launcher)) < 200
        plan = Plan("p", Chain(*[Step(f"step{n}", launcher, double, "x" * 1000) for n in range(100)]))
        assert repr(plan) == "Plan('p', 100 steps)"


def test_a_plan_whose_tree_is_wrong_still_has_a_repr():
    assert repr(Plan("p", Chain("a"))) == "Plan('p')"
    assert repr(Plan("p", Chain())) == "Plan('p', 0 steps)"
    assert repr(Plan("p", Step("a", None, double))) == "Plan('p', 1 step)"


# -- submitting as planit does -----------------------------------------------------------------------------------


def test_an_executor_by_position_says_where_run_folders_go(tmp_path):
    plan = Plan("p", Step("a", None, double, 2))
    run = plan.submit(SimpleNamespace(folder=tmp_path / "elsewhere"))
    assert run.folder.parent == tmp_path / "elsewhere"
    assert plan.wait(60)
    assert plan["a"].result() == 4


def test_a_submitit_executor_by_position(tmp_path):
    submitit = pytest.importorskip("submitit")
    executor = submitit.LocalExecutor(tmp_path / "logs")
    run = Plan("p", Step("a", None, double, 2)).submit(executor)
    assert run.folder.parent == tmp_path / "logs"
    assert run.wait(60)


def test_everything_else_is_given_by_keyword(tmp_path):
    plan = Plan("p", Step("a", None, double, 2))
    with pytest.raises(TypeError, match="positional argument"):
        plan.submit(None, tmp_path / "launchers.yaml")
    run = plan.submit(folder=tmp_path / "there", config=tmp_path / "launchers.yaml", tags=())
    assert run.folder.parent == tmp_path / "there"
    assert run.wait(60)


def test_results_stand_for_steps():
    step = Step("a", None, double, 2)
    plan = Plan("p", step)
    assert plan.result_of(step) == result_of("a")
