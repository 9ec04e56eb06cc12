"""The states of jobs and steps: what a scheduler says, and what is known of jobs that it has forgotten."""

import json
import pickle
import time

import pytest
from attrs import evolve
from fake_backend import after, step, stored_run, submission
from reported import job
from reported import step as step_state

from launchers.errors import RunError
from launchers.jobs.state import ENDED
from launchers.runs.gate import take
from launchers.runs.journal import Cancel, Intent, Never, Refused, Submitted
from launchers.runs.status import elements_of, member_states, read_seen, step_states


def states(run):
    """State and reason of each job."""
    return [(member.info.state, member.info.reason) for member in member_states(run)]


def write_result(run, name, position, outcome):
    folder = run.folder.job_folder(name)
    folder.mkdir(exist_ok=True)
    suffix = "" if position is None else f"_{position}"
    (folder / f"9{suffix}_0_result.pkl").write_bytes(pickle.dumps(outcome))


# -- what the scheduler says -----------------------------------------------------------------------------------


def test_each_job_is_shown_as_the_scheduler_has_it(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("m", after("a"), items=[0, 1]))
    run.folder.journal.append(Submitted({"a": "7", "m": "8"}, time=50.0))
    fake.end("7", "RUNNING", submitted=40.0)
    fake.end("8", "PENDING", 0, reason="Dependency")
    fake.end("8", "COMPLETED", 1, job="99")
    first, second, third = member_states(run)
    assert fake.asked == [["7", "8"]]
    assert (first.job, second.job, third.job) == ("7", "8_0", "99")
    assert (first.step, third.item, third.submission, third.element) == ("a", 1, "m", ("8", 1))
    assert (first.info.submitted, second.info.submitted) == (40.0, 50.0)  # where it does not say, when it was sent
    assert second.info.reason == "Dependency"


def test_only_the_last_attempt_is_shown(fake, tmp_path):
    again = submission("m~2", after("a"), steps=["m"], attempt=2)
    run = stored_run(tmp_path, submission("a", barrier=True), submission("m"), again)
    run.folder.journal.append(Submitted({"a": "1", "m": "7", "m~2": "8"}))
    fake.end("7", "FAILED")
    fake.end("8", "RUNNING")
    assert states(run) == [("RUNNING", "")]


def test_all_elements_that_were_submitted():
    submissions = [submission("m", items=[0, 1]), submission("a"), submission("b")]
    assert elements_of(submissions, {"m": "7", "a": "8"}) == {("7", 0), ("7", 1), ("8", None)}


# -- what was not submitted ------------------------------------------------------------------------------------


def test_why_a_job_was_not_submitted(fake, tmp_path):
    run = stored_run(tmp_path, *[submission(name) for name in "abcd"])
    run.folder.journal.append(Intent(["a"]))
    run.folder.journal.append(Refused("b", ["no such account", "sorry"]))
    run.folder.journal.append(Never("c", "what it waits for failed"))
    assert states(run) == [
        ("UNSUBMITTED", "not submitted: launchers resume finishes that"),
        ("UNSUBMITTED", "no such account; sorry"),
        ("CANCELLED", "what it waits for failed"),
        ("UNSUBMITTED", "not submitted: launchers resume finishes that"),
    ]
    assert [member.job for member in member_states(run)] == [""] * 4
    assert not run.folder.seen_path.exists()


# -- what is forgotten -----------------------------------------------------------------------------------------


def test_a_forgotten_job_is_judged_by_its_result(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("m", items=[0, 1, 2]))
    run.folder.journal.append(Submitted({"a": "7", "m": "8"}))
    write_result(run, "a", None, ("error", "Traceback:\n  x\nValueError: no luck\n"))
    write_result(run, "m", 1, ("success", "not a reason"))
    assert states(run) == [
        ("FAILED", "ValueError: no luck"),
        ("UNKNOWN", "no scheduler knows it (any more)"),
        ("COMPLETED", ""),
        ("UNKNOWN", "no scheduler knows it (any more)"),
    ]
    fake.end("8", "RUNNING", 1)
    assert states(run)[2] == ("RUNNING", "")


