"""Dependencies as a page writes them, the order of jobs, and the label of a cell."""

import pytest
from flows import flow, job

from launchers.flow.model import DEPENDENCY_KINDS, Cell, read_dependencies, sorted_jobs, split_dependency


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("afterok", "a")),
        (" a ", ("afterok", "a")),
        ("afterany:b", ("afterany", "b")),
        (" afterany : b ", ("afterany", "b")),
        ("after:b:c", ("after", "b:c")),
        (":b", ("", "b")),
    ],
)
def test_a_dependency_is_split_into_its_kind_and_a_job(text, parts):
    assert split_dependency(text) == parts


@pytest.mark.parametrize(
    ("value", "waits"),
    [
        ("a", [("a", "ok")]),
        (["a", "afterany:b"], [("a", "ok"), ("b", "any")]),
        (("afternotok:a",), [("a", "failed")]),
        ("nonsense:a", [("a", "ok")]),
        ([1, None, "a"], [("a", "ok")]),
        (None, []),
        ({"a": 1}, []),
    ],
)
def test_dependencies_are_read_as_far_as_they_can_be(value, waits):
    assert list(read_dependencies(value)) == waits


def test_every_kind_of_slurm_has_its_word():
    assert DEPENDENCY_KINDS == {
        "afterok": "ok", "afterany": "any", "afternotok": "failed", "after": "started", "aftercorr": "each",
    }  # fmt: skip


def test_jobs_follow_those_that_they_wait_for_and_else_stand_as_in_the_file():
    jobs = flow(job("z", depends_on="m"), job("b"), job("m", depends_on="y"), job("y"), job("a")).jobs
    assert list(jobs) == ["y", "m", "z", "b", "a"]


def test_jobs_in_a_circle_stay_as_they_are():
    jobs = dict(flow(job("b"), job("a")).jobs)
    circle = {"b": jobs["a"], "a": jobs["b"]}
    for name, parent in (("b", "a"), ("a", "b")):
        object.__setattr__(circle[name], "waits", ((parent, "ok"),))
    assert list(sorted_jobs(circle)) == ["b", "a"]


def test_the_label_of_a_cell():
    assert Cell({"lr": 0.1, "seed": 2}, {}).label == "lr=0.1,seed=2"
    assert Cell({}, {}).label == ""
