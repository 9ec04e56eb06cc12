"""What a submission waits for when it is sent, however its parents ended until then."""

import pytest
from fake_backend import after, stored_run, submission

from launchers.errors import RunError
from launchers.jobs.backend import Wait
from launchers.runs.journal import Intent, Never, Submitted
from launchers.runs.send import SubmitError, live_jobs, submit_pending

KEPT, MET, NEVER = "kept", "met", "never"


def waits_of(fake, name):
    """What a submission waits for as it was sent; "never" where it was not."""
    for (request,) in fake.requests:
        if request.submission.name == name:
            return request.waits
    return NEVER


def test_parents_that_were_just_submitted_are_not_asked_for(fake, tmp_path):
    """slurmctld still knows them."""
    kinds = ("afterok", "afterany", "afternotok", "after", "aftercorr")
    parents = [submission(f"a{number}", items=[0, 1]) for number in range(5)]
    child = submission("b", *(after(f"a{number}", kind) for number, kind in enumerate(kinds)), after("a0", index=1))
    submit_pending(stored_run(tmp_path, *parents, child))
    waits = [Wait(kind, (str(100 + number), None)) for number, kind in enumerate(kinds)]
    assert waits_of(fake, "b") == (*waits, Wait("afterok", ("100", 1)))
    assert fake.asked == []


@pytest.mark.parametrize(
    ("kind", "completed", "failed", "running", "unknown", "never_made"),
    [
        ("afterok", MET, NEVER, KEPT, NEVER, NEVER),
        ("aftercorr", MET, NEVER, KEPT, NEVER, NEVER),
        ("afterany", MET, MET, KEPT, MET, MET),
        ("afternotok", NEVER, MET, KEPT, NEVER, MET),
        ("after", MET, MET, KEPT, MET, MET),
    ],
)
@pytest.mark.parametrize("case", ["completed", "failed", "running", "unknown", "never_made"])
def test_a_parent_that_has_ended_is_judged_here(
    fake, tmp_path, kind, case, completed, failed, running, unknown, never_made
):
    """afterok on an id that slurmctld has forgotten is refused or, worse, ignored."""
    run = stored_run(tmp_path, submission("a"), submission("b", after("a", kind)))
    if case == "never_made":
        run.folder.journal.append(Intent(["x"]))
        run.folder.journal.append(Never("a", "its parent failed"))
    else:
        run.folder.journal.append(Submitted({"a": "7"}))
        if case != "unknown":
            fake.end("7", case.upper())
    submit_pending(run)
    expected = {
        "completed": completed, "failed": failed, "running": running, "unknown": unknown, "never_made": never_made,
    }[case]  # fmt: skip
    assert waits_of(fake, "b") == {KEPT: (Wait(kind, ("7", None)),), MET: (), NEVER: NEVER}[expected]
    if expected == NEVER:
        *_, never = run.folder.journal.events()
        reason = "it is not known how a ended, which it waits for" if case == "unknown" else "what it waits for failed"
        assert (never.submission, never.reason) == ("b", reason)


def test_nothing_is_decided_about_parents_while_the_scheduler_is_away(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("b", after("a")))
    run.folder.journal.append(Submitted({"a": "7"}))
    fake.problem = "fakequeue: no answer"
    with pytest.raises(SubmitError, match=r"it is not known how a ended.*no answer") as caught:
        submit_pending(run)
    assert caught.value.transient
    assert fake.requests == []
    fake.problem = ""
    fake.end("7", "COMPLETED")
    submit_pending(run)
    assert waits_of(fake, "b") == ()


def test_what_cannot_start_takes_along_what_waits_for_it(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("b", after("a")), submission("c", after("b")))
    run.folder.journal.append(Submitted({"a": "7"}))
    fake.end("7", "FAILED")
    submit_pending(run)
    assert fake.requests == []
    assert list(run.folder.journal.state().never) == ["b", "c"]


@pytest.mark.parametrize(("remembers", "asked"), [(0.0, [["100"]]), (300.0, []), (float("inf"), [])])
def test_parents_are_asked_for_only_when_they_may_be_forgotten(fake, tmp_path, remembers, asked):
    fake.remembers = remembers
    submit_pending(stored_run(tmp_path, submission("a"), submission("b", after("a"))))
    assert fake.asked == asked


def test_a_client_that_was_stopped_asks_for_parents_that_it_has_just_submitted(fake, tmp_path, monkeypatch):
    """Each parent's age counts from its own submission, by a clock that nobody can set."""
    fake.remembers = 300.0
    clock = iter([0.0, 10.0, 10.0, 430.0, 430.0, 430.0, 430.0, 440.0, 440.0])
    monkeypatch.setattr("launchers.runs.send.boottime", lambda: next(clock))
    fake.before_send = lambda requests: fake.end("100", "FAILED") if requests[0].submission.name == "b" else None
    run = stored_run(
        tmp_path, submission("a"), submission("b"), submission("c", after("a")), submission("d", after("b"))
    )
    submit_pending(run)
    assert fake.asked == [["100"]]
    assert run.folder.journal.state().never == {"c": "what it waits for failed"}
    assert waits_of(fake, "d") == (Wait("afterok", ("101", None)),)


def test_only_parents_are_asked_for(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("x"), submission("b", after("a")))
    run.folder.journal.append(Submitted({"a": "7", "x": "8"}))
    submit_pending(run)
    assert fake.asked == [["7"]]


