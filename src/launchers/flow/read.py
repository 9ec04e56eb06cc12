"""A flow file to resolved jobs: templates worked out, defaults laid under, one set of jobs for each cell of a sweep.

Everything that is wrong is found here and said at once, with its place in the file.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from pathlib import Path as FilePath
from typing import Any

from attrs import asdict, evolve, fields

from launchers.files.problems import ConfigError, Problem
from launchers.files.structure import read_text, readable, structured_tree
from launchers.files.tree import Path, Tree, read_tree, shown
from launchers.flow import check, model, schema
from launchers.flow.model import Cell, Flow, Job
from launchers.flow.templates import Filler, Lazy

WHAT = "a flow is a mapping with name: and jobs:"

MOST_CELLS = 10_000
RUN_DIR = "RUN_DIR"
"""Stands for the run folder until there is one."""


def load(
    path: FilePath,
    *,
    args: Mapping[str, Any] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    run: FilePath | str = RUN_DIR,
    done: Mapping[str, FilePath] | None = None,
) -> Flow:
    """Read a flow.  `args` replace those of the file, `sweep` are further axes; `run` is what {{ run.dir }} stands for.

    `done` has, per job that is not run again, the run folder of the one that did: its exports are of there.

    Raises ConfigError with all its problems.
    """
    return loads(read_text(path), str(path), args=args, sweep=sweep, run=run, done=done)


def loads(
    text: str,
    file: str = "<text>",
    *,
    args: Mapping[str, Any] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    run: FilePath | str = RUN_DIR,
    done: Mapping[str, FilePath] | None = None,
) -> Flow:
    """The same for text."""
    tree = read_tree(text, file)
    tree.data = {} if tree.data is None else tree.data
    if not isinstance(tree.data, dict):
        structured_tree(tree, schema.Document, WHAT)  # raises
    given = _mapping(tree.data.get("args"))
    swept, problems = _swept(tree, sweep or {})
    problems += check.sweep(given, args or {}, sweep or {}, tree)
    rest = evolve(tree, data={key: one for key, one in tree.data.items() if key != "sweep"})  # it is read once
    documents: list[schema.Document] = []
    found: list[Cell] = []
    for cell in swept or [{}]:
        values = {**given, **(args or {}), **cell}
        scope = _scope(values, cell, str(run))
        earlier = {name: _scope(values, cell, str(folder)) for name, folder in (done or {}).items()}
        document, jobs, wrong = _resolved(rest if documents else tree, values, scope, earlier)
        problems += wrong
        documents.append(document)
        found.append(Cell(cell, jobs))
    first = documents[0]
    problems += [] if problems else check.cells(found, [one.name for one in documents], tree)
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    assert first.name is not None
    given_sweep = first.sweep or (schema.Sweep() if sweep else None)
    return Flow(first.name, file, tuple(found), given_sweep, first.notify, tree)


def _swept(tree: Tree, more: Mapping[str, Sequence[Any]]) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The cells of the sweep, with further axes, or what is wrong with their number."""
    spec = _mapping(tree.data.get("sweep"))
    axes = {**_mapping(spec.get("matrix")), **more}
    count = prod(len(values) for values in axes.values() if isinstance(values, list))
    if count > MOST_CELLS:
        return [], [tree.problem("LC102", ("sweep", "matrix"), f"{count} cells are more than {MOST_CELLS}")]
    found = cells(axes, spec)
    if not found:
        message = "it has no cells: every combination is left out, or none is given"
        return [], [tree.problem("LC102", ("sweep",), message)]
    return found, []


def parse_value(text: str) -> Any:
    """A value given on the command line, as it is read in a file."""
    try:
        return read_tree(text, "<value>").data
    except ConfigError:
        return text


