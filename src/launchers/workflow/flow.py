"""A flow file to resolved jobs: templates worked out, defaults laid under, one set of jobs for each cell of a sweep.

Everything that is wrong is found here and said at once, with its place in the file.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path as FilePath
from typing import Any

import yaml
from attrs import asdict, evolve, fields, frozen

from launchers.offer.loader import read_text, structured_tree
from launchers.offer.problems import ConfigError, Problem
from launchers.offer.tree import Path, Tree, read_tree
from launchers.plan.model import On
from launchers.workflow import check, schema
from launchers.workflow.values import Filler, Lazy

WHAT = "a flow is a mapping with name: and jobs:"

RUN_DIR = "RUN_DIR"
"""Stands for the run folder until there is one."""


@frozen
class Job:
    """A job as it will run: its settings, defaults included, and what it waits for."""

    name: str
    spec: schema.Job
    resources: schema.Resources
    environment: schema.Environment
    waits: tuple[tuple[str, On], ...]


@frozen
class Cell:
    """One combination of a sweep's values (none of them in a flow without a sweep) and its jobs."""

    values: Mapping[str, Any]
    jobs: Mapping[str, Job]

    @property
    def label(self) -> str:
        """``lr=0.1,seed=2``."""
        return ",".join(f"{name}={value}" for name, value in self.values.items())


@frozen
class Flow:
    """A flow: the same jobs in every cell, parents before children."""

    name: str
    file: str
    cells: tuple[Cell, ...]
    sweep: schema.Sweep | None
    notify: schema.Notify | None
    tree: Tree

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The jobs of the first cell: all cells have jobs of these names."""
        return self.cells[0].jobs


def load(
    path: FilePath,
    *,
    args: Mapping[str, Any] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    run: FilePath | str = RUN_DIR,
) -> Flow:
    """Read a flow.  `args` replace those of the file, `sweep` are further axes; `run` is what {{ run.dir }} stands for.

    Raises ConfigError with all its problems.
    """
    return loads(read_text(path), str(path), args=args, sweep=sweep, run=run)


def loads(
    text: str,
    file: str = "<text>",
    *,
    args: Mapping[str, Any] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    run: FilePath | str = RUN_DIR,
) -> Flow:
    """The same for text."""
    tree = read_tree(text, file)
    data = tree.data if isinstance(tree.data, dict) else {}
    given = _mapping(data.get("args"))
    problems = [
        tree.problem("LC115", ("args",), f"there is no argument {name!r} to be replaced", f"known: {', '.join(given)}")
        for name in {**(args or {}), **(sweep or {})}
        if name not in given
    ]
    spec = _mapping(data.get("sweep"))
    axes = {**_mapping(spec.get("matrix")), **(sweep or {})}
    problems += [
        tree.problem("LC115", ("sweep", "matrix", name), f"there is no argument {name!r} to be swept", key=True)
        for name in axes
        if name not in given and name not in (sweep or {})
    ]
    found, documents = [], []
    for cell in cells(axes, spec):
        document, wrong = _resolved(tree, {**given, **(args or {}), **cell}, cell, str(run))
        problems += [one for one in wrong if one not in problems]
        documents.append(document)
        if document is not None:
            jobs, wrong = _jobs(document, tree)
            problems += [one for one in wrong if one not in problems]
            found.append(Cell(cell, jobs))
    if problems or not found:
        raise ConfigError(problems)
    first = documents[0]
    assert first is not None
    assert first.name is not None
    given_sweep = first.sweep or (schema.Sweep() if sweep else None)
    return Flow(first.name, file, tuple(found), given_sweep, first.notify, tree)


def parse_value(text: str) -> Any:
    """A value given on the command line, as YAML reads it."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def cells(axes: Mapping[str, Any], spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The combinations of a sweep; one without values where there is none."""
    lists = {name: values for name, values in axes.items() if isinstance(values, list | tuple)}
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


