"""`launchers report`: one HTML page about a run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from launchers.cli.run_argument import add_run, find_run


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    text = "write the page to this file, - for stdout (default: report.html in the run folder)"
    command.add_argument("-o", "--output", metavar="FILE", help=text)


def run(options: argparse.Namespace) -> int:
    """Write the page, and print where it is."""
    from launchers.errors import RunError
    from launchers.report.page import page

    plan_run = find_run(options.run)
    text = page(plan_run)
    if options.output == "-":
        sys.stdout.write(text)
        return 0
    path = Path(options.output) if options.output else plan_run.folder / "report.html"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None
    print(path)
    return 0
