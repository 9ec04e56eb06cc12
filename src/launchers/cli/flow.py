"""`launchers flow`: pipelines in YAML: run, check, show, graph."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.output import add_output, write
from launchers.files.output import DOT, MARKUP, MERMAID, is_stream, seal

if TYPE_CHECKING:
    from launchers.flow.compile import FlowLayout
    from launchers.flow.model import Flow
    from launchers.flow.run import PreparedFlow
    from launchers.plan.plan import Plan
    from launchers.runs.run import PlanRun

VERSION = 1
"""Of the JSON of `flow show`: docs/json.md."""
COMMENTS = {"mermaid": MERMAID, "dot": DOT, "svg": MARKUP}
"""How the formats of `flow graph` take a comment; a PNG has none that a person could read."""


def arguments(command: argparse.ArgumentParser) -> None:
    """What can be done with a flow."""
    verbs = command.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, (help, add, _) in VERBS.items():
        verb = verbs.add_parser(name, help=help, description=help.capitalize() + ".")
        verb.add_argument("file", metavar="FILE", help="the flow, - for stdin")
        _repeated(verb, "--arg", "K=V", "replace an argument of the flow", type=_assignment)
        _repeated(
            verb, "--sweep", "K=V1,V2", "run the flow once for each of these values of an argument", type=_assignment
        )
        add(verb)


def run(options: argparse.Namespace) -> int:
    """Do what is asked; exit status 1 when nothing offers what a job needs, 2 when the flow is wrong."""
    return VERBS[options.verb][2](options)


# -- options ---------------------------------------------------------------------------------------------------


def _repeated(verb: argparse.ArgumentParser, option: str, metavar: str, help: str, **more: Any) -> None:
    """An option that may be given several times."""
    verb.add_argument(option, metavar=metavar, action="append", default=[], help=help, **more)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip(), value


def _places(verb: argparse.ArgumentParser) -> None:
    shared.add_tags(verb)
    verb.add_argument("--config", metavar="FILE", help="the launchers.yaml to use (see: launchers where)")


def _page(options: argparse.Namespace) -> dict[str, Any]:
    """The options that say which page is read, and with which values."""
    from launchers.files.structure import read_stdin_text
    from launchers.flow.read import parse_value

    sweep = {name: [parse_value(part) for part in text.split(",")] if text else [] for name, text in options.sweep}
    return {
        "file": "<stdin>" if options.file == "-" else options.file,
        "text": read_stdin_text() if options.file == "-" else None,
        "args": {name: parse_value(text) for name, text in options.arg},
        "sweep": sweep,
    }


def _read(options: argparse.Namespace) -> Flow:
    from launchers.flow.run import read_page

    return read_page(**_page(options)).read()


# -- run -------------------------------------------------------------------------------------------------------


def _run_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dry-run", action="store_true", help="print what would be submitted, and submit nothing")
    _repeated(verb, "--only", "JOB", "run only this job (repeat for more)")
    _repeated(verb, "--from", "JOB", "run this job and the jobs that depend on it", dest="start")
    _repeated(verb, "--to", "JOB", "run this job and the jobs that it depends on", dest="end")
    verb.add_argument("--resume", action="store_true", help="leave out jobs that are up to date")
    verb.add_argument(
        "--max-parallel", metavar="N", type=shared.positive_number, help="run at most N cells of a sweep at once"
    )
    verb.add_argument(
        "--jobs", metavar="N", type=shared.positive_number, help="run at most N jobs at once on this machine"
    )
    _repeated(verb, "--notify", "URL", "also send messages to this apprise URL")
    verb.add_argument("--detach", action="store_true", help="submit the flow and do not wait for it")
    _places(verb)


def _run(options: argparse.Namespace) -> int:
    from launchers.cli.wait import wait_and_summarise
    from launchers.flow.run import prepare_flow, submit_flow

    prepared = prepare_flow(
        **_page(options), only=options.only, start=options.start, end=options.end, resume=options.resume,
        max_parallel=options.max_parallel, notify=options.notify,
    )  # fmt: skip
    for note in prepared.notes():
        print(f"launchers: {note}", file=sys.stderr)
    if prepared.is_up_to_date:
        print("everything is up to date: nothing to run")
        return 0
    if options.dry_run:
        return _dry_run(prepared, options)
    plan_run = submit_flow(prepared, jobs=options.jobs, config=options.config, tags=options.tag)
    store = plan_run.record
    print(f"{store.plan} {store.id} on {store.group or store.scheduler}: {plan_run.folder}")
    return _detach(plan_run) if options.detach else wait_and_summarise(plan_run)


def _dry_run(prepared: PreparedFlow, options: argparse.Namespace) -> int:
    from launchers.flow.run import plan_flow
    from launchers.flow.script import render_script

    plan = plan_flow(prepared)
    plan.describe(config=options.config)
    print(plan.dry_run(config=options.config, tags=options.tag))
    for name in prepared.jobs:
        scripts = list(dict.fromkeys(render_script(cell.jobs[name]) for cell in prepared.flow.cells))
        which = "the script" if len(scripts) == 1 else f"the script in the first of {len(prepared.flow.cells)} cells"
        print(f"# ---- {name}: {which}")
        print(scripts[0])
    return 0


def _detach(plan_run: PlanRun) -> int:
    """Say how to come back, and what then is still to be done."""
    for task in plan_run.record.steps:
        if task.retry:
            later = f"submits it again with {task.retry[1]}"
            print(f"launchers: if {task.name} fails, launchers wait or launchers resume {later}", file=sys.stderr)
    print(f"The jobs keep running. To watch them again: launchers wait {plan_run.folder.name}", file=sys.stderr)
    return 0


# -- check -----------------------------------------------------------------------------------------------------


def _check_arguments(verb: argparse.ArgumentParser) -> None:
    shared.add_json(verb)


def _check(options: argparse.Namespace) -> int:
    from launchers.cli.check import print_problems
    from launchers.files.problems import ConfigError

    try:
        _read(options)
    except ConfigError as error:
        return print_problems(list(error.problems), options.json)
    return print_problems([], options.json)


# -- graph -----------------------------------------------------------------------------------------------------


def _graph_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--format", choices=("mermaid", "dot", "svg", "png"), default="mermaid", help="default: mermaid")
    add_output(verb, "write to this file (default: -, stdout)", default="-")


def _graph(options: argparse.Namespace) -> int:
    from launchers.flow.compile import compile_plan, job_identities, lay_out

    flow = _read(options)
    plan = compile_plan(lay_out(flow), job_identities(flow))
    drawing: str | bytes
    if options.format == "png":
        drawing = _png(plan, options.output)
    else:
        text = plan.graph(options.format)
        drawing = text if is_stream(options.output) else seal(text, COMMENTS[options.format])
    write("launchers flow graph", options.output, drawing, force=options.force)
    return 0


def _png(plan: Plan, output: str) -> bytes:
    from launchers.commands import CommandNotFoundError, LocalConnector
    from launchers.plan.tree import PlanError

    if is_stream(output) and sys.stdout.isatty():
        raise PlanError(["a terminal cannot show a PNG: use -o FILE"])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "graph.png"
        try:
            outcome = LocalConnector().run(("dot", "-Tpng", "-o", str(path)), input=plan.graph("dot"))
        except CommandNotFoundError:
            missing = "Graphviz draws PNGs, and its command dot is not on PATH: install graphviz, or use svg"
            raise PlanError([missing]) from None
        if outcome.status:
            raise PlanError([f"Graphviz cannot draw this graph: {outcome.complaint}"])
        return path.read_bytes()


# -- show ------------------------------------------------------------------------------------------------------


def _show_arguments(verb: argparse.ArgumentParser) -> None:
    _places(verb)
    shared.add_json(verb)


SHOW_HEAD = ("JOB", "CELLS", "AFTER", "NEED", "PLACE", "COMMAND")


def _show(options: argparse.Namespace) -> int:
    from launchers.flow.compile import compile_plan, job_identities, lay_out
    from launchers.plan.place import place_plan

    flow = _read(options)
    layout = lay_out(flow)
    placed = place_plan(compile_plan(layout, job_identities(flow)), config=options.config, tags=options.tag)
    jobs = [_job_json(layout, name, placed) for name in flow.jobs]
    group = placed.group.name if placed.group else None
    if options.json:
        cells = [dict(cell.values) for cell in flow.cells]
        show.print_json({"version": VERSION, "name": flow.name, "group": group, "cells": cells, "jobs": jobs})
        return 0
    print(f"{flow.name} on {group or 'Slurm'}")
    show.print_table([_show_row(job) for job in jobs], SHOW_HEAD)
    for index, cell in enumerate(flow.cells):
        if cell.values:
            print(f"cell {index}: {cell.label}")
    return 0


def _show_row(job: dict[str, Any]) -> tuple[str, ...]:
    after = ",".join(name if on == "ok" else f"{on}:{name}" for name, on in job["after"].items())
    return job["name"], str(job["cells"]), after, job["need"], job["place"], job["command"]


def _job_json(layout: FlowLayout, name: str, placed: Any) -> dict[str, Any]:
    from launchers.flow.compile import job_need
    from launchers.plan.tree import Pinned

    job = layout.flow.jobs[name]
    need = job_need(job)
    spec = job.spec
    command = spec.command if isinstance(spec.command, str) else " ".join(map(str, spec.command or ()))
    return {
        "name": name,
        "cells": 1 if name in layout.shared else len(layout.flow.cells),
        "after": dict(job.waits),
        "need": str(need.requirement if isinstance(need, Pinned) else need),
        "options": dict(need.options) if isinstance(need, Pinned) else {},
        "place": placed.places[layout.steps(name)[0]].partition,
        "command": " ".join((command or spec.script or spec.python or "").split()),
    }


AddArguments = Callable[[argparse.ArgumentParser], None]
RunVerb = Callable[[argparse.Namespace], int]
VERBS: dict[str, tuple[str, AddArguments, RunVerb]] = {
    "run": ("submit a flow and wait for it", _run_arguments, _run),
    "check": ("list everything that is wrong with a flow", _check_arguments, _check),
    "show": ("list the jobs as they would run, with the partition of each", _show_arguments, _show),
    "graph": ("draw the graph of a flow", _graph_arguments, _graph),
}
