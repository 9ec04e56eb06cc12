"""To withdraw jobs: what is cancelled is told to the scheduler, and what is only on its way cannot start any more."""

import pytest
from fake_backend import after, stored_run, submission

from launchers.commands import CommandError
from launchers.errors import RunError
from launchers.runs.cancel import cancel_steps
from launchers.runs.gate import WHOLE, Runner, runner, take
from launchers.runs.journal import Cancel, Intent, Never, Submitted
from launchers.runs.run import PlanRun
from launchers.runs.send import submit_pending
from launchers.runs.status import member_states

WITHHELD = Runner(withheld="cancelled before it was submitted")


def states(run):
    return [member.info.state for member in member_states(run)]


@pytest.fixture
def run(fake, tmp_path):
    """a is job 7, m is on its way to the scheduler, and z is not submitted."""
    run = stored_run(tmp_path, submission("a"), submission("m", after("a"), items=[0, 1]), submission("z", after("m")))
    run.folder.journal.append(Submitted({"a": "7"}))
    run.folder.journal.append(Intent(["m"]))
    return run


def test_what_is_not_submitted_cannot_come_later(fake, run):
    cancel_steps(run, ["a", "m", "z"])
    assert fake.cancelled == [[("7", None)]]
    assert runner(run.folder.job_folder("m"), WHOLE) == WITHHELD
    assert take(run.folder.job_folder("m"), 1, "8_1") == WITHHELD
    assert runner(run.folder.job_folder("a"), WHOLE) is None
    fake.end("7", "CANCELLED")
    assert states(run) == ["CANCELLED"] * 4


def test_what_is_on_its_way_and_has_arrived_is_cancelled(fake, run):
    fake.take("token-m")
    cancel_steps(run, ["m"])
    assert fake.cancelled == [[("100", None)]]


def test_what_this_machine_has_not_been_sent_cannot_start_when_it_is(fake, run):
    """Its scheduler gets all of an attempt at once, and knows nothing of an order from before."""
    fake.sends_attempts_whole = True
    cancel_steps(run, ["z"])
    assert take(run.folder.job_folder("z"), None, "1/z") == WITHHELD


def test_only_what_is_wanted_is_withheld(fake, tmp_path):
    run = stored_run(tmp_path, submission("x", steps=["x", "y"]), submission("z"))
    cancel_steps(run, ["y"])
    folder = run.folder.job_folder("x")
    assert take(folder, 1, "8_1") == WITHHELD
    assert take(folder, 0, "8_0") == Runner(job="8_0")
    assert runner(run.folder.job_folder("z"), WHOLE) is None


def test_a_job_that_the_journal_does_not_know_is_cancelled_by_its_name(fake, run):
    """An sbatch that outlived its client brought it; the journal has the one that was submitted instead."""
    take(run.folder.job_folder("a"), None, "5")
    run.folder.journal.append(Submitted({"m": "8"}))
    take(run.folder.job_folder("m"), 1, "6_1")
    take(run.folder.job_folder("m"), 0, "8_0")
    cancel_steps(run, ["a", "m"])
    assert fake.cancelled == [[("7", None), ("8", None), ("5", None), ("6", 1)]]


def test_an_order_that_was_not_carried_out(fake, run, monkeypatch):
    def fail(*_):
        raise CommandError("fakecancel: no answer")

    monkeypatch.setattr(fake, "cancel", fail)
    with pytest.raises(CommandError, match="its jobs may not be cancelled, but wait or run: fakecancel: no answer"):
        cancel_steps(run, ["a"])
    assert [event.done for event in run.folder.journal.events() if isinstance(event, Cancel)] == [False]
    assert states(run)[0] == "UNKNOWN"


def test_a_retry_after_a_cancellation_is_submitted(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"))
    cancel_steps(run, ["a"])
    submit_pending(run)
    assert fake.requests == []
    run.add_submissions((submission("a~2", steps=["a"], attempt=2),))
    submit_pending(run)
    assert [request.submission.name for (request,) in fake.requests] == ["a~2"]
    fake.end("100", "RUNNING")
    assert states(run) == ["RUNNING"]


def test_what_will_never_be_submitted_is_left(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"))
    run.folder.journal.append(Never("a", "what it waits for failed"))
    cancel_steps(run, ["a"])
    assert runner(run.folder.job_folder("a"), WHOLE) is None


def test_a_run_of_another_cluster_is_not_cancelled_here(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), cluster="big")
    fake.name = "small"
    with pytest.raises(RunError, match="work on it from a machine of big"):
        cancel_steps(run, ["a"])
    assert run.folder.journal.events() == []


# -- what is lost ----------------------------------------------------------------------------------------------


def test_what_nobody_knows_is_taken_for_lost_on_demand(fake, run):
    run.folder.journal.append(Submitted({"m": "8", "z": "9"}))
    fake.end("7", "COMPLETED")
    fake.end("8", "COMPLETED", 0)
    fake.end("9", "PENDING")
    assert [(member.step, member.item) for member in PlanRun(run).take_for_lost()] == [("m", 1)]
    lost = member_states(run)[2]
    assert (lost.info.state, lost.info.reason) == ("LOST", "no scheduler knows it, and it left no result")
    assert lost.ended
    assert not lost.succeeded
    assert take(run.folder.job_folder("m"), 1, "8_1").withheld == "no scheduler knows it, and it left no result"
    fake.end("8", "RUNNING", 1)
    assert states(run)[2] == "RUNNING"  # it was not lost after all


def test_nothing_is_lost_while_the_scheduler_is_away(fake, run):
    run.folder.journal.append(Submitted({"m": "8", "z": "9"}))
    fake.problem = "fakequeue: no answer"
    with pytest.raises(
        RunError, match=r"what is lost cannot be said now: the fake scheduler cannot be asked: .*no answer"
    ):
        PlanRun(run).take_for_lost()
    assert "LOST" not in states(run)


@pytest.mark.parametrize("name", ["big", "small"])
def test_what_another_cluster_does_not_know_is_not_lost(fake, tmp_path, name):
    run = stored_run(tmp_path, submission("a"), cluster="big")
    run.folder.journal.append(Submitted({"a": "7"}))
    fake.name = name
    (member,) = member_states(run)
    assert member.is_missing == (name == "big")
    assert ("the run is on the cluster big" in member.info.reason) == (name == "small")