def test_a_failure_without_a_word(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"))
    run.folder.journal.append(Submitted({"a": "7"}))
    write_result(run, "a", None, ("error", "\n"))
    assert states(run) == [("FAILED", "")]


def test_a_forgotten_job_was_seen_before(fake, tmp_path):
    run = stored_run(tmp_path, submission("m", items=[0, 1]), submission("a"))
    run.folder.journal.append(Submitted({"m": "7", "a": "8"}))
    fake.end("7", "COMPLETED", 0)
    fake.end("7", "RUNNING", 1)
    before = time.time()
    assert [state for state, _ in states(run)] == ["COMPLETED", "RUNNING", "UNKNOWN"]
    seen = json.loads(run.folder.seen_path.read_text())
    assert {id: state for id, (state, _) in seen.items()} == {"7_0": "COMPLETED", "7_1": "RUNNING"}
    assert all(before <= when <= time.time() for _, when in seen.values())
    fake.infos.clear()
    run.folder.seen_path.write_text(json.dumps({"7_0": ["COMPLETED", 5], "7_1": ["RUNNING", 1.7e9]}))
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(1.7e9))
    assert states(run) == [
        ("COMPLETED", "seen earlier"), ("UNKNOWN", f"no scheduler knows it (any more); last seen RUNNING {when}"),
        ("UNKNOWN", "no scheduler knows it (any more)"),
    ]  # fmt: skip


def test_what_was_seen_is_written_only_where_it_changed(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("b"))
    run.folder.journal.append(Submitted({"a": "7", "b": "8"}))
    fake.end("7", "RUNNING")
    fake.end("8", "RUNNING")
    states(run)
    first = run.folder.seen_path.stat().st_mtime_ns
    states(run)
    assert run.folder.seen_path.stat().st_mtime_ns == first
    fake.end("7", "COMPLETED")
    states(run)
    assert read_seen(run.folder.seen_path)["7"][0] == "COMPLETED"
    fake.infos.pop(("8", None))  # what was seen of it is kept
    fake.end("7", "FAILED")
    states(run)
    assert {id: state for id, (state, _) in read_seen(run.folder.seen_path).items()} == {"7": "FAILED", "8": "RUNNING"}


def test_nothing_is_remembered_of_a_scheduler_that_forgets_nothing(fake, tmp_path):
    fake.forgets_jobs = False
    run = stored_run(tmp_path, submission("a"))
    run.folder.journal.append(Submitted({"a": "7"}))
    fake.end("7", "RUNNING")
    assert states(run) == [("RUNNING", "")]
    assert not run.folder.seen_path.exists()


def test_a_forgotten_job_that_was_cancelled(fake, tmp_path):
    run = stored_run(tmp_path, submission("a", steps=["a", "b"]), submission("c"))
    run.folder.journal.append(Submitted({"a": "7", "c": "8"}))
    unknown = ("UNKNOWN", "no scheduler knows it (any more)")
    run.folder.journal.append(Cancel(["b"], 2))
    assert states(run) == [unknown] * 3  # whether the order was carried out is not known
    run.folder.journal.append(Cancel(["b"], 2, done=True))
    assert states(run) == [
        ("UNKNOWN", "no scheduler knows it (any more)"), ("CANCELLED", "cancelled before it started"),
        ("UNKNOWN", "no scheduler knows it (any more)"),
    ]  # fmt: skip
    write_result(run, "a", 1, ("success", 1))
    assert states(run)[1] == ("COMPLETED", "")


def test_a_result_lies_there_that_the_scheduler_does_not_know_of(fake, tmp_path):
    """Whether it cannot be asked, or has forgotten the job."""
    run = stored_run(tmp_path, submission("m", items=[0, 1, 2]))
    run.folder.journal.append(Submitted({"m": "7"}))
    write_result(run, "m", 0, ("success", 1))
    write_result(run, "m", 1, ("error", "Traceback\nValueError: bad"))
    fake.problem = "fakequeue: no answer"
    unknown = ("UNKNOWN", "the fake scheduler cannot be asked: fakequeue: no answer")
    assert states(run) == [("COMPLETED", ""), ("FAILED", "ValueError: bad"), unknown]
    assert [member.is_unreachable for member in member_states(run)] == [False, False, True]


