"""Which jobs of a flow need not run: those outside of the part that is asked for, and those that are up to date."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from attrs import frozen

from launchers.errors import RunError
from launchers.flow.compile import Layout
from launchers.flow.model import Flow
from launchers.flow.read import RUN_DIR
from launchers.runs.results import output
from launchers.runs.run import Run, open_run


def part(flow: Flow, only: Collection[str] = (), start: Iterable[str] = (), end: Iterable[str] = ()) -> set[str]:
    """The jobs that are asked for: these alone, or what hangs on `start` and what `end` hangs on, of the graph."""
    wanted = set(only) or set(flow.jobs)
    below, above = set(start), set(end)
    if below:
        for name, job in flow.jobs.items():  # parents come first
            if any(parent in below for parent, _ in job.waits):
                below.add(name)
        wanted &= below
    if above:
        for name, job in reversed(list(flow.jobs.items())):
            if name in above:
                above.update(parent for parent, _ in job.waits)
        wanted &= above
    return wanted


def earlier(root: Path, name: str) -> list[Run]:
    """The runs of a flow, the newest first."""
    found = []
    for path in root.glob(f"{name}-*/plan.json"):
        try:
            run = open_run(path.parent)
        except RunError:
            continue  # not one of ours, or of another version: it has nothing to give
        if run.store.plan == name:
            found.append(run)
    return sorted(found, key=lambda run: run.store.created, reverse=True)


@frozen
class Done:
    """The newest success of a step: the run folder that has it, what it was made of and how many jobs it was.

    One that was left out, as nothing failed that it waits for, wrote nothing.
    """

    folder: Path
    identity: str
    count: int
    left_out: bool = False


def completed(runs: Iterable[Run], names: Collection[str]) -> dict[str, Done]:
    """The newest successes of steps."""
    found: dict[str, Done] = {}
    for run in runs:
        if len(found) == len(names):
            break  # further back there is nothing newer
        tasks = {task.name: task for task in run.store.tasks if task.name in names and task.name not in found}
        for step in run.status() if tasks else ():
            if step.succeeded and step.name in tasks:
                task = tasks[step.name]
                found[step.name] = Done(run.folder, task.identity, task.count, step.left_out)
    return found


def last(laid: Layout, name: str, done: Mapping[str, Done]) -> Done | None:
    """The newest success of a job, where all of it is in one run and it had as many cells then."""
    found = [done.get(step) for step in laid.steps(name)]
    first = found[0]
    count = len(laid.flow.cells) if laid.mapped and name not in laid.shared else 1
    whole = first is not None and first.count == count and all(one and one.folder == first.folder for one in found)
    return first if whole else None


def up_to_date(laid: Layout, identity: Mapping[str, str], done: Mapping[str, Done]) -> dict[str, Path]:
    """The jobs that need not run again, with the run folder that has what they hand on.

    They were made of the same then, what they read is not newer than what they write, and so it is of all jobs that
    they wait for.
    """
    found: dict[str, Path] = {}
    for name, job in laid.flow.jobs.items():
        before = last(laid, name, done)
        if before is None or before.identity != identity[name]:
            continue
        if not before.left_out and not _fresh(laid, name, before.folder):
            continue
        if all(parent in found for parent, _ in job.waits):
            found[name] = before.folder
    return found


def _fresh(laid: Layout, name: str, run: Path) -> bool:
    """Whether all outputs of a job are there and none is older than an input, or its script.

    Without outputs it is what the job handed on that tells when it ran.
    """
    for index, cell in enumerate(laid.flow.cells):
        spec = cell.jobs[name].spec
        base = Path(spec.work_dir or "").expanduser()
        outputs = spec.outputs or (str(output(run, *laid.step(name, index))),)
        written = [_changed(base, path, run) for path in outputs]
        read = [_changed(base, path, run) for path in (*(spec.inputs or ()), *filter(None, [spec.script]))]
        times = [time for time in written if time is not None]
        if len(times) < len(written) or any(time is None or time > min(times) for time in read):
            return False
    return True


def _changed(base: Path, path: str, run: Path) -> int | None:
    """When a file of a job was changed, in nanoseconds; None where there is none."""
    try:
        return (base / Path(path.replace(RUN_DIR, str(run))).expanduser()).stat().st_mtime_ns
    except OSError:
        return None
