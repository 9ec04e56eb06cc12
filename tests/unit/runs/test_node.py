"""What a node does: it checks what OAR does not, prepares the call of its step, and ends with the job's exit status."""

import os
import pickle
import subprocess
import sys

import pytest
from fake_backend import after, stored_run, submission

from launchers.runs import node
from launchers.runs.call import ResultOf, StepCommandError
from launchers.runs.gate import take, withhold
from launchers.runs.journal import Cancel, Submitted
from launchers.runs.node import fill_call, main, stop_others, unmet_parent
from launchers.runs.results import Outcome, peek_outcome, read_ticket, write_call, write_ticket


def make_ticket(run, one, *outcomes, fail_fast=False, rivals=None):
    """The ticket of a submission, and the results of those members that have one."""
    folder = run / "jobs" / one.name
    write_ticket(folder, one, fail_fast=fail_fast, rivals=rivals or {}, check_parents=True)
    for position, outcome in enumerate(outcomes):
        name = f"9_{position}_0_result.pkl" if one.array else "9_0_result.pkl"
        (folder / name).write_bytes(pickle.dumps((outcome, position)))


# -- what OAR starts however its parents ended -----------------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Two arrays of a Map, `some`, of which one item failed, one of the steps x and y, of which x did, and a job."""
    monkeypatch.setattr("launchers.runs.results.RESULT_PATIENCE", 0.0)
    make_ticket(tmp_path, submission("some.0", steps=["some", "some"]), "success", "success")
    make_ticket(tmp_path, submission("some.1", steps=["some", "some"]), "success", "error")
    make_ticket(tmp_path, submission("x", steps=["x", "y"]), "error", "success")
    make_ticket(tmp_path, submission("good"), "success")
    make_ticket(tmp_path, submission("bad"), "error")
    make_ticket(tmp_path, submission("gone"))
    return tmp_path


def unmet(run, *parents, position=0):
    make_ticket(run, submission("me", *parents))
    return unmet_parent(run, read_ticket(run, "me"), position)


def test_nothing_is_waited_for(run):
    assert unmet(run) == ""


@pytest.mark.parametrize(
    ("kind", "good", "bad", "gone"),
    [
        ("afterok", "", "bad", "gone"),
        ("afternotok", "good", "", ""),
        ("afterany", "", "", ""),
        ("after", "", "", ""),
    ],
)
def test_each_kind_of_dependency(run, kind, good, bad, gone):
    assert unmet(run, after("good", kind)) == good
    assert unmet(run, after("bad", kind)) == bad
    assert unmet(run, after("gone", kind)) == gone


def test_one_of_several_parents(run):
    assert unmet(run, after("good"), after("some.0"), after("bad", "afterany")) == ""
    assert unmet(run, after("good"), after("some.0"), after("some.1")) == "some.1"


def test_each_item_after_the_same_one(run):
    assert unmet(run, after("some.1", "aftercorr"), position=0) == ""
    assert unmet(run, after("some.1", "aftercorr"), position=1) == "some.1"


def test_an_element_of_an_array(run):
    assert unmet(run, after("x", "afterok", 1)) == ""
    assert unmet(run, after("x", "afterok", 0)) == "x"
    assert unmet(run, after("x", "afterok")) == "x"


def test_a_map_has_failed_when_one_of_its_arrays_has(run):
    assert unmet(run, after("some.0", "afternotok"), after("some.1", "afternotok")) == ""
    assert unmet(run, after("some.1", "afternotok"), after("some.0", "afternotok")) == ""
    assert unmet(run, after("some.0", "afternotok")) == "some"


def test_steps_of_one_array_have_to_fail_each(run):
    assert unmet(run, after("x", "afternotok", 0)) == ""
    assert unmet(run, after("x", "afternotok", 0), after("x", "afternotok", 1)) == "y"


# -- the call --------------------------------------------------------------------------------------------------


def test_results_of_earlier_steps_are_filled_in(run):
    args = (ResultOf("good"), [ResultOf("good")])
    write_call(run / "steps" / "s", {"func": max, "args": args, "kwargs": {"key": (ResultOf("good"),)}}, None)
    assert fill_call(run, "s", None) == (max, (0, [0]), {"key": (0,)})


def test_an_item_is_the_first_argument(run):
    write_call(run / "steps" / "s", {"func": max, "args": (5,), "kwargs": {}}, ["a", ResultOf("good")])
    assert fill_call(run, "s", 0) == (max, ("a", 5), {})
    assert fill_call(run, "s", 1) == (max, (0, 5), {})


