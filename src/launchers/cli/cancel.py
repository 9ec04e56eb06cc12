"""`launchers cancel`: cancel a run, or some of its steps."""

from __future__ import annotations

import argparse

from launchers.cli.run_argument import add_run, find_run


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command, required=True)
    text = "cancel this step and the steps that depend on it (default: all steps)"
    command.add_argument("step", metavar="STEP", nargs="*", help=text)
    text = "cancel only jobs that can never start because a job that they wait for has failed"
    command.add_argument("--stuck", action="store_true", help=text)


def run(options: argparse.Namespace) -> int:
    """Cancel, and print the names of the steps."""
    plan_run = find_run(options.run)
    if options.stuck:
        names = plan_run.cancel_stuck()
        print(f"cancelled: {', '.join(names)}" if names else "nothing to cancel: every waiting job can still start")
        return 0
    ended = {step.name for step in plan_run.status() if step.ended}
    names = [name for name in plan_run.cancel(options.step) if name not in ended]
    print(f"cancelled: {', '.join(names)}" if names else "nothing to cancel: all of that has ended")
    return 0
