"""Running flows on this machine: `run_flow`, and what jobs do to each other."""

import subprocess
import sys
from pathlib import Path

import pytest
from flows import job, log, newest_run, page, sweep, write_page
from following import states, until

import launchers
from launchers.files.problems import ConfigError
from launchers.flow.run import PreparedFlow, plan_flow, prepare_flow, read_page, run_flow, submit_flow
from launchers.plan.tree import PlanError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text("local: [{id: here}]\n")


def ran(*jobs, **keys):
    """Run a flow to its end; the run, and whether it succeeded."""
    run = run_flow("f.yaml", text=page(*jobs, **keys))
    return run, run.wait(60, check=False)


# -- the function ------------------------------------------------------------------------------------------------


def test_a_page_is_run_and_the_run_returned(capfd):
    Path("f.yaml").write_text(page(job(command="echo {{ lr }} {{ run.dir }}"), args={"lr": 1}))
    run = launchers.run_flow("f.yaml", args={"lr": 0.5})
    assert capfd.readouterr().out == ""
    assert run.wait(60)
    assert run.folder.parent == Path("runs").absolute()
    assert log(run, "a") == f"0.5 {run.folder}\n"


def test_the_page_may_be_text_and_the_runs_elsewhere(tmp_path):
    run = run_flow("<page>", text=page(job()), folder=tmp_path / "elsewhere")
    assert run.wait(60)
    assert run.folder.parent == tmp_path / "elsewhere"
    with pytest.raises(ConfigError, match=r"^<page>:1:1: error LC114"):
        run_flow("<page>", text="name: x")


def test_values_for_which_the_flow_runs_once_each():
    run = run_flow("f", text=page(job(command="echo {{ n }}"), args={"n": 0}), sweep={"n": (5, 7)})
    assert run.wait(60)
    assert [log(run, "a", number) for number in range(2)] == ["5\n", "7\n"]


def test_no_run_where_all_of_it_is_up_to_date():
    Path("f.yaml").write_text(page(job()))
    assert run_flow("f.yaml").wait(60)
    assert run_flow("f.yaml", resume=True) is None
    assert run_flow("f.yaml").wait(60)
    assert len(list(Path("runs").iterdir())) == 2


def test_nothing_is_left_of_a_flow_that_cannot_be_placed():
    with pytest.raises(PlanError):
        run_flow("f", text=page(job(needs="cuda(mem=900G)*99")))
    with pytest.raises(PlanError):
        run_flow("f", text=page(job()), tags=["no-such-tag"])
    assert list(Path("runs").iterdir()) == []


def interrupt(*_args, **_options):
    raise KeyboardInterrupt


