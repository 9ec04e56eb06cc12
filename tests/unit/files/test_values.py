"""Each kind of value: what it takes, and what is wrong with the rest."""

import pytest

from launchers.files import kinds
from launchers.files.values import (
    UNION_READERS,
    VALUE_READERS,
    BadValueError,
    describe_type,
    read_choice,
)

G = 1024**3


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (kinds.Memory, "24G", 24 * G),
        (kinds.Duration, "2h", 7200),
        (kinds.Name, "gpu_p4-1.x@y", "gpu_p4-1.x@y"),
        (kinds.Name, 7, "7"),
        (kinds.Name, "n[01-16],m1", "n[01-16],m1"),
        (kinds.Hosts, "n[01-16],m1", "n[01-16],m1"),
        (kinds.Hosts, 12, "12"),
        (kinds.Option, "mail-type", "mail-type"),
        (kinds.Option, "exclusive", "exclusive"),
        (kinds.Line, "Tesla V100", "Tesla V100"),
        (kinds.Word, "two\nlines", "two\nlines"),
        (kinds.Word, "", ""),
        (kinds.Regex, "GPU(\\d+)", "GPU(\\d+)"),
        (kinds.Property, "gpu_model", "gpu_model"),
        (kinds.Property, "_x9", "_x9"),
        (kinds.Value, "Tesla V100", "Tesla V100"),
        (kinds.Value, True, "YES"),
        (kinds.Value, False, "NO"),
        (kinds.Value, 32, "32"),
        (kinds.Value, 1.5, "1.5"),
        (kinds.Count, 0, 0),
        (kinds.Count, 2**63 - 1, 2**63 - 1),
        (kinds.Ratio, 0, 0.0),
        (kinds.Ratio, 1, 1.0),
        (float, 3, 3.0),
        (bool, False, False),
        (str, "x", "x"),
    ],
)
def test_a_value_that_fits(kind, data, value):
    read = VALUE_READERS[kind](data)
    assert (read, type(read)) == (value, type(value))


MISFITS = [
    (kinds.Memory, 5, "LC103", "memory is text with a unit, not a number (5)", "write 5G or 5M"),
    (kinds.Memory, "5", "LC103", "memory needs a unit: write 5G or 5M instead of 5", ""),
    (kinds.Duration, 5, "LC104", "a duration is text with a unit, not a number (5)", "write 5h or 5 min"),
    (kinds.Duration, "long", "LC104", "'long' is not a duration such as 4 days, 1h30m or 2-12:00:00", ""),
    (kinds.Name, "a b", "LC109", "'a b' is not a name: use no spaces, commas, quotes or shell characters", ""),
    (kinds.Name, "", "LC109", "'' is not a name: use no spaces, commas, quotes or shell characters", ""),
    (kinds.Name, "$x", "LC109", "'$x' is not a name: use no spaces, commas, quotes or shell characters", ""),
    (kinds.Name, True, "LC102", "text is expected here, not true or false (True)", "write 'True'"),
    (kinds.Name, None, "LC102", "text is expected here, not nothing", ""),
    (kinds.Name, 1.5, "LC102", "text is expected here, not a number (1.5)", "write '1.5'"),
    (kinds.Hosts, "n[5-1]", "LC117", "the range 5-1 goes backwards: write the smaller number first", "write a name, or a folded list such as n[01-16]"),
    (kinds.Option, "--hold", "LC109", "'--hold' is not the name of an sbatch option", "write mail-type, without --"),
    (kinds.Option, "partition", "LC118", "sbatch's --partition is what launchers finds itself, and this would override its choice", "ask for it in the requirement, or describe it under partitions:"),
    (kinds.Line, "a\nb", "LC109", "'a\\nb' must be one line of printable text: it may reach an sbatch file", ""),
    (kinds.Line, " ", "LC109", "' ' must be one line of printable text: it may reach an sbatch file", ""),
    (kinds.Word, "a\0", "LC109", "'a\\x00' has characters that no file or command may contain", ""),
    (kinds.Word, "\ud800", "LC109", "'\\ud800' has characters that no file or command may contain", ""),
    (kinds.Regex, "[[a]", "LC105", "'[[a]' is not a regular expression: Possible nested set at position 1", ""),
    (kinds.Regex, "(", "LC105", "'(' is not a regular expression: missing ), unterminated subpattern at position 0", ""),
    (kinds.Property, "9x", "LC109", "'9x' is not the name of a property: use letters, digits and _, and no digit first", ""),
    (kinds.Value, "a\\b", "LC109", "'a\\\\b' has a backslash, which databases read in different ways", ""),
    (kinds.Count, "4", "LC102", "a whole number is expected here, not text ('4')", "write 4 without quotes"),
    (kinds.Count, "x", "LC102", "a whole number is expected here, not text ('x')", ""),
    (kinds.Count, True, "LC102", "a whole number is expected here, not true or false (True)", ""),
    (kinds.Count, 1.0, "LC102", "a whole number is expected here, not a number (1.0)", ""),
    (kinds.Count, -1, "LC102", "a number from 0 up is expected here, not -1", ""),
    (kinds.Count, 2**63, "LC102", f"a number from 0 up is expected here, not {2**63}", ""),
    (kinds.Ratio, 1.1, "LC102", "a number from 0 to 1 is expected here, not 1.1", ""),
    (kinds.Ratio, -0.1, "LC102", "a number from 0 to 1 is expected here, not -0.1", ""),
    (float, "2x", "LC102", "a number is expected here, not text ('2x')", "write 2x without quotes"),
    (float, "x", "LC102", "a number is expected here, not text ('x')", ""),
    (float, True, "LC102", "a number is expected here, not true or false (True)", ""),
    (float, float("nan"), "LC102", "a number is expected here, not a number (nan)", ""),
    (bool, 1, "LC102", "true or false is expected here, not a number (1)", ""),
    (str, [], "LC102", "text is expected here, not a list", ""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "data", "code", "message", "suggestion"), MISFITS)
