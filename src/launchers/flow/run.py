"""Run a flow."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launchers.cli.flow import _load

if TYPE_CHECKING:
    from launchers.flow.model import Flow
    from launchers.plan.plan import Plan


RUNS = Path("runs")


def _submitted(options: argparse.Namespace, flow: Flow, left: dict[str, Path | None]) -> Any:
    import os

    from launchers.flow.notify import hidden
    from launchers.plan.submit import submit
    from launchers.runs.folder import create

    folder, id = create(RUNS, flow.name)
    try:
        plan = _plan(flow, options, left, run=folder, environ=os.environ)
        command = hidden((sys.executable, *sys.argv), options.notify)
        return submit(
            plan, config=options.config, tags=options.tag, folder=RUNS, jobs=options.jobs, into=(folder, id),
            command=command,
        )  # fmt: skip
    finally:
        if not (folder / "plan.json").exists():  # nothing was submitted: there is nothing to come back to
            shutil.rmtree(folder)


def _left(flow: Flow, options: argparse.Namespace) -> dict[str, Path | None]:
    """The jobs that are not run, with the run folder that has what they hand on, if any."""
    from launchers.flow.compile import identities, layout
    from launchers.flow.up_to_date import completed, earlier, last, part, up_to_date
    from launchers.plan.tree import PlanError

    named = [*options.only, *options.start, *options.end]
    unknown = [name for name in named if name not in flow.jobs]
    if unknown:
        raise PlanError([f"there is no job {name}: {', '.join(flow.jobs)}" for name in unknown])
    wanted = part(flow, options.only, options.start, options.end)
    if not wanted:
        raise PlanError(["no job is left of that part of the graph"])
    if wanted == set(flow.jobs) and not options.resume:
        return {}
    laid = layout(flow)
    identity = identities(flow)
    done = completed(earlier(RUNS, flow.name), [step for name in flow.jobs for step in laid.steps(name)])
    left: dict[str, Path | None] = {}
    for name in flow.jobs:
        if name not in wanted:
            before = last(laid, name, done)
            left[name] = before.folder if before else None
            if before and before.identity != identity[name]:
                told = f"{name} was another job in {before.folder.name}: its values are of then"
                print(f"launchers: {told}", file=sys.stderr)
    return {**left, **up_to_date(laid, identity, done)} if options.resume else left


def _plan(
    flow: Flow,
    options: argparse.Namespace,
    left: dict[str, Path | None],
    run: Path | None = None,
    environ: Any = None,
) -> Plan:
    """The plan of the jobs that are run, with the messages that are wanted."""
    from attrs import evolve

    from launchers.flow.compile import identities, layout, plan_of
    from launchers.flow.notify import secrets, with_messages
    from launchers.flow.schema import Notify

    identity = identities(flow)
    done = {name: folder for name, folder in left.items() if folder}
    real = _load(options, run=run, done=done) if run is not None else flow
    if options.max_parallel is not None and real.sweep is not None:
        real = evolve(real, sweep=evolve(real.sweep, max_parallel=options.max_parallel))
    plan = plan_of(layout(real, left), identity)
    told = flow.notify or Notify()
    urls = [*([told.urls] if isinstance(told.urls, str) else told.urls or ()), *options.notify]
    if not urls:
        return plan
    places, variables = secrets(urls)
    if environ is not None:
        environ.update(variables)  # jobs inherit them: they stand in no file
    return with_messages(plan, places, told.on or ("started", "finished", "failed"))
