"""Which jobs of a flow need not run: those outside the part that is asked for, and those that are up to date."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from attrs import frozen

from launchers.errors import RunError
from launchers.files.paths import expand_user
from launchers.flow.compile import FlowLayout
from launchers.flow.model import Flow
from launchers.flow.read import RUN_FOLDER
from launchers.runs.results import output_path
from launchers.runs.run import PlanRun, open_run


def select_jobs(flow: Flow, only: Collection[str] = (), start: Iterable[str] = (), end: Iterable[str] = ()) -> set[str]:
    """The jobs of a part of the graph: those of `only`, of `start` and what depends on it, of `end` and what it needs.

    A job has to be in each of these that is given.
    """
    selected = set(only) or set(flow.jobs)
    from_start, to_end = set(start), set(end)
    if from_start:
        for name, job in flow.jobs.items():  # parents come first
            if any(parent in from_start for parent, _ in job.waits):
                from_start.add(name)
        selected &= from_start
    if to_end:
        for name, job in reversed(list(flow.jobs.items())):
            if name in to_end:
                to_end.update(parent for parent, _ in job.waits)
        selected &= to_end
    return selected


# -- what has succeeded before ---------------------------------------------------------------------------------


@frozen
class EarlierSuccess:
    """The newest success of a step: its run folder, the identity of its job and how many scheduler jobs it was.

    A step that was left out (it waits for a failure that did not come) counts as a success and wrote nothing.
    """

    folder: Path
    identity: str
    count: int
    left_out: bool = False


def earlier_runs(folder: Path, name: str) -> list[PlanRun]:
    """The runs of a flow in a folder, the newest first."""
    runs = []
    for path in folder.glob(f"{name}-*/plan.json"):
        try:
            run = open_run(path.parent)
        except RunError:
            continue  # it was made by something else or another version, and cannot be used
        if run.record.plan == name:
            runs.append(run)
    return sorted(runs, key=lambda run: run.record.created, reverse=True)


def newest_successes(runs: Iterable[PlanRun], steps: Collection[str]) -> dict[str, EarlierSuccess]:
    """The newest success of each step that has one; `runs` come with the newest first."""
    successes: dict[str, EarlierSuccess] = {}
    for run in runs:
        if len(successes) == len(steps):
            break
        tasks = {task.name: task for task in run.record.steps if task.name in steps and task.name not in successes}
        for step in run.status() if tasks else ():
            if step.succeeded and step.name in tasks:
                task = tasks[step.name]
                successes[step.name] = EarlierSuccess(run.folder, task.identity, task.count, step.left_out)
    return successes


def newest_success(layout: FlowLayout, name: str, successes: Mapping[str, EarlierSuccess]) -> EarlierSuccess | None:
    """The newest success of a whole job: all its steps succeeded in one run, which had as many cells."""
    steps = [successes.get(step) for step in layout.steps(name)]
    first = steps[0]
    count = len(layout.flow.cells) if layout.mapped and name not in layout.shared else 1
    if first is None or first.count != count:
        return None
    return first if all(step is not None and step.folder == first.folder for step in steps) else None


# -- what is up to date ----------------------------------------------------------------------------------------


def up_to_date_jobs(
    layout: FlowLayout, identities: Mapping[str, str], successes: Mapping[str, EarlierSuccess]
) -> dict[str, Path]:
    """The jobs that need not run again, with the run folder that has their values.

    The same job has succeeded before, its outputs are newer than its inputs, and this is true of all jobs before it.
    """
    up_to_date: dict[str, Path] = {}
    for name, job in layout.flow.jobs.items():
        earlier = newest_success(layout, name, successes)
        if earlier is None or earlier.identity != identities[name]:
            continue
        if not earlier.left_out and not _has_current_outputs(layout, name, earlier.folder):
            continue
        if all(parent in up_to_date for parent, _ in job.waits):
            up_to_date[name] = earlier.folder
    return up_to_date


def _has_current_outputs(layout: FlowLayout, name: str, run: Path) -> bool:
    """Whether all outputs of a job exist and none is older than an input or the job's script.

    A job without outputs is as old as the file with the values that it handed on.
    """
    for index, cell in enumerate(layout.flow.cells):
        spec = cell.jobs[name].spec
        folder = expand_user(spec.work_dir or "")
        outputs = spec.outputs or (str(output_path(run, *layout.step(name, index))),)
        inputs = (*(spec.inputs or ()), *filter(None, [spec.script]))
        written = [_modified(folder, path, run) for path in outputs]
        read = [_modified(folder, path, run) for path in inputs]
        times = [time for time in written if time is not None]
        if len(times) < len(written) or any(time is None or time > min(times) for time in read):
            return False
    return True


def _modified(folder: Path, path: str, run: Path) -> int | None:
    """When a file of a job was modified, in nanoseconds since the epoch; None if it does not exist."""
    try:
        return (folder / expand_user(path.replace(RUN_FOLDER, str(run)))).stat().st_mtime_ns
    except OSError:
        return None
