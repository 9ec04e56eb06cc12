"""Write definition files: new ones, and requirements into existing ones, whose comments stay."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from launchers.files.atomic import write_atomically
from launchers.files.output import write_output
from launchers.files.paths import real_path
from launchers.scan.check import RUN_HASH
from launchers.scan.definition import AT_ONCE, RUN_PREFIX, Definition, RequiredScan, load_definition, parse_definition
from launchers.scan.errors import DefinitionError
from launchers.scan.identity import read_family
from launchers.scan.schema import ESIS_SCRIPTS

ROLES = ("setup", "generator", "template", "worker")
"""The scripts of a scan, in the order of ESIS's documentation."""


def assign_roles(files: list[str], *, esis_order: bool = False) -> tuple[dict[str, str | None], list[str]]:
    """The scripts by role, and the includes, of files in the order setup, generator, template, worker, includes.

    `esis_order` is the order of ESIS 0.0.4's command: setup, template, worker, generator.  Raises DefinitionError for
    fewer than four files.
    """
    order = ESIS_SCRIPTS if esis_order else ROLES
    if len(files) < len(order):
        raise DefinitionError(f"give {', '.join(order)}, or name them: --worker FILE ...")
    return dict(zip(order, files, strict=False)), files[len(order) :]


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
    """Write a new definition (`definition_text`); a file that `overwrite` replaces is kept as FILE.bak.

    Raises UnownedFileError if the file has content and not `overwrite`, and ConfigError with all mistakes of the
    definition.  Then nothing is written.
    """
    text = definition_text(file, scripts, includes, at_once=at_once, needs=needs, workdir=workdir)
    write_output(str(file), text, "write to another file", force=overwrite)
    return parse_definition(text, file)


def definition_text(
    file: Path,
    scripts: Mapping[str, str | None],
    includes: list[str],
    *,
    at_once: int | None = None,
    needs: str | None = None,
    workdir: str | None = None,
) -> str:
    """The text of a new definition; if `file` ends in .json, as ESIS writes it.  Its paths are relative to `file`.

    `scripts` are files by role (`ROLES`).  Raises ConfigError with all mistakes of the definition.
    """

    def relative(path: str) -> str:
        return path if Path(path).is_absolute() else os.path.relpath(path, file.parent)

    files = {role: relative(path) for role in ROLES if (path := scripts.get(role)) is not None}
    included = [relative(path) for path in includes]
    if file.suffix == ".json":
        folder = relative(workdir or str(file.parent))
        text = _esis_text(files, included, AT_ONCE if at_once is None else at_once, folder)
    else:
        import yaml

        entry: dict[str, Any] = {**files, "needs": needs, "includes": included, "at_once": at_once}
        entry["workdir"] = relative(workdir) if workdir else None
        text = yaml.safe_dump({key: value for key, value in entry.items() if value not in (None, [])}, sort_keys=False)
    parse_definition(text, file)
    return text


def _esis_text(files: Mapping[str, str], includes: list[str], at_once: int, workdir: str) -> str:
    entry = {
        "setupscript": files.get("setup", ""), "sbatchtemplate": files.get("template", ""),
        "workerscript": files.get("worker", ""), "param_generator": files.get("generator", ""),
        "param_includes": includes, "status": {}, "requires": [], "maxparallel": str(at_once),
        "workdirpath": workdir, "requires_names": {},
    }  # fmt: skip
    return json.dumps(entry)


# -- requirements ----------------------------------------------------------------------------------------------


def add_requirement(file: Path, other: Path, name: str) -> Definition:
    """Write that a scan requires another one, which the generator knows by `name`; the definition as it is then.

    Raises DefinitionError if `other` does not exist, if it or the name is required already, and for a cycle.
    """
    requires = load_definition(file).requires
    if not other.is_file():
        raise DefinitionError(f"there is no definition file {other}")
    if any(required.name == name for required in requires):
        raise DefinitionError(f"{file} already has a requirement {name}")
    if any(required.file == real_path(other) for required in requires):
        raise DefinitionError(f"{file} already requires {other}")
    _check_no_cycle(file, other)
    written = os.path.relpath(other, file.parent)

    def edit_yaml(data: Any) -> None:
        data.setdefault("requires", {})[name] = written

    def edit_esis(data: Any) -> None:
        data.setdefault("requires", []).append(written)
        data.setdefault("requires_names", {})[written] = name

    return _edit_file(file, edit_yaml, edit_esis)