# -- a job -----------------------------------------------------------------------------------------------------


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Be the job of a submission: submitit's variables, and what it would do with the job replaced."""
    done = []
    environment = {
        "SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": "9", "SUBMITIT_LOCAL_NTASKS": "1",
        "SUBMITIT_LOCAL_JOB_NUM_NODES": "1", "SUBMITIT_LOCAL_NODEID": "0", "SUBMITIT_LOCAL_LOCALID": "0",
        "SUBMITIT_LOCAL_GLOBALID": "0", "LAUNCHERS_ITEM": "the client's",
    }  # fmt: skip
    for name in ("SUBMITIT_FOLDER", "LAUNCHERS_RUN_DIR", "LAUNCHERS_STEP", "LAUNCHERS_OUTPUT"):
        monkeypatch.setenv(name, "the client's")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("submitit.core.submission.process_job", done.append)
    return done


def raising(monkeypatch, error):
    def process_job(folder):
        raise error

    monkeypatch.setattr("submitit.core.submission.process_job", process_job)


def test_a_step_is_handed_to_submitit(tmp_path, job):
    make_ticket(tmp_path, submission("s", parameters={"time": 3}))
    write_call(tmp_path / "steps" / "s", {"func": max, "args": (1, 2), "kwargs": {}}, None)
    assert main([str(tmp_path), "s"]) == 0
    assert job == [tmp_path / "jobs" / "s"]
    delayed = pickle.loads((tmp_path / "jobs" / "s" / "9_submitted.pkl").read_bytes())
    assert (delayed.function, delayed.args, delayed._timeout_min, delayed._timeout_countdown) == (max, (1, 2), 3, 3)
    assert os.environ["LAUNCHERS_STEP"] == "s"
    assert os.environ["SUBMITIT_FOLDER"] == str(tmp_path / "jobs" / "s")
    assert "LAUNCHERS_ITEM" not in os.environ


@pytest.mark.parametrize(("outcome", "runs"), [("success", False), ("error", True)])
def test_a_job_that_is_queued_again_after_it_has_succeeded_does_not_run_again(tmp_path, job, capsys, outcome, runs):
    make_ticket(tmp_path, submission("s"), outcome)
    write_call(tmp_path / "steps" / "s", {"func": max, "args": (1, 2), "kwargs": {}}, None)
    assert main([str(tmp_path), "s"]) == 0
    assert bool(job) is runs
    assert ("has succeeded already" in capsys.readouterr().err) is not runs


def test_a_job_runs_again_until_all_of_its_tasks_have_succeeded(tmp_path, job, monkeypatch):
    make_ticket(tmp_path, submission("s"), "success")
    write_call(tmp_path / "steps" / "s", {"func": max, "args": (1, 2), "kwargs": {}}, None)
    monkeypatch.setenv("SUBMITIT_LOCAL_NTASKS", "2")
    assert main([str(tmp_path), "s"]) == 0
    assert job != []


def test_a_second_job_of_a_member_does_not_run_it(tmp_path, job, capsys):
    make_ticket(tmp_path, submission("s"))
    take(tmp_path / "jobs" / "s", None, "8")
    assert main([str(tmp_path), "s"]) == 0
    assert job == []
    assert "job 8 runs this already" in capsys.readouterr().err


@pytest.mark.parametrize(("outcome", "status"), [("success", 0), ("error", 1)])
def test_a_second_job_that_others_wait_for_ends_as_the_first(tmp_path, job, outcome, status):
    run = stored_run(tmp_path, submission("s"))
    run.folder.journal.append(Submitted({"s": "9"}))
    make_ticket(run.folder.path, submission("s"))
    take(run.folder.job_folder("s"), None, "8")
    (run.folder.job_folder("s") / "8_0_result.pkl").write_bytes(pickle.dumps((outcome, "")))
    assert main([str(run.folder.path), "s"]) == status
    assert job == []


def test_a_job_whose_name_is_withheld_does_not_run(tmp_path, job):
    make_ticket(tmp_path, submission("s"))
    withhold(tmp_path / "jobs" / "s", "all", "cancelled before it was submitted")
    assert main([str(tmp_path), "s"]) == 113
    assert job == []
    words = Outcome("cancelled", "cancelled before it was submitted")
    assert peek_outcome(tmp_path / "jobs" / "s" / "9_0_result.pkl") == words


