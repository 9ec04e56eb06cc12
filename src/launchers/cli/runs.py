"""`launchers runs`: list the runs in a folder."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.run_argument import ROOT, ROOT_HELP, add_trust, run_folders

if TYPE_CHECKING:
    from launchers.runs.run import PlanRun

T = TypeVar("T")
VERSION = 1


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    command.add_argument("folder", metavar="FOLDER", nargs="?", default=str(ROOT), help=ROOT_HELP)
    add_trust(command)
    shared.add_json(command)


def run(options: argparse.Namespace) -> int:
    """Print each run with the states of its steps."""
    runs = list(read_runs(Path(options.folder), _run_json, trust=options.trust))
    if options.json:
        show.print_json({"version": VERSION, "runs": runs})
    elif runs:
        show.print_table([_row(entry) for entry in runs], ("RUN", "SUBMITTED", "STEPS"))
    return 0


def read_runs(root: Path, read: Callable[[PlanRun], T], *, trust: bool = False) -> Iterator[T]:
    """What `read` gives for each run in a folder, the oldest first; a run that it cannot read gets a warning.

    With `trust` those of other users are read too, to be looked at.
    """
    from launchers.commands import CommandError
    from launchers.errors import RunError
    from launchers.runs.run import open_run

    for folder in run_folders(root):
        try:
            result = read(open_run(folder, trust=trust))
        except (RunError, CommandError) as error:
            print(f"launchers: warning: skipped a run: {error}", file=sys.stderr)
        except OSError as error:
            print(f"launchers: warning: skipped a run: {folder}: {error.strerror or error}", file=sys.stderr)
        else:
            yield result


def _run_json(plan_run: PlanRun) -> dict[str, Any]:
    return {
        "plan": plan_run.record.plan,
        "id": plan_run.record.id,
        "folder": str(plan_run.folder),
        "created": plan_run.record.created,
        "steps": dict(Counter(step.state for step in plan_run.status())),
    }


def _row(entry: dict[str, Any]) -> tuple[str, str, str]:
    submitted = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry["created"]))
    steps = ", ".join(f"{count} {state}" for state, count in sorted(entry["steps"].items()))
    return Path(entry["folder"]).name, submitted, steps
