"""`launchers clean`: remove the folders of runs that have ended."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from launchers.cli.run_argument import ROOT, ROOT_HELP, find_run
from launchers.cli.runs import read_runs
from launchers.errors import RunError

if TYPE_CHECKING:
    from launchers.runs.run import PlanRun


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    command.add_argument("run", metavar="RUN", nargs="*", help="remove this run (default: all runs that have ended)")
    command.add_argument("--folder", metavar="FOLDER", default=str(ROOT), help=ROOT_HELP)
    command.add_argument("--yes", action="store_true", help="remove them; without it they are only listed")


def run(options: argparse.Namespace) -> int:
    """Remove run folders, or print which would be removed; exit status 1 when one could not be removed."""
    if options.run:
        runs = [_look(plan_run) for plan_run in map(find_run, options.run)]
    else:
        runs = list(read_runs(Path(options.folder), _look))
    for plan_run, why, _ in runs:
        if why:
            print(f"kept, {why}: {plan_run.folder}", file=sys.stderr)
    return max((_remove(plan_run, events, options.yes) for plan_run, why, events in runs if not why), default=0)


def _look(plan_run: PlanRun) -> tuple[PlanRun, str, int]:
    """A run, why it is kept, and how many events its journal had before that was asked."""
    events = len(plan_run.record.folder.journal.events())
    return plan_run, _why_kept(plan_run), events


def _why_kept(plan_run: PlanRun) -> str:
    """Why a run folder is not removed, "" where it is. A link is never followed: its target may be in use elsewhere."""
    if plan_run.folder.is_symlink():
        return f"it is a symbolic link to {plan_run.folder.readlink()}"
    return "" if plan_run.is_over() else "its jobs have not ended"


def _remove(plan_run: PlanRun, events: int, really: bool) -> int:
    """Remove a run folder, or print that it would be; 1 when it cannot be removed."""
    folder = plan_run.folder
    try:
        if really:
            _remove_alone(plan_run, events)
    except RunError as error:
        print(f"launchers clean: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"launchers clean: cannot remove {error.filename or folder}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{'removed' if really else 'would remove (--yes)'}: {folder}")
    return 0


def _remove_alone(plan_run: PlanRun, events: int) -> None:
    """Remove a run folder while nobody submits anything of it.  Raises RunError where somebody has, and OSError."""
    folder = plan_run.record.folder
    with folder.lock():
        if len(folder.journal.events()) != events:
            raise RunError(f"{folder} is kept: somebody has worked on it just now")
        folder.plan_path.unlink()  # first, so that whoever gets the lock next finds no run
        shutil.rmtree(folder.path)