def test_a_job_that_cannot_take_its_name_does_not_run(tmp_path, job, monkeypatch, capsys):
    make_ticket(tmp_path, submission("s"))

    def fail(*_):
        raise OSError(28, "No space left on device", f"{tmp_path}/jobs/s/runner")

    monkeypatch.setattr("launchers.runs.gate.os.link", fail)
    assert main([str(tmp_path), "s"]) == 74
    assert job == []
    assert capsys.readouterr().err == (
        f"launchers: nothing is run, as {tmp_path}/jobs/s/runner: No space left on device\n"
    )


def test_every_scheduler_s_jobs_look_at_their_parents(run, monkeypatch, job):
    """slurmctld may have forgotten a parent that failed, and starts its child then."""
    make_ticket(run, submission("me", after("bad")))
    assert main([str(run), "me"]) == 113
    assert job == []


def test_a_job_without_a_time_limit_has_a_long_one(tmp_path, job):
    make_ticket(tmp_path, submission("s"))
    write_call(tmp_path / "steps" / "s", {"func": max, "args": (), "kwargs": {}}, None)
    main([str(tmp_path), "s"])
    delayed = pickle.loads((tmp_path / "jobs" / "s" / "9_submitted.pkl").read_bytes())
    assert delayed._timeout_min == node.NO_LIMIT


def test_a_checkpoint_is_not_overwritten(tmp_path, job):
    make_ticket(tmp_path, submission("s"))
    path = tmp_path / "jobs" / "s" / "9_submitted.pkl"
    path.write_text("a checkpoint")
    assert main([str(tmp_path), "s"]) == 0
    assert path.read_text() == "a checkpoint"
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".")] == []


def test_only_the_first_task_writes_the_call(tmp_path, job, monkeypatch):
    monkeypatch.setenv("SUBMITIT_LOCAL_GLOBALID", "1")
    make_ticket(tmp_path, submission("s"))
    assert main([str(tmp_path), "s"]) == 0
    assert not (tmp_path / "jobs" / "s" / "9_submitted.pkl").exists()
    assert len(job) == 1


