"""A submitted plan: its steps, waiting, cancelling and logs."""

import os
import pickle

import pytest
from fake_backend import after, step, stored_run, submission
from lock_clients import name_of, stand_in

from launchers.errors import RunError
from launchers.runs.journal import Cancel, Refused, Submitted
from launchers.runs.results import write_ticket
from launchers.runs.run import NoSuchStepError, PlanRun, StepsFailedError, open_run
from launchers.runs.stored import write_run


@pytest.fixture
def run(fake, tmp_path):
    """A run of a, a Map m after it, and z after that, which are jobs 7, 8 and 9."""
    steps = [step("a"), step("m", [("a", "ok")], 3), step("z", [("m", "any")])]
    submissions = [
        submission("a"),
        submission("m", after("a"), items=[0, 1, 2]),
        submission("z", after("m", "afterany")),
    ]
    run = stored_run(tmp_path, *submissions, steps=steps)
    run.folder.journal.append(Submitted({"a": "7", "m": "8", "z": "9"}))
    return PlanRun(run)


def end_all(fake, state="COMPLETED"):
    for job, index in (("7", None), ("8", 0), ("8", 1), ("8", 2), ("9", None)):
        fake.end(job, state, index)


def test_a_run_is_its_steps(run):
    assert [one.name for one in run] == ["a", "m", "z"]
    assert len(run) == 3
    assert run["m"].name == "m"
    with pytest.raises(NoSuchStepError, match="there is no step x: a, m, z"):
        run["x"]
    assert repr(run) == f"PlanRun('{run.folder}', 3 steps on slurm)"
    run.record.group = "cluster"
    assert repr(run).endswith("3 steps on cluster)")
    assert open_run(run.folder).record.folder == run.reload().folder


def test_another_client_has_added_an_attempt(fake, run):
    assert len(run.status()[0].members) == 1
    other = open_run(run.folder).record
    other.add_submissions((submission("a~2", steps=["a"], attempt=2),))
    write_run(other)
    other.folder.journal.append(Submitted({"a~2": "10"}))
    fake.end("10", "RUNNING")
    assert run.status()[0].members[0].job == "10"
    assert run["a"].state == "RUNNING"


# -- waiting ---------------------------------------------------------------------------------------------------


def test_to_wait_until_all_have_ended(fake, run):
    end_all(fake)
    assert run.wait()
    fake.end("8", "FAILED", 1, reason="exit status 3")
    assert not run.wait(check=False)
    with pytest.raises(StepsFailedError) as caught:
        run.wait()
    assert [state.name for state in caught.value.steps] == ["m"]
    assert str(caught.value).splitlines() == [
        "step m FAILED: exit status 3", f"run folder: {run.folder}; the logs: launchers logs {run.folder} STEP",
    ]  # fmt: skip


@pytest.mark.parametrize("check", [True, False])
def test_a_timeout_is_no_failure(fake, run, check):
    end_all(fake)
    fake.end("9", "RUNNING")
    fake.end("8", "FAILED", 1)
    with pytest.raises(TimeoutError, match="1 of 5 jobs have not ended"):
        run.wait(0.05, check=check)


def test_jobs_that_end_while_somebody_waits(fake, run, monkeypatch):
    end_all(fake, "RUNNING")
    monkeypatch.setattr("launchers.runs.run.time.sleep", lambda seconds: end_all(fake))
    assert run.wait(60)


def test_what_is_stuck_is_not_waited_for(fake, run):
    end_all(fake)
    fake.end("9", "PENDING", reason="DependencyNeverSatisfied")
    assert not run.wait(5, check=False)
    assert run.cancel_stuck() == ["z"]
    assert fake.cancelled == [[("9", None)]]
    fake.end("9", "COMPLETED")
    assert run.cancel_stuck() == []
    assert len(fake.cancelled) == 1


