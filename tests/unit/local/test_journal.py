"""What became of jobs, and who waits for whom."""

import json

import pytest
from local_jobs import job

from launchers.errors import RunError
from launchers.events import append, line_of
from launchers.local.jobs import Capacity, write_table
from launchers.local.journal import (
    JOB_EVENTS,
    JobEnd,
    JobIntent,
    JobJournal,
    JobRequeue,
    JobStart,
    Status,
    apply,
    journal_path,
    outcome,
    read_statuses,
    unmet,
)
from launchers.processes import Process


def write_events(folder, *events):
    folder.mkdir(exist_ok=True, parents=True)
    for event in events:
        append(journal_path(folder), line_of(event, JOB_EVENTS))


# -- the fold --------------------------------------------------------------------------------------------------


def test_a_job_from_start_to_end():
    status = Status()
    apply(status, JobIntent("a", 1, ["GPU-a"], time=5.0))
    assert (status.state, status.tries, status.devices, status.started) == ("PENDING", 1, ("GPU-a",), None)
    apply(status, JobStart("a", 77, 123, "b", "p", time=6.0))
    assert (status.state, status.process, status.started) == ("RUNNING", Process(77, 123, "b", "p"), 6.0)
    apply(status, JobRequeue("a", "again", time=7.0))
    assert (status.state, status.process, status.reason, status.ended) == ("PENDING", None, "again", None)
    apply(status, JobRequeue("a", "again", time=7.0))  # a full disk may have it written twice
    assert (status.requeues, status.requeued) == (1, 1)
    apply(status, JobIntent("a", 2, time=8.0))
    apply(status, JobStart("a", 78, 0, time=8.0))
    assert (status.tries, status.devices, status.process) == (2, (), Process(78, 0))
    apply(status, JobEnd("a", "FAILED", 3, "exit status 3", 0.9, 1.5, 2**20, time=9.0))
    assert status == Status(
        "FAILED", 3, "exit status 3", None, 8.0, 9.0, 2, 1, 1, (), 0.9, 1.5, 2**20,
    )  # fmt: skip


def test_statuses_are_read_job_by_job(tmp_path):
    assert read_statuses(tmp_path) == {}
    write_events(tmp_path, JobStart("a", 1, 1), JobEnd("b", "CANCELLED"), JobEnd("a", "COMPLETED", 0))
    assert {id: (status.state, status.exit) for id, status in read_statuses(tmp_path).items()} == {
        "a": ("COMPLETED", 0), "b": ("CANCELLED", None),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"event": "end", "job": "a"}, "JobEnd has no 'state'"),
        ({"event": "end", "job": "a", "state": "DONE"}, "JobEnd: state is 'DONE'"),
        ({"event": "end", "job": "a", "state": "FAILED", "exit": "1"}, "JobEnd: exit is '1'"),
        ({"event": "end", "job": "a", "state": "FAILED", "cpu": "1"}, "JobEnd: cpu is '1'"),
        ({"event": "start", "job": "a", "pid": "x", "born": 1}, "JobStart: pid is 'x'"),
        ({"event": "start", "job": "a", "pid": 1, "born": "x"}, "JobStart: born is 'x'"),
        ({"event": "start", "job": "a", "pid": 1, "born": None}, "JobStart: born is None"),
        ({"event": "start", "job": "a", "pid": 1, "born": 1, "boot": 1}, "JobStart: boot is 1"),
        ({"event": "end", "job": "a", "state": "FAILED", "seconds": "1"}, "JobEnd: seconds is '1'"),
        ({"event": "intent", "job": "a", "tries": "x"}, "JobIntent: tries is 'x'"),
        ({"event": "intent", "job": "a", "tries": 1, "devices": "x"}, "JobIntent: devices is 'x'"),
        ({"event": "intent", "job": 1, "tries": 1}, "JobIntent: job is 1"),
        ({"event": "requeue", "job": "a", "reason": None}, "JobRequeue: reason is None"),
        ({"event": "end", "job": "a", "state": "FAILED", "time": -1}, "JobEnd: time is -1"),
        ({"event": "begin", "job": "a"}, "there is no event 'begin'; known events: intent, start, requeue, end"),
    ],
)
def test_a_line_that_is_no_event(tmp_path, entry, reason):
    journal_path(tmp_path).write_text(json.dumps(entry) + "\n")
    with pytest.raises(RunError) as caught:
        read_statuses(tmp_path)
    assert f"events.jsonl:1: {reason}" in str(caught.value)


# -- written by its scheduler ----------------------------------------------------------------------------------


