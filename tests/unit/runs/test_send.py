"""Each submission is sent once, with what it waits for; whatever the scheduler answers is written down."""

import json
import time

import pytest
from fake_backend import AWAY, LOST, TAKEN, after, refusal, step, stored_run, submission
from lock_clients import name_of, stand_in

from launchers.commands import CommandError
from launchers.errors import RunError
from launchers.runs import send
from launchers.runs.cancel import cancel_steps
from launchers.runs.gate import take
from launchers.runs.journal import Cancelled, Intent, Never, Refused, Submitted
from launchers.runs.results import read_ticket
from launchers.runs.send import SubmitError, resume, submit_pending, write_tickets

BUSY = refusal("Socket timed out", transient=True)


def sent(fake):
    """The names of what was sent, request by request."""
    return [[request.submission.name for request in requests] for requests in fake.requests]


# -- once ------------------------------------------------------------------------------------------------------


def test_one_request_for_each_submission_in_order(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("b", after("a")), submission("c"))
    submit_pending(run)
    assert sent(fake) == [["a"], ["b"], ["c"]]
    assert run.folder.journal.state().jobs == {"a": "100", "b": "101", "c": "102"}
    submit_pending(run)
    assert len(fake.requests) == 3


def test_the_intent_is_written_before_and_the_job_after(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"))
    before = []
    fake.before_send = lambda _: before.extend(run.folder.journal.events())
    submit_pending(run)
    (intent,), (_, submitted) = before, run.folder.journal.events()
    assert (intent.submissions, submitted.jobs) == (["a"], {"a": "100"})
    assert abs(intent.time - time.time()) < 60


def test_all_of_an_attempt_is_one_request_where_the_scheduler_reads_the_folder(fake, tmp_path):
    fake.sends_attempts_whole = True
    again = [submission("b~2", attempt=2, steps=["b"]), submission("a~2", attempt=2, steps=["a"])]
    run = stored_run(tmp_path, submission("a"), *again[:1], submission("b", after("a")), *again[1:])
    submit_pending(run)
    assert sent(fake) == [["a", "b"], ["b~2", "a~2"]]
    first, second, *_ = run.folder.journal.events()
    assert (first.submissions, second.jobs) == (["a", "b"], {"a": "100", "b": "101"})
    assert [request.waits for requests in fake.requests for request in requests] == [()] * 4
    assert fake.asked == []


@pytest.mark.parametrize("whole", [False, True])
def test_what_was_sent_or_will_never_be_is_not_sent(fake, tmp_path, whole):
    fake.sends_attempts_whole = whole
    run = stored_run(tmp_path, submission("a"), submission("b"), submission("c"))
    run.folder.journal.append(Submitted({"a": "7"}))
    run.folder.journal.append(Never("b", "its parent failed"))
    submit_pending(run)
    assert sent(fake) == [["c"]]


def test_a_request_says_what_it_is_of(fake, tmp_path):
    one = submission("m", items=[0, 1])
    run = stored_run(tmp_path, one, jobs=3)
    submit_pending(run)
    ((request,),) = fake.requests
    assert (request.run, request.run_id, request.plan) == (run.folder.path, run.id, "p")
    assert (request.submission, request.count, request.jobs, request.cwd) == (one, 2, 3, "/")


# -- answers that are lost -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "questions"),
    [
        ([LOST], []),  # the token says that it was taken
        ([BUSY], []),  # the token says that it was not
        ([BUSY, BUSY, BUSY], []),  # the last try succeeds
        ([BUSY], [AWAY]),  # its queue cannot be asked either
        ([BUSY, LOST], [AWAY]),
    ],
)
def test_a_scheduler_that_is_away_for_a_while(fake, tmp_path, answers, questions):
    fake.answers, fake.questions = list(answers), list(questions)
    run = stored_run(tmp_path, submission("a"))
    submit_pending(run)
    assert sent(fake) == [["a"]]
    assert run.folder.journal.state().jobs == {"a": "100"}
    assert [type(event) for event in run.folder.journal.events()] == [Intent, Submitted]


def test_a_scheduler_that_stays_away(fake, tmp_path):
    fake.answers = [BUSY] * 10
    run = stored_run(tmp_path, submission("a"))
    with pytest.raises(SubmitError, match="fakesub refused a: Socket timed out") as caught:
        submit_pending(run)
    assert caught.value.transient
    assert len(fake.answers) == 10 - len(send.PAUSES) - 1
    assert run.folder.journal.state().intended.keys() == {"a"}


def test_a_refusal_of_what_was_taken_all_the_same(fake, tmp_path):
    """sbatch may print anything after the controller has accepted a job."""
    run = stored_run(tmp_path, submission("a"))
    fake.answers = [refusal("Message receive failure")]
    fake.before_send = lambda _: fake.take("token-a")
    submit_pending(run)
    assert run.folder.journal.state().jobs == {"a": "100"}


