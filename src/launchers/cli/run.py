"""`launchers run`: find the best launcher, and run a command there as if it were here."""

from __future__ import annotations

import argparse
import sys

from launchers.cli import options as shared
from launchers.cli.find import find
from launchers.launcher.run_command import detach_command, run_command

EXAMPLE = "launchers run 'cpu(cores=2)' -- make"


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command; the command to run follows ``--``."""
    command.usage = "launchers run EXPR [EXPR...] [options] -- CMD..."
    shared.add_requirement(command)
    command.add_argument("--detach", action="store_true", help="print the job id and do not wait for the job")
    command.add_argument("--quiet", action="store_true", help="do not print on stderr where the command runs")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    if not options.argv:
        print(f"launchers run: no command to run: write it after --, as in: {EXAMPLE}", file=sys.stderr)
        return 2
    launcher = find(options)
    if not options.quiet and sys.stderr.isatty():
        partitions = ", ".join(name for name in launcher.selection.partitions if name)
        print(f"launchers: running on {launcher.group.name}{partitions and f' ({partitions})'}", file=sys.stderr)
    if not options.detach:
        return run_command(launcher, options.argv)
    job = detach_command(launcher, options.argv)
    print(job.id)
    print(f"launchers: output goes to {job.stdout} and {job.stderr}", file=sys.stderr)
    return 0
