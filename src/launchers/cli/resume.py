"""`launchers resume`: finish a submission whose client was killed."""

from __future__ import annotations

import argparse
import sys

from launchers.cli.run_argument import add_run, find_run


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    text = "take the lock from a client on another machine that no longer runs"
    command.add_argument("--break-lock", action="store_true", help=text)


def run(options: argparse.Namespace) -> int:
    """Submit what was not submitted yet, each job once."""
    from launchers.runs.send import resume

    plan_run = resume(find_run(options.run).folder, break_lock=options.break_lock)
    print(f"all {len(plan_run.record.submissions)} submissions have been made: {plan_run.folder}")
    print(f"The jobs keep running. To watch them again: launchers wait {plan_run.folder.name}", file=sys.stderr)
    return 0