@pytest.mark.parametrize("content", [b"", b"\x80\x04", pickle.dumps(("success", "x" * 100))[:-1], b"hello", b"."])
def test_a_result_that_was_cut_off_or_is_none_says_nothing(fake, tmp_path, content):
    run = stored_run(tmp_path, submission("a"))
    run.folder.journal.append(Submitted({"a": "7"}))
    folder = run.folder.job_folder("a")
    folder.mkdir()
    (folder / "9_0_result.pkl").write_bytes(content)
    assert states(run) == [("UNKNOWN", "no scheduler knows it (any more)")]


def test_all_tasks_of_a_job_have_to_succeed(fake, tmp_path):
    run = stored_run(tmp_path, submission("a", parameters={"nodes": 2, "ntasks_per_node": 1}))
    run.folder.journal.append(Submitted({"a": "7"}))
    write_result(run, "a", None, ("success", 1))
    assert states(run)[0][0] == "UNKNOWN"
    second = run.folder.job_folder("a") / "9_1_result.pkl"
    second.write_bytes(pickle.dumps(("success", 1)))
    assert states(run)[0][0] == "COMPLETED"
    second.write_bytes(pickle.dumps(("error", "bad")))
    assert states(run)[0] == ("FAILED", "bad")


def test_a_range_of_nodes_is_one_result(fake, tmp_path):
    run = stored_run(tmp_path, submission("a", parameters={"nodes": "1-2"}))
    run.folder.journal.append(Submitted({"a": "7"}))
    write_result(run, "a", None, ("success", 1))
    assert states(run) == [("COMPLETED", "")]


def test_to_look_at_a_run_executes_nothing_of_it(fake, tmp_path):
    class Canary:
        def __reduce__(self):
            return (tmp_path.joinpath("sung").touch, ())

    run = stored_run(tmp_path, submission("a"))
    run.folder.journal.append(Submitted({"a": "7"}))
    write_result(run, "a", None, ("success", Canary()))
    assert states(run) == [("COMPLETED", "")]
    assert not tmp_path.joinpath("sung").exists()


def test_a_run_that_is_not_one_s_own_is_not_written_to(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), own=False)
    run.folder.journal.append(Submitted({"a": "7"}))
    fake.end("7", "RUNNING")
    assert states(run) == [("RUNNING", "")]
    assert not run.folder.seen_path.exists()


def test_a_job_that_was_cancelled_before_it_ran_its_step(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"))
    run.folder.journal.append(Submitted({"a": "7"}))
    fake.end("7", "FAILED", exit="113:0")
    write_result(run, "a", None, ("cancelled", "it waits for x, which ended otherwise"))
    assert states(run) == [("CANCELLED", "it waits for x, which ended otherwise")]


def test_a_scheduler_whose_word_is_no_proof(fake, tmp_path):
    """srun may end with 0 and not have started its task."""
    fake.proves_success = False
    run = stored_run(tmp_path, submission("m", items=[0, 1]), submission("z", script="job.sh"))
    run.folder.journal.append(Submitted({"m": "7", "z": "8"}))
    for index in (0, 1):
        fake.end("7", "COMPLETED", index)
    fake.end("8", "COMPLETED", 0)
    write_result(run, "m", 0, ("success", 1))
    waiting = ("COMPLETING", "it ended with 0, and its result is not there (yet)")
    assert states(run)[:2] == [("COMPLETED", ""), waiting]
    write_result(run, "m", 1, ("success", 1))
    assert states(run)[1] == ("COMPLETED", "")
    for path in run.folder.job_folder("m").glob("*_result.pkl"):
        path.unlink()
    assert states(run)[1] == ("COMPLETED", "")  # it was seen once


def test_another_job_that_runs_a_member_counts_for_it(fake, tmp_path):
    """The journal knows a submission by one job; another one was first on the node."""
    run = stored_run(tmp_path, submission("m", items=[0, 1]))
    run.folder.journal.append(Submitted({"m": "7"}))
    take(run.folder.job_folder("m"), 0, "5_0")
    fake.end("7", "FAILED", 0)
    fake.end("7", "RUNNING", 1)
    fake.end("5", "RUNNING", 0)
    first, _ = member_states(run)
    assert (first.info.state, first.job, first.element) == ("RUNNING", "5_0", ("5", 0))


@pytest.mark.parametrize(("text", "state"), [("1\n", "COMPLETED"), ("0\n", "UNKNOWN"), (None, "UNKNOWN")])
def test_a_script_whose_run_says_that_it_is_done(fake, tmp_path, text, state):
    run = stored_run(tmp_path, submission("m", items=[0], script="job.sh"), submission("a"))
    run.folder.journal.append(Submitted({"m": "7", "a": "8"}))
    folder = run.folder.path / "__esis__"
    folder.mkdir()
    if text is not None:
        (folder / "completed.state").write_text(text)
    assert [found for found, _ in states(run)] == [state, "UNKNOWN"]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", '{"7": "RUNNING"}', '{"7": ["RUNNING"]}', '{"7": ["RUNNING", "noon"]}', '{"7": [1, 2]}', "[" * 10_000,
        '{"7": ["RUNNING", 1e300]}', '{"7": ["RUNNING", -1]}', '{"7": ["RUNNING", NaN]}',
    ],
)  # fmt: skip
def test_states_that_were_not_seen_by_us(tmp_path, text):
    path = tmp_path / "seen.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"seen.json:1: not the states that launchers has seen: remove the file"):
        read_seen(path)


