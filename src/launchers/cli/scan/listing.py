"""`launchers scan show` and `list`: print what goes into a run, and which runs exist."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.run_argument import add_trust
from launchers.cli.scan.options import add_identity, add_scan, read_scan

if TYPE_CHECKING:
    from launchers.scan.identity import Identity
    from launchers.scan.listing import ScanRun
    from launchers.scan.runs import RequiredRun

VERSION = 1
"""Of the JSON of both: docs/json.md."""
SHOWN_DIGITS = 16
"""Digits of a hash in tables.  freeze and clean take the beginning of a hash."""


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of both."""
    add_scan(command)
    add_identity(command)
    add_trust(command)
    shared.add_json(command)


def show_scan(options: argparse.Namespace) -> int:
    """Print the run of a scan, whether it exists or not."""
    from launchers.scan.runs import look_at, required_runs

    family = read_scan(options)
    identity = family.identities[family.target]
    required = required_runs(family, identity.definition, trust=options.trust)
    state, problem = look_at(identity.folder, trust=options.trust)
    _print_problems(problem, *(run.problem for run in required))
    if options.json:
        show.print_json(_identity_json(identity, state, required))
        return 0
    print(f"{identity.folder.name} {state}")
    show.print_table([(f"  {part.role}", part.written or "-", part.digest[:SHOWN_DIGITS]) for part in identity.parts])
    _print_required(required)
    return 0


def list_scan(options: argparse.Namespace) -> int:
    """Print the runs of a scan that exist."""
    from launchers.scan.listing import list_runs
    from launchers.scan.runs import required_runs

    family = read_scan(options)
    definition = family.identities[family.target].definition
    runs = list_runs(family, trust=options.trust)
    required = required_runs(family, definition, trust=options.trust)
    _print_problems(*(run.problem for run in runs), *(run.problem for run in required))
    if options.json:
        show.print_json(
            {
                "version": VERSION,
                "scan": definition.name,
                "runs": [_run_json(run) for run in runs],
                "requires": [_required_json(run) for run in required],
            }
        )
        return 0
    show.print_table([_run_row(run) for run in runs], ("", "RUN", "STATE", "TASKS", "MADE", "SCAN"))
    _print_required(required)
    return 0


def _print_problems(*problems: str) -> None:
    """Say of each run that could not be looked at why, once."""
    for problem in dict.fromkeys(filter(None, problems)):
        print(f"launchers: warning: {problem}", file=sys.stderr)


def _run_row(run: ScanRun) -> tuple[str, ...]:
    return (
        "*" if run.is_current else "",
        run.hash[:SHOWN_DIGITS] + run.copy,
        run.state,
        "-" if run.tasks is None else str(run.tasks),
        time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created)),
        run.scan or "-",
    )


def _print_required(required: tuple[RequiredRun, ...]) -> None:
    rows = [
        (run.name, run.hash[:SHOWN_DIGITS], run.state, "frozen" if run.frozen else "", str(run.file))
        for run in required
    ]
    if rows:
        print()
        show.print_table(rows, ("REQUIRES", "RUN", "STATE", "FROZEN", "SCAN"))


# -- JSON ------------------------------------------------------------------------------------------------------


def _identity_json(identity: Identity, state: str, required: tuple[RequiredRun, ...]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "scan": identity.definition.name,
        "file": str(identity.definition.file),
        "hash": identity.hash,
        "folder": str(identity.folder),
        "state": state,
        "parts": [{"role": part.role, "file": part.written or None, "sha256": part.digest} for part in identity.parts],
        "requires": [_required_json(run) for run in required],
    }


def _run_json(run: ScanRun) -> dict[str, Any]:
    return {
        "hash": run.hash,
        "copy": run.copy,
        "folder": str(run.folder),
        "current": run.is_current,
        "state": run.state,
        "scan": run.scan,
        "tasks": run.tasks,
        "created": run.created,
    }


def _required_json(run: RequiredRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "scan": str(run.file),
        "hash": run.hash,
        "folder": str(run.folder),
        "frozen": run.frozen,
        "state": run.state,
    }
