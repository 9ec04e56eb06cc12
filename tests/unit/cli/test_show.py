"""Tables for a pipe and for a terminal, and JSON."""

import sys

import pytest

from launchers.cli.show import print_json, print_table


@pytest.mark.parametrize(
    ("rows", "head", "title", "text"),
    [
        ([("a", "bb"), ("ccc", "")], (), "", "a    bb\nccc\n"),
        ([("a", "b")], ("NAME", "X"), "", "NAME  X\na     b\n"),
        ([("a", "b")], (), "Title", "Title\na  b\n"),
        ([], ("NAME",), "", "NAME\n"),
        ([], (), "", ""),
    ],
)
def test_a_table_for_a_pipe(capsys, rows, head, title, text):
    print_table(rows, head, title)
    assert capsys.readouterr().out == text


def test_a_table_at_a_terminal_shows_brackets_as_they_are(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")  # no colours
    print_table([("n[1-2]", "[bold]")], ("NODES", "X"), "Title")
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["Title", "NODES   X", "n[1-2]  [bold]"]
    print_table([("a", "b")])
    assert capsys.readouterr().out.split() == ["a", "b"]


def test_json_keeps_the_order_of_keys_and_letters_as_they_are(capsys):
    print_json({"b": 1, "a": "\N{LATIN SMALL LETTER E WITH ACUTE}"})
    assert capsys.readouterr().out == '{\n  "b": 1,\n  "a": "\N{LATIN SMALL LETTER E WITH ACUTE}"\n}\n'