@pytest.mark.parametrize("taken", [True, False])
def test_a_refusal_is_not_believed_before_the_scheduler_was_asked(fake, tmp_path, taken):
    run = stored_run(tmp_path, submission("a"))
    fake.answers, fake.questions = [refusal("Message receive failure")], [AWAY, AWAY]
    fake.before_send = lambda _: fake.take("token-a") if taken else None
    if taken:
        submit_pending(run)
        assert run.folder.journal.state().jobs == {"a": "100"}
    else:
        with pytest.raises(SubmitError, match="fakesub refused a: Message receive failure"):
            submit_pending(run)
    assert (fake.requests, fake.answers) == ([], [])


def test_nothing_is_sent_again_while_the_scheduler_cannot_be_asked(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"))
    fake.answers, fake.questions = [BUSY, TAKEN], [AWAY] * 10
    with pytest.raises(SubmitError, match="Socket timed out") as caught:
        submit_pending(run)
    assert caught.value.transient
    assert fake.answers == [TAKEN]
    assert run.folder.journal.state().intended.keys() == {"a"}


# -- refusals --------------------------------------------------------------------------------------------------


def test_a_refusal_is_final(fake, tmp_path):
    fake.answers = [refusal("invalid qos", "batch job submission failed", code="qos")]
    run = stored_run(tmp_path, submission("a", parameters={"time": 5}), submission("b"))
    with pytest.raises(SubmitError) as caught:
        submit_pending(run)
    assert not caught.value.transient
    assert str(caught.value).splitlines() == [
        "fakesub refused a: invalid qos; batch job submission failed (reason code: qos)",
        'it was asked: {"time": 5}',
        f"run folder: {run.folder}",
    ]
    _, refused = run.folder.journal.events()
    assert (refused.submission, refused.lines, refused.code) == (
        "a", ["invalid qos", "batch job submission failed"], "qos",
    )  # fmt: skip
    assert (fake.requests, fake.cancelled) == ([], [])


def test_a_refusal_half_way_cancels_what_is_queued(fake, tmp_path):
    fake.answers = [TAKEN, TAKEN, refusal("no")]
    run = stored_run(tmp_path, submission("b"), submission("a"), submission("c"), submission("d"))
    with pytest.raises(SubmitError, match="the 2 submissions before it are cancelled") as caught:
        submit_pending(run)
    assert "reason code" not in str(caught.value)
    assert fake.cancelled == [[("100", None), ("101", None)]]
    *_, refused, cancelled = run.folder.journal.events()
    assert isinstance(refused, Refused)
    assert isinstance(cancelled, Cancelled)
    assert cancelled.submissions == ["a", "b"]


def test_a_refusal_half_way_leaves_what_is_queued(fake, tmp_path):
    fake.answers = [TAKEN, refusal("no")]
    run = stored_run(tmp_path, submission("a"), submission("b"))
    with pytest.raises(
        SubmitError, match=f"the 1 submissions before it are left queued: launchers cancel {run.folder}"
    ):
        submit_pending(run, on_refusal="leave")
    assert fake.cancelled == []
    assert isinstance(run.folder.journal.events()[-1], Refused)


def test_what_was_queued_may_be_left_when_it_cannot_be_cancelled(fake, tmp_path, monkeypatch):
    def fail(run, elements, tokens):
        raise CommandError("fakecancel: no answer")

    monkeypatch.setattr(fake, "cancel", fail)
    fake.answers = [TAKEN, refusal("no")]
    run = stored_run(tmp_path, submission("a"), submission("b"))
    words = "the 1 submissions before it could not be cancelled, so they wait or run: fakecancel: no answer"
    with pytest.raises(SubmitError, match=words):
        submit_pending(run)
    assert not any(isinstance(event, Cancelled) for event in run.folder.journal.events())


# -- intents without an end ------------------------------------------------------------------------------------


def test_an_intent_whose_job_is_there(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("b"))
    run.folder.journal.append(Intent(["a"]))
    assert fake.take("token-a") == "100"
    submit_pending(run)
    assert sent(fake) == [["b"]]
    assert run.folder.journal.state().jobs == {"a": "100", "b": "101"}


def test_an_intent_whose_job_comes_in_time(fake, tmp_path):
    fake.grace = 60.0
    run = stored_run(tmp_path, submission("a"))
    run.folder.journal.append(Intent(["a"]))
    fake.questions = [None, None, "77"]
    submit_pending(run)
    assert fake.requests == []
    assert run.folder.journal.state().jobs == {"a": "77"}


def test_an_intent_whose_job_does_not_come(fake, tmp_path):
    fake.grace = 0.05
    run = stored_run(tmp_path, submission("a"))
    run.folder.journal.append(Intent(["a"]))
    started = time.monotonic()
    submit_pending(run)
    assert time.monotonic() - started >= 0.04
    assert sent(fake) == [["a"]]
    assert [type(event) for event in run.folder.journal.events()] == [Intent, Intent, Submitted]


def test_an_intent_whose_job_the_scheduler_has_forgotten(fake, tmp_path):
    """The job has taken its name in the run folder."""
    run = stored_run(tmp_path, submission("a"), submission("m", items=[0, 1]))
    run.folder.journal.append(Intent(["a"]))
    run.folder.journal.append(Intent(["m"]))
    take(run.folder.job_folder("a"), None, "55")
    take(run.folder.job_folder("m"), 1, "56_1")
    submit_pending(run)
    assert fake.requests == []
    assert run.folder.journal.state().jobs == {"a": "55", "m": "56"}


def test_the_wait_for_a_job_on_its_way_is_not_longer_when_the_clock_was_set_back(fake, tmp_path):
    fake.grace = 0.05
    run = stored_run(tmp_path, submission("a"))
    run.folder.journal.append(Intent(["a"], time=time.time() + 7200))
    started = time.monotonic()
    submit_pending(run)
    assert 0.04 <= time.monotonic() - started < 10
    assert sent(fake) == [["a"]]


def test_what_was_cancelled_before_it_was_submitted_is_not(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("b"), submission("c", after("b")))
    cancel_steps(run, ["b"])
    submit_pending(run)
    assert sent(fake) == [["a"]]
    assert run.folder.journal.state().never == {
        "b": "cancelled before it was submitted", "c": "what it waits for failed",
    }  # fmt: skip


def test_a_run_of_another_cluster(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("b"), cluster="big")
    run.folder.journal.append(Submitted({"a": "7"}))
    fake.name = "small"
    with pytest.raises(RunError, match="the run is on the cluster big, and the commands here are those of small"):
        resume(run.folder.path)
    assert fake.requests == []
    fake.name = "big"
    resume(run.folder.path)
    assert sent(fake) == [["b"]]


def test_an_intent_that_nobody_can_be_asked_of_is_not_sent_again(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"))
    run.folder.journal.append(Intent(["a"]))
    fake.questions = [AWAY]
    with pytest.raises(SubmitError, match=r"it is not known whether .* has a already") as caught:
        submit_pending(run)
    assert caught.value.transient
    assert fake.requests == []


def test_to_resume_finishes_and_has_jobs_worked_on(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("b"))
    run.folder.journal.append(Submitted({"a": "7"}))
    resumed = resume(run.folder.path)
    assert resumed.record.folder == run.folder
    assert sent(fake) == [["b"]]
    assert fake.revived == [["7"]]
    assert not run.folder.is_locked


def test_to_resume_away_from_the_cluster(fake, tmp_path):
    """Nothing is asked, refused or cancelled where the scheduler's commands are not: the run stays as it is."""
    run = stored_run(tmp_path, submission("a"), submission("b"))
    fake.commands = ("nosuchsubmit", "nosuchrun")
    with pytest.raises(SubmitError, match="no nosuchsubmit and no nosuchrun on PATH"):
        resume(run.folder.path)
    assert run.folder.journal.events() == []
    fake.commands = ()
    resume(run.folder.path)
    assert sorted(run.folder.journal.state().jobs) == ["a", "b"]


def test_to_resume_works_alone(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"))
    locked = []
    fake.before_send = lambda _: locked.append(run.folder.is_locked)
    stand_in(run.folder.path / "lock", name_of())
    with pytest.raises(Exception, match="process 1 on elsewhere"):
        resume(run.folder.path)
    resume(run.folder.path, break_lock=True)
    assert locked == [True]


# -- tickets ---------------------------------------------------------------------------------------------------


def test_what_the_node_needs_to_know(fake, tmp_path):
    steps = [step("x", rivals=("y", "z")), step("y"), step("m", count=2, fail_fast=True)]
    barrier = submission("wait", after("x"), barrier=True)
    submissions = [submission("x", steps=["x", "y"]), submission("m", after("wait"), items=[0, 1], attempt=3)]
    run = stored_run(tmp_path, submissions[0], barrier, submissions[1], steps=steps)
    write_tickets(run, run.submissions)
    assert fake.prepared == [["x", "wait", "m"]]
    tickets = {name: read_ticket(run.folder.path, name) for name in ("x", "wait", "m")}
    assert tickets["x"]["rivals"] == {"x": ["y", "z"]}
    assert [tickets[name]["fail_fast"] for name in ("x", "wait", "m")] == [False, False, True]
    assert [tickets[name]["barrier"] for name in ("x", "wait", "m")] == [False, True, False]
    assert tickets["m"]["members"] == [["m", 0], ["m", 1]]
    assert (tickets["m"]["attempt"], tickets["x"]["attempt"]) == (3, 1)
    assert tickets["m"]["parents"] == [{"submission": "wait", "kind": "afterok", "index": None}]
    assert json.loads((run.folder.job_folder("x") / "ticket.json").read_text()) == tickets["x"]
