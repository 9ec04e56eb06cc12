"""`launchers scan`: setup, require, freeze, unfreeze, run, dependency, show, list, clean.

A SCAN is a definition file.  If it is left out, the scan.yaml, wf.esis2.json or wf.esis.json of this folder is used.
"""

from __future__ import annotations

import argparse

from launchers.cli.scan import clean, definition, listing, running

ACTIONS = {
    "setup": ("write a definition file", definition.setup_arguments, definition.setup),
    "run": ("run a scan, unless its run exists already", running.arguments, running.run),
    "require": ("make a scan require another one", definition.require_arguments, definition.require),
    "freeze": (
        "use one run of a required scan, whatever its files are now",
        definition.freeze_arguments,
        definition.freeze,
    ),
    "unfreeze": ("let a requirement follow its files again", definition.unfreeze_arguments, definition.unfreeze),
    "dependency": (
        "run a scan, and first the scans that it requires and that have no run",
        running.arguments,
        running.run_with_dependencies,
    ),
    "show": (
        "print the name of a scan's run and what goes into it, without running it",
        listing.arguments,
        listing.show_scan,
    ),
    "list": ("list the runs of a scan and what it requires", listing.arguments, listing.list_scan),
    "clean": ("remove old runs", clean.arguments, clean.run),
}
"""What can be done with scans: the help, a function that adds the options, and a function that does it."""


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command: those of each action."""
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (help, add_arguments, _) in ACTIONS.items():
        add_arguments(actions.add_parser(name, help=help, description=help.capitalize() + "."))


def run(options: argparse.Namespace) -> int:
    """Do the action; exit status 1 when a scan cannot run now or a run has failed, 2 when the request is wrong."""
    return ACTIONS[options.action][2](options)
