"""`launchers report`: one HTML page about a run."""

from __future__ import annotations

import argparse

from launchers.cli.output import add_output, write
from launchers.cli.run_argument import add_run, add_trust, find_run
from launchers.files.output import MARKUP, is_stream, seal


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    add_trust(command)
    add_output(command, "write the page to this file, - for stdout (default: report.html in the run folder)")


def run(options: argparse.Namespace) -> int:
    """Write the page, and print where it is."""
    from launchers.errors import RunError
    from launchers.report.page import page

    plan_run = find_run(options.run, trust=options.trust)
    text = page(plan_run)
    if options.output is None and not plan_run.record.own:
        raise RunError(f"{plan_run.folder} is not yours, so nothing is written there: name a file with -o FILE")
    name = str(plan_run.folder / "report.html") if options.output is None else options.output
    if is_stream(name):
        write("launchers report", name, text, force=options.force)
        return 0
    write("launchers report", name, seal(text, MARKUP), force=options.force)
    print(name)
    return 0
