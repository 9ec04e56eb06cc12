"""Run a flow: read its page, leave out the jobs that need not run, and submit the others as a plan."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from launchers.files.structure import read_text
from launchers.flow.compile import compile_plan, job_identities, lay_out
from launchers.flow.model import Flow
from launchers.flow.notify import EVENTS, add_messages, locate_urls, redact_urls
from launchers.flow.read import RUN_FOLDER, loads
from launchers.flow.schema import NotifySpec
from launchers.flow.up_to_date import (
    earlier_runs,
    newest_success,
    newest_successes,
    select_jobs,
    up_to_date_jobs,
)
from launchers.plan.plan import Plan
from launchers.plan.submit import submit
from launchers.plan.tree import PlanError
from launchers.runs.folder import RunFolder, create_folder
from launchers.runs.run import PlanRun

RUNS = "runs"
"""The folder for run folders, below the current one."""
logger = logging.getLogger(__name__)


def run_flow(
    file: str | Path,
    *,
    text: str | None = None,
    args: Mapping[str, Any] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    only: Collection[str] = (),
    start: Collection[str] = (),
    end: Collection[str] = (),
    resume: bool = False,
    max_parallel: int | None = None,
    jobs: int | None = None,
    notify: Sequence[str] = (),
    config: str | Path | None = None,
    tags: Iterable[str] = (),
    folder: str | Path = RUNS,
) -> PlanRun | None:
    """Submit a flow, as ``launchers flow run --detach`` does, and return its run; None if all of it is up to date.

    `file` is the page.  With `text`, the page is that text, and `file` names it in messages.
    `args` replace arguments of the page; `sweep` has values for which the flow runs once each.
    `only`, `start` and `end` are names of jobs and select a part of the graph: only these; these and what depends on
    them; these and what they depend on.  With `resume`, jobs that are up to date are left out, too.
    `max_parallel` bounds the cells of a sweep that run at once, `jobs` the jobs that run at once on this machine.
    `notify` has apprise URLs that get messages, too; they become variables of this process, which jobs inherit.
    `config`, `tags` and `folder` are as for `Plan.submit`.

    Raises ConfigError for a page with mistakes; PlanError, before anything is submitted, for jobs that the flow does
    not have and for a flow that cannot be placed; SubmitError when the scheduler refuses a job.

        run = launchers.run_flow("flow.yaml", args={"lr": 0.1})
        run.wait()
    """
    prepared = prepare_flow(
        file, text=text, args=args, sweep=sweep, only=only, start=start, end=end, resume=resume,
        max_parallel=max_parallel, notify=notify, folder=folder,
    )  # fmt: skip
    for note in prepared.notes():
        logger.info(note)
    if prepared.is_up_to_date:
        return None
    return submit_flow(prepared, jobs=jobs, config=config, tags=tags)


# -- before it is submitted ------------------------------------------------------------------------------------


@frozen
class FlowPage:
    """The text of a flow with the values that replace its own: what it takes to read the flow, and to read it again."""

    text: str
    file: str
    args: Mapping[str, Any]
    sweep: Mapping[str, Sequence[Any]]
    max_parallel: int | None = None

    def read(self, run: Path | str = RUN_FOLDER, done: Mapping[str, Path] | None = None) -> Flow:
        """Read the flow; `run` and `done` are as for `flow.read.loads`.  Raises ConfigError."""
        flow = loads(self.text, self.file, args=self.args, sweep=self.sweep, run=run, done=done)
        if self.max_parallel is None or flow.sweep is None:
            return flow
        return evolve(flow, sweep=evolve(flow.sweep, max_parallel=self.max_parallel))


@frozen
class PreparedFlow:
    """A flow that was read, and which of its jobs do not run.

    `left_out` has these jobs, each with the run folder that has its values, or None.  `outdated` are those of them
    that were defined differently in that run.  `notify` has the URLs of the page and of the caller.
    """

    page: FlowPage
    flow: Flow
    left_out: Mapping[str, Path | None]
    outdated: frozenset[str]
    notify: NotifySpec
    folder: Path

    @property
    def is_up_to_date(self) -> bool:
        """Whether nothing is left to run."""
        return set(self.left_out) == set(self.flow.jobs)

    @property
    def jobs(self) -> list[str]:
        """The names of the jobs that run."""
        return [name for name in self.flow.jobs if name not in self.left_out]

    def notes(self) -> list[str]:
        """A line for each job that is left out, and what that means for the jobs that depend on it."""
        notes = [
            f"{name} has changed since {folder.name}: its values are from before"
            for name, folder in self.left_out.items()
            if folder and name in self.outdated
        ]
        if self.is_up_to_date:
            return notes
        parents = {parent for name in self.jobs for parent, _ in self.flow.jobs[name].waits}
        runs = self.folder if self.folder.is_absolute() else f"./{self.folder}"
        for name, folder in self.left_out.items():
            reason = f"done in {folder.name}" if folder else f"no run in {runs} completed it"
            missing = "; its values will be missing" if name in parents and not folder else ""
            notes.append(f"left out: {name} ({reason}{missing})")
        return notes


def read_page(
    file: str | Path,
    *,
    text: str | None = None,
    args: Mapping[str, Any] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    max_parallel: int | None = None,
) -> FlowPage:
    """The page of a flow, of which only the file is read yet.  Raises ConfigError when it cannot be."""
    page = read_text(Path(file)) if text is None else text
    axes = {name: list(values) for name, values in (sweep or {}).items()}
    return FlowPage(page, str(file), dict(args or {}), axes, max_parallel)


def prepare_flow(
    file: str | Path,
    *,
    text: str | None = None,
    args: Mapping[str, Any] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    only: Collection[str] = (),
    start: Collection[str] = (),
    end: Collection[str] = (),
    resume: bool = False,
    max_parallel: int | None = None,
    notify: Sequence[str] = (),
    folder: str | Path = RUNS,
) -> PreparedFlow:
    """Read a flow and decide which of its jobs run; arguments and errors are those of `run_flow`."""
    page = read_page(file, text=text, args=args, sweep=sweep, max_parallel=max_parallel)
    flow = page.read()
    selected = _selected_jobs(flow, only, start, end)
    left_out: dict[str, Path | None] = {}
    outdated: set[str] = set()
    if resume or selected != set(flow.jobs):
        layout, identities = lay_out(flow), job_identities(flow)
        steps = [step for name in flow.jobs for step in layout.steps(name)]
        successes = newest_successes(earlier_runs(Path(folder), flow.name), steps)
        for name in (name for name in flow.jobs if name not in selected):
            success = newest_success(layout, name, successes)
            left_out[name] = success.folder if success else None
            if success and success.identity != identities[name]:
                outdated.add(name)
        if resume:
            left_out |= up_to_date_jobs(layout, identities, successes)
    return PreparedFlow(page, flow, left_out, frozenset(outdated), _all_urls(flow.notify, notify), Path(folder))


def _selected_jobs(flow: Flow, only: Collection[str], start: Collection[str], end: Collection[str]) -> set[str]:
    unknown = [name for name in (*only, *start, *end) if name not in flow.jobs]
    if unknown:
        raise PlanError([f"the flow has no job {name}; its jobs are: {', '.join(flow.jobs)}" for name in unknown])
    selected = select_jobs(flow, only, start, end)
    if not selected:
        raise PlanError(["this part of the flow has no jobs"])
    return selected


def _all_urls(spec: NotifySpec | None, more: Sequence[str]) -> NotifySpec:
    own = spec.urls or () if spec else ()
    urls = (*([own] if isinstance(own, str) else own), *more)
    return NotifySpec(urls=urls, on=(spec.on if spec else None) or EVENTS)


# -- the plan --------------------------------------------------------------------------------------------------


def plan_flow(prepared: PreparedFlow) -> Plan:
    """The plan of a flow, to look at: its run folder is not known.  Raises PlanError for URLs that cannot be used."""
    return _plan(prepared, prepared.flow)[0]


def submit_flow(
    prepared: PreparedFlow, *, jobs: int | None = None, config: str | Path | None = None, tags: Iterable[str] = ()
) -> PlanRun:
    """Submit the jobs that run; arguments and errors are those of `run_flow`.

    The page is read once more: its templates may use the run folder, and exports of jobs that are left out refer to the
    run folders of their own.  Where it is interrupted, what is there is logged, and how to go on.
    """
    folder, id = create_folder(prepared.folder, prepared.flow.name)
    try:
        done = {name: earlier for name, earlier in prepared.left_out.items() if earlier}
        plan, variables = _plan(prepared, prepared.page.read(run=folder.path, done=done))
        os.environ.update(variables)  # jobs inherit them, so that the URLs are in no file
        command = redact_urls((sys.executable, *sys.argv), list(variables.values()))
        return submit(
            plan, config=config, tags=tags, folder=prepared.folder, jobs=jobs, into=(folder, id), command=command
        )
    except KeyboardInterrupt:
        logger.warning("launchers: interrupted: %s", _what_is_there(folder))
        raise
    finally:
        if not folder.plan_path.exists():  # nothing was submitted, so there is nothing to come back to
            shutil.rmtree(folder.path, ignore_errors=True)  # what failed may have removed it


def _what_is_there(folder: RunFolder) -> str:
    """What is left of a submission that was interrupted, and how to go on."""
    if not folder.plan_path.exists():
        return "nothing was submitted"
    path = shlex.quote(str(folder.path))
    return (
        f"some jobs may have been submitted. launchers status {path} says which, launchers resume {path} submits the "
        f"others, launchers cancel {path} cancels them"
    )


def _plan(prepared: PreparedFlow, flow: Flow) -> tuple[Plan, dict[str, str]]:
    """The plan of a flow with the jobs that send messages, and the variables that these need."""
    plan = compile_plan(lay_out(flow, prepared.left_out), job_identities(prepared.flow))
    urls = prepared.notify.urls
    if not urls:
        return plan, {}
    places, variables = locate_urls([urls] if isinstance(urls, str) else urls)
    return add_messages(plan, places, prepared.notify.on or EVENTS), variables
