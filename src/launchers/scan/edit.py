"""Writing definition files: a new one, and requirements in one that is there, with the comments that are in it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from launchers.files.atomic import write_atomically
from launchers.scan.check import RUN_HASH
from launchers.scan.definition import AT_ONCE, Definition, Required, load_definition, parse_definition
from launchers.scan.errors import DefinitionError
from launchers.scan.identity import read_family

ROLES = ("setup", "generator", "template", "worker")
"""The scripts of a scan, in the order of ESIS's documentation."""


def write_definition(
    file: Path,
    scripts: Mapping[str, str | None],
    includes: list[str],
    *,
    at_once: int | None = None,
    needs: str | None = None,
    workdir: str | None = None,
    overwrite: bool = False,
) -> Definition:
    """Write a new definition, ESIS's own where `file` ends in .json; paths are written relative to it.

    Raises DefinitionError when it is there already, ConfigError with all that is wrong with it: nothing is written.
    """
    if file.exists() and not overwrite:
        raise DefinitionError(f"{file} is there already: --force writes it anew")

    def below(path: str) -> str:
        return path if Path(path).is_absolute() else os.path.relpath(path, file.parent)

    named = {role: below(path) for role in ROLES if (path := scripts.get(role)) is not None}
    listed = [below(one) for one in includes]
    if file.suffix == ".json":
        text = _esis(named, listed, AT_ONCE if at_once is None else at_once, below(workdir or str(file.parent)))
    else:
        import yaml

        entry: dict[str, Any] = {**named, "needs": needs, "includes": listed, "at_once": at_once}
        entry["workdir"] = below(workdir) if workdir else None
        kept = {key: value for key, value in entry.items() if value not in (None, [])}
        text = yaml.safe_dump(kept, sort_keys=False)
    return _written(file, text)


def _esis(named: Mapping[str, str], includes: list[str], at_once: int, workdir: str) -> str:
    entry = {
        "setupscript": named.get("setup", ""), "sbatchtemplate": named.get("template", ""),
        "workerscript": named.get("worker", ""), "param_generator": named.get("generator", ""),
        "param_includes": includes, "status": {}, "requires": [], "maxparallel": str(at_once),
        "workdirpath": workdir, "requires_names": {},
    }  # fmt: skip
    return json.dumps(entry)


def add_requirement(file: Path, other: Path, name: str) -> Definition:
    """Write down that a scan requires another one under a name; raises DefinitionError where it cannot."""
    before = load_definition(file)
    if not other.is_file():
        raise DefinitionError(f"there is no definition file {other}")
    if any(one.name == name for one in before.requires):
        raise DefinitionError(f"{file} requires something called {name} already")
    if any(one.file == other.resolve() for one in before.requires):
        raise DefinitionError(f"{file} requires {other} already")
    _no_cycle(file, other)
    written = os.path.relpath(other, file.parent)

    def ours(data: Any) -> None:
        data.setdefault("requires", {})[name] = written

    def esis(data: Any) -> None:
        data.setdefault("requires", []).append(written)
        data.setdefault("requires_names", {})[written] = name

    return _edit(file, ours, esis)


def _no_cycle(file: Path, other: Path) -> None:
    reached = read_family(other).identities
    if file.resolve() in reached:
        names = ", ".join(one.definition.name for one in reached.values())
        raise DefinitionError(f"{other} requires {file} itself, so that would be a cycle ({names})")


def freeze_requirement(file: Path, name: str, hash: str) -> Definition:
    """Freeze a required scan to one of its runs, named by its hash or the beginning of it.

    Raises DefinitionError when there is no such requirement, or no such run.
    """
    required = _required(file, name)
    workdir = load_definition(required.file, files=False).workdir
    start = hash.removeprefix("wrkdir.")
    there = [one.name.removeprefix("wrkdir.") for one in workdir.glob("wrkdir.*") if (one / "__esis__").is_dir()]
    found = sorted(one for one in there if RUN_HASH.fullmatch(one) and start and one.startswith(start))
    if len(found) != 1:
        what = f"{len(found)} runs begin with it" if found else f"there is no such run in {workdir}"
        known = ", ".join(sorted(one for one in there if RUN_HASH.fullmatch(one))) or "none"
        raise DefinitionError(f"cannot freeze {name} to {hash!r}: {what}; runs there: {known}")

    def ours(data: Any) -> None:
        data.setdefault("frozen", {})[name] = found[0]

    def esis(data: Any) -> None:
        data.setdefault("freeze_requirements", {})[required.written] = found[0]

    return _edit(file, ours, esis)


def unfreeze_requirement(file: Path, name: str) -> Definition:
    """Let a requirement follow its files again; raises DefinitionError when it is not frozen."""
    required = _required(file, name)
    if required.frozen is None:
        raise DefinitionError(f"{name} is not frozen")

    def ours(data: Any) -> None:
        del data["frozen"][name]
        if not data["frozen"]:
            del data["frozen"]

    def esis(data: Any) -> None:
        for key in ("freeze_requirements", "freezes"):
            data.get(key, {}).pop(required.written, None)

    return _edit(file, ours, esis)


def _required(file: Path, name: str) -> Required:
    names = {one.name: one for one in load_definition(file).requires}
    if name not in names:
        raise DefinitionError(f"{file} requires nothing called {name}: {', '.join(names) or 'it requires nothing'}")
    return names[name]


def _edit(file: Path, ours: Callable[[Any], None], esis: Callable[[Any], None]) -> Definition:
    """Change a file of either kind, keeping everything else in it."""
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix == ".json":
        data = json.loads(text)
        esis(data)
        return _written(file, json.dumps(data, indent=None if "\n" not in text.strip() else 2))
    from ruamel.yaml import YAML

    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 4096
    data = round_trip.load(text)
    ours(data)
    out = io.StringIO()
    round_trip.dump(data, out)
    return _written(file, out.getvalue())


def _written(file: Path, text: str) -> Definition:
    """Write a definition that can be used, and only then; raises ConfigError."""
    definition = parse_definition(text, file)
    write_atomically(file, text)
    return definition
