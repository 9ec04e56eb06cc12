"""`launchers clean`: remove the folders of runs that have ended."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from launchers.cli.run_argument import ROOT, ROOT_HELP, find_run
from launchers.cli.runs import read_runs


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    command.add_argument("run", metavar="RUN", nargs="*", help="remove this run (default: all runs that have ended)")
    command.add_argument("--folder", metavar="FOLDER", default=str(ROOT), help=ROOT_HELP)
    command.add_argument("--yes", action="store_true", help="remove them; without it they are only listed")


def run(options: argparse.Namespace) -> int:
    """Remove run folders, or print which would be removed."""
    if options.run:
        runs = [(plan_run.folder, plan_run.is_over()) for plan_run in map(find_run, options.run)]
    else:
        runs = list(read_runs(Path(options.folder), lambda plan_run: (plan_run.folder, plan_run.is_over())))
    for folder, ended in runs:
        if not ended:
            print(f"kept, its jobs have not ended: {folder}", file=sys.stderr)
    for folder, ended in runs:
        if ended:
            if options.yes:
                shutil.rmtree(folder)
            print(f"{'removed' if options.yes else 'would remove (--yes)'}: {folder}")
    return 0