def test_an_interrupt_says_what_is_there_and_how_to_go_on(monkeypatch, caplog):
    monkeypatch.setattr("launchers.plan.submit.submit_pending", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_flow("f", text=page(job()))
    (folder,) = Path("runs").absolute().iterdir()
    (message,) = caplog.messages
    assert message.startswith("launchers: interrupted: some jobs may have been submitted. ")
    for command in ("status", "resume", "cancel"):
        assert f"launchers {command} {folder} " in message
    monkeypatch.undo()
    monkeypatch.chdir(folder.parents[1])
    assert subprocess.run([sys.executable, "-m", "launchers", "resume", folder], check=False).returncode == 0


def test_an_interrupt_before_anything_was_submitted_leaves_nothing(monkeypatch, caplog):
    monkeypatch.setattr("launchers.plan.submit.check_and_place", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_flow("f", text=page(job()))
    assert list(Path("runs").iterdir()) == []
    assert caplog.messages == ["launchers: interrupted: nothing was submitted"]


def test_the_launchers_yaml_of_the_caller(tmp_path):
    (tmp_path / "other.yaml").write_text("local: [{id: other, tags: [t]}]\n")
    run = run_flow("f", text=page(job()), config="other.yaml", tags=["t"])
    assert run.wait(60)
    assert run.record.group == "other"


def test_how_many_jobs_run_at_once():
    jobs = [job(name, f"touch on.{name}; ls on.* | wc -l; sleep 0.3; rm on.{name}") for name in "abc"]
    run = run_flow("f", text=page(*jobs), jobs=1)
    assert run.wait(60)
    assert {log(run, name) for name in "abc"} == {"1\n"}


# -- preparing ---------------------------------------------------------------------------------------------------

CHAIN = page(job("a"), job("b", depends_on="a"), job("c", depends_on="b"))


def prepared(**options) -> PreparedFlow:
    return prepare_flow("f", text=CHAIN, **options)


@pytest.mark.parametrize(
    ("options", "jobs"),
    [
        ({}, ["a", "b", "c"]),
        ({"only": ["b"]}, ["b"]),
        ({"start": ["b"]}, ["b", "c"]),
        ({"end": ["b"]}, ["a", "b"]),
        ({"start": ["b"], "end": ["b"]}, ["b"]),
    ],
)
def test_a_part_of_the_graph(options, jobs):
    found = prepared(**options)
    assert found.jobs == jobs
    assert not found.is_up_to_date
    assert set(found.left_out) == {"a", "b", "c"} - set(jobs)


def test_a_part_without_jobs_and_jobs_that_the_flow_does_not_have():
    with pytest.raises(PlanError, match=r"^this part of the flow has no jobs$"):
        prepared(start=["b"], only=["a"])
    with pytest.raises(PlanError) as caught:
        prepared(start=["x"], only=["y"], end=["z"])
    assert caught.value.problems == tuple(f"the flow has no job {name}; its jobs are: a, b, c" for name in "yxz")


def test_what_is_said_of_jobs_that_are_left_out():
    missing = "left out: a (no run in ./runs completed it; its values will be missing)"
    assert prepared().notes() == []
    assert prepared(only=["b"]).notes() == [missing, "left out: c (no run in ./runs completed it)"]
    run = run_flow("f", text=CHAIN)
    assert run.wait(60)
    assert prepared(only=["b"]).notes() == [f"left out: {name} (done in {run.folder.name})" for name in "ac"]
    changed = prepare_flow("f", text=CHAIN.replace("ls", "ls -l", 1), only=["b"])
    assert changed.outdated == {"a"}
    assert changed.notes()[0] == f"a has changed since {run.folder.name}: its values are from before"
    assert prepared(resume=True).notes() == []


def test_max_parallel_replaces_that_of_the_page():
    swept = page(job(command="ls {{ n }}"), **sweep(max_parallel=2))
    assert prepare_flow("f", text=swept).flow.sweep.max_parallel == 2
    assert prepare_flow("f", text=swept, max_parallel=5).flow.sweep.max_parallel == 5
    assert prepare_flow("f", text=page(job()), max_parallel=5).flow.sweep is None
    assert read_page("f", text=swept, max_parallel=5).read(run="/new").sweep.max_parallel == 5


def test_the_plan_of_what_runs():
    assert [step.name for step in plan_flow(prepared(start=["b"])).root.nodes] == ["b", "c"]


def test_what_was_prepared_is_submitted():
    run = submit_flow(prepared(only=["b"]))
    assert run.wait(60)
    assert states(run) == {"b": "COMPLETED"}


# -- values ------------------------------------------------------------------------------------------------------


def test_values_that_jobs_hand_on_reach_those_that_wait_for_them():
    run, succeeded = ran(
        job("a", "echo A=1 >> $LAUNCHERS_OUTPUT"),
        job("b", "echo B=$((A + 1)) >> $LAUNCHERS_OUTPUT", depends_on="a"),
        job("c", "echo C=$((A + 2)) >> $LAUNCHERS_OUTPUT", depends_on="a"),
        job("d", 'echo "sum $B $C, not ${A:-there}"', depends_on=["b", "c"]),
        job("e", ["cat", "{{ run.dir }}/steps/d/script.sh"], depends_on="d"),
    )
    assert succeeded
    assert log(run, "d") == "sum 2 3, not there\n"
    assert "sum $B $C" in log(run, "e")


def test_values_and_exports_of_an_earlier_run():
    jobs = [
        job("a", "echo FROM={{ run.dir }} >> $LAUNCHERS_OUTPUT", exports={"WHERE": "{{ run.dir }}"}),
        job("b", "echo $FROM is {{ deps.a.WHERE }}", depends_on="a"),
    ]
    first, _ = ran(*jobs)
    second = run_flow("f", text=page(*jobs), only=["b"])
    assert second.wait(60)
    assert states(second) == {"b": "COMPLETED"}
    assert log(second, "b") == f"{first.folder} is {first.folder}\n"


# -- failures ----------------------------------------------------------------------------------------------------


def test_after_a_failure_what_waits_for_it_runs_and_other_branches_go_on():
    run, succeeded = ran(
        job("bad", "exit 3", exports={"KEY": "value"}),
        job("anyway", ["echo", "{{ deps.bad.KEY }}"], depends_on="afterany:bad"),
        job("rescue", ["echo", "{{ deps.bad.KEY }}"], depends_on="afternotok:bad"),
        job("never", depends_on="bad"),
        job("other"),
        job("further", depends_on="other"),
    )
    assert not succeeded
    assert states(run) == {
        "bad": "FAILED", "anyway": "COMPLETED", "rescue": "COMPLETED", "never": "CANCELLED", "other": "COMPLETED",
        "further": "COMPLETED",
    }  # fmt: skip
    assert log(run, "rescue") == log(run, "anyway") == "value\n"


def handled(command):
    return ran(
        job("a", command),
        job("rescue", depends_on="afternotok:a"),
        job("tell", depends_on="rescue"),
        job("last", depends_on="afterany:rescue"),
    )


def test_a_handler_that_nobody_needed_is_no_failure():
    run, succeeded = handled("true")
    assert succeeded
    assert states(run) == {"a": "COMPLETED", "rescue": "CANCELLED", "tell": "CANCELLED", "last": "COMPLETED"}
    assert {step.name for step in run.status() if step.left_out} == {"rescue", "tell"}


def test_a_handler_whose_parent_failed_is_not_left_out():
    run, succeeded = handled("false")
    assert not succeeded
    assert states(run) == {"a": "FAILED", "rescue": "COMPLETED", "tell": "COMPLETED", "last": "COMPLETED"}
    assert not any(step.left_out for step in run.status())


def test_a_job_whose_parent_failed_is_not_left_out():
    run, _ = ran(job("a", "false"), job("b", depends_on="a"))
    assert states(run)["b"] == "CANCELLED"
    assert not any(step.left_out for step in run.status())


# -- sweeps ------------------------------------------------------------------------------------------------------

SAME, DIFFERENT = {}, {"needs": "cpu(mem={{ n }}M, cores=1)"}
"""Cells that are an array, and cells that are jobs of their own."""


def states_of_cells(run):
    """The states of the cells of each job."""
    found = {}
    for step in run.status():
        found.setdefault(step.name.partition("-")[0], []).extend(member.info.state for member in step.members)
    return found


@pytest.mark.parametrize("needs", [SAME, DIFFERENT])
def test_max_parallel_holds_on_this_machine(needs):
    command = "touch on.{{ n }}; ls on.* | wc -l; sleep 0.3; rm on.{{ n }}"
    run, succeeded = ran(job("a", command, **needs), **sweep(range(1, 7), max_parallel=2))
    assert succeeded
    steps = [("a", number) if needs == SAME else (f"a-{number}", None) for number in range(6)]
    assert max(int(log(run, *step)) for step in steps) == 2


@pytest.mark.parametrize("needs", [SAME, DIFFERENT])
def test_the_first_failure_cancels_the_other_cells_and_nothing_else(needs):
    jobs = [job("a", "[ {{ n }} = 2 ] && sleep 1 && exit 1; sleep 60", **needs), job("other", "sleep 2")]
    run, succeeded = ran(*jobs, **sweep(fail_fast=True))
    assert not succeeded
    assert {name: sorted(found) for name, found in states_of_cells(run).items()} == {
        "a": ["CANCELLED", "CANCELLED", "FAILED"], "other": ["COMPLETED"],
    }  # fmt: skip


@pytest.mark.parametrize("needs", [SAME, DIFFERENT])
def test_what_depends_on_a_cell_that_succeeded_goes_on(needs):
    command = "case {{ n }} in 1) ;; 2) sleep 1.5; exit 1;; 3) sleep 60;; esac"
    jobs = [job("a", command, **needs), job("b", "sleep 3", depends_on="a")]
    run, succeeded = ran(*jobs, **sweep(fail_fast=True))
    assert not succeeded
    found = states_of_cells(run)
    assert found["a"] == ["COMPLETED", "FAILED", "CANCELLED"]
    assert found["b"] == ["COMPLETED", "CANCELLED", "CANCELLED"]


# -- the client --------------------------------------------------------------------------------------------------


def test_the_client_is_killed_and_the_rest_runs():
    file = write_page(page(job("a", "touch on; sleep 2"), job("b", ["touch", "done"], depends_on="a")))
    client = subprocess.Popen([sys.executable, "-m", "launchers", "flow", "run", file], stdout=subprocess.DEVNULL)
    until(Path("on").exists)
    client.kill()
    client.wait()
    until(Path("done").exists)
    assert newest_run().wait(10)
