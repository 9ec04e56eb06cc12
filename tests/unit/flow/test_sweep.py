"""The cells of a sweep."""

import time

import pytest
from flows import codes, flow, job, page, problems

import launchers.flow.sweep
from launchers.flow.read import loads
from launchers.flow.sweep import combine


def cells(axes=(), include=(), exclude=()):
    return combine(dict(axes), include=include, exclude=exclude)


def test_every_combination_in_the_order_of_the_axes():
    assert cells({"a": [1, 2], "b": "xy"}) == [
        {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"},
    ]  # fmt: skip


def test_a_flow_without_a_sweep_is_one_cell():
    assert cells() == [{}]
    assert [dict(cell.values) for cell in flow(job()).cells] == [{}]


def test_exclude_leaves_out_cells_that_have_all_of_its_values():
    axes = {"a": [1, 2], "b": [3, 4]}
    assert cells(axes, exclude=[{"a": 1}]) == [{"a": 2, "b": 3}, {"a": 2, "b": 4}]
    assert cells(axes, exclude=[{"a": 1, "b": 3}, {"a": 2, "b": 4}]) == [{"a": 1, "b": 4}, {"a": 2, "b": 3}]
    assert len(cells(axes, exclude=[{"a": 1, "c": 5}])) == 4


def test_include_adds_cells_that_are_not_there():
    assert cells({"a": [1]}, include=[{"a": 1}, {"a": 7, "b": 8}]) == [{"a": 1}, {"a": 7, "b": 8}]
    assert cells({"a": [1]}, include=[{"a": 1}], exclude=[{"a": 1}]) == [{"a": 1}], "exclude is about combinations"
    assert cells(include=[{"a": 1}]) == [{"a": 1}], "without a matrix they are all cells"


def test_the_largest_number_of_cells_and_one_more(monkeypatch):
    monkeypatch.setattr(launchers.flow.sweep, "MAX_CELLS", 6)
    keys = {"args": {"a": 0, "b": 0}}
    assert len(flow(job(), **keys, sweep={"matrix": {"a": [1, 2, 3], "b": [1, 2]}}).cells) == 6
    assert codes(job(), **keys, sweep={"matrix": {"a": [1, 2, 3, 4, 5, 6, 7]}}) == ["LC102 sweep.matrix"]


def test_too_many_cells_are_refused_without_making_them():
    args = "\n".join(f"  a{n}: 0" for n in range(9))
    axes = "\n".join(f"    a{n}: {list(range(50))}" for n in range(9))
    (problem,) = problems(f"args:\n{args}\nsweep:\n  matrix:\n{axes}\nname: x\njobs: [{{name: a, command: ls}}]\n")
    assert problem == f"13:5 LC102 sweep.matrix: the sweep has {50**9} cells; at most 10000 are allowed ()"


NONE = "the sweep has no cells: exclude leaves out every combination, or an argument has no values"


@pytest.mark.parametrize("sweep", ["{matrix: {a: []}}", "{matrix: {a: [1]}, exclude: [{a: 1}]}"])
def test_a_sweep_without_cells_is_refused(sweep):
    text = f"name: x\nargs: {{a: 1}}\nsweep: {sweep}\njobs:\n- name: a\n  command: ls\n"
    assert problems(text) == [f"3:8 LC102 sweep: {NONE} ()"]


def test_axes_of_the_caller_replace_those_of_the_file_and_add_to_them():
    text = page(job(), args={"a": 0, "b": 0}, sweep={"matrix": {"a": [1, 2]}})
    assert [dict(cell.values) for cell in loads(text, sweep={"a": [5], "b": (6, 7)}).cells] == [
        {"a": 5, "b": 6}, {"a": 5, "b": 7},
    ]  # fmt: skip
    assert loads(page(job(), args={"a": 0}), sweep={"a": [1, 2]}).sweep is not None
    assert loads(page(job(), args={"a": 0})).sweep is None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"include": [{"n": number} for number in range(10_000)]},
            "the sweep has 10001 cells; at most 10000 are allowed",
        ),
        (
            {"matrix": {"n": list(range(9000))}, "exclude": [{"n": number} for number in range(600)]},
            "the sweep has 600 entries in exclude for 9000 combinations; that is too many",
        ),
    ],
)
def test_what_would_take_long_to_combine_is_refused(keys, message):
    (problem,) = problems(page(job(), args={"n": 0}, sweep=keys))
    assert message in problem


def test_many_templates_that_fail_are_told_soon():
    command = [job(command=["ls"], env={f"1{number}": "{{ x }}" for number in range(3000)})]
    start = time.process_time()
    assert len(problems(page(*command))) > 1000
    assert time.process_time() - start < 5
