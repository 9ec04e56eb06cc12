"""The error shows the place: line, column, the source line and a caret under it."""

import pytest

from launchers.requirement import RequirementSyntaxError
from launchers.requirement.errors import WIDTH


def shown(error):
    """The source line and the caret line."""
    return str(error).splitlines()[1:3]


@pytest.mark.parametrize(
    ("source", "offset", "line", "column"),
    [("abc", 0, 1, 1), ("abc", 2, 1, 3), ("abc", 99, 1, 4), ("abc", -1, 1, 1), ("a\nbc", 3, 2, 2), ("", 0, 1, 1)],
)
def test_lines_and_columns_count_from_one(source, offset, line, column):
    error = RequirementSyntaxError("bad", source, offset)
    assert (error.line, error.column) == (line, column)
    assert str(error).startswith(f"line {line}, column {column}: bad\n")


@pytest.mark.parametrize(("length", "caret"), [(1, "    ^"), (3, "    ^^^"), (0, "    ^"), (99, "    ^^^^^^")])
def test_the_caret_is_as_long_as_the_word_and_ends_with_the_line(length, caret):
    assert shown(RequirementSyntaxError("bad", "abcdef\nghi", 0, length=length)) == ["    abcdef", caret]


def test_a_caret_stands_after_the_end_of_the_text():
    assert shown(RequirementSyntaxError("bad", "abc", 3)) == ["    abc", "       ^"]


@pytest.mark.parametrize(
    ("expected", "line"),
    [(("a",), "expected a"), (("a", "b"), "expected a or b"), (("a", "b", "c"), "expected a, b or c")],
)
def test_what_is_expected(expected, line):
    assert str(RequirementSyntaxError("bad", "x", 0, expected)).splitlines()[3:] == [line]


def test_the_suggestion_comes_last():
    assert str(RequirementSyntaxError("bad", "x", 0, ("a",), "b")).splitlines()[3:] == ["expected a", "did you mean b?"]


def test_control_characters_are_shown_as_blanks():
    assert shown(RequirementSyntaxError("bad", "a\0\tb", 3)) == ["    a  b", "       ^"]


def test_a_line_is_cut_where_it_is_too_long():
    whole = "x" * WIDTH
    assert shown(RequirementSyntaxError("bad", whole, 0)) == [f"    {whole}", "    ^"]
    assert shown(RequirementSyntaxError("bad", whole + "y", 0)) == [f"    {whole}...", "    ^"]


def test_a_long_line_is_cut_around_the_caret():
    line, caret = shown(RequirementSyntaxError("bad", "x" * 200 + "here" + "y" * 200, 200, length=4))
    assert line == f"    ...{'x' * (WIDTH // 2)}here{'y' * (WIDTH // 2 - 4)}..."
    assert line[caret.index("^") :].startswith("here")
    assert caret.count("^") == 4
    line, caret = shown(RequirementSyntaxError("bad", "x" * 200 + "here", 200, length=4))
    assert line.endswith("here")
