"""`launchers check` on the command line."""

import io
import json
import sys

import pytest

from launchers.cli import main

BAD = "local:\n- wieght: 1\n  cpu: {cores: x}\n"
ODD = "local: [{tags: [' a']}]\n"


@pytest.fixture
def check(tmp_path, capsys, monkeypatch):
    """Status, stdout lines and stderr of `launchers check` on a text, as a file or on stdin."""

    def run(text, *options, stdin=False):
        if stdin:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        else:
            (tmp_path / "f.yaml").write_text(text)
            monkeypatch.chdir(tmp_path)
        status = main(["check", "-" if stdin else "f.yaml", *options])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.mark.parametrize(
    ("text", "status", "codes", "err"),
    [
        ("local: [{}]", 0, [], "no problems found\n"),
        (BAD, 1, ["error LC101", "error LC102"], "2 errors\n"),
        (ODD, 0, ["warning LC205"], "1 warning\n"),
        ("local: [{wieght: 1}]", 1, ["error LC101"], "1 error\n"),
        (
            "slurm: [{partitions: {p: {qos: [a]}}, qos: {b: {}}, connector: local}]",
            1,
            ["error LC108", "warning LC202", "warning LC214"],
            "1 error and 2 warnings\n",
        ),
    ],
)
def test_problems_are_printed_and_counted(check, text, status, codes, err):
    for stdin in (False, True):
        found, out, printed = check(text, stdin=stdin)
        assert (found, [line.split(": ")[1] for line in out.splitlines()], printed) == (status, codes, err)
        assert all(line.startswith("<stdin>:" if stdin else "f.yaml:") for line in out.splitlines())


def test_problems_as_json(check):
    status, out, err = check(ODD, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "version": json.loads(out)["version"],
        "errors": 0,
        "problems": [
            {
                "code": "LC205",
                "severity": "warning",
                "file": "f.yaml",
                "line": 1,
                "column": 17,
                "path": "local[0].tags[0]",
                "message": "the tag ' a' cannot be selected",
                "suggestion": "use no commas, and no blanks around it",
            }
        ],
    }
    problems = json.loads(check(BAD, "--json")[1])
    assert (problems["errors"], problems["problems"][1]["suggestion"]) == (2, None)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_input(check, text):
    status, out, err = check(text, stdin=True)
    assert (status, err) == (1, "1 error\n")
    assert out == ("<stdin>:1:1: error LC100: the input is empty (check the command that should have written it)\n")
    assert check(text)[0] == 0  # an empty file is a launchers.yaml without groups


def test_without_a_name_it_checks_the_file_in_use(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    assert capsys.readouterr().out == (
        "launchers.yaml:1:1: error LC100: launchers finds no such file (see: launchers where)\n"
    )
    (tmp_path / "launchers.yaml").write_text(BAD)
    assert main(["check"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_file_that_is_not_there(capsys):
    assert main(["check", "/no/such.yaml"]) == 1
    assert capsys.readouterr().out == "/no/such.yaml:1:1: error LC100: No such file or directory\n"
