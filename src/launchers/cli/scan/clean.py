"""`launchers scan clean`: remove old runs."""

from __future__ import annotations

import argparse
import sys

from launchers.cli.scan.options import SCAN_HELP, add_identity, read_scan


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of clean."""
    command.add_argument("run", metavar="HASH", nargs="*", help="these runs; default: all old runs of this scan")
    command.add_argument("--scan", metavar="SCAN", help=SCAN_HELP)
    command.add_argument("--yes", action="store_true", help="remove them; without it they are only listed")
    add_identity(command)


def run(options: argparse.Namespace) -> int:
    """Remove runs, or print which would be removed."""
    from launchers.scan.listing import clean_runs

    for folder, has_ended in clean_runs(read_scan(options), options.run, dry_run=not options.yes):
        if has_ended:
            print(f"{'removed' if options.yes else 'would remove (--yes)'}: {folder}")
        else:
            print(f"kept, its tasks have not ended: {folder}", file=sys.stderr)
    return 0