def cells(axes: Mapping[str, Any], spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The combinations of a sweep; one without values where there is none."""
    lists = {name: values for name, values in axes.items() if isinstance(values, list)}
    found = [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
    out = [one for one in _list(spec.get("exclude")) if isinstance(one, dict)]
    found = [cell for cell in found if not any(one.items() <= cell.items() for one in out)]
    more = [one for one in _list(spec.get("include")) if isinstance(one, dict)]
    if more and not lists:
        found = []
    return found + [one for one in more if one not in found]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# -- templates -------------------------------------------------------------------------------------------------


Scope = ChainMap[str, Any]
"""What templates see: args, run, sweep and, of a job, deps; and the arguments by their names alone."""


def _scope(args: Mapping[str, Any], cell: Mapping[str, Any], run: str) -> Scope:
    scope: Scope = ChainMap()
    values = Lazy("args", args, scope)
    told = {"args": values, "run": {"dir": run}, "sweep": dict(cell)}
    scope.maps[:] = [told, values]  # type: ignore[list-item]
    return scope


def _resolved(
    tree: Tree, args: Mapping[str, Any], scope: Scope, earlier: Mapping[str, Scope]
) -> tuple[schema.Document, dict[str, Job], list[Problem]]:
    """What can be read of a cell with every template worked out, its jobs, and everything that is wrong."""
    filler = Filler(tree)
    data = dict(tree.data)
    filler.fill(data.get("args"), scope, ("args",))
    data["args"] = dict(args)
    for key in ("name", "defaults", "sweep", "notify"):
        if key in data:
            data[key] = filler.fill(data[key], scope, (key,))
    if isinstance(data.get("jobs"), list):
        data["jobs"] = list(_filled_jobs(data["jobs"], scope, earlier, filler))
    document, problems = _structured(evolve(tree, data=data), filler)
    jobs = _jobs(document)
    found = _not_from([*check.document(data, tree), *check.jobs(jobs, tree)], {one.path for one in problems})
    return document, {name: jobs[name] for name in model.ordered(jobs)}, problems + found


def _filled_jobs(raw: list[Any], scope: Scope, earlier: Mapping[str, Scope], filler: Filler) -> Iterator[Any]:
    """Every job with its templates worked out; a job sees the exports of those that it depends on."""
    scopes: dict[int, Mapping[str, Any]] = {}
    exports: dict[str, Lazy] = {}
    for index, job in enumerate(raw):
        if not isinstance(job, dict):
            continue
        quiet = Filler(filler.tree)  # it is filled again below, and complained of
        parents = model.parsed_waits(quiet.fill(job.get("depends_on"), scope, ()))
        theirs = Lazy("deps", {one: exports.setdefault(one, Lazy(f"deps.{one}", {})) for one, _ in parents})
        scopes[index] = scope.new_child({"deps": theirs})
        name = str(quiet.fill(job.get("name"), scope, ()))
        mine = exports.setdefault(name, Lazy(f"deps.{name}", {}))
        mine.raw, mine.around = _mapping(job.get("exports")), earlier.get(name, scope).new_child({"deps": theirs})
    for index, job in enumerate(raw):
        yield filler.fill(job, scopes.get(index, scope), ("jobs", index))


def _structured(tree: Tree, filler: Filler) -> tuple[schema.Document, list[Problem]]:
    """What can be read of the document, and what is wrong with the rest.

    A number that a template gave where text has to stand becomes text.
    """
    document, wrong = readable(tree, schema.Document)
    texts = {one.path for one in wrong if one.message.startswith("text is expected")}
    numbers = {path for path in filler.numbers if shown(path) in texts} if texts else set()
    if numbers:
        document, wrong = readable(evolve(tree, data=_as_text(tree.data, numbers)), schema.Document)
    return document, filler.problems + _not_from(wrong, {shown(path) for path in filler.failed})


def _as_text(value: Any, paths: Collection[Path], path: Path = ()) -> Any:
    if path in paths:
        return str(value)
    if isinstance(value, dict):
        return {key: _as_text(one, paths, (*path, key)) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_text(one, paths, (*path, index)) for index, one in enumerate(value)]
    return value


def _above(place: str) -> str:
    return re.sub(r"(\.?[^.\[]*|\[\d+\])$", "", place)


def _not_from(problems: Iterable[Problem], out: Collection[str]) -> list[Problem]:
    """The problems that are not only there because something else could not be read."""
    above = {_above(re.sub(r"(?<!^jobs)\[\d+\]$", "", path)) for path in out}

    def follows(one: Problem) -> bool:
        inside = any(one.path == path or one.path.startswith((f"{path}.", f"{path}[")) for path in out if path)
        return inside or (one.code == "LC114" and one.path in above)

    return [one for one in problems if not follows(one)]


# -- jobs ------------------------------------------------------------------------------------------------------


def _jobs(document: schema.Document) -> dict[str, Job]:
    """The jobs of a document with the defaults laid under them; those without a name have a number for one."""
    defaults = document.defaults or schema.Defaults()
    found: dict[str, Job] = {}
    for index, spec in enumerate(document.jobs or ()):
        if spec is None:
            continue  # it could not be read
        whole = overlay(schema.Job, spec, defaults)
        asked = overlay(schema.Resources, spec.resources, spec)
        under = overlay(schema.Resources, defaults.resources, defaults)
        if any(getattr(asked, name) is not None for name in model.AMOUNTS):
            whole = evolve(whole, needs=spec.needs)
        elif spec.needs is not None:
            under = evolve(under, **dict.fromkeys(model.AMOUNTS))
        environment = _environment([spec.environment, spec, defaults.environment, defaults])
        name = spec.name if spec.name and spec.name not in found else f"[{index}]"
        waits = tuple(model.parsed_waits(spec.depends_on))
        found[name] = Job(name, index, whole, overlay(schema.Resources, asked, under), environment, waits)
    return found


def _environment(layers: Iterable[Any]) -> schema.Environment:
    """The first that says something counts; of conda and venv only the nearer one; variables are put together."""
    layers = [one for one in layers if one is not None]
    found = asdict(overlay(schema.Environment, *layers), recurse=False)
    nearest = next((one for one in layers if one.conda or one.venv), None)
    if nearest is not None:
        found |= {"conda": nearest.conda, "venv": nearest.venv}
    variables: dict[str, Any] = {}
    for layer in reversed(layers):
        variables |= {**(layer.env_vars or {}), **(layer.env or {})}
    return schema.Environment(**{**found, "env": variables, "env_vars": None})


def overlay(kind: type[Any], *layers: Any) -> Any:
    """An object of a class with, per field, the value of the first layer that has one."""
    found = {}
    for one in fields(kind):
        values = (getattr(layer, one.name, None) for layer in layers if layer is not None)
        found[one.name] = next((value for value in values if value is not None), None)
    return kind(**found)
