"""What can be wrong with a flow as a whole: names, dependencies, arguments, and what differs between cells."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from launchers.files.problems import Problem
from launchers.files.tree import KeyPath, Tree
from launchers.flow.model import DEPENDENCY_KINDS, Cell, FlowJob, read_dependencies, split_dependency
from launchers.flow.notify import FINISHED, STARTED
from launchers.flow.templates import OWN_NAMES
from launchers.jobs.submission import STEP_NAME
from launchers.order import CircularWaitError, sort_by_waits


def suggest_name(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known: the nearest one, or all that are."""
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {nearest[0]}?" if nearest else f"known here: {', '.join(known) or 'none'}"


# -- names and dependencies ------------------------------------------------------------------------------------


def document_problems(data: Mapping[str, Any], tree: Tree) -> Iterator[Problem]:
    """Names that are missing, invalid or taken, and dependencies on nothing or in a circle; `data` is the file's."""
    if data.get("name") is None:
        yield tree.problem("LC114", (), "the flow has no name", "write name: my-flow")
    else:
        yield from _name_problems(str(data["name"]), ("name",), tree)
    listed = data.get("jobs")
    jobs = [job if isinstance(job, dict) else {} for job in listed] if isinstance(listed, list) else []
    if not jobs:
        yield tree.problem("LC114", (), "the flow has no jobs", "write jobs: and a list below it")
    names = [None if job.get("name") is None else str(job["name"]) for job in jobs]
    for index, job in enumerate(jobs):
        yield from _job_name_problems(names, index, tree)
        yield from _dependency_problems(job.get("depends_on"), ("jobs", index, "depends_on"), names, tree)
    yield from _circle_problems(names, [job.get("depends_on") for job in jobs], tree)


def _name_problems(name: str, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    if not STEP_NAME.fullmatch(name):
        rule = "use letters, digits and _ . + @ = -, beginning with a letter, a digit or _"
        yield tree.problem("LC109", path, f"{name!r} is not a valid name", rule)


def _job_name_problems(names: Sequence[str | None], index: int, tree: Tree) -> Iterator[Problem]:
    name = names[index]
    path: KeyPath = ("jobs", index, "name")
    if name is None:
        yield tree.problem("LC114", ("jobs", index), "this job has no name", "write name: ...")
    elif name in (STARTED, FINISHED):
        message = f"the name {name!r} is reserved for a job that sends messages"
        yield tree.problem("LC109", path, message, "choose another name")
    elif name in names[:index]:
        yield tree.problem("LC106", path, f"another job has the name {name!r} already", "choose another name")
    else:
        yield from _name_problems(name, path, tree)


def _dependency_problems(depends_on: Any, path: KeyPath, names: Sequence[str | None], tree: Tree) -> Iterator[Problem]:
    """What is wrong with one job's `depends_on`; entries of the wrong type are for the schema to report."""
    if isinstance(depends_on, str):
        entries = [(path, depends_on)]
    elif isinstance(depends_on, list):
        entries = [((*path, index), text) for index, text in enumerate(depends_on) if isinstance(text, str)]
    else:
        return
    kind_of_job: dict[str, str] = {}
    for place, text in entries:
        kind, name = split_dependency(text)
        if kind not in DEPENDENCY_KINDS:
            yield tree.problem(
                "LC110", place, f"unknown kind of dependency {kind!r}", suggest_name(kind, DEPENDENCY_KINDS)
            )
        if name not in names:
            yield tree.problem("LC116", place, f"there is no job {name!r}", suggest_name(name, filter(None, names)))
        if kind in DEPENDENCY_KINDS and kind_of_job.setdefault(name, kind) != kind:
            message = f"this job waits for {name!r} already, with {kind_of_job[name]}"
            yield tree.problem("LC106", place, message, "keep one of them")


def _circle_problems(names: Sequence[str | None], depends_on: Sequence[Any], tree: Tree) -> Iterator[Problem]:
    parents: dict[str, list[str]] = {name: [] for name in names if name}
    for name, value in zip(names, depends_on, strict=True):
        if name:
            parents[name] += [parent for parent, _ in read_dependencies(value) if parent in names]
    try:
        sort_by_waits(parents, parents)
    except CircularWaitError as error:
        first = names.index(error.path[0])
        message = f"these jobs wait for each other: {' -> '.join(error.path)}"
        yield tree.problem("LC116", ("jobs", first, "depends_on"), message)


# -- arguments and sweeps --------------------------------------------------------------------------------------


def argument_problems(
    own: Mapping[str, Any], replaced: Mapping[str, Any], axes: Mapping[str, Any], tree: Tree
) -> Iterator[Problem]:
    """Arguments with a name that templates use already, and values for arguments that the flow does not have.

    `own` are the arguments of the file; `replaced` and `axes` come from the command line.
    """
    for name in own:
        if name in OWN_NAMES:
            message = f"{name!r} has a meaning of its own in templates"
            yield tree.problem("LC108", ("args", name), message, "choose another name")
    for option, names in (("--arg", replaced), ("--sweep", axes)):
        for name in names:
            if name not in own:
                message = f"{option} {name}: the flow has no such argument"
                yield tree.problem("LC115", ("args",), message, suggest_name(name, own))
    for path, values in _values_of_sweep(tree.data.get("sweep")):
        for name in values:
            if name not in own:
                message = f"the flow has no argument {name!r}"
                yield tree.problem("LC115", (*path, name), message, suggest_name(name, own), key=True)


def _values_of_sweep(sweep: Any) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """The mappings from arguments to values in a sweep, with their places."""
    if not isinstance(sweep, dict):
        return
    if isinstance(sweep.get("matrix"), dict):
        yield ("sweep", "matrix"), sweep["matrix"]
    for key in ("include", "exclude"):
        for index, values in enumerate(sweep[key]) if isinstance(sweep.get(key), list) else ():
            if isinstance(values, dict):
                yield ("sweep", key, index), values


def cell_problems(cells: Sequence[Cell], names: Sequence[str | None], tree: Tree) -> Iterator[Problem]:
    """What differs between cells though it must not: the flow's name (one for each cell) and the shape of its graph."""
    if len(set(names)) > 1:
        yield tree.problem("LC115", ("name",), f"the name of the flow {DIFFERS}")
    by_index = [{job.index: job for job in cell.jobs.values()} for cell in cells]
    for job in cells[0].jobs.values():
        yield from _differing_job(job, [jobs[job.index] for jobs in by_index], tree)


DIFFERS = "must be the same in all cells of the sweep"


def _differing_job(job: FlowJob, in_cells: Sequence[FlowJob], tree: Tree) -> Iterator[Problem]:
    path: KeyPath = ("jobs", job.index)
    if any(other.name != job.name for other in in_cells):
        yield tree.problem("LC115", (*path, "name"), f"the name of a job {DIFFERS}")
    elif any(other.waits != job.waits for other in in_cells):
        yield tree.problem("LC115", (*path, "depends_on"), f"what a job waits for {DIFFERS}")
    elif job.spec.once and any(other != job for other in in_cells):
        yield tree.problem("LC114", (*path, "once"), f"a job that runs once for all cells {DIFFERS}")
