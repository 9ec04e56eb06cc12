"""The states of OAR's jobs, from recorded output of a real 2.5.9 and from records made for one rule each."""

import json

import pytest
from connectors import Answers
from hypothesis import example, given
from hypothesis import strategies as st

from launchers.commands import CommandError
from launchers.oar.states import (
    Condition,
    OarJob,
    find_jobs,
    latest_jobs,
    of_arrays,
    read_jobs,
    submitted_instead_of,
    with_ids,
)


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
        (["FRAG_JOB_REQUEST", "SEND_KILL_JOB"], "CANCELLED", "was deleted before it started"),
        (["FRAG_JOB_REQUEST", "WALLTIME", "SEND_KILL_JOB"], "TIMEOUT", "reached its walltime"),
        (["BESTEFFORT_KILL", "FRAG_JOB_REQUEST"], "PREEMPTED", "was killed for a job that is not besteffort"),
        (["WORKING_DIRECTORY"], "FAILED", "its working folder cannot be entered on the node"),
        (["OUTPUT_FILES"], "FAILED", "its output files cannot be created on the node"),
        (["EXIT_VALUE_OAREXEC"], "NODE_FAIL", "its node failed (EXIT_VALUE_OAREXEC)"),
        (["FRAG_JOB_REQUEST", "PING_CHECKER_NODE_SUSPECTED"], "NODE_FAIL",
         "its node failed (PING_CHECKER_NODE_SUSPECTED)"),
        (["FIRST", "LAST"], "FAILED", "LAST"),
        ([], "FAILED", "OAR does not say why"),
    ],
)  # fmt: skip
def test_errors_have_their_reason_in_events(events, state, reason):
    found = read(state="Error", exit_code=None, events=[{"type": event} for event in events])
    assert (found.state, found.reason, found.exit) == (state, reason, None)


@pytest.mark.parametrize(("who", "start", "state", "reason"), [
    ("me", 0, "CANCELLED", "was deleted by me before it started"),
    ("root", 0, "CANCELLED", "was deleted by root before it started"),
    ("me", 5, "CANCELLED", "was deleted by me"),
    ("root", 5, "NODE_FAIL", "was deleted by root, as when its node is set Absent or Dead"),
])  # fmt: skip
def test_who_deleted_a_job_and_when(who, start, state, reason):
    """A node that is set Absent has its jobs deleted in the name of root (seen on 2.5.9)."""
    event = {"type": "FRAG_JOB_REQUEST", "description": f"User {who} requested to frag the job 7"}
    found = read(state="Error", exit_code=None, owner="me", startTime=start, events=[event])
    assert (found.state, found.reason, found.deleted) == (state, reason, True)


def test_an_end_without_an_exit_status_is_no_success():
    found = read(exit_code=None)
    assert (found.state, found.reason, found.exit) == ("FAILED", "OAR does not say how it ended", None)


