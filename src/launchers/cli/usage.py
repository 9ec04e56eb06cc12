"""Commands about what a run used: report, advise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.run_argument import add_run, find_run

if TYPE_CHECKING:
    from launchers.report.advise import Advice, Amounts
    from launchers.runs.run import Run

VERSION = 1


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of the command that is asked for."""
    add_run(command)
    if command.prog.endswith("report"):
        command.add_argument(
            "-o", "--output", metavar="FILE", help="where to write it, - for stdout; report.html in the run folder"
        )
    else:
        shared.as_json(command)


def run(options: argparse.Namespace) -> int:
    """Do what is asked; a run folder that cannot be used, or a file that cannot be written, is exit status 2."""
    from launchers.errors import RunError

    try:
        found = find_run(options.run)
        return _report(found, options.output) if options.command == "report" else _advise(found, options.json)
    except RunError as error:
        print(f"launchers {options.command}: {error}", file=sys.stderr)
        return 2


def _report(found: Run, output: str | None) -> int:
    from launchers.errors import RunError
    from launchers.report.page import page

    text = page(found)
    if output == "-":
        sys.stdout.write(text)
        return 0
    path = Path(output) if output else found.folder / "report.html"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None
    print(path)
    return 0


# -- advise ----------------------------------------------------------------------------------------------------


def _advise(found: Run, as_json: bool) -> int:
    from launchers.report.advise import advise

    steps = advise(found)
    if as_json:
        show.emit(advice_json(found, steps))
        return 0
    if all(step.enough is None for step in steps):
        print(f"{found.folder}: {'; '.join(dict.fromkeys(note for step in steps for note in step.notes))}")
        return 0
    show.table([_row(step) for step in steps], ("STEP", "JOBS", "TIME", "MEMORY", "CORES", "ENOUGH"))
    for step in steps:
        for note in step.notes:
            print(f"{step.step}: {note}")
    return 0


def _row(step: Advice) -> tuple[str, ...]:
    from launchers.quantities.words import rough_memory, rough_time

    def of(used: str, asked: str) -> str:
        return used if asked == "?" else f"{used} of {asked}"

    if step.enough is None:
        return (step.step, f"{step.counted} of {step.jobs}", "", "", "", "")
    asked, used = step.asked, step.used
    return (
        step.step,
        f"{step.counted} of {step.jobs}" if step.jobs > 1 else "",
        of(rough_time(used.seconds), rough_time(asked.seconds)),
        of(rough_memory(used.memory), rough_memory(asked.memory)),
        of("?" if used.cores is None else f"{used.cores:.1f}", "?" if asked.cores is None else f"{asked.cores:g}"),
        str(step.enough) if step.changed else "as asked",
    )


def advice_json(found: Run, steps: list[Advice]) -> dict[str, Any]:
    """The answer to `advise`."""

    def amounts(one: Amounts) -> dict[str, Any]:
        return {"duration": one.seconds, "memory": one.memory, "cores": one.cores}

    return {
        "version": VERSION,
        "plan": found.store.plan,
        "id": found.store.id,
        "folder": str(found.folder),
        "steps": [
            {
                "name": step.step,
                "jobs": step.jobs,
                "counted": step.counted,
                "asked": amounts(step.asked),
                "used": amounts(step.used),
                "need": str(step.need),
                "enough": None if step.enough is None else str(step.enough),
                "changed": step.changed,
                "notes": list(step.notes),
            }
            for step in steps
        ],
    }
