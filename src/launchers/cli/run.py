"""`launchers run`: find the best launcher, and run a command there as if it were here."""

from __future__ import annotations

import argparse
import sys

from launchers.cli import options as shared
from launchers.cli.find import find
from launchers.launcher.run_command import run_command


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command; the command to run stands behind ``--``."""
    command.usage = "launchers run EXPR [EXPR...] [options] -- CMD..."
    shared.requirement(command)
    command.add_argument("--detach", action="store_true", help="print the job id and leave it running")
    command.add_argument("--quiet", action="store_true", help="do not say on stderr where it runs")


def run(options: argparse.Namespace) -> int:
    """Run the command; the exit status is its own."""
    if not options.argv:
        print(
            "launchers run: what is to be run stands behind --: launchers run 'cpu(cores=2)' -- make", file=sys.stderr
        )
        return 2
    launcher = find(options)
    if not options.quiet and sys.stderr.isatty():
        where = ", ".join(name for name in launcher.selection.partitions if name)
        print(f"launchers: running on {launcher.group.name}{f' ({where})' if where else ''}", file=sys.stderr)
    return run_command(launcher, options.argv, detach=options.detach)
