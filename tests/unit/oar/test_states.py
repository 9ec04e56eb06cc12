"""The states of OAR's jobs, from recorded output of a real 2.5.9 and from records made for one rule each."""

import json

import pytest
from connectors import Answers

from launchers.commands import CommandError
from launchers.oar.states import OarJob, arrays_condition, find_jobs, latest_jobs, read_jobs


def job(**more):
    return {"Job_Id": 7, "array_id": 7, "array_index": 1, "state": "Terminated", "exit_code": 0, "events": [], **more}


def read(**more):
    (found,) = read_jobs(json.dumps({"7": job(**more)}))
    return found


@pytest.mark.parametrize(
    ("code", "state", "exit"),
    [(0, "COMPLETED", 0), (1792, "FAILED", 7), (32512, "FAILED", 127), (9, "FAILED", -9), (256, "FAILED", 1)],
)
def test_terminated_is_not_success(code, state, exit):
    found = read(exit_code=code)
    assert (found.state, found.exit, found.reason) == (state, exit, "")


@pytest.mark.parametrize(
    ("events", "state", "reason"),
    [
        (["FRAG_JOB_REQUEST", "SEND_KILL_JOB"], "CANCELLED", "was deleted"),
        (["FRAG_JOB_REQUEST", "WALLTIME", "SEND_KILL_JOB"], "TIMEOUT", "reached its walltime"),
        (["BESTEFFORT_KILL", "FRAG_JOB_REQUEST"], "PREEMPTED", "was killed for a job that is not besteffort"),
        (["WORKING_DIRECTORY"], "FAILED", "its working folder cannot be entered on the node"),
        (["OUTPUT_FILES"], "FAILED", "its output files cannot be created on the node"),
        (["FIRST", "LAST"], "FAILED", "LAST"),
        ([], "FAILED", "OAR does not say why"),
    ],
)
def test_errors_have_their_reason_in_events(events, state, reason):
    found = read(state="Error", exit_code=None, events=[{"type": event} for event in events])
    assert (found.state, found.reason, found.exit) == (state, reason, None)


@pytest.mark.parametrize(
    ("state", "ours", "reason"),
    [
        ("Waiting", "PENDING", "no resources"), ("Hold", "PENDING", ""), ("Running", "RUNNING", ""),
        ("Suspended", "SUSPENDED", ""), ("Resuming", "RUNNING", ""), ("Finishing", "COMPLETING", ""),
        ("NewOne", "PENDING", ""),
    ],
)  # fmt: skip
def test_states_before_the_end(state, ours, reason):
    found = read(state=state, exit_code=None, message="no resources")
    assert (found.state, found.reason, found.exit) == (ours, reason, None)


def test_the_fields_of_a_job():
    record = job(
        array_index=3,
        assigned_network_address=["b", "a"],
        queue="default",
        name="x",
        submissionTime=1,
        startTime=2,
        stopTime=3,
    )
    assert read_jobs(json.dumps({"7": record})) == [
        OarJob(7, 7, 2, "COMPLETED", "", 0, ("b", "a"), "default", "x", submitted=1, start=2, stop=3)
    ]
    missing = dict.fromkeys(("assigned_network_address", "queue", "name", "submissionTime", "startTime", "stopTime"))
    assert read(**missing) == OarJob(7, 7, 0, "COMPLETED", "", 0, (), "", "", submitted=0, start=0, stop=0)


def test_recorded_jobs(shared):
    text = (shared / "oar-2.5.9" / "oarstat_J_fj_error.txt").read_text().partition("[exit status")[0]
    (found,) = read_jobs(text[text.index("{") :])
    assert (found.state, found.reason) == ("CANCELLED", "was deleted")
    text = (shared / "oar-2.5.9" / "oarstat_J_fj_terminated.txt").read_text().partition("[exit status")[0]
    (found,) = read_jobs(text[text.index("{") :])
    assert (found.state, found.exit) == ("COMPLETED", 0)


def test_no_output_is_no_such_job():
    assert read_jobs(" ") == []
    with pytest.raises(CommandError, match="the output of oarstat cannot be read as JSON"):
        read_jobs("oarstat: cannot connect")


def test_jobs_are_asked_for_by_a_condition_and_come_in_the_order_of_their_ids():
    records = {"12": job(Job_Id=12, array_index=2), "7": job()}
    oar = Answers({"oarstat": json.dumps(records)})
    assert [(one.id, one.index) for one in find_jobs(oar, "job_id > 1")] == [(7, 0), (12, 1)]
    assert oar.asked == [("oarstat", "-f", "-J", "--sql", "job_id > 1")]
    with pytest.raises(CommandError, match="oarstat: no database"):
        find_jobs(Answers({"oarstat": (1, "# no database\n")}), "job_id > 1")


def test_a_job_that_was_submitted_again_is_the_last_one():
    again = {"7": job(state="Error", exit_code=None), "12": job(Job_Id=12, state="Running", exit_code=None)}
    found = latest_jobs(reversed(read_jobs(json.dumps(again))))
    assert {key: (one.id, one.state) for key, one in found.items()} == {(7, 0): (12, "RUNNING")}


def test_ids_are_numbers():
    assert arrays_condition(["9", "10", "9"]) == "array_id IN (10, 9)"
    with pytest.raises(ValueError, match="invalid literal"):
        arrays_condition(["9) OR (1=1"])
