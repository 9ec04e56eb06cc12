"""`launchers report`: one HTML page about a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from launchers.cli.run_argument import add_run, add_trust, find_run
from launchers.files.atomic import write_atomically
from launchers.terminal import put


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    add_trust(command)
    text = "write the page to this file, - for stdout (default: report.html in the run folder)"
    command.add_argument("-o", "--output", metavar="FILE", help=text)


def run(options: argparse.Namespace) -> int:
    """Write the page, and print where it is."""
    from launchers.errors import RunError
    from launchers.report.page import page

    plan_run = find_run(options.run, trust=options.trust)
    text = page(plan_run)
    if options.output == "-":
        put(text)
        return 0
    if not options.output and not plan_run.record.own:
        raise RunError(f"{plan_run.folder} is not yours, so nothing is written there: name a file with -o FILE")
    path = Path(options.output) if options.output else plan_run.folder / "report.html"
    try:
        if options.output:  # which may be a device
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        else:
            write_atomically(path, text)
    except OSError as error:
        elsewhere = "" if options.output else ": name another file with -o FILE"
        raise RunError(f"cannot write {path}: {error.strerror}{elsewhere}") from None
    print(path)
    return 0