def _check_no_cycle(file: Path, other: Path) -> None:
    identities = read_family(other).identities
    if real_path(file) in identities:
        names = ", ".join(identity.definition.name for identity in identities.values())
        raise DefinitionError(f"{other} already requires {file}: this would be a cycle ({names})")


def freeze_requirement(file: Path, name: str, hash: str) -> RequiredScan:
    """Freeze a required scan to one of its runs; `hash` may be the beginning of the run's hash.

    Raises DefinitionError if there is no such requirement, or not exactly one such run.
    """
    required = _find_requirement(file, name)
    run = _find_run(load_definition(required.file, files=False).workdir, name, hash)

    def edit_yaml(data: Any) -> None:
        data.setdefault("frozen", {})[name] = run

    def edit_esis(data: Any) -> None:
        data.setdefault("freeze_requirements", {})[required.written] = run

    definition = _edit_file(file, edit_yaml, edit_esis)
    return next(scan for scan in definition.requires if scan.name == name)


def _find_run(workdir: Path, name: str, hash: str) -> str:
    """The hash of the run that begins with `hash`."""
    names = [
        path.name.removeprefix(RUN_PREFIX) for path in workdir.glob(f"{RUN_PREFIX}*") if (path / "__esis__").is_dir()
    ]
    runs = sorted(run for run in names if RUN_HASH.fullmatch(run))
    start = hash.removeprefix(RUN_PREFIX)
    matches = [run for run in runs if start and run.startswith(start)]
    if len(matches) != 1:
        reason = f"{len(matches)} runs begin with it" if matches else f"there is no such run in {workdir}"
        raise DefinitionError(f"cannot freeze {name} to {hash!r}: {reason}; known runs: {', '.join(runs) or 'none'}")
    return matches[0]


def unfreeze_requirement(file: Path, name: str) -> Definition:
    """Let a requirement follow its files again.  Raises DefinitionError if it is not frozen."""
    required = _find_requirement(file, name)
    if required.frozen is None:
        raise DefinitionError(f"{name} is not frozen")

    def edit_yaml(data: Any) -> None:
        del data["frozen"][name]
        if not data["frozen"]:
            del data["frozen"]

    def edit_esis(data: Any) -> None:
        for key in ("freeze_requirements", "freezes"):
            data.get(key, {}).pop(required.written, None)

    return _edit_file(file, edit_yaml, edit_esis)


def _find_requirement(file: Path, name: str) -> RequiredScan:
    names = {required.name: required for required in load_definition(file).requires}
    if name not in names:
        raise DefinitionError(f"{file} has no requirement {name}; known requirements: {', '.join(names) or 'none'}")
    return names[name]


# -- files -----------------------------------------------------------------------------------------------------


def _edit_file(file: Path, edit_yaml: Callable[[Any], None], edit_esis: Callable[[Any], None]) -> Definition:
    """Change a file of either kind and keep everything else in it."""
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix == ".json":
        data = json.loads(text)
        edit_esis(data)
        return _write_checked(file, json.dumps(data, indent=None if "\n" not in text.strip() else 2))
    from ruamel.yaml import YAML

    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 4096
    data = round_trip.load(text)
    edit_yaml(data)
    out = io.StringIO()
    round_trip.dump(data, out)
    return _write_checked(file, out.getvalue())


def _write_checked(file: Path, text: str) -> Definition:
    """Write a definition if it has no mistakes; raises ConfigError if it has."""
    definition = parse_definition(text, file)
    write_atomically(file, text)
    return definition