def test_nothing_was_seen(tmp_path):
    assert read_seen(tmp_path / "seen.json") == {}
    (tmp_path / "seen.json").write_text('{"7": ["RUNNING", 5], "8": ["FAILED", 5.5]}')
    assert read_seen(tmp_path / "seen.json") == {"7": ["RUNNING", 5], "8": ["FAILED", 5.5]}


# -- one job ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("COMPLETED", "", "ended succeeded settled"),
        ("FAILED", "", "ended failed settled gone"),
        ("CANCELLED", "", "ended failed settled gone"),
        ("PENDING", "Priority", ""),
        ("PENDING", "DependencyNeverSatisfied", "stuck settled gone"),
        ("RUNNING", "DependencyNeverSatisfied", ""),
        ("UNKNOWN", "", "gone"),
        ("UNSUBMITTED", "", "settled"),
    ],
)
def test_what_a_state_means(state, reason, words):
    member = job(state=state, reason=reason)
    names = ("ended", "succeeded", "failed", "stuck", "settled", "gone")
    assert " ".join(name for name in names if getattr(member, name)) == words


@pytest.mark.parametrize(
    ("state", "times", "elapsed"),
    [
        ("RUNNING", {"started": 10.0}, 90),
        ("RUNNING", {"started": 10.0, "ended": 20.0}, 90),
        ("COMPLETED", {"started": 10.0, "ended": 12.4}, 2),
        ("COMPLETED", {"started": 12.0, "ended": 10.0}, 0),
        ("COMPLETED", {"started": 10.0}, None),
        ("CANCELLED", {"ended": 10.0}, None),
    ],
)
def test_for_how_long_a_job_has_run(state, times, elapsed):
    assert job(state=state, **times).elapsed(100.0) == elapsed


# -- one step --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "state"),
    [
        (["COMPLETED"], "COMPLETED"),
        (["COMPLETED", "FAILED"], "FAILED"),
        (["FAILED", "CANCELLED"], "CANCELLED"),
        (["RUNNING", "FAILED", "PENDING"], "RUNNING"),
        (["PENDING", "FAILED"], "PENDING"),
        (["UNKNOWN", "PENDING", "COMPLETED"], "PENDING"),
        (["UNKNOWN", "COMPLETED"], "UNKNOWN"),
    ],
)
def test_one_word_for_all_jobs_of_a_step(members, state):
    found = step_state(states=members)
    assert found.state == state
    assert found.succeeded == (state == "COMPLETED")
    assert found.failed == bool({"FAILED", "CANCELLED"} & set(members))
    assert found.ended == (set(members) <= ENDED)
    assert sum(found.counts.values()) == len(members)


@pytest.mark.parametrize("states", [["FAILED"], ["COMPLETED"], ["CANCELLED"]])
def test_a_step_that_was_left_out_has_not_failed(states):
    found = step_state(states=states, left_out=True)
    assert (found.succeeded, found.failed) == (True, False)