@pytest.mark.parametrize(
    ("ends", "index", "waits"),
    [
        ({0: "COMPLETED", 1: "COMPLETED"}, None, ()),
        ({0: "COMPLETED", 1: "FAILED"}, None, NEVER),
        ({0: "COMPLETED", 1: "RUNNING"}, None, (Wait("afterok", ("7", None)),)),
        ({0: "COMPLETED", 1: "FAILED"}, 0, ()),
        ({0: "COMPLETED", 1: "FAILED"}, 1, NEVER),
        ({0: "COMPLETED", 1: "RUNNING"}, 1, (Wait("afterok", ("7", 1)),)),
        ({0: "COMPLETED"}, 1, NEVER),
    ],
)
def test_an_array_or_one_element_of_it(fake, tmp_path, ends, index, waits):
    run = stored_run(tmp_path, submission("a", items=[0, 1]), submission("b", after("a", index=index)))
    run.folder.journal.append(Submitted({"a": "7"}))
    for element, state in ends.items():
        fake.end("7", state, element)
    submit_pending(run)
    assert waits_of(fake, "b") == waits


@pytest.mark.parametrize(
    ("ends", "waits"),
    [
        (("COMPLETED", "FAILED"), NEVER),  # each step has to fail
        (("FAILED", "FAILED"), ()),
        (("FAILED", "RUNNING"), (Wait("afternotok", ("8", None)),)),
    ],
)
def test_of_several_steps_each_has_to_fail(fake, tmp_path, ends, waits):
    both = [after("x", "afternotok"), after("y", "afternotok")]
    run = stored_run(tmp_path, submission("x"), submission("y"), submission("b", *both))
    run.folder.journal.append(Submitted({"x": "7", "y": "8"}))
    fake.end("7", ends[0])
    fake.end("8", ends[1])
    submit_pending(run)
    assert waits_of(fake, "b") == waits


@pytest.mark.parametrize(("second", "waits"), [("FAILED", ()), ("COMPLETED", NEVER)])
def test_of_a_map_that_is_two_arrays_one_item_has_to_fail(fake, tmp_path, second, waits):
    arrays = [submission("m.0", steps=["m"]), submission("m.1", steps=["m"])]
    run = stored_run(tmp_path, *arrays, submission("b", after("m.0", "afternotok"), after("m.1", "afternotok")))
    run.folder.journal.append(Submitted({"m.0": "7", "m.1": "8"}))
    fake.end("7", "COMPLETED")
    fake.end("8", second)
    submit_pending(run)
    assert waits_of(fake, "b") == waits


@pytest.mark.parametrize(("ends", "waits"), [(["COMPLETED", "FAILED"], ()), (["FAILED", "FAILED"], NEVER)])
def test_items_that_wait_for_their_own_item_each_start_if_that_succeeded(fake, tmp_path, ends, waits):
    """The Map before them has ended: each of them looks on the node."""
    run = stored_run(tmp_path, submission("a", items=[0, 1]), submission("b", after("a", "aftercorr"), items=[0, 1]))
    run.folder.journal.append(Submitted({"a": "7"}))
    for element, state in enumerate(ends):
        fake.end("7", state, element)
    submit_pending(run)
    assert waits_of(fake, "b") == waits


def test_steps_of_one_array_that_have_to_fail(fake, tmp_path):
    array = submission("x", steps=["x", "y"])
    both = [after("x", "afternotok", 0), after("x", "afternotok", 1)]
    run = stored_run(tmp_path, array, submission("b", *both))
    run.folder.journal.append(Submitted({"x": "7"}))
    fake.end("7", "FAILED", 0)
    fake.end("7", "COMPLETED", 1)
    submit_pending(run)
    assert waits_of(fake, "b") == NEVER


# -- other runs ------------------------------------------------------------------------------------------------


def other_run(fake, root, ends):
    """A run whose array has elements in these states."""
    run = stored_run(root, submission("m", items=list(range(len(ends)))))
    run.folder.journal.append(Submitted({"m": "50"}))
    for index, state in enumerate(ends):
        fake.end("50", state, index)
    return str(run.folder.path)


@pytest.mark.parametrize(
    ("ends", "live"),
    [
        (["PENDING", "RUNNING"], [("50", None)]),
        (["COMPLETED", "RUNNING", "PENDING"], [("50", 1), ("50", 2)]),
        (["COMPLETED", "COMPLETED"], []),
        (["RUNNING", "FAILED"], None),
        (["COMPLETED", "TIMEOUT"], None),
    ],
)
def test_the_jobs_of_another_run_that_have_not_ended(fake, tmp_path, ends, live):
    folder = other_run(fake, tmp_path, ends)
    assert live_jobs([folder]) == live
    assert live_jobs([]) == []
    run = stored_run(tmp_path, submission("a", after=(folder,)))
    submit_pending(run)
    assert waits_of(fake, "a") == (NEVER if live is None else tuple(Wait("afterok", element) for element in live))


def test_another_run_that_is_submitted_in_part(fake, tmp_path):
    run = stored_run(tmp_path, submission("a"), submission("b", after("a")))
    run.folder.journal.append(Submitted({"a": "50"}))
    fake.end("50", "RUNNING")
    assert live_jobs([run.folder.path]) == [("50", None)]


def test_another_run_of_which_nobody_knows(fake, tmp_path):
    """Its id may be another job's by now, or be ignored."""
    folder = other_run(fake, tmp_path, ["RUNNING", "COMPLETED"])
    del fake.infos["50", 1]
    with pytest.raises(
        RunError, match=f"{folder} cannot be waited for, as its state is not known: no scheduler knows it"
    ):
        live_jobs([folder])
