"""`launchers flow`: pipelines in YAML: run, check, graph, show."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launchers.cli import options as shared
from launchers.cli import show
from launchers.flow.run import RUNS, _left, _plan, _submitted

if TYPE_CHECKING:
    from launchers.flow.compile import Layout
    from launchers.flow.model import Flow

VERSION = 1


def arguments(command: argparse.ArgumentParser) -> None:
    """What can be done with a flow."""
    verbs = command.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, (help, add, _) in _VERBS.items():
        verb = verbs.add_parser(name, help=help, description=help.capitalize() + ".")
        verb.add_argument("file", metavar="FILE", help="the flow, - for stdin")
        verb.add_argument(
            "--arg", metavar="K=V", action="append", default=[], type=_pair, help="replace an argument of the flow"
        )
        verb.add_argument(
            "--sweep",
            metavar="K=V1,V2",
            action="append",
            default=[],
            type=_pair,
            help="run it for each of these values of an argument",
        )
        add(verb)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=VALUE")
    return name.strip(), value


def run(options: argparse.Namespace) -> int:
    """Do what is asked; what is wrong with the flow is exit status 2, that nothing offers what it needs 1."""
    from launchers.errors import RunError
    from launchers.plan.tree import PlacementError, PlanError, UnreachableError
    from launchers.runs.send import SubmitError

    try:
        return _VERBS[options.verb][2](options)
    except (PlanError, RunError, SubmitError) as error:
        print(f"launchers flow {options.verb}: {error}", file=sys.stderr)
        if isinstance(error, UnreachableError):
            return 3
        return 1 if isinstance(error, PlacementError | SubmitError) else 2
    except OSError as error:  # a file that was named; BrokenPipeError is of stdout, and names none
        if error.filename is None:
            raise
        print(f"launchers flow {options.verb}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2


def _places(verb: argparse.ArgumentParser) -> None:
    shared.tags(verb)
    verb.add_argument("--config", metavar="FILE", help="the launchers.yaml to place it with")


def _load(options: argparse.Namespace, **more: Any) -> Flow:
    from launchers.files.structure import read_text
    from launchers.flow.read import loads, parse_value

    if "text" not in options:  # a flow that is run is read twice, stdin only once
        options.text = sys.stdin.read() if options.file == "-" else read_text(Path(options.file))
    file = "<stdin>" if options.file == "-" else options.file
    args = {name: parse_value(value) for name, value in options.arg}
    axes = {name: [parse_value(one) for one in value.split(",")] if value else [] for name, value in options.sweep}
    return loads(options.text, file, args=args, sweep=axes, **more)


# -- run -------------------------------------------------------------------------------------------------------


def _run_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dry-run", action="store_true", help="show what would be submitted, the whole sbatch files")
    verb.add_argument("--only", metavar="JOB", action="append", default=[], help="only this job (repeat: these)")
    verb.add_argument(
        "--from", metavar="JOB", dest="start", action="append", default=[], help="it and what hangs on it"
    )
    verb.add_argument("--to", metavar="JOB", dest="end", action="append", default=[], help="it and what it hangs on")
    verb.add_argument("--resume", action="store_true", help="leave out what is up to date")
    verb.add_argument(
        "--max-parallel", metavar="N", type=shared.positive, help="at most so many cells of a sweep at once"
    )
    verb.add_argument("--jobs", metavar="N", type=shared.positive, help="at most so many jobs at once on this machine")
    verb.add_argument("--notify", metavar="URL", action="append", default=[], help="tell there too, through apprise")
    verb.add_argument("--detach", action="store_true", help="submit it and leave it running")
    _places(verb)


def _run(options: argparse.Namespace) -> int:
    from launchers.cli.runs import closing
    from launchers.flow.script import script

    flow = _load(options)
    left = _left(flow, options)
    if set(left) == set(flow.jobs):
        print("everything is up to date: nothing to run")
        return 0
    wanted = {parent for name, job in flow.jobs.items() if name not in left for parent, _ in job.waits}
    for name, folder in left.items():
        done = f"done in {folder.name}" if folder else f"no run in ./{RUNS} has all of it done"
        without = "; what it hands on will not be there" if name in wanted and not folder else ""
        print(f"launchers: left out: {name} ({done}{without})", file=sys.stderr)
    if options.dry_run:
        plan = _plan(flow, options, left)
        plan.describe(config=options.config)
        print(plan.dry_run(config=options.config, tags=options.tag))
        for name in (name for name in flow.jobs if name not in left):
            cells = 1 if len({script(cell.jobs[name]) for cell in flow.cells}) == 1 else len(flow.cells)
            print(f"# ---- {name}: what it runs{f' in the first of {cells} cells' if cells > 1 else ''}")
            print(script(flow.jobs[name]))
        return 0
    found = _submitted(options, flow, left)
    print(f"{found.store.plan} {found.store.id} on {found.store.group or found.store.scheduler}: {found.folder}")
    if options.detach:
        for task in found.store.tasks:
            if task.again:
                more = f"{task.name} asks for {task.again[1]} when it fails"
                print(f"launchers: {more}: launchers status or wait submits that", file=sys.stderr)
        print(f"come back with: launchers wait {found.folder.name}", file=sys.stderr)
        return 0
    return closing(found)


# -- looking ---------------------------------------------------------------------------------------------------


def _check_arguments(verb: argparse.ArgumentParser) -> None:
    shared.as_json(verb)


def _check(options: argparse.Namespace) -> int:
    from launchers.cli.check import reported
    from launchers.files.problems import ConfigError

    try:
        _load(options)
    except ConfigError as error:
        return reported(list(error.problems), options.json)
    return reported([], options.json)


def _graph_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--format", choices=("mermaid", "dot", "svg", "png"), default="mermaid", help="default: mermaid")
    verb.add_argument("-o", "--output", metavar="FILE", help="write it there")


def _graph(options: argparse.Namespace) -> int:
    from launchers.flow.compile import identities, layout, plan_of
    from launchers.plan.tree import PlanError

    flow = _load(options)
    plan = plan_of(layout(flow), identities(flow))
    if options.format != "png":
        text = plan.graph(options.format)
        if options.output:
            Path(options.output).write_text(text, encoding="utf-8")
        else:
            print(text, end="")
        return 0
    if shutil.which("dot") is None:
        raise PlanError(["a PNG is drawn by Graphviz, and there is no dot on PATH: install graphviz, or --format svg"])
    if not options.output and sys.stdout.isatty():
        raise PlanError(["a PNG is no text for a terminal: -o FILE"])
    drawn = subprocess.run(["dot", "-Tpng"], input=plan.graph("dot").encode(), capture_output=True, check=True).stdout
    if options.output:
        Path(options.output).write_bytes(drawn)
    else:
        sys.stdout.buffer.write(drawn)
    return 0


def _show_arguments(verb: argparse.ArgumentParser) -> None:
    _places(verb)
    shared.as_json(verb)


SHOW_HEAD = ("JOB", "CELLS", "AFTER", "NEED", "PLACE", "COMMAND")


def _show(options: argparse.Namespace) -> int:
    from launchers.flow.compile import identities, layout, plan_of
    from launchers.plan.place import place

    flow = _load(options)
    laid = layout(flow)
    placed = place(plan_of(laid, identities(flow)), config=options.config, tags=options.tag)
    jobs = [_job_json(laid, name, placed) for name in flow.jobs]
    if options.json:
        cells = [dict(cell.values) for cell in flow.cells]
        group = placed.group.name if placed.group else None
        show.emit({"version": VERSION, "name": flow.name, "group": group, "cells": cells, "jobs": jobs})
        return 0
    print(f"{flow.name} on {placed.group.name if placed.group else 'Slurm'}")
    rows = [
        (
            job["name"],
            str(job["cells"]),
            ",".join(f"{'' if on == 'ok' else on + ':'}{name}" for name, on in job["after"].items()),
            job["need"],
            job["place"],
            job["command"],
        )
        for job in jobs
    ]
    show.table(rows, SHOW_HEAD)
    for index, cell in enumerate(flow.cells):
        if cell.values:
            print(f"cell {index}: {cell.label}")
    return 0


def _job_json(laid: Layout, name: str, placed: Any) -> dict[str, Any]:
    from launchers.flow.compile import need
    from launchers.plan.tree import Pinned

    job = laid.flow.jobs[name]
    asked = need(job)
    where = placed.places[laid.steps(name)[0]]
    spec = job.spec
    command = spec.command if isinstance(spec.command, str) else " ".join(map(str, spec.command or ()))
    return {
        "name": name,
        "cells": 1 if name in laid.shared else len(laid.flow.cells),
        "after": dict(job.waits),
        "need": str(asked.requirement if isinstance(asked, Pinned) else asked),
        "options": dict(asked.options) if isinstance(asked, Pinned) else {},
        "place": where.says,
        "command": " ".join((command or spec.script or spec.python or "").split()),
    }


_Verb = tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]
_VERBS: dict[str, _Verb] = {
    "run": ("submit a flow and wait for it", _run_arguments, _run),
    "check": ("list everything that is wrong with a flow", _check_arguments, _check),
    "show": ("list the jobs as they would run, with the partition of each", _show_arguments, _show),
    "graph": ("draw the graph of a flow", _graph_arguments, _graph),
}
