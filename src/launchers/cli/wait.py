"""`launchers wait`: wait until a run has ended."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from launchers.cli import show
from launchers.cli.run_argument import add_run, find_run
from launchers.cli.status import HEAD, resubmit_due, status_rows
from launchers.quantities.units import parse_timespan

if TYPE_CHECKING:
    from launchers.runs.run import PlanRun
    from launchers.runs.status import StepState

GIVE_UP = 3600
"""Seconds after which a job that no scheduler knows is taken for lost, as launchers.runs.run has it."""
LINES = 10
"""How many lines of the log of a failed step are printed."""


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="stop waiting after this time")
    text = "take a job for lost that its scheduler has not known for this time, and that left no result (default: 1h)"
    command.add_argument("--give-up", type=timespan, metavar="TIME", default=GIVE_UP, help=text)


def timespan(text: str) -> int:
    """Seconds, as a type for argparse."""
    try:
        return parse_timespan(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(options: argparse.Namespace) -> int:
    """Wait, and print the steps that failed; exit status 1 if there are any, or if time is up."""
    plan_run = find_run(options.run)
    succeeded = _wait(plan_run, options.timeout, options.give_up)
    for step in plan_run.status():
        if not step.succeeded:
            print(f"{step.name} {step.state}: {step.reason}", file=sys.stderr)
    _print_unsent(plan_run)
    return 0 if succeeded else 1


def wait_and_summarise(plan_run: PlanRun) -> int:
    """Wait for a run, print a table of its steps and the ends of the logs of failed ones; the exit status."""
    succeeded = _wait(plan_run)
    steps = plan_run.status()
    show.print_table(status_rows(steps), HEAD)
    for step in steps:
        if step.state not in ("COMPLETED", "CANCELLED"):
            for line in last_lines(plan_run, step):
                print(line, file=sys.stderr)
    _print_unsent(plan_run)
    return 0 if succeeded else 1


def _wait(plan_run: PlanRun, timeout: float | None = None, give_up: float = GIVE_UP) -> bool:
    """Wait until nothing is left to wait for, nor to submit again; whether all steps succeeded in time."""
    while True:
        try:
            succeeded = plan_run.wait(timeout, check=False, give_up=give_up)
        except TimeoutError:
            return False
        if not resubmit_due(plan_run):
            return succeeded


def _print_unsent(plan_run: PlanRun) -> None:
    """Print which notifications could not be sent; the run does not fail because of them."""
    from launchers.flow.notify import unsent_messages

    for line in unsent_messages(plan_run.folder):
        print(f"launchers: {line}", file=sys.stderr)


def last_lines(plan_run: PlanRun, step: StepState, count: int = LINES) -> list[str]:
    """A heading and the last lines of the log of a step's first job that failed; nothing if no job did."""
    failed = next((job for job in step.members if job.failed), None)
    if failed is None:
        return []
    from launchers.report.logs import READ, tail

    lines: list[str] = []
    for path in plan_run.logs(step.name, failed.item):
        lines += [line for line in tail(path, READ) if not line.startswith("submitit ")]
    item = "" if failed.item is None else f":{failed.item}"
    heading = f"---- the end of: launchers logs {plan_run.folder.name} {step.name}{item}"
    return [heading, *lines[-count:]] if lines else []
