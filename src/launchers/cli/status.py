"""`launchers status`: the steps of a run and their jobs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.run_argument import add_run, add_trust, find_run

if TYPE_CHECKING:
    from launchers.runs.run import PlanRun
    from launchers.runs.status import MemberState, StepState

VERSION = 1
HEAD = ("STEP", "STATE", "JOBS", "PARTITION", "NODE", "ELAPSED", "LIMIT", "REASON")
WATCH = 2.0
"""Seconds between two looks at the run with --watch."""


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    add_trust(command)
    command.add_argument("--watch", action="store_true", help="update the table until all jobs have ended")
    shared.add_json(command)


def run(options: argparse.Namespace) -> int:
    """Print the state of each step."""
    plan_run = find_run(options.run, trust=options.trust)
    if options.watch and sys.stdout.isatty():
        _watch(plan_run)
    elif options.watch:
        plan_run.wait(check=False)
    steps = plan_run.status()
    _print_due(plan_run, steps)
    if options.json:
        show.print_json(status_json(plan_run, steps))
        return 0
    print(headline(plan_run))
    show.print_table(status_rows(steps), HEAD)
    return 0


def headline(plan_run: PlanRun) -> str:
    """Which run it is, where it runs, and its folder."""
    record = plan_run.record
    return f"{record.plan} {record.id} on {record.group or record.scheduler}: {plan_run.folder}"


def _print_due(plan_run: PlanRun, steps: Sequence[StepState]) -> None:
    """Print which steps are to be submitted again; to look at a run submits nothing."""
    from launchers.plan.retry import due_steps

    for name, wants in due_steps(plan_run, steps):
        again = f"launchers resume {plan_run.folder.name} submits it again{f' with {wants}' if wants else ''}"
        print(f"launchers: {name} failed: {again}", file=sys.stderr)


def resubmit_due(plan_run: PlanRun) -> bool:
    """Submit the failed steps again that ask for more resources when they fail; whether there were any."""
    from launchers.plan.retry import retry_due_steps

    resubmitted = retry_due_steps(plan_run)
    for name, wants in resubmitted:
        print(f"launchers: {name} failed: submitted again with {wants}", file=sys.stderr)
    return bool(resubmitted)


def status_rows(steps: Sequence[StepState]) -> list[tuple[str, ...]]:
    """A row for each step."""
    return [_row(step) for step in steps]


def _row(step: StepState) -> tuple[str, ...]:
    """A step with one job shows the job; a step with many shows how many are in each state."""
    first = step.members[0] if step.members else None
    if len(step.members) > 1:
        jobs, nodes, elapsed = ", ".join(f"{count} {state}" for state, count in sorted(step.counts.items())), "", ""
    else:
        jobs, nodes, elapsed = (first.job, first.info.nodes, first.info.elapsed) if first else ("", "", "")
    partition = (first.info.partition if first else "") or step.place
    return (step.name, step.state, jobs, partition, nodes, elapsed, step.limit, step.reason)


def _watch(plan_run: PlanRun) -> None:
    """Update a table until all jobs have ended; Ctrl-C ends only the table."""
    from rich.live import Live

    steps = plan_run.status()
    folder = str(plan_run.folder)
    table = show.rich_table(status_rows(steps), HEAD, folder)
    with Live(
        table, console=show.console(), refresh_per_second=4, redirect_stdout=False, redirect_stderr=False
    ) as live:
        while not all(step.ended for step in steps):
            time.sleep(WATCH)
            steps = plan_run.status()
            live.update(show.rich_table(status_rows(steps), HEAD, folder))


# -- JSON ------------------------------------------------------------------------------------------------------


def status_json(plan_run: PlanRun, steps: Sequence[StepState]) -> dict[str, Any]:
    """The answer to `status` (docs/json.md)."""
    now = time.time()
    return {
        "version": VERSION,
        "plan": plan_run.record.plan,
        "id": plan_run.record.id,
        "folder": str(plan_run.folder),
        "scheduler": plan_run.record.scheduler,
        "group": plan_run.record.group,
        "ended": all(step.ended for step in steps),
        "succeeded": all(step.succeeded for step in steps),
        "steps": [
            {
                "name": step.name,
                "state": step.state,
                "reason": step.reason or None,
                "jobs": [job_json(member, now) for member in step.members],
            }
            for step in steps
        ],
    }


def job_json(member: MemberState, now: float) -> dict[str, Any]:
    """A job of a step; one that succeeded shows no reason."""
    info = member.info
    return {
        "item": member.item,
        "job": member.job or None,
        "state": info.state,
        "reason": _or_null(info.reason) if info.state != "COMPLETED" else None,
        "partition": _or_null(info.partition),
        "nodes": _or_null(info.nodes),
        "elapsed": member.elapsed(now),
        "exit": _or_null(info.exit) if member.ended and info.started is not None else None,
    }


def _or_null(text: str) -> str | None:
    """None for what Slurm prints where it has nothing to print."""
    return None if text in ("", "None", "None assigned", "(null)") else text