def test_ctrl_c_leaves_the_jobs_alone(fake, run, monkeypatch, capsys):
    end_all(fake, "RUNNING")

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("launchers.runs.run.time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.wait()
    out, err = capsys.readouterr()
    assert f"The jobs keep running. To watch them again: launchers wait {run.folder}" in err
    assert (out, fake.cancelled) == ("", [])


def test_whether_a_run_is_over(fake, run):
    end_all(fake)
    assert run.is_over()
    fake.end("9", "RUNNING")
    assert not run.is_over()


def test_a_run_that_was_refused_is_over_unless_somebody_resumes_it(fake, tmp_path):
    run = PlanRun(stored_run(tmp_path, submission("a"), submission("b")))
    assert not run.is_over()
    run.record.folder.journal.append(Refused("a", ["no"]))
    assert run.is_over()
    with run.record.folder.lock():
        assert not run.is_over()
    assert run.is_over()
    stand_in(run.folder / "lock", name_of())
    assert not run.is_over()


# -- results ---------------------------------------------------------------------------------------------------


def test_the_result_of_a_step(fake, run):
    end_all(fake)
    folder = run.record.folder.job_folder("a")
    write_ticket(folder, run.record.submissions[0], fail_fast=False, rivals={}, check_parents=True)
    with pytest.raises(RunError, match="step a ended COMPLETED: step a has no result yet"):
        run["a"].result()
    (folder / "7_0_result.pkl").write_bytes(pickle.dumps(("success", 5)))
    assert run["a"].result() == 5
    fake.end("7", "FAILED", reason="exit status 1")
    (folder / "7_0_result.pkl").write_bytes(pickle.dumps(("error", "Traceback")))
    with pytest.raises(RunError, match="step a ended FAILED: exit status 1\nstep a failed:\nTraceback"):
        run["a"].result()


def test_a_result_that_does_not_come_in_time(fake, run):
    end_all(fake, "RUNNING")
    with pytest.raises(TimeoutError, match=r"step a is RUNNING after 0\.05 s"):
        run["a"].result(0.05)


def test_a_scheduler_that_cannot_be_asked_is_waited_for(fake, run, capsys, monkeypatch):
    fake.problem = "fakequeue: no answer"
    looks = []

    def states(*args, **kwargs):
        looks.append(args)
        if len(looks) == 3:
            fake.problem = ""
            end_all(fake)
        return real(*args, **kwargs)

    real = fake.states
    monkeypatch.setattr(fake, "states", states)
    assert run.wait(30, give_up=0.0)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("launchers: since ")
    assert first.endswith("the fake scheduler cannot be asked: fakequeue: no answer; waiting for it")
    assert second == "launchers: the fake scheduler answers again"


def test_a_job_that_stays_away_is_lost_after_a_time(fake, run):
    end_all(fake)
    del fake.infos["8", 1]
    with pytest.raises(TimeoutError):
        run.wait(0.05, give_up=60.0)
    assert not run.wait(30, give_up=0.05, check=False)
    assert [member.info.state for member in run["m"].status().members] == ["COMPLETED", "LOST", "COMPLETED"]
    assert run["m"].status().reason.startswith("no scheduler has known it for")
    with pytest.raises(StepsFailedError, match="step m LOST: no scheduler has known it"):
        run.wait(30)


def test_a_job_that_ended_with_0_and_left_no_result_is_lost_soon(fake, run, monkeypatch):
    fake.proves_success = False
    monkeypatch.setattr("launchers.runs.run.RESULT_LAG", 0.05)
    end_all(fake)
    assert not run.wait(30, check=False)
    assert {member.info.state for step in run.status() for member in step.members} == {"LOST"}
    assert run["a"].status().reason == "it ended with 0, and left no result"


def test_a_job_that_comes_back_in_time_is_not_lost(fake, run, monkeypatch):
    end_all(fake)
    del fake.infos["8", 1]
    looks = []

    def states(*args, **kwargs):
        looks.append(args)
        if len(looks) == 3:
            fake.end("8", "COMPLETED", 1)
        return real(*args, **kwargs)

    real = fake.states
    monkeypatch.setattr(fake, "states", states)
    assert run.wait(30, give_up=20.0)


def test_schedulers_of_ours_are_started_again_by_who_waits_and_not_by_who_looks(fake, run):
    end_all(fake)
    run.status()
    assert fake.revived == []
    run.wait(30)
    assert fake.revived == [["7", "8", "9"]]


# -- cancelling ------------------------------------------------------------------------------------------------


def orders(run):
    """What was ordered to be cancelled, and was carried out."""
    events = [event for event in run.record.folder.journal.events() if isinstance(event, Cancel)]
    ordered, carried_out = ([event.steps for event in events if event.done is done] for done in (False, True))
    assert ordered == carried_out
    return ordered


def test_to_cancel_everything(fake, run):
    assert run.cancel() == ["a", "m", "z"]
    assert fake.cancelled == [[("7", None), ("8", None), ("9", None)]]
    assert orders(run) == [["a", "m", "z"]]


@pytest.mark.parametrize(
    ("names", "descendants", "cancelled", "elements"),
    [
        (["a"], True, ["a", "m"], [("7", None), ("8", None)]),  # z waits for any end
        (["a"], False, ["a"], [("7", None)]),
        (["m"], True, ["m"], [("8", None)]),
        (["z"], True, ["z"], [("9", None)]),
        (["z", "a"], False, ["a", "z"], [("7", None), ("9", None)]),
    ],
)
def test_to_cancel_steps(fake, run, names, descendants, cancelled, elements):
    assert run.cancel(names, descendants=descendants) == cancelled
    assert fake.cancelled == [elements]
    assert orders(run) == [cancelled]


def test_to_cancel_all_items_but_one(fake, run):
    assert run.cancel(["m"], except_item=1, descendants=False) == ["m"]
    assert fake.cancelled == [[("8", 0), ("8", 2)]]


def test_to_cancel_what_is_not_there(fake, run):
    with pytest.raises(NoSuchStepError):
        run.cancel(["a", "x"])
    assert (fake.cancelled, orders(run)) == ([], [])


def test_to_cancel_steps_that_share_an_array(fake, tmp_path):
    run = PlanRun(stored_run(tmp_path, submission("x", steps=["x", "y"]), submission("w", steps=["w", "v"])))
    run.record.folder.journal.append(Submitted({"x": "7", "w": "8"}))
    run.cancel(["y", "w", "v"])
    assert fake.cancelled == [[("8", None), ("7", 1)]]


def test_barriers_go_with_the_steps_behind_them(fake, tmp_path):
    barriers = [submission("wait.1", after("a"), barrier=True), submission("wait.2", after("a"), barrier=True)]
    children = [submission("b", after("wait.1")), submission("c", after("wait.2"))]
    run = PlanRun(stored_run(tmp_path, submission("a"), *barriers, *children))
    run.record.folder.journal.append(Submitted({"a": "7", "wait.1": "8", "wait.2": "9", "b": "10"}))
    run.cancel(["b"])
    assert fake.cancelled == [[("10", None), ("8", None)]]
    run.cancel(["c"])  # which was not submitted yet
    assert fake.cancelled[1:] == [[("9", None)]]


def test_a_barrier_stays_while_other_steps_wait_for_it(fake, tmp_path):
    """Without it they could never start."""
    children = [submission("b", after("wait"), steps=["b", "c"]), submission("d", after("wait"))]
    run = PlanRun(stored_run(tmp_path, submission("a"), submission("wait", after("a"), barrier=True), *children))
    run.record.folder.journal.append(Submitted({"a": "7", "wait": "8", "b": "9", "d": "10"}))
    run.cancel(["b"])
    run.cancel(["b", "c"])
    run.cancel(["b", "d"])
    assert fake.cancelled == [[("9", 0)], [("9", None)], [("10", None), ("9", 0)]]
    run.cancel(["b", "c", "d"])
    assert fake.cancelled[-1] == [("9", None), ("10", None), ("8", None)]


def test_a_barrier_stays_for_the_item_that_is_spared(fake, tmp_path):
    barrier = submission("wait", after("a"), barrier=True)
    run = PlanRun(stored_run(tmp_path, submission("a"), barrier, submission("m", after("wait"), items=[0, 1])))
    run.record.folder.journal.append(Submitted({"a": "7", "wait": "8", "m": "9"}))
    run.cancel(["m"], except_item=1)
    assert fake.cancelled == [[("9", 0)]]


def test_to_cancel_what_was_not_submitted(fake, tmp_path):
    run = PlanRun(stored_run(tmp_path, submission("a")))
    assert run.cancel() == ["a"]
    assert fake.cancelled == []
    assert orders(run) == [["a"]]


# -- logs ------------------------------------------------------------------------------------------------------


def make_logs(folder, *names):
    folder.mkdir(exist_ok=True, parents=True)
    for number, name in enumerate(names):
        (folder / name).touch()
        os.utime(folder / name, (number, number))


def test_the_logs_of_a_step(run):
    make_logs(run.record.folder.job_folder("a"), "7_0_log.err", "9_0_log.out", "7_0_log.out", "7_0_result.pkl")
    assert [path.name for path in run.logs("a")] == ["9_0_log.out", "7_0_log.out", "7_0_log.err"]
    assert run.logs("z") == []


def test_the_logs_of_an_item(run):
    make_logs(
        run.record.folder.job_folder("m"), *[f"8_{n}_0_log.{kind}" for n in (2, 0, 12) for kind in ("out", "err")]
    )
    assert [path.name for path in run.logs("m", 2)] == ["8_2_0_log.out", "8_2_0_log.err"]
    assert [path.name for path in run.logs("m")] == [f"8_{n}_0_log.{kind}" for n in (0, 2) for kind in ("out", "err")]


def test_the_logs_of_a_script(fake, tmp_path):
    run = PlanRun(stored_run(tmp_path, submission("m", items=[0, 4], script="job.sh")))
    (run.folder / "job.sh").write_text("#!/bin/sh\n")
    make_logs(run.folder / "cwd", "12-7_0.out", "13-7_4.out", "13-8_4.out", "other")
    assert [path.name for path in run.logs("m", 4)] == ["13-7_4.out", "13-8_4.out"]
    run.record.folder.journal.append(Submitted({"m": "7"}))
    assert [path.name for path in run.logs("m", 4)] == ["13-7_4.out"]
    assert [path.name for path in run.logs("m")] == ["12-7_0.out", "13-7_4.out"]
