"""The journal of a run: what each event comes to, whatever was cut off; and what is not ours is refused by its line."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.events import BadLineError, append, line_of, read_events
from launchers.runs.journal import (
    EVENTS,
    Cancel,
    Cancelled,
    Intent,
    Journal,
    JournalState,
    Lost,
    Never,
    Refused,
    Submitted,
    fold,
)

NAMES = st.sampled_from("abcd")
TIMES = st.integers(0, 100) | st.floats(0, 100)
EVENT = st.one_of(
    st.builds(Intent, st.lists(NAMES), time=TIMES),
    st.builds(Submitted, st.dictionaries(NAMES, st.text()), time=TIMES),
    st.builds(Never, NAMES, st.text(), time=TIMES),
    st.builds(Refused, NAMES, st.lists(st.text()), st.none() | st.text(), time=TIMES),
    st.builds(Cancelled, st.lists(NAMES), time=TIMES),
    st.builds(Cancel, st.lists(st.text()), st.integers(0, 4), st.booleans(), time=TIMES),
    st.builds(Lost, NAMES, st.lists(st.integers(0, 9)), st.text(), time=TIMES),
)


# -- the fold --------------------------------------------------------------------------------------------------


def test_nothing_was_done():
    assert fold([]) == JournalState()
    assert not fold([]).was_cancelled("a", 0, "x")
    assert not fold([]).is_to_be_cancelled(0, "x")


def test_an_intent_is_kept_until_its_jobs_are_submitted():
    state = fold([Intent(["a", "b"], time=5.0)])
    assert state.intended == {"a": 5.0, "b": 5.0}
    assert (state.jobs, state.sent) == ({}, {})
    state.apply(Submitted({"a": "12"}, time=6.0))
    assert state.intended == {"b": 5.0}
    assert (state.jobs, state.sent) == ({"a": "12"}, {"a": 6.0})


def test_a_later_intent_counts_from_its_own_time():
    assert fold([Intent(["a"], time=5.0), Intent(["a"], time=9.0)]).intended == {"a": 9.0}


def test_jobs_that_nobody_meant_to_submit_are_submitted_all_the_same():
    state = fold([Submitted({"a": "1", "b": "2"}, time=3.0)])
    assert (state.jobs, state.sent, state.intended) == ({"a": "1", "b": "2"}, {"a": 3.0, "b": 3.0}, {})


def test_why_a_submission_is_not_made():
    state = fold([Never("a", "its parent failed"), Refused("b", ["sbatch: error:", "no"], "duration")])
    assert state.never == {"a": "its parent failed"}
    assert state.refused == {"b": ["sbatch: error:", "no"]}
    assert state.jobs == {}


def test_an_order_to_cancel_a_step_is_for_the_submissions_of_then():
    """It is for those, too, that had not been submitted; a retry adds further ones, which it is not for."""
    state = fold([Cancel(["x", "y"], 2), Cancel(["z"], 3), Cancelled(["d", "e"])])
    ordered = {f"{number}{step}" for number in range(4) for step in "xyz" if state.is_to_be_cancelled(number, step)}
    assert " ".join(sorted(ordered)) == "0x 0y 0z 1x 1y 1z 2z"


def test_an_order_to_cancel_counts_when_the_scheduler_has_carried_it_out():
    orders = [Cancel(["x", "y"], 2), Cancel(["z"], 3)]
    state = fold([*orders, Cancelled(["d", "e"])])
    assert not any(state.was_cancelled(name, number, "x") for number, name in enumerate("abc"))
    done = [Cancel(order.steps, order.submissions, done=True) for order in orders]
    state = fold([*orders, *done, Cancelled(["d", "e"])])
    cancelled = {
        name + step for number, name in enumerate("abcdef") for step in "xyz" if state.was_cancelled(name, number, step)
    }
    assert " ".join(sorted(cancelled)) == "ax ay az bx by bz cz dx dy dz ex ey ez"


def test_jobs_that_are_taken_for_lost():
    state = fold([Lost("a", [0, 2], "nobody knows it"), Lost("b", [0], "gone")])
    assert state.lost == {("a", 0): "nobody knows it", ("a", 2): "nobody knows it", ("b", 0): "gone"}


@given(st.lists(EVENT), st.data())
def test_events_come_to_the_same_read_at_once_or_one_after_the_other(events, data):
    """Whatever their order: a retry, another client and a resume write to the same file."""
    state = fold(events)
    cut = data.draw(st.integers(0, len(events)))
    stepwise = fold(events[:cut])
    for event in events[cut:]:
        stepwise.apply(event)
    assert stepwise == state
    assert set(state.sent) == set(state.jobs)
    assert set(state.jobs) == {name for event in events if isinstance(event, Submitted) for name in event.jobs}
    assert {name for name in "abcd" if state.was_cancelled(name, 0, "no step")} == state.cancelled


# -- the file --------------------------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl")


def test_a_journal_that_is_not_there_has_no_events(journal):
    assert journal.events() == []
    assert journal.state() == JournalState()


def test_what_was_appended_is_read(journal):
    events = [Intent(["a"]), Submitted({"a": "12"}), Cancel(["x"], 1), Lost("a", [0], "gone")]
    for event in events:
        journal.append(event)
    assert journal.events() == events
    assert journal.state().jobs == {"a": "12"}


def test_to_append_reads_only_the_end(journal, monkeypatch):
    journal.append(Submitted({f"a{number}": "1" for number in range(10_000)}))
    for number in range(100):
        journal.append(Submitted({"b": str(number)}))
    real, read = os.pread, []

    def pread(file, length, offset):
        read.append(length)
        return real(file, length, offset)

    monkeypatch.setattr(os, "pread", pread)
    journal.append(Cancel(["x"], 1))
    assert read == [4096]
    assert journal.state().jobs["b"] == "99"


BAD_LINES = {
    "{}": "no event is named; known events: intent, submitted, never, refused, cancelled, cancel, lost",
    "[]": "'[]' is not a JSON object",
    "null": "'null' is not a JSON object",
    "hello": "'hello' is not JSON",
    "[" * 100_000: "...' is not JSON",
    "{event: submitted}": "'{event: submitted}' is not JSON",
    '{"event": "submi': """'{"event": "submi' is not JSON""",
    '{"event": "eaten"}': "there is no event 'eaten'; known events: intent, ",
    '{"event": 7}': "there is no event 7; known events:",
    '{"event": ["intent"]}': "there is no event ['intent']; known events:",
    '{"event": "submitted"}': "Submitted has no 'jobs'",
    '{"event": "submitted", "jobs": {}, "job": "2"}': "there is no 'job' in Submitted",
    '{"event": "submitted", "jobs": {"a": 1}}': "Submitted: jobs is {'a': 1}",
    '{"event": "submitted", "jobs": ["a"]}': "Submitted: jobs is ['a']",
    '{"event": "submitted", "jobs": {}, "time": "noon"}': "Submitted: time is 'noon'",
    '{"event": "intent", "submissions": "a"}': "Intent: submissions is 'a'",
    '{"event": "never", "submission": "a", "reason": null}': "Never: reason is None",
    '{"event": "refused", "submission": "a", "lines": [1]}': "Refused: lines is [1]",
    '{"event": "refused", "submission": "a", "lines": [], "code": 3}': "Refused: code is 3",
    '{"event": "cancelled", "submissions": {}}': "Cancelled: submissions is {}",
    '{"event": "cancel", "steps": "a", "submissions": 1}': "Cancel: steps is 'a'",
    '{"event": "cancel", "steps": ["a"]}': "Cancel has no 'submissions'",
    '{"event": "cancel", "steps": ["a"], "submissions": 1, "done": 1}': "Cancel: done is 1",
    '{"event": "lost", "submission": "a", "positions": [null], "reason": ""}': "Lost: positions is [None]",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_that_is_not_ours(journal, line):
    journal.append(Submitted({"a": "12"}))
    journal.path.write_text(f"{journal.path.read_text()}{line}\n")
    with pytest.raises(BadLineError) as caught:
        journal.state()
    assert str(caught.value).startswith(f"{journal.path}:2: ")
    assert BAD_LINES[line] in str(caught.value)


CUT_OFF = [
    '{"event": "submitted", "jobs": {"a": "1',
    '{"event": "submitted", "jobs": {"a}}',
    "{",
    '{"',
    '{"\0\0',
    "\0" * 100,
    "   ",
]


@pytest.mark.parametrize("rest", CUT_OFF)
def test_what_was_cut_off_was_not_written(journal, rest):
    journal.append(Intent(["a"]))
    before = journal.events()
    journal.path.write_text(journal.path.read_text() + rest)
    assert journal.events() == before
    journal.append(Submitted({"a": "12"}))
    assert journal.events()[:-1] == before
    assert journal.state().jobs == {"a": "12"}


def test_a_line_that_lacks_only_its_end_was_written(journal):
    journal.path.write_text(line_of(Submitted({"a": "12"}), EVENTS).rstrip("\n"))
    assert journal.state().jobs == {"a": "12"}
    journal.append(Submitted({"b.0": "13"}))
    assert journal.state().jobs == {"a": "12", "b.0": "13"}


@pytest.mark.parametrize("line", ['{"event": "submitted", "submission": "a", "jo', "{", "hello"])
def test_what_lacks_something_and_was_not_cut_off_is_refused(journal, line):
    journal.append(Intent(["a"]))
    journal.path.write_text(f"{line}\n{journal.path.read_text()}")
    with pytest.raises(BadLineError, match=r":1: .* is not JSON"):
        journal.events()
    journal.path.write_text("{}")  # nor is this cut off
    with pytest.raises(BadLineError, match=":1: no event is named"):
        journal.events()


@given(st.lists(EVENT), st.data())
@settings(deadline=None)
def test_events_are_read_as_they_were_written_however_often_writing_was_cut_off(tmp_path_factory, events, data):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    for event in events:
        line = line_of(event, EVENTS)
        if data.draw(st.booleans()):
            start = "\n" if data.draw(st.booleans()) else ""
            with path.open("a") as file:
                file.write(start + line[: data.draw(st.integers(1, len(line) - 2))])
        append(path, line)
    assert read_events(path, EVENTS) == events


@given(st.binary(max_size=80))
@settings(deadline=None)
def test_whatever_stands_in_a_journal_is_read_or_refused_by_its_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    path.write_bytes(data)
    try:
        read_events(path, EVENTS)
    except BadLineError as error:
        assert 1 <= error.line <= data.count(b"\n") + 1
        assert str(error).startswith(f"{path}:{error.line}: ")


def test_what_is_noted_without_the_lock_is_read_with_the_rest(journal):
    journal.append(Submitted({"a": "12"}))
    journal.note([Cancel(["x"], 1)])
    journal.note([Lost("a", [0], "gone"), Lost("b", [1], "gone")])
    journal.append(Intent(["b"]))
    state = journal.state()
    assert (state.jobs, state.orders) == ({"a": "12"}, [(1, frozenset("x"))])
    assert sorted(state.lost) == [("a", 0), ("b", 1)]
    assert journal.path.read_bytes().count(b"\n") == 2
