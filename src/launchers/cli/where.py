"""`launchers where`: which launchers.yaml is used, and where it is looked for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.selection import VERSION
from launchers.config.find import locate


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    command.add_argument("--config", metavar="FILE", help="the launchers.yaml to use, as for other commands")
    shared.add_json(command)


def run(options: argparse.Namespace) -> int:
    """Print the places in the order in which they are looked at."""
    located = locate(options.config, os.environ, Path.cwd())
    rows = [
        ("used" if path == located.used else "there" if path.exists() else "-", str(path), why)
        for path, why in located.looked_for
    ]
    if options.json:
        places = [{"path": path, "why": why, "exists": Path(path).exists()} for _, path, why in rows]
        show.print_json({"version": VERSION, "used": str(located.used) if located.used else None, "looked_for": places})
        return 0
    show.print_table(rows)
    if located.used is None:
        print("none of these files exists: the only launcher is this machine")
    return 0
