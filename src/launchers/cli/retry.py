"""`launchers retry`: submit the failed steps of a run again."""

from __future__ import annotations

import argparse
import sys

from launchers.cli.run_argument import add_run, find_run
from launchers.jobs.state import UNKNOWN


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    text = 'multiply what the last attempt asked for, e.g. "mem*2, duration*1.5"'
    command.add_argument("--escalate", metavar="FACTORS", default="", help=text)
    command.add_argument("--config", metavar="FILE", help="the launchers.yaml used to place the larger steps")
    text = "also submit again the jobs that no scheduler knows and that left no result: they count as LOST"
    command.add_argument("--lost", action="store_true", help=text)


def run(options: argparse.Namespace) -> int:
    """Submit again what failed and what depends on it, and print the names of the steps."""
    from launchers.plan.retry import retry

    plan_run = find_run(options.run)
    if options.lost:
        for member in plan_run.take_for_lost():
            item = "" if member.item is None else f":{member.item}"
            print(f"launchers: {member.step}{item} (job {member.job}) is lost", file=sys.stderr)
    names = retry(plan_run, escalate=options.escalate, config=options.config)
    print(f"submitted again: {', '.join(names)}" if names else "nothing failed: nothing to retry")
    left = [member for step in plan_run.status() for member in step.members if member.info.state == UNKNOWN]
    if left:
        print(
            f"launchers: left out: {len(left)} jobs whose end is not known ({left[0].info.reason}). "
            f"To take them for lost: launchers retry --lost {plan_run.folder.name}",
            file=sys.stderr,
        )
    return 0