def test_a_call_that_cannot_be_written_runs_nothing(tmp_path, job, monkeypatch, capsys):
    make_ticket(tmp_path, submission("s"))
    write_call(tmp_path / "steps" / "s", {"func": max, "args": (1, 2), "kwargs": {}}, None)

    def fail(self, path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("submitit.core.utils.DelayedSubmission.dump", fail)
    assert main([str(tmp_path), "s"]) == 74
    assert job == []
    assert "No space left on device" in capsys.readouterr().err


def test_a_result_that_cannot_be_written_is_a_line(tmp_path, job, monkeypatch, capsys):
    make_ticket(tmp_path, submission("s"))
    write_call(tmp_path / "steps" / "s", {"func": max, "args": (1, 2), "kwargs": {}}, None)
    path = tmp_path / "jobs" / "s" / "9_0_result.pkl.save_tmp"
    raising(monkeypatch, OSError(28, "No space left on device", str(path)))
    assert main([str(tmp_path), "s"]) == 74
    assert capsys.readouterr().err.count("\n") == 1


def test_a_barrier_does_nothing(tmp_path, job):
    make_ticket(tmp_path, submission("s", barrier=True))
    assert main([str(tmp_path), "s"]) == 0
    assert job == []


@pytest.mark.parametrize(("status", "exit"), [(3, 3), (255, 255), (-9, 137), (113, 1), (112, 112)])
def test_the_exit_status_of_a_command_is_the_jobs(tmp_path, job, monkeypatch, status, exit):
    """113 would stand for a parent that failed."""
    make_ticket(tmp_path, submission("s"))
    write_call(tmp_path / "steps" / "s", {"func": max, "args": (), "kwargs": {}}, None)
    raising(monkeypatch, StepCommandError(status))
    assert main([str(tmp_path), "s"]) == exit


def test_what_a_function_raises_goes_on(tmp_path, job, monkeypatch):
    make_ticket(tmp_path, submission("s"))
    write_call(tmp_path / "steps" / "s", {"func": max, "args": (), "kwargs": {}}, None)
    raising(monkeypatch, ZeroDivisionError("x"))
    with pytest.raises(ZeroDivisionError):
        main([str(tmp_path), "s"])


def oar_job(run, name):
    """Run the first element of an array on OAR, in a process of its own; its exit status, and what it wrote."""
    environment = {
        **os.environ, "SUBMITIT_EXECUTOR": "launchersoar", "OAR_JOB_ID": "12", "OAR_ARRAY_ID": "12", "OAR_ARRAY_INDEX": "1",
    }  # fmt: skip
    argv = [sys.executable, "-m", "launchers.runs.node", str(run), name]
    status = subprocess.run(argv, env=environment, check=False).returncode
    return status, {path.name: path for path in (run / "jobs" / name).iterdir() if path.name != "ticket.json"}


def test_a_job_on_oar_whose_parent_failed(run):
    make_ticket(run, submission("me", after("bad"), items=[0, 1]))
    status, files = oar_job(run, "me")
    assert status == 113
    assert sorted(files) == ["12_0_0_log.err", "12_0_0_log.out", "12_0_0_result.pkl", "runner.0"]
    words = "this job is cancelled: it waits for bad, which ended otherwise"
    assert files["12_0_0_log.err"].read_text() == f"launchers: {words}\n"
    assert peek_outcome(files["12_0_0_result.pkl"]) == Outcome("cancelled", "it waits for bad, which ended otherwise")


def test_a_barrier_on_oar_has_a_result_that_others_can_look_at(run):
    make_ticket(run, submission("me", after("good"), barrier=True))
    status, files = oar_job(run, "me")
    assert status == 0
    assert pickle.loads(files["12_0_0_result.pkl"].read_bytes()) == ("success", None)


# -- the others ------------------------------------------------------------------------------------------------


@pytest.fixture
def array_job(job, monkeypatch):
    """Be the second element of an array on Slurm."""
    slurm = {
        "JOB_ID": "9", "NTASKS": "1", "JOB_NUM_NODES": "1", "NODEID": "0", "PROCID": "0", "LOCALID": "0",
        "ARRAY_JOB_ID": "8", "ARRAY_TASK_ID": "1",
    }  # fmt: skip
    for name, value in slurm.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    return job


def test_a_job_that_is_an_element_of_an_array(tmp_path, array_job):
    make_ticket(tmp_path, submission("m", items=[4, 7]))
    write_call(tmp_path / "steps" / "m", {"func": max, "args": (5,), "kwargs": {}}, "abcdefgh")
    assert main([str(tmp_path), "m"]) == 0
    delayed = pickle.loads((tmp_path / "jobs" / "m" / "8_1_submitted.pkl").read_bytes())
    assert delayed.args == ("h", 5)
    assert (os.environ["LAUNCHERS_STEP"], os.environ["LAUNCHERS_ITEM"]) == ("m", "7")


@pytest.mark.parametrize(
    ("fail_fast", "rivals", "stopped"),
    [
        (False, {}, []),
        (True, {}, [(["m"], "m", 1, 2)]),
        (False, {"m": ["x", "y"]}, [(["x", "y"], "m", 1, 2)]),
        (True, {"m": ["x", "y"]}, [(["x", "y"], "m", 1, 2)]),
        (False, {"x": ["m"]}, []),
    ],
)
def test_whom_a_failure_stops(tmp_path, array_job, monkeypatch, fail_fast, rivals, stopped):
    calls = []
    monkeypatch.setattr(node, "stop_others", lambda run, *words: calls.append(words))
    make_ticket(tmp_path, submission("m", items=[0, 1], attempt=2), fail_fast=fail_fast, rivals=rivals)
    write_call(tmp_path / "steps" / "m", {"func": max, "args": (), "kwargs": {}}, [1, 2])
    raising(monkeypatch, StepCommandError(3))
    assert main([str(tmp_path), "m"]) == 3
    assert calls == stopped


def test_only_the_first_failure_of_an_attempt_stops_the_others(fake, tmp_path):
    run = stored_run(tmp_path, submission("m", items=[0, 1, 2]), submission("c", after("m")))
    run.folder.step_folder("m").mkdir()
    run.folder.journal.append(Submitted({"m": "7", "c": "8"}))
    stop_others(run.folder.path, ["m"], "m", 1, 1)
    assert fake.cancelled == [[("7", 0), ("7", 2)]]
    stop_others(run.folder.path, ["m"], "m", 0, 1)
    assert len(fake.cancelled) == 1
    stop_others(run.folder.path, ["m"], "m", 0, 2)
    assert len(fake.cancelled) == 2
    assert [event.steps for event in run.folder.journal.events() if isinstance(event, Cancel) and event.done] == [
        ["m"],
        ["m"],
    ]


def test_rivals_stop_each_other_once(fake, tmp_path):
    """Whichever fails first leaves its mark in the folder of the same step."""
    run = stored_run(tmp_path, submission("a"), submission("b"))
    run.folder.step_folder("a").mkdir()
    stop_others(run.folder.path, ["a"], "b", None, 1)
    stop_others(run.folder.path, ["b"], "a", None, 1)
    assert [event.done for event in run.folder.journal.events()] == [False, True]
