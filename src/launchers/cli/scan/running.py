"""`launchers scan run` and `dependency`: submit scans."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from launchers.cli import options as shared
from launchers.cli.scan.options import add_identity, add_scan

if TYPE_CHECKING:
    from launchers.scan.running import LaunchOutcome


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of both."""
    add_scan(command)
    command.add_argument("--force", action="store_true", help="run it again though nothing has changed")
    add_identity(command)
    shared.add_tags(command)
    command.add_argument("--config", metavar="FILE", help="the launchers.yaml to use (see: launchers where)")


def run(options: argparse.Namespace) -> int:
    """Submit a scan."""
    return _submit(options, dependencies=False)


def run_with_dependencies(options: argparse.Namespace) -> int:
    """Submit a scan, and first those that it requires."""
    return _submit(options, dependencies=True)


def _submit(options: argparse.Namespace, *, dependencies: bool) -> int:
    from launchers.scan.running import run_scan

    outcomes = run_scan(
        options.scan,
        dependencies=dependencies,
        force=options.force,
        esis_identity=options.esis_identity,
        config=options.config,
        tags=options.tag,
    )
    for outcome in outcomes:
        print(f"{outcome.identity.definition.name}: {_describe(outcome)}: {outcome.identity.folder}")
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


def _describe(outcome: LaunchOutcome) -> str:
    if outcome.submitted and outcome.run is not None:
        (task,) = outcome.run.record.steps
        where = outcome.run.record.group or outcome.run.record.scheduler
        return f"submitted, {task.count} tasks on {where}"
    advice = "--force runs it again"
    if outcome.state == "FAILED":
        advice = f"launchers retry {outcome.identity.folder} runs what failed, {advice}"
    return f"nothing changed, so nothing is submitted; its run is {outcome.state} ({advice})"
