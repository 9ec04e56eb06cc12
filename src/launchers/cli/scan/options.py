"""Options that several actions share, and reading the scan that they name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launchers.scan.identity import Family

SCAN_HELP = "a definition file; default: the one in this folder"


def add_scan(command: argparse.ArgumentParser) -> None:
    """Add SCAN."""
    command.add_argument("scan", metavar="SCAN", nargs="?", help=SCAN_HELP)


def add_identity(command: argparse.ArgumentParser) -> None:
    """Add --esis-identity."""
    command.add_argument(
        "--esis-identity", action="store_true", help="name runs by ESIS's own rule, by which the template counts"
    )


def read_scan(options: argparse.Namespace) -> Family:
    """The scan, with all that it requires."""
    from launchers.scan.definition import find_definition
    from launchers.scan.identity import read_family

    return read_family(find_definition(options.scan), esis=options.esis_identity)
