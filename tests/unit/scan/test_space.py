"""Parameter spaces: how they are combined, and what is wrong with one."""

import math

import pytest

from launchers.scan import space
from launchers.scan.schema import ParametersSpec
from launchers.scan.space import space_problems, space_rows


def spec(product=None, zip=None, list=None):
    return ParametersSpec(product=product, zip=zip, list=list)


def test_the_last_name_of_a_product_changes_fastest():
    assert space_rows(spec(product={"a": (1, 2), "b": ("x", "y")})) == (
        {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"},
    )  # fmt: skip


def test_keys_of_several_kinds_are_combined():
    both = spec(product={"a": (1, 2), "b": ("x",)}, zip={"c": (1, 2), "d": (3, 4)}, list=({"e": {"f": [0]}},))
    common = {"b": "x", "e": {"f": [0]}}
    assert space_rows(both) == (
        {**common, "c": 1, "d": 3, "a": 1},
        {**common, "c": 1, "d": 3, "a": 2},
        {**common, "c": 2, "d": 4, "a": 1},
        {**common, "c": 2, "d": 4, "a": 2},
    )


def test_a_list_is_taken_as_it_is():
    assert space_rows(spec(list=({"a": 1}, {"b": 2}))) == ({"a": 1}, {"b": 2})


EMPTY = [((), "it has no parameters: give product, zip or list, none of them empty")]


@pytest.mark.parametrize(
    ("wrong", "problems"),
    [
        (spec(), EMPTY),
        (spec(list=()), EMPTY),
        (spec(product={}), EMPTY),
        (spec(product={"a": ()}), EMPTY),
        (spec(product={"a": (1,)}, list=()), EMPTY),
        (spec(zip={"a": (1,), "b": (1, 2)}), [(("zip",), "the lists have different lengths: a 1, b 2")]),
        (
            spec(product={"a": (1,)}, zip={"a": (1,), "b": (1,)}, list=({"b": 1}, {"b": 2})),
            [((), "a is in more than one of product, zip and list"), ((), "b is in more than one of product, zip and list")],
        ),
        (
            spec(product={"a": (math.inf,)}),
            [((), "a number is infinite or not a number, which JSON cannot express")],
        ),
        (spec(list=({"a": [math.nan]},)), [((), "a number is infinite or not a number, which JSON cannot express")]),
    ],
)  # fmt: skip
def test_what_is_wrong(wrong, problems):
    assert list(space_problems(wrong)) == problems


@pytest.mark.parametrize(
    "large",
    [spec(product={"a": (1, 2, 3), "b": (1, 2)}, zip={"c": (1, 2)}), spec(product={"a": (1,) * 12}, list=({},))],
)
def test_there_may_be_so_many_tasks_and_no_more(large, monkeypatch):
    monkeypatch.setattr(space, "MAX_TASKS", 12)
    assert list(space_problems(large)) == []
    monkeypatch.setattr(space, "MAX_TASKS", 11)
    assert list(space_problems(large)) == [((), "it has 12 combinations; 11 are allowed")]