@pytest.mark.parametrize(
    ("jobs", "reason"),
    [
        ([("RUNNING", {"reason": ""})], ""),
        ([("RUNNING", {"reason": "its scheduler has gone"})], "its scheduler has gone"),
        ([("COMPLETED", {"reason": "x"})], ""),
        ([("PENDING", {"reason": "Priority"})], "waits behind jobs of higher priority"),
        ([("PENDING", {"reason": "None"}), ("PENDING", {"reason": ""})], ""),
        ([("PENDING", {"reason": ""}), ("PENDING", {"reason": "Resources"})], "waits for nodes to become free"),
        ([("FAILED", {"reason": "out of luck"})], "out of luck"),
        ([("COMPLETED", {}), ("FAILED", {"reason": "None", "exit": "3:0"})], "exit 3:0"),
        ([("UNKNOWN", {"reason": "lost"}), ("FAILED", {"reason": "x"})], "lost"),
        ([("UNSUBMITTED", {"reason": "refused"})], "refused"),
    ],
)
def test_why_a_step_waits_or_failed(jobs, reason):
    assert step_state("s", *[job("s", at, state, **info) for at, (state, info) in enumerate(jobs)]).reason == reason


@pytest.mark.parametrize(("seconds", "limit"), [(3600, "1h"), (None, ""), (90, "1m30s")])
def test_a_time_limit_for_people(seconds, limit):
    assert evolve(step_state(), seconds=seconds).limit == limit


# -- steps of a run --------------------------------------------------------------------------------------------


def test_the_steps_of_a_run(fake, tmp_path):
    again = submission("a~2", steps=["a"], attempt=2, seconds=60)
    steps = [step("a", place="gpu", seconds=30), step("m", [("a", "ok")], 2)]
    run = stored_run(tmp_path, submission("a"), submission("m", items=[0, 1]), again, steps=steps)
    first, second = step_states(run, [job("m", 0), job("a"), job("m", 1)])
    assert (first.name, first.place, first.seconds, len(first.members)) == ("a", "gpu", 60, 1)
    assert (second.name, second.seconds, [one.item for one in second.members]) == ("m", 3600, [0, 1])


def left_out(fake, root, waits, **ends):
    """Which steps were left out: `waits` of each step, and the states of its jobs."""
    steps = [step(name, waits.get(name, ()), len(states.split())) for name, states in ends.items()]
    run = stored_run(root, *[submission(name) for name in ends], steps=steps)
    members = [job(name, at, state) for name, states in ends.items() for at, state in enumerate(states.split())]
    return {state.name for state in step_states(run, members) if state.left_out}


RESCUE = {"rescue": [("a", "failed")], "then": [("rescue", "ok")], "last": [("rescue", "any")]}


@pytest.mark.parametrize(
    ("ends", "names"),
    [
        ({"a": "COMPLETED", "rescue": "CANCELLED", "then": "CANCELLED", "last": "COMPLETED"}, {"rescue", "then"}),
        ({"a": "COMPLETED", "rescue": "CANCELLED", "then": "CANCELLED", "last": "CANCELLED"}, {"rescue", "then"}),
        ({"a": "COMPLETED", "rescue": "CANCELLED CANCELLED"}, {"rescue"}),
        ({"a": "COMPLETED", "rescue": "CANCELLED PENDING"}, set()),
        ({"a": "COMPLETED", "rescue": "COMPLETED", "then": "CANCELLED"}, set()),
        ({"a": "FAILED", "rescue": "CANCELLED", "then": "CANCELLED"}, set()),
        ({"a": "RUNNING", "rescue": "CANCELLED"}, set()),
        ({"rescue": "CANCELLED"}, set()),  # what it waits for is not known
        ({"a": "COMPLETED", "rescue": ""}, set()),
    ],
)
def test_what_waits_for_a_failure_that_did_not_come_is_left_out(fake, tmp_path, ends, names):
    assert left_out(fake, tmp_path, RESCUE, **ends) == names


def test_what_is_stuck_can_be_left_out(fake, tmp_path):
    steps = [step("a"), step("b", [("a", "failed")])]
    run = stored_run(tmp_path, submission("a"), submission("b"), steps=steps)
    stuck = job("b", state="PENDING", reason="DependencyNeverSatisfied")
    assert [state.left_out for state in step_states(run, [job("a"), stuck])] == [False, True]
