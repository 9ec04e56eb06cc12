"""`launchers logs`: what the jobs of a step have written.

A pipe or a file gets the bytes of the logs as they are, a terminal gets text that it does not obey (`terminal.py`).
"""

from __future__ import annotations

import argparse
import codecs
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from launchers.cli.run_argument import add_run, add_trust, find_run
from launchers.files.owner import open_file
from launchers.terminal import put_bytes

if TYPE_CHECKING:
    from launchers.runs.run import PlanRun

CHUNK = 1 << 20
"""Bytes of a log that are copied at a time."""
FOLLOW = 1.0
"""Seconds between two looks at the logs with --follow."""


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    add_trust(command)
    command.add_argument("step", metavar="STEP", help="the step; STEP:ITEM is one item of a Map")
    command.add_argument("-f", "--follow", action="store_true", help="keep printing until the step has ended")


def run(options: argparse.Namespace) -> int:
    """Copy the logs to stdout."""
    plan_run = find_run(options.run, trust=options.trust)
    name, item = _step_and_item(plan_run, options.step)
    logs: dict[Path, _Log] = {}
    while True:
        ended = not options.follow or all(step.ended for step in plan_run.status() if step.name == name)
        for path in plan_run.logs(name, item):
            logs.setdefault(path, _Log(path)).copy()
        if ended:
            break
        time.sleep(FOLLOW)
    if not logs:
        print(f"launchers logs: {name} has written nothing yet", file=sys.stderr)
    return 0


class _Log:
    """A log that grows, copied to stdout."""

    def __init__(self, path: Path) -> None:
        self.path, self.position = path, 0
        self.decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def copy(self) -> None:
        """Print what has come since the last time.  Raises OSError, and OutputError of stdout."""
        with open_file(self.path, own=False) as file:
            file.seek(self.position)
            while chunk := file.read(CHUNK):
                self.position += len(chunk)
                self._print(chunk)

    def _print(self, chunk: bytes) -> None:
        if sys.stdout.isatty():  # a carriage return would write over what stands there: it ends a line
            sys.stdout.write(self.decoder.decode(chunk).replace("\r\n", "\n").replace("\r", "\n"))
        else:
            put_bytes(chunk)


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
