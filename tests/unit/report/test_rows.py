"""Classes of states, and the rows of the graph and the timeline."""

import pytest
from reported import job, step, task

from launchers.report.rows import graph, make_rows
from launchers.report.states import WORDS, overall_class, state_class


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ("COMPLETED", "ok"),
        ("RUNNING", "run"),
        ("COMPLETING", "run"),
        ("PENDING", "wait"),
        ("FAILED", "bad"),
        ("TIMEOUT", "bad"),
        ("OUT_OF_MEMORY", "bad"),
        ("CANCELLED", "off"),
        ("REVOKED", "off"),
        ("UNKNOWN", "lost"),
        ("UNSUBMITTED", "lost"),
    ],
)
def test_each_state_has_a_class(state, name):
    assert state_class(state) == name
    assert name in WORDS


@pytest.mark.parametrize(
    ("states", "name"),
    [
        (["COMPLETED", "FAILED", "RUNNING"], "run"),
        (["COMPLETED", "FAILED", "PENDING"], "bad"),
        (["COMPLETED", "PENDING", "UNKNOWN"], "wait"),
        (["COMPLETED", "UNKNOWN", "CANCELLED"], "lost"),
        (["COMPLETED", "CANCELLED"], "off"),
        (["COMPLETED"], "ok"),
        ([], "ok"),
    ],
)
def test_what_matters_most_is_the_class_of_a_run(states, name):
    assert overall_class([step(f"s{at}", states=[state]) for at, state in enumerate(states)]) == name


def test_a_step_that_was_left_out_counts_as_completed():
    assert overall_class([step(states=["CANCELLED"], left_out=True)]) == "ok"


# -- rows ------------------------------------------------------------------------------------------------------


def siblings(count, items=1):
    """A step, so many that wait for it, and a last one that waits for all of them."""
    names = [f"s{at}" for at in range(count)]
    tasks = [task("first"), *(task(name, [("first", "ok")], items) for name in names)]
    tasks.append(task("last", [(name, "ok") for name in names]))
    return tasks, [step(each.name) for each in tasks]


@pytest.mark.parametrize(("count", "rows"), [(6, 8), (7, 3)])
def test_many_siblings_that_are_alike_share_a_row(count, rows):
    assert len(make_rows(*siblings(count))) == rows


def test_a_shared_row_stands_for_all_its_steps():
    first, shared, last = make_rows(*siblings(9))
    assert (first.label, shared.label, last.label) == ("first", "s0 and 8 more", "last")
    assert len(shared.members) == 9
    assert shared.waits == (("first", "ok"),)
    assert last.waits == (("s0", "ok"),)


def test_maps_and_siblings_that_wait_for_something_else_share_no_row():
    assert len(make_rows(*siblings(9, items=2))) == 11
    tasks, steps = siblings(9)
    tasks[1] = task("s0", [("first", "any")])
    assert [row.name for row in make_rows(tasks, steps)] == ["first", "s0", "s1", "last"]


@pytest.mark.parametrize(
    ("states", "summary"),
    [
        (["COMPLETED", "COMPLETED"], "2 completed"),
        (["COMPLETED", "FAILED", "FAILED"], "2 of 3 failed"),
        (["COMPLETED", "RUNNING"], "1 of 2 completed · running"),
        (["PENDING", "PENDING"], "0 of 2 completed · waiting"),
    ],
)
def test_the_summary_of_many_jobs(states, summary):
    (row,) = make_rows([task(count=2)], [step(states=states)])
    assert row.summary == summary


def test_the_summary_of_a_job():
    (row,) = make_rows([task()], [step("s", job(started=0.0, ended=75.0))])
    assert row.summary == "completed · 1m15s"
    (row,) = make_rows([task()], [step(states=["PENDING"])])
    assert row.summary == "pending"


def test_the_graph_is_escaped():
    text = str(graph(make_rows([task("<b>")], [step("<b>")])))
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
