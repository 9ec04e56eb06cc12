"""`launchers resume`: finish a submission whose client was killed."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from launchers.cli.run_argument import add_run, find_run
from launchers.cli.status import resubmit_due

if TYPE_CHECKING:
    from launchers.runs.run import PlanRun


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    text = "take the lock from a client on another machine that no longer runs"
    command.add_argument("--break-lock", action="store_true", help=text)


def run(options: argparse.Namespace) -> int:
    """Submit what was not submitted yet, each job once, and what asks to be submitted again when it fails."""
    from launchers.runs.send import resume

    plan_run = resume(find_run(options.run).folder, break_lock=options.break_lock)
    print(f"{_submissions(plan_run)}: {plan_run.folder}")
    resubmit_due(plan_run)
    steps = plan_run.status()
    for step in steps:
        if step.failed:
            print(f"{step.name} {step.state}: {step.reason}", file=sys.stderr)
    name = plan_run.folder.name
    if all(member.settled for step in steps for member in step.members):
        print(f"Nothing of it runs or waits any more. To see what came of it: launchers status {name}", file=sys.stderr)
    else:
        print(f"The jobs keep running. To watch them again: launchers wait {name}", file=sys.stderr)
    return 0


def _submissions(plan_run: PlanRun) -> str:
    """How many submissions have been made, and why the others never will be."""
    journal = plan_run.record.folder.journal.state()
    count, made = len(plan_run.record.submissions), len(journal.jobs)
    if made == count:
        return f"all {count} submissions have been made"
    never = [f"{name} ({reason})" for name, reason in journal.never.items()]
    return f"{made} of {count} submissions have been made; not made: {', '.join(never)}"
