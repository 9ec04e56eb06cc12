"""Options and warnings that commands share."""

import argparse

import pytest

from launchers.cli import options
from launchers.offer.model import Group


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("007", 7), ("100000", 100_000)])
def test_a_positive_number(text, number):
    assert options.positive_number(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "x", "\N{ARABIC-INDIC DIGIT TWO}", "\N{SUPERSCRIPT TWO}"])
def test_what_is_not_a_positive_number(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"{text} is not a whole number from 1 up"):
        options.positive_number(text)


def test_the_options_of_a_requirement():
    parser = argparse.ArgumentParser()
    options.add_requirement(parser)
    found = parser.parse_args(["cpu()", "gpu()", "--tag", "a", "--tag", "b", "--config", "f", "--live"])
    assert (found.expr, found.tag, found.config) == (["cpu()", "gpu()"], ["a", "b"], "f")
    assert (found.live, found.widest, found.refresh) == (True, False, False)
    assert parser.parse_args(["cpu()"]).tag == []


def test_only_a_group_without_its_signals_is_warned_of(capsys):
    options.warn_of_missing_signals([Group("a", "slurm", ()), Group("b", "slurm", (), signal_error="squeue: down")])
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "launchers: warning: b: no live signal: squeue: down\n")
