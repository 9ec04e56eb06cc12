"""`launchers find`: the best launcher for a requirement."""

from __future__ import annotations

import argparse

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.selection import selection_json, selection_rows
from launchers.launcher.find import chosen, combined
from launchers.launcher.groups import load_groups
from launchers.launcher.launcher import Launcher
from launchers.matching import match


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    shared.add_requirement(command)
    shared.add_json(command)
    command.add_argument("--sbatch", action="store_true", help="print the #SBATCH lines")
    command.add_argument("--oarsub", action="store_true", help="print the #OAR lines, as oarsub -S reads them")


def find(options: argparse.Namespace) -> Launcher:
    """The launcher that the options ask for, with warnings about what could not be read."""
    requirement = combined(options.expr)
    groups, located = load_groups(options.config, refresh=options.refresh, live=options.live)
    shared.warn_of_missing_signals(groups)
    answer = match(requirement, groups, tags=options.tag, widest=options.widest)
    shared.warn_of_skipped_groups(answer)
    return chosen(answer, located)


def run(options: argparse.Namespace) -> int:
    """Print the selection."""
    launcher = find(options)
    if options.json:
        show.print_json(selection_json(launcher.answer, launcher.selection))
    elif options.sbatch or options.oarsub:
        lines, sign = (launcher.sbatch(), "#SBATCH") if options.sbatch else (launcher.oarsub(), "#OAR")
        print(lines or f"# {launcher.group.name} runs jobs on {launcher.backend.title}: it has no {sign} lines")
    else:
        show.print_table(selection_rows(launcher.selection))
    return 0
