"""`launchers logs`: what the jobs of a step have written."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from launchers.cli.run_argument import add_run, find_run

if TYPE_CHECKING:
    from launchers.launcher.follow import Tail
    from launchers.runs.run import PlanRun

FOLLOW = 1.0
"""Seconds between two looks at the logs with --follow."""


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command, required=True)
    command.add_argument("step", metavar="STEP", help="the step; STEP:ITEM is one item of a Map")
    command.add_argument("-f", "--follow", action="store_true", help="keep printing until the step has ended")


def run(options: argparse.Namespace) -> int:
    """Copy the logs to stdout."""
    from launchers.launcher.follow import Tail

    plan_run = find_run(options.run)
    name, item = _step_and_item(plan_run, options.step)
    tails: dict[Path, Tail] = {}
    while True:
        ended = not options.follow or all(step.ended for step in plan_run.status() if step.name == name)
        for path in plan_run.logs(name, item):
            tails.setdefault(path, Tail(path, sys.stdout)).copy()
        if ended:
            break
        time.sleep(FOLLOW)
    if not tails:
        print(f"launchers logs: {name} has written nothing yet", file=sys.stderr)
    return 0


def _step_and_item(plan_run: PlanRun, text: str) -> tuple[str, int | None]:
    """``sweep:3`` as the name of a step and the number of an item; raises NoSuchStepError, RunError."""
    from launchers.errors import RunError

    name, _, item = text.partition(":")
    _ = plan_run[name]
    if not item:
        return name, None
    if not (item.isascii() and item.isdigit()):
        raise RunError(f"{text}: an item is a number, such as {name}:3")
    count = plan_run.record.step(name).count
    if int(item) >= count:
        raise RunError(f"{text}: {name} has no item {item}: its last one is {count - 1}")
    return name, int(item)