def _resolved(
    tree: Tree, args: Mapping[str, Any], cell: Mapping[str, Any], run: str
) -> tuple[schema.Document | None, list[Problem]]:
    """The document of one cell with every template worked out, and what is wrong with it."""
    if not isinstance(tree.data, dict):
        return _structured(evolve(tree, data={} if tree.data is None else tree.data), Filler(tree))
    scope: ChainMap[str, Any] = ChainMap()
    values = Lazy("args", args, scope)
    told = {"args": values, "run": {"dir": run}, "sweep": dict(cell)}
    scope.maps[:] = [told, values]  # type: ignore[list-item]
    filler = Filler(tree)
    data = dict(tree.data)
    filler.fill(data.get("args"), scope, ("args",))
    data["args"] = dict(args)
    for key in ("name", "defaults", "notify"):
        if key in data:
            data[key] = filler.fill(data[key], scope, (key,))
    if isinstance(data.get("jobs"), list):
        data["jobs"] = list(_filled_jobs(data["jobs"], scope, filler))
    return _structured(evolve(tree, data=data), filler)


def _filled_jobs(raw: list[Any], scope: ChainMap[str, Any], filler: Filler) -> Iterator[Any]:
    """Every job with its templates worked out; a job sees the exports of those that it depends on."""
    scopes: dict[str, Mapping[str, Any]] = {}
    exports: dict[str, Lazy] = {}
    named = [job for job in raw if isinstance(job, dict) and isinstance(job.get("name"), str)]
    for job in named:
        name = job["name"]
        parents = [parent for parent, _ in check.parsed_waits(job.get("depends_on"))]
        theirs = Lazy("deps", {one: exports.setdefault(one, Lazy(f"deps.{one}", {})) for one in parents})
        scopes[name] = scope.new_child({"deps": theirs})
        mine = exports.setdefault(name, Lazy(f"deps.{name}", {}))
        mine.raw, mine.around = _mapping(job.get("exports")), scopes[name]
    for index, job in enumerate(raw):
        own = scopes.get(str(job.get("name")), scope) if isinstance(job, dict) else scope
        yield filler.fill(job, own, ("jobs", index))


def _structured(tree: Tree, filler: Filler) -> tuple[schema.Document | None, list[Problem]]:
    """The document; a number that a template gave where text has to stand becomes text."""
    try:
        return structured_tree(tree, schema.Document, WHAT), filler.problems
    except ConfigError as error:
        wrong = {(one.line, one.column) for one in error.problems if one.message.startswith("text is expected")}
        numbers = {path for path in filler.numbers if tree.places.get(path) in wrong}
        if numbers:
            filler.numbers -= numbers
            return _structured(evolve(tree, data=_as_text(tree.data, numbers)), filler)
        places = {tree.places.get(path) for path in filler.failed}
        return None, filler.problems + [one for one in error.problems if (one.line, one.column) not in places]


def _as_text(value: Any, paths: set[Path], path: Path = ()) -> Any:
    if path in paths:
        return str(value)
    if isinstance(value, dict):
        return {key: _as_text(one, paths, (*path, key)) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_text(one, paths, (*path, index)) for index, one in enumerate(value)]
    return value


# -- jobs ------------------------------------------------------------------------------------------------------


def _jobs(document: schema.Document, tree: Tree) -> tuple[dict[str, Job], list[Problem]]:
    """The jobs of a document with the defaults laid under them, parents first; and everything wrong with them."""
    defaults = document.defaults or schema.Defaults()
    problems = list(check.document(document, tree))
    if problems:
        return {}, problems
    found = {}
    for spec in document.jobs or ():
        assert spec.name is not None
        spec_over = overlay(schema.Job, spec, defaults)
        asked = overlay(schema.Resources, spec.resources, spec)
        under = overlay(schema.Resources, defaults.resources, defaults)
        if any(getattr(asked, name) is not None for name in check.AMOUNTS):
            spec_over = evolve(spec_over, needs=spec.needs)
        elif spec.needs is not None:
            under = evolve(under, **dict.fromkeys(check.AMOUNTS))
        environment = [spec.environment, spec, defaults.environment, defaults]
        waits = tuple(check.parsed_waits(spec.depends_on))
        found[spec.name] = Job(
            spec.name, spec_over, overlay(schema.Resources, asked, under), _environment(environment), waits
        )
    order = check.ordered(found)
    return {name: found[name] for name in order}, list(check.jobs(found, tree))


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
