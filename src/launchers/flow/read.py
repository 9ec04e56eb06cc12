"""A flow file to a Flow: templates rendered, defaults filled in, one set of jobs for each cell of the sweep.

Everything that is wrong with the file is found here and reported at once, each problem with its place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from attrs import evolve, frozen

from launchers.bounded import MEMORY, TIME, Meter, OverBudgetError, Spent, work_in_child
from launchers.files.problems import ConfigError, Problem
from launchers.files.structure import read_text, structure_leniently, structure_tree
from launchers.files.tree import KeyPath, Tree, format_path, read_tree
from launchers.flow.check import argument_problems, cell_problems, document_problems
from launchers.flow.check_job import job_problems
from launchers.flow.defaults import jobs_with_defaults
from launchers.flow.model import Cell, Flow, FlowJob, read_dependencies, sorted_jobs
from launchers.flow.schema import FlowDocument, SweepSpec
from launchers.flow.sweep import Values, sweep_cells
from launchers.flow.templates import Renderer, TemplateScope, TemplateValues, has_templates, new_scope, shorten

MORE_TIME = 0.001
"""Seconds of CPU that each template adds to what all of a page may use: a sweep has the same ones for each cell."""
RUN_FOLDER = "RUN_DIR"
"""What {{ run.dir }} gives until the run folder is known."""


def load(path: FilePath, **options: Any) -> Flow:
    """Read a flow file.  Options and errors are those of `loads`."""
    return loads(read_text(path), str(path), **options)


def loads(
    text: str,
    file: str = "<text>",
    *,
    args: Mapping[str, Any] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    run: FilePath | str = RUN_FOLDER,
    done: Mapping[str, FilePath] | None = None,
) -> Flow:
    """Read the text of a flow file.

    `args` replace arguments of the file.  `sweep` has more axes: the values of each argument.  `run` is the run folder,
    for {{ run.dir }}.  `done` has, for each job that does not run again, the run folder of its last success: its
    `exports` refer to that folder.  `file` names the text in messages.

    Raises ConfigError with every problem of the file.
    """
    tree = _read_mapping(text, file)
    own_args = tree.data.get("args")
    own_args = own_args if isinstance(own_args, dict) else {}
    args, sweep = args or {}, sweep or {}
    values_of_cells, problems = sweep_cells(tree, sweep)
    problems += argument_problems(own_args, args, sweep, tree)
    cells = values_of_cells or [{}]
    readings = _read_within_budget(tree, {**own_args, **args}, cells, str(run), done or {})
    problems += [problem for reading in readings for problem in reading.problems]
    document = readings[0].document
    flow = Flow(
        name=document.name or "",
        file=file,
        cells=tuple(Cell(values, reading.jobs) for values, reading in zip(cells, readings, strict=True)),
        sweep=document.sweep or (SweepSpec() if sweep else None),
        notify=document.notify,
        tree=tree,
    )
    problems = problems or list(cell_problems(flow.cells, [reading.document.name for reading in readings], tree))
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return flow


def parse_value(text: str) -> Any:
    """Read a value from the command line as a flow file would have it; what is not YAML is text."""
    try:
        return read_tree(text, "<value>").data
    except ConfigError:
        return text


def _read_mapping(text: str, file: str) -> Tree:
    tree = read_tree(text, file)
    tree.data = {} if tree.data is None else tree.data
    if not isinstance(tree.data, dict):
        structure_tree(tree, FlowDocument, "a flow is a mapping with name: and jobs:")  # raises
    return tree


# -- one cell --------------------------------------------------------------------------------------------------


@frozen
class _CellReading:
    """What can be read of a cell, and what is wrong with the rest."""

    document: FlowDocument
    jobs: Mapping[str, FlowJob]
    problems: list[Problem]


def _read_within_budget(
    tree: Tree, args: Mapping[str, Any], cells: Sequence[Values], run: str, done: Mapping[str, FilePath]
) -> list[_CellReading]:
    """The cells; where there are templates, read in a child process. Raises ConfigError for one that takes too much."""
    if not any(map(has_templates, (tree.data, args, cells))):
        return _read_cells(tree, args, cells, run, done)
    try:
        return work_in_child(lambda meter: _read_cells(tree, args, cells, run, done, meter), more_time=MORE_TIME)
    except OverBudgetError as error:
        template = _value_at(tree.data, error.place)
        message = TOO_MUCH[error.spent]
        message = f"{shorten(template)}: {message}" if isinstance(template, str) else message
        raise ConfigError([tree.problem("LC115", error.place, message, "make the template simpler")]) from None


TOO_MUCH = {
    Spent.TIME: f"the templates of this page take more than {TIME:g} s",
    Spent.MEMORY: f"the templates of this page take more than {MEMORY >> 20} MiB of memory, or nest too deep",
    Spent.PATIENCE: "the templates of this page do not come to an end",
}


def _value_at(data: Any, path: KeyPath) -> Any:
    """The value at a path; None where there is none, as for an argument from the command line."""
    for part in path:
        try:
            data = data[part]
        except (LookupError, TypeError):
            return None
    return data


def _read_cells(
    tree: Tree,
    args: Mapping[str, Any],
    cells: Sequence[Values],
    run: str,
    done: Mapping[str, FilePath],
    meter: Meter | None = None,
) -> list[_CellReading]:
    readings: list[_CellReading] = []
    for values in cells:
        arguments = {**args, **values}
        scope = new_scope(arguments, values, run)
        earlier = {name: new_scope(arguments, values, str(folder)) for name, folder in done.items()}
        readings.append(_read_cell(Renderer(tree, meter), arguments, scope, earlier, with_sweep=not readings))
    return readings


def _read_cell(
    renderer: Renderer,
    args: Mapping[str, Any],
    scope: TemplateScope,
    earlier: Mapping[str, TemplateScope],
    *,
    with_sweep: bool,
) -> _CellReading:
    """Read the document as it is in one cell.  `earlier` has the scopes for the exports of jobs that do not run again.

    The sweep itself is the same in all cells, so that it is read once.
    """
    tree = renderer.tree
    data = {key: value for key, value in tree.data.items() if with_sweep or key != "sweep"}
    renderer.render(data.get("args"), scope, ("args",))
    data["args"] = dict(args)
    for key in ("name", "defaults", "sweep", "notify"):
        if key in data:
            data[key] = renderer.render(data[key], scope, (key,))
    if isinstance(data.get("jobs"), list):
        data["jobs"] = list(_render_jobs(data["jobs"], scope, earlier, renderer))
    document, data, problems = _structure(evolve(tree, data=data), renderer)
    jobs = jobs_with_defaults(document)
    checks = [*document_problems(data, tree), *job_problems(jobs, tree)]
    problems += _without_consequences(checks, {problem.path for problem in problems})
    return _CellReading(document, sorted_jobs(jobs), problems)


def _render_jobs(
    raw: list[Any], scope: TemplateScope, earlier: Mapping[str, TemplateScope], renderer: Renderer
) -> Iterator[Any]:
    """Every job with its templates rendered; a job sees the exports of the jobs that it depends on."""
    scopes: dict[int, TemplateScope] = {}
    exports: dict[str, TemplateValues] = {}
    for index, job in enumerate(raw):
        if not isinstance(job, dict):
            continue
        silent = Renderer(renderer.tree, renderer.meter)  # rendered again below, where problems are kept
        path = ("jobs", index)
        parents = read_dependencies(silent.render(job.get("depends_on"), scope, (*path, "depends_on")))
        deps = TemplateValues("deps", {name: _exports_of(name, exports) for name, _ in parents})
        scopes[index] = scope.new_child({"deps": deps})
        name = str(silent.render(job.get("name"), scope, (*path, "name")))
        own = _exports_of(name, exports)
        own.templates = job["exports"] if isinstance(job.get("exports"), dict) else {}
        own.scope = earlier.get(name, scope).new_child({"deps": deps})
    for index, job in enumerate(raw):
        yield renderer.render(job, scopes.get(index, scope), ("jobs", index))


def _exports_of(name: str, exports: dict[str, TemplateValues]) -> TemplateValues:
    """The exports of a job, which may be asked for before the job itself is reached."""
    return exports.setdefault(name, TemplateValues(f"deps.{name}", {}))


def _structure(tree: Tree, renderer: Renderer) -> tuple[FlowDocument, Any, list[Problem]]:
    """What can be read of the document, the data that it was read from, and every problem with the rest.

    Where text is expected and a template gave another value, such as a number, that becomes text.
    """
    data = tree.data
    document, problems = structure_leniently(tree, FlowDocument)
    refused = {problem.path for problem in problems}
    values = {path for path in renderer.typed if format_path(path) in refused}
    if values:
        _, left = structure_leniently(evolve(tree, data=_as_text(data, values)), FlowDocument)
        texts = {path for path in values if format_path(path) not in {problem.path for problem in left}}
        data = _as_text(data, texts)
        document, problems = structure_leniently(evolve(tree, data=data), FlowDocument)
    return (
        document,
        data,
        renderer.problems + _without_consequences(problems, {format_path(path) for path in renderer.failed}),
    )


def _as_text(value: Any, paths: Collection[KeyPath], path: KeyPath = ()) -> Any:
    """A value whose parts at some paths are turned into text."""
    if path in paths:
        return str(value)
    if isinstance(value, dict):
        return {key: _as_text(item, paths, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item, paths, (*path, index)) for index, item in enumerate(value)]
    return value


# -- problems --------------------------------------------------------------------------------------------------


def _without_consequences(problems: Iterable[Problem], unreadable: Collection[str]) -> list[Problem]:
    """The problems but those that are only there because the values at some paths could not be read.

    Such a problem is at or below an unreadable value, or says that a key is missing where it stands (LC114).
    """
    lists = {re.sub(r"(?<!^jobs)\[\d+\]$", "", path) for path in unreadable}  # of an item its list, but a job is whole
    above = {re.sub(r"(\.?[^.\[]*|\[\d+\])$", "", path) for path in lists}

    known = set(unreadable) - {""}

    def follows(problem: Problem) -> bool:
        path = problem.path
        ends = (*(index for index, letter in enumerate(path) if letter in ".["), len(path))
        return any(path[:end] in known for end in ends) or (problem.code == "LC114" and path in above)

    return [problem for problem in problems if not follows(problem)]