def test_a_value_that_does_not_fit(kind, data, code, message, suggestion):
    with pytest.raises(BadValueError) as caught:
        VALUE_READERS[kind](data)
    assert (caught.value.code, str(caught.value), caught.value.suggestion) == (code, message, suggestion)


@pytest.mark.parametrize(
    ("union", "data", "value"),
    [
        (kinds.Scalar, True, True),
        (kinds.Scalar, 2, 2),
        (kinds.Scalar, 1.5, 1.5),
        (kinds.Scalar, "x", "x"),
        (bool | int | float | kinds.Word, "two\nlines", "two\nlines"),
        (kinds.Memory | kinds.Count, "2G", 2 * G),
        (kinds.Memory | kinds.Count, 2, 2),
    ],
)
def test_a_union_is_read_by_the_type_of_the_data(union, data, value):
    read = UNION_READERS[union](data)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("union", "data", "message"),
    [
        (kinds.Scalar, [1], "text, a number, or true is expected here, not a list"),
        (kinds.Scalar, "two\nlines", "'two\\nlines' must be one line of printable text: it may reach an sbatch file"),
        (kinds.Memory | kinds.Count, "2", "memory needs a unit: write 2G or 2M instead of 2"),
        (kinds.Memory | kinds.Count, -2, "a number from 0 up is expected here, not -2"),
    ],
)
def test_a_union_that_does_not_fit(union, data, message):
    with pytest.raises(BadValueError) as caught:
        UNION_READERS[union](data)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "hint"), [("tight", "did you mean tightest?"), ("Widest", "did you mean widest?"), ("x", ""), (1, "")]
)
def test_a_choice_has_the_nearest_word_as_a_hint(value, hint):
    choices = ("tightest", "widest")
    with pytest.raises(BadValueError) as caught:
        read_choice(choices, value)
    assert (caught.value.code, caught.value.suggestion) == ("LC110", hint)
    assert str(caught.value) == f"one of tightest, widest is expected here, not {describe_type(value)}"


def test_a_choice():
    assert read_choice(("tightest", "widest"), "widest") == "widest"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true or false (True)"),
        (3, "a number (3)"),
        ("x", "text ('x')"),
        ("x" * 57, f"text ('{'x' * 57}')"),
        ("x" * 58, "text"),
        ([1], "a list"),
        ({}, "a mapping"),
        (object(), "object"),
    ],
)
def test_what_a_value_is(value, text):
    assert describe_type(value) == text
