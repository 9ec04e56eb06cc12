"""`launchers cancel`: cancel a run, or some of its steps."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from launchers.cli.run_argument import add_run, find_run

if TYPE_CHECKING:
    from launchers.runs.run import PlanRun
    from launchers.runs.status import StepState

PATIENCE = 20.0
"""Seconds for which cancelled jobs may take to end: they get a signal first, and are killed some seconds later."""


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command, required=True)
    text = "cancel this step and the steps that depend on it (default: all steps)"
    command.add_argument("step", metavar="STEP", nargs="*", help=text)
    text = "cancel only jobs that can never start because a job that they wait for has failed"
    command.add_argument("--stuck", action="store_true", help=text)


def run(options: argparse.Namespace) -> int:
    """Cancel, and print the names of the steps that were; exit status 1 if any of them still waits or runs."""
    plan_run = find_run(options.run)
    if options.stuck:
        names = plan_run.cancel_stuck()
        print(f"cancelled: {', '.join(names)}" if names else "nothing to cancel: every waiting job can still start")
        return 0
    ended = {step.name for step in plan_run.status() if step.ended}
    names = [name for name in plan_run.cancel(options.step) if name not in ended]
    if not names:
        print("nothing to cancel: all of that has ended")
        return 0
    steps = _wait_until_ended(plan_run, names)
    cancelled = [step.name for step in steps if "CANCELLED" in step.counts]
    if cancelled:
        print(f"cancelled: {', '.join(cancelled)}")
    for step in steps:
        if not step.ended:
            print(f"launchers: {step.name} is {step.state} still: launchers status {plan_run.folder}", file=sys.stderr)
        elif step.name not in cancelled:
            print(f"launchers: {step.name} ended {step.state} before it could be cancelled", file=sys.stderr)
    return 0 if all(step.ended for step in steps) else 1


def _wait_until_ended(plan_run: PlanRun, names: Sequence[str]) -> list[StepState]:
    """The steps once they have ended, or as they are after `PATIENCE` seconds: what was asked is not yet done."""
    deadline = time.monotonic() + PATIENCE
    while True:
        steps = [step for step in plan_run.status() if step.name in names]
        if all(step.ended for step in steps) or time.monotonic() > deadline:
            return steps
        time.sleep(min(1.0, plan_run.record.backend.poll_interval))
