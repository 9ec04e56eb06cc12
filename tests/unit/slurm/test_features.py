"""Constraints, as sbatch reads them, held against the features of a node."""

import pytest

from launchers.slurm.features import constraint_matches


@pytest.mark.parametrize(
    ("constraint", "answer"),
    [
        ("", True), ("a", True), ("c", False), ("a&b", True), ("a&c", False), ("c|a", True), ("c|d", False), ("c|a&b", True),
        ("(c|a)&b", True), ("(c|a)&d", False), ("[a|c]", True), ("[c|d]", False), ("a*2&b", True), (" a & ( b | c ) ", True),
    ],
)  # fmt: skip
def test_what_is_met(constraint, answer):
    assert constraint_matches(constraint, {"a", "b"}) is answer


@pytest.mark.parametrize(
    ("constraint", "reason"),
    [
        ("(a", "a parenthesis is not closed, or a feature is missing"), ("a&", "or a feature is missing"), ("|", "missing"),
        ("()", "missing"), ("(a|b&", "missing"), ("(" * 100_000, "missing"), ("a)", "'\\)' is not expected there"),
        ("a b", "'b' is not expected there"), ("(a b)", "missing"),
    ],
)  # fmt: skip
def test_what_is_no_constraint(constraint, reason):
    with pytest.raises(ValueError, match=f"is not a constraint: .*{reason}"):
        constraint_matches(constraint, {"a"})