def test_what_cannot_be_written_is_kept_and_written_later(tmp_path):
    journal = JobJournal(journal_path(tmp_path / "r"))
    journal.note(JobStart("a", 1, 1))
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            journal.write(JobIntent("b", 1))
    (tmp_path / "r").mkdir()
    journal.write()
    journal.note(JobEnd("a", "COMPLETED", 0))
    journal.write(JobIntent("c", 1))
    journal.write()
    found = read_statuses(tmp_path / "r")
    assert {id: (status.state, status.tries) for id, status in found.items()} == {
        "a": ("COMPLETED", 0), "c": ("PENDING", 1),
    }  # fmt: skip


# -- who waits for whom ----------------------------------------------------------------------------------------

STATUSES = {
    "good": Status("COMPLETED", started=1.0),
    "bad": Status("FAILED", started=1.0),
    "late": Status("TIMEOUT", started=1.0),
    "runs": Status("RUNNING", started=1.0),
    "waits": Status(),
    "never": Status("CANCELLED"),
}
GO, WAIT = (False, ""), (True, "")


def impossible(parents, state):
    return False, f"DependencyNeverSatisfied: {parents} ended {state}"


@pytest.mark.parametrize(
    ("condition", "verdicts"),
    [
        ("ok", {"good": GO, "bad": impossible("bad", "FAILED"), "never": impossible("never", "CANCELLED"),
                "runs": WAIT, "waits": WAIT, "unheard of": WAIT}),
        ("any", {"good": GO, "bad": GO, "never": GO, "runs": WAIT, "waits": WAIT}),
        ("notok", {"good": impossible("good", "COMPLETED"), "bad": GO, "never": GO, "runs": WAIT, "waits": WAIT,
                   "good\nlate": GO, "good\nruns": WAIT, "bad\nruns": WAIT,
                   "good\ngood": impossible("good, good", "COMPLETED")}),
        ("started", {"good": GO, "bad": GO, "never": GO, "runs": GO, "waits": WAIT}),
    ],
)  # fmt: skip
def test_each_condition(condition, verdicts):
    assert {name: unmet(job("a", after=((condition, name),)), STATUSES) for name in verdicts} == verdicts


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ((), GO),
        ((("ok", "good"), ("any", "bad")), GO),
        ((("ok", "runs"), ("ok", "good")), WAIT),
        ((("ok", "good"), ("ok", "runs")), WAIT),
        ((("ok", "runs"), ("ok", "late")), impossible("late", "TIMEOUT")),
        ((("ok", "late"), ("ok", "runs")), impossible("late", "TIMEOUT")),
    ],
)
def test_all_of_several_conditions(after, verdict):
    assert unmet(job("a", after=after), STATUSES) == verdict


# -- other folders ---------------------------------------------------------------------------------------------


def attempt(run, number, **states):
    """A folder of a run: jobs and their states; "" for those that have none yet."""
    folder = run / str(number)
    write_table(folder, Capacity(), [job(id, "true") for id in states])
    write_events(folder, *[JobEnd(id, state) for id, state in states.items() if state])


def test_a_job_of_an_earlier_attempt(tmp_path):
    attempt(tmp_path, 1, a="FAILED", b="")
    assert outcome(tmp_path / "1" / "a").state == "FAILED"
    assert outcome(tmp_path / "1" / "b").state == "PENDING"


@pytest.mark.parametrize(
    ("attempts", "state"),
    [
        ([{"a": "COMPLETED", "b": "COMPLETED"}], "COMPLETED"),
        ([{"a": "COMPLETED", "b": "FAILED"}], "FAILED"),
        ([{"a": "COMPLETED", "b": ""}], "PENDING"),
        ([{"a": "FAILED", "b": ""}], "PENDING"),
        ([{"a": "COMPLETED", "b": "FAILED"}, {"b~2": "COMPLETED"}], "COMPLETED"),
        ([{"a": "COMPLETED", "b": "FAILED"}, {"b~2": "TIMEOUT"}], "TIMEOUT"),
        ([{"a": "COMPLETED", "b": "FAILED"}, {"b~2": ""}], "PENDING"),
        (
            [{"a": "FAILED"}, *[{f"a~{number}": "FAILED"} for number in range(2, 10)], {"a~10": "COMPLETED"}],
            "COMPLETED",
        ),
    ],
)
def test_another_run(tmp_path, attempts, state):
    for number, states in enumerate(attempts, 1):
        attempt(tmp_path, number, **states)
    (tmp_path / "bin").mkdir()
    assert outcome(tmp_path).state == state


def test_a_run_that_is_not_there(tmp_path):
    with pytest.raises(RunError, match=f"waits for {tmp_path}/gone, which is not there"):
        outcome(tmp_path / "gone" / "local")