@pytest.mark.parametrize(
    ("state", "ours", "reason"),
    [
        ("Waiting", "PENDING", "no resources"), ("Hold", "PENDING", "JobHeldUser"), ("Running", "RUNNING", ""),
        ("Suspended", "SUSPENDED", ""), ("Resuming", "RUNNING", ""), ("Finishing", "COMPLETING", ""),
        ("NewOne", "UNKNOWN", "OAR calls it NewOne"), ("toError", "COMPLETING", ""),
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
    assert (found.state, found.reason) == ("CANCELLED", "was deleted by oaruser")
    text = (shared / "oar-2.5.9" / "oarstat_J_fj_terminated.txt").read_text().partition("[exit status")[0]
    (found,) = read_jobs(text[text.index("{") :])
    assert (found.state, found.exit) == ("COMPLETED", 0)


@pytest.mark.parametrize("text", ["", " \n", "{}", "[]", "a banner\n{}\n"])
def test_no_jobs(text):
    assert read_jobs(text) == []


@pytest.mark.parametrize("around", [
    ("", ""), ("Possible precedence problem at x line 3.\n", ""), ("[NEWS] maintenance {tonight}\n", "bye\n"),
    ("\N{REPLACEMENT CHARACTER}\n", "\n[]\n"),
])  # fmt: skip
def test_what_others_print_around_it_does_not_matter(around):
    before, after = around
    for records in ({"7": job()}, [job()]):
        (found,) = read_jobs(f"{before}{json.dumps(records, indent=3)}\n{after}")
        assert (found.id, found.state) == (7, "COMPLETED")


@pytest.mark.parametrize(("text", "why"), [
    ("oarstat: cannot connect", "no JSON object as is expected in 'oarstat: cannot connect'"),
    ("null", "no JSON object"), ("7", "no JSON object"), ('{"7": {"Job_Id": 7', "no JSON object"),
    ('{"7": null}', "no JSON object"), ("[1]", "no JSON object"), ("{" * 100000, "no JSON object"),
    ('{"7": {"Job_Id": 7, "array_id": 7, "array_index": 1}}', "a job has no 'state'"),
    ('{"7": {"Job_Id": 7, "state": "Running"}}', "a job has no 'array_"),
    ('{"7": {"Job_Id": "x", "array_id": 7, "array_index": 1, "state": "Running"}}', "invalid literal"),
    ('{"7": {"Job_Id": 1e999, "array_id": 7, "array_index": 1, "state": "Running"}}', "infinity"),
    ("[" * 100000, "no JSON object"),
])  # fmt: skip
def test_what_is_no_answer_says_so(text, why):
    """'Cannot ask' is not 'gone'."""
    with pytest.raises(CommandError, match=f"the output of oarstat cannot be read: .*{why}"):
        read_jobs(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["Running", "Error"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "a"]), inner, max_size=2),
    max_leaves=4,
)
FIELDS = [*job(), "owner", "name", "queue", "startTime", "stopTime", "submissionTime", "assigned_network_address"]


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES), st.integers(0, 400), st.text(max_size=9))
@example({"exit_code": "x"}, 400, "")
@example({"events": {"type": "a"}}, 400, "{")
@example({"assigned_network_address": 7}, 400, "")
def test_any_answer_is_read_or_refused(changes, length, before):
    """Records whose fields are anything or are cut off, behind anything."""
    text = json.dumps({"7": {**job(), **changes}})[:length]
    for answer in (text, f"{before}\n{text}", json.dumps({**job(), **changes})):
        try:
            found = read_jobs(answer)
        except CommandError:
            continue
        assert all(isinstance(one.id, int) and isinstance(one.state, str) and one.start >= 0 for one in found)


def test_jobs_are_asked_for_by_a_condition_and_come_in_the_order_of_their_ids():
    records = {"12": job(Job_Id=12, array_index=2), "7": job(), "99": job(Job_Id=99, array_id=99)}
    oar = Answers({"oarstat": json.dumps(records)})
    assert [(one.id, one.index) for one in find_jobs(oar, of_arrays(["7"]))] == [(7, 0), (12, 1)]
    assert oar.asked == [
        ("oarstat", "-f", "-J", "--sql", "(array_id IN (7)) OR job_id = (SELECT MAX(job_id) FROM jobs)")
    ]
    assert find_jobs(oar, Condition("x", lambda one: False)) == []
    with pytest.raises(CommandError, match="oarstat: no database"):
        find_jobs(Answers({"oarstat": (1, "# no database\n")}), of_arrays(["7"]))
    for nothing in ("", "{}", "[]"):  # the last job of all is in every answer
        with pytest.raises(CommandError, match="oarstat printed no job at all: its database gave no answer"):
            find_jobs(Answers({"oarstat": nothing}), of_arrays(["7"]))


def test_a_job_that_was_submitted_again_is_the_last_one():
    again = {"7": job(state="Error", exit_code=None), "12": job(Job_Id=12, state="Running", exit_code=None)}
    found = latest_jobs(reversed(read_jobs(json.dumps(again))))
    assert {key: (one.id, one.state) for key, one in found.items()} == {(7, 0): (12, "RUNNING")}


def test_conditions():
    (single,), (element,) = read_jobs(json.dumps([job()])), read_jobs(json.dumps([job(Job_Id=9, resubmit_job_id=7)]))
    assert of_arrays(["9", "10", "9"]).sql == "array_id IN (9, 10)"
    assert with_ids(["9"]).sql == "job_id IN (9)"
    assert submitted_instead_of("7").sql == "resubmit_job_id = 7"
    assert [of_arrays(["7"]).holds(one) for one in (single, element)] == [True, True]
    assert [with_ids(["7"]).holds(one) for one in (single, element)] == [True, False]
    assert [submitted_instead_of("7").holds(one) for one in (single, element)] == [False, True]
    for make in (lambda id: of_arrays([id]), lambda id: with_ids([id]), submitted_instead_of):
        with pytest.raises(ValueError, match="invalid literal"):
            make("9) OR (1=1")
