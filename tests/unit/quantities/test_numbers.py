"""Whole numbers in what other programs print."""

import pytest

from launchers.quantities.numbers import whole_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_digits_are_a_number(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["", None, "-1", "+1", "1.5", "1_000", " 1", "²", "٣", "N/A", "9" * 19, "9" * 5000])
def test_other_text_is_none(text):
    assert whole_number(text) is None
