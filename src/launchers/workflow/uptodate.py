"""Which jobs of a flow need not run: those outside of the part that is asked for, and those that are up to date."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from launchers.plan.run import Run, open_run
from launchers.plan.store import RunError
from launchers.workflow.compile import Layout
from launchers.workflow.flow import Flow


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


def completed(runs: Iterable[Run]) -> dict[str, tuple[Path, str]]:
    """Per step the newest run in which it succeeded, and what it was made of then."""
    found: dict[str, tuple[Path, str]] = {}
    for run in runs:
        for step in run.status():
            if step.state == "COMPLETED" and step.name not in found:
                found[step.name] = run.folder, run.store.task(step.name).identity
    return found


def up_to_date(laid: Layout, identity: Mapping[str, str], done: Mapping[str, tuple[Path, str]]) -> dict[str, Path]:
    """The jobs that need not run again, with the run folder that has what they hand on.

    They were made of the same then, what they read is not newer than what they write, and so it is of all jobs that
    they wait for.
    """
    found: dict[str, Path] = {}
    for name, job in laid.flow.jobs.items():
        places = [done.get(step) for step in laid.steps(name)]
        same = all(place is not None and place[1] == identity[name] for place in places)
        if same and places[0] is not None and all(parent in found for parent, _ in job.waits) and _fresh(laid, name):
            found[name] = places[0][0]
    return found


def _fresh(laid: Layout, name: str) -> bool:
    """Whether all outputs of a job are there and none is older than an input."""
    for cell in laid.flow.cells:
        spec = cell.jobs[name].spec
        written = [_changed(path) for path in spec.outputs or ()]
        read = [_changed(path) for path in spec.inputs or ()]
        if None in written or None in read:
            return False
        if written and read and max(time or 0 for time in read) > min(time or 0 for time in written):
            return False
    return True


def _changed(path: str) -> int | None:
    try:
        return Path(path).expanduser().stat().st_mtime_ns
    except OSError:
        return None
