"""`launchers check`: everything that is wrong with a launchers.yaml."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.selection import VERSION
from launchers.config.check import check
from launchers.config.find import check_owner, locate
from launchers.config.load import load, loads
from launchers.files.problems import ConfigError, Problem
from launchers.files.structure import read_stdin_text


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    command.add_argument(
        "file", metavar="FILE", nargs="?", help="the file to check, - for stdin (default: the one in use)"
    )
    shared.add_json(command)


def run(options: argparse.Namespace) -> int:
    """Print every problem; status 1 when one of them is an error."""
    return print_problems(_problems(options.file), options.json)


def print_problems(problems: list[Problem], as_json: bool) -> int:
    """Print problems, for people or as JSON; 1 when one of them is an error."""
    errors = sum(problem.is_error for problem in problems)
    if as_json:
        show.print_json({"version": VERSION, "errors": errors, "problems": [_json(problem) for problem in problems]})
    else:
        for problem in problems:
            print(problem)
        warnings = len(problems) - errors
        counts = [f"{n} {word}{'s' * (n != 1)}" for n, word in ((errors, "error"), (warnings, "warning")) if n]
        print(" and ".join(counts) or "no problems found", file=sys.stderr)
    return 1 if errors else 0


def _problems(file: str | None) -> list[Problem]:
    try:
        if file == "-":
            text = read_stdin_text()
            if not text.strip():
                return [_unreadable("<stdin>", "the input is empty", "check the command that should have written it")]
            config = loads(text, "<stdin>")
        else:
            path = Path(file) if file else _file_in_use()
            if path is None:
                return [_unreadable("launchers.yaml", "launchers finds no such file", "see: launchers where")]
            config = load(path)
    except ConfigError as error:
        return list(error.problems)
    return check(config)


def _file_in_use() -> Path | None:
    """The file that would be used; raises ConfigError for another user's."""
    located = locate(None, os.environ, Path.cwd())
    check_owner(located)
    return located.used


def _unreadable(file: str, message: str, hint: str) -> Problem:
    return Problem(file, 1, 1, "LC100", "", message, hint)


def _json(problem: Problem) -> dict[str, object]:
    return {
        "code": problem.code,
        "severity": "error" if problem.is_error else "warning",
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": problem.message,
        "suggestion": problem.suggestion or None,
    }
