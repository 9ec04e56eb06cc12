"""`launchers advise`: what the steps of a run asked for, what they used, and what would have been enough."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.run_argument import add_run, add_trust, find_run

if TYPE_CHECKING:
    from launchers.report.advise import Advice, Amounts
    from launchers.runs.run import PlanRun

VERSION = 1
HEAD = ("STEP", "JOBS", "TIME", "MEMORY", "CORES", "ENOUGH")


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    add_trust(command)
    shared.add_json(command)


def run(options: argparse.Namespace) -> int:
    """Print a row for each step, and the notes."""
    from launchers.report.advise import advise

    plan_run = find_run(options.run, trust=options.trust)
    steps = advise(plan_run)
    if options.json:
        show.print_json(advice_json(plan_run, steps))
        return 0
    if all(step.enough is None for step in steps):
        notes = dict.fromkeys(note for step in steps for note in step.notes)
        print(f"{plan_run.folder}: {'; '.join(notes)}")
        return 0
    show.print_table([_row(step) for step in steps], HEAD)
    for step in steps:
        for note in step.notes:
            print(f"{step.step}: {note}")
    return 0


def _row(step: Advice) -> tuple[str, ...]:
    from launchers.quantities.words import rough_memory, rough_time

    asked, used = step.asked, step.used
    if step.enough is None:
        return (step.step, f"{step.counted} of {step.jobs}", "", "", "", "")
    return (
        step.step,
        f"{step.counted} of {step.jobs}" if step.jobs > 1 else "",
        _share(rough_time(used.seconds), rough_time(asked.seconds)),
        _share(rough_memory(used.memory), rough_memory(asked.memory)),
        _share("?" if used.cores is None else f"{used.cores:.1f}", "?" if asked.cores is None else f"{asked.cores:g}"),
        str(step.enough) if step.changed else "as asked",
    )


def _share(used: str, asked: str) -> str:
    return used if asked == "?" else f"{used} of {asked}"


def advice_json(plan_run: PlanRun, steps: list[Advice]) -> dict[str, Any]:
    """The answer to `advise` (docs/json.md)."""
    return {
        "version": VERSION,
        "plan": plan_run.record.plan,
        "id": plan_run.record.id,
        "folder": str(plan_run.folder),
        "steps": [_step_json(step) for step in steps],
    }


def _step_json(step: Advice) -> dict[str, Any]:
    return {
        "name": step.step,
        "jobs": step.jobs,
        "counted": step.counted,
        "asked": _amounts_json(step.asked),
        "used": _amounts_json(step.used),
        "need": str(step.need),
        "enough": None if step.enough is None else str(step.enough),
        "changed": step.changed,
        "notes": list(step.notes),
    }


def _amounts_json(amounts: Amounts) -> dict[str, Any]:
    return {"duration": amounts.seconds, "memory": amounts.memory, "cores": amounts.cores}
