"""What is printed of a problem, and which problems are errors."""

import pytest

from launchers.files.problems import CODES, ConfigError, Problem


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            Problem("f.yaml", 2, 3, "LC101", "local[0].wieght", "unknown key 'wieght'", "did you mean weight?"),
            "f.yaml:2:3: error LC101: local[0].wieght: unknown key 'wieght' (did you mean weight?)",
        ),
        (Problem("f.yaml", 1, 1, "LC100", "", "No such file"), "f.yaml:1:1: error LC100: No such file"),
        (Problem("f.yaml", 1, 1, "LC206", "a", "no node has it"), "f.yaml:1:1: warning LC206: a: no node has it"),
        (
            Problem("f\x1b[2J.yaml", 1, 1, "LC101", "a\nb\u202e", "unknown \x9b\x07", "\r"),
            "f\\x1b[2J.yaml:1:1: error LC101: a\\nb\\u202e: unknown \\x9b\\x07 (\\x0d)",
        ),
    ],
)
def test_a_problem_in_one_line(problem, text):
    assert str(problem) == text


def test_lc1_are_errors_and_lc2_warnings():
    assert {code[:3] for code in CODES} == {"LC1", "LC2"}
    assert Problem("f", 1, 1, "LC118", "", "").is_error
    assert not Problem("f", 1, 1, "LC201", "", "").is_error


def test_an_error_has_its_problems_in_the_order_of_the_file():
    first, second, third = Problem("f", 2, 9, "LC101", "", "a"), Problem("f", 10, 1, "LC101", "", "b"), Problem("g", 1, 1, "LC101", "", "c")  # fmt: skip
    error = ConfigError([third, second, first])
    assert error.problems == (first, second, third)
    assert str(error) == f"{first}\n{second}\n{third}"
