"""`launchers scan`: setup, require, freeze, unfreeze, run, dependency, show, list, clean.

A SCAN is a definition file; left out, it is the scan.yaml, wf.esis2.json or wf.esis.json of this folder.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launchers.cli import options as shared
from launchers.cli import show

if TYPE_CHECKING:
    from launchers.scan.identity import Family, Identity
    from launchers.scan.running import LaunchOutcome
    from launchers.scan.runs import RequiredRun

VERSION = 1
SHORT = 16
"""Digits of a hash that are shown to people; freeze and clean take the beginning of one."""


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command: of each action of its own."""
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (help, add, _) in _ACTIONS.items():
        add(actions.add_parser(name, help=help, description=help.capitalize() + "."))


def run(options: argparse.Namespace) -> int:
    """Do what is asked: 1 for a scan that cannot be run now, or a run that has failed."""
    from launchers.errors import RunError
    from launchers.runs.send import SubmitError
    from launchers.scan.errors import DefinitionError, ScanError

    try:
        return _ACTIONS[options.action][2](options)
    except (ScanError, SubmitError, RunError, DefinitionError) as error:
        print(f"launchers scan {options.action}: {error}", file=sys.stderr)
        return 2 if isinstance(error, DefinitionError) else 1


def _scan(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "scan", metavar="SCAN", nargs="?", help="a definition file; the one in this folder if left out"
    )


def _identity(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--esis-identity", action="store_true", help="name runs by ESIS's own rule, in which the template counts"
    )


def _family(options: argparse.Namespace) -> tuple[Family, Identity]:
    from launchers.scan.definition import find_definition
    from launchers.scan.identity import read_family

    found = read_family(find_definition(options.scan), esis=options.esis_identity)
    return found, found.identities[found.target]


# -- definitions -----------------------------------------------------------------------------------------------


def _setup_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files", metavar="FILE", nargs="*",
        help="setup, generator, template and worker, then includes; includes alone where options name the scripts",
    )  # fmt: skip
    command.add_argument(
        "--esis-order", action="store_true", help="the order of ESIS 0.0.4: setup template worker generator"
    )
    for role in ("setup", "generator", "template", "worker"):
        command.add_argument(f"--{role}", metavar="FILE", help=f"the {role}, by name instead of by place")
    command.add_argument("--needs", metavar="EXPR", help="a requirement, instead of a template")
    command.add_argument(
        "-m", "--max-parallel", metavar="N", type=shared.positive_number, help="tasks that may run at once; default 10"
    )
    command.add_argument(
        "-o", "--out", metavar="FILE", default="scan.yaml", help="default scan.yaml; .json writes ESIS's own"
    )
    command.add_argument(
        "--workdir", metavar="FOLDER", help="where run folders are made; default: beside the definition"
    )
    command.add_argument("--force", action="store_true", help="write over a definition that is there")


def _setup(options: argparse.Namespace) -> int:
    from launchers.scan.edit import ROLES, write_definition

    scripts = {role: getattr(options, role) for role in ROLES}
    includes = options.files
    if not any(scripts.values()):
        order = ("setup", "template", "worker", "generator") if options.esis_order else ROLES
        if len(options.files) < len(order):
            print(f"launchers scan setup: give {', '.join(order)}, or name them: --worker FILE ...", file=sys.stderr)
            return 2
        scripts, includes = dict(zip(order, options.files, strict=False)), options.files[len(order) :]
    file = Path(options.out)
    write_definition(
        file,
        scripts,
        includes,
        at_once=options.max_parallel,
        needs=options.needs,
        workdir=options.workdir,
        overwrite=options.force,
    )
    print(f"wrote {file}")
    return 0


def _require_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("other", metavar="WF", help="the definition file of the scan that is required")
    command.add_argument("name", metavar="NAME", help="what the generator knows it by")
    _scan(command)


def _require(options: argparse.Namespace) -> int:
    from launchers.scan.definition import find_definition
    from launchers.scan.edit import add_requirement

    done = add_requirement(find_definition(options.scan), Path(options.other), options.name)
    print(f"{done.name} requires {', '.join(one.name for one in done.requires)}")
    return 0


def _freeze_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="a requirement")
    command.add_argument("hash", metavar="HASH", help="one of its runs, or the beginning of its hash")
    _scan(command)


def _freeze(options: argparse.Namespace) -> int:
    from launchers.scan.definition import find_definition
    from launchers.scan.edit import freeze_requirement

    done = freeze_requirement(find_definition(options.scan), options.name, options.hash)
    (hash,) = (one.frozen for one in done.requires if one.name == options.name)
    print(f"{options.name} is frozen to {hash}")
    return 0


def _unfreeze_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="a requirement")
    _scan(command)


def _unfreeze(options: argparse.Namespace) -> int:
    from launchers.scan.definition import find_definition
    from launchers.scan.edit import unfreeze_requirement

    unfreeze_requirement(find_definition(options.scan), options.name)
    print(f"{options.name} follows its files again")
    return 0


# -- running ---------------------------------------------------------------------------------------------------


def _run_arguments(command: argparse.ArgumentParser) -> None:
    _scan(command)
    command.add_argument("--force", action="store_true", help="run it again though nothing has changed")
    _identity(command)
    shared.add_tags(command)
    command.add_argument("--config", metavar="FILE", help="the launchers.yaml to place it with")


def _run(options: argparse.Namespace) -> int:
    from launchers.scan.running import launch

    family, identity = _family(options)
    return _told([launch(family, identity, force=options.force, config=options.config, tags=options.tag)])


def _dependency(options: argparse.Namespace) -> int:
    from launchers.scan.running import launch_all

    family, _ = _family(options)
    return _told(launch_all(family, force=options.force, config=options.config, tags=options.tag))


def _told(outcomes: list[LaunchOutcome]) -> int:
    """Say what was submitted and what was not; 1 when one that was not is not good either."""
    bad = False
    for one in outcomes:
        name = one.identity.definition.name
        if one.submitted and one.run is not None:
            (task,) = one.run.record.steps
            where = one.run.record.group or one.run.record.scheduler
            print(f"{name}: submitted, {task.count} tasks on {where}: {one.identity.folder}")
            continue
        bad = bad or one.state not in ("COMPLETED", "RUNNING")
        retry = f"launchers retry {one.identity.folder} runs what failed, " if one.state == "FAILED" else ""
        why = f"nothing changed, so nothing is submitted; its run is {one.state} ({retry}--force runs it again)"
        print(f"{name}: {why}: {one.identity.folder}")
    return 1 if bad else 0


# -- looking ---------------------------------------------------------------------------------------------------


def _show_arguments(command: argparse.ArgumentParser) -> None:
    _scan(command)
    _identity(command)
    shared.add_json(command)


def _show(options: argparse.Namespace) -> int:
    from launchers.scan.runs import required_runs, run_state

    family, identity = _family(options)
    required = required_runs(family, identity.definition)
    there = run_state(identity.folder)
    if options.json:
        show.print_json(
            {
                "version": VERSION,
                "scan": identity.definition.name,
                "file": str(identity.definition.file),
                "hash": identity.hash,
                "folder": str(identity.folder),
                "state": there,
                "parts": [
                    {"role": one.role, "file": one.written or None, "sha256": one.digest} for one in identity.parts
                ],
                "requires": [_requirement_json(one) for one in required],
            }
        )
        return 0
    print(f"{identity.folder.name} {there}")
    show.print_table([(f"  {one.role}", one.written or "-", one.digest[:SHORT]) for one in identity.parts])
    _requirements(required)
    return 0


def _requirements(required: tuple[RequiredRun, ...]) -> None:
    rows = [
        (one.name, _hash(one.folder)[:SHORT], one.state, "frozen" if one.frozen else "", str(one.file))
        for one in required
    ]
    if rows:
        print()
        show.print_table(rows, ("REQUIRES", "RUN", "STATE", "FROZEN", "SCAN"))


def _requirement_json(one: RequiredRun) -> dict[str, Any]:
    return {
        "name": one.name,
        "scan": str(one.file),
        "hash": _hash(one.folder),
        "folder": str(one.folder),
        "frozen": one.frozen,
        "state": one.state,
    }


def _hash(folder: Path) -> str:
    return folder.name.removeprefix("wrkdir.")


def _list_arguments(command: argparse.ArgumentParser) -> None:
    _show_arguments(command)


def _list(options: argparse.Namespace) -> int:
    from launchers.scan.runs import required_runs, run_folders, run_state

    family, identity = _family(options)
    found = [_run_json(path, identity, run_state(path)) for path in run_folders(identity.definition.workdir)]
    required = required_runs(family, identity.definition)
    if options.json:
        asked = [_requirement_json(one) for one in required]
        show.print_json({"version": VERSION, "scan": identity.definition.name, "runs": found, "requires": asked})
        return 0
    rows = []
    for one in found:
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(one["created"]))
        mark = "*" if one["current"] else ""
        tasks = "-" if one["tasks"] is None else str(one["tasks"])
        rows.append(
            (mark, _hash(Path(one["folder"]))[:SHORT] + one["copy"], one["state"], tasks, made, one["scan"] or "-")
        )
    show.print_table(rows, ("", "RUN", "STATE", "TASKS", "MADE", "SCAN"))
    _requirements(required)
    return 0


def _run_json(folder: Path, identity: Identity, state: str) -> dict[str, Any]:
    """A run of a listing; of one that ESIS made, or that is half made, less is known."""
    from launchers.runs.stored import load_run

    store = load_run(folder) if (folder / "plan.json").exists() else None
    hash, _, copy = _hash(folder).partition(".")
    return {
        "hash": hash,
        "copy": f".{copy}" if copy else "",
        "folder": str(folder),
        "current": folder == identity.folder,
        "state": state,
        "scan": store.plan if store else None,
        "tasks": store.steps[0].count if store else None,
        "created": store.created if store else (folder / "__esis__").stat().st_mtime,
    }


def _clean_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="HASH", nargs="*", help="these runs; all old ones of this scan if left out")
    command.add_argument("--scan", metavar="SCAN", help="a definition file; the one in this folder if left out")
    command.add_argument("--yes", action="store_true", help="remove them; without it they are only listed")
    _identity(command)


def _clean(options: argparse.Namespace) -> int:
    """Remove runs that have ended; the current one, frozen ones, and those of other scans only when they are named."""
    from launchers.scan.errors import DefinitionError
    from launchers.scan.runs import required_runs, run_folders, run_state

    family, identity = _family(options)
    there = run_folders(identity.definition.workdir)
    used = {identity.folder, *(one.folder for one in required_runs(family, identity.definition))}
    chosen = []
    for hash in options.run:
        found = [path for path in there if _hash(path).startswith(hash.removeprefix("wrkdir."))]
        exact = [path for path in found if _hash(path) == hash.removeprefix("wrkdir.")]
        if len(exact or found) != 1:
            raise DefinitionError(f"{len(found)} runs in {identity.definition.workdir} begin with {hash}")
        chosen += exact or found
    if not options.run:
        ours = [path for path in there if path not in used]
        chosen = [path for path in ours if _run_json(path, identity, "")["scan"] == identity.definition.name]
    for path in chosen:
        if run_state(path) == "RUNNING":
            print(f"kept, its tasks have not ended: {path}", file=sys.stderr)
            continue
        if options.yes:
            shutil.rmtree(path)
        print(f"{'removed' if options.yes else 'would remove (--yes)'}: {path}")
    return 0


_ACTIONS: dict[
    str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]
] = {
    "setup": ("write a definition file", _setup_arguments, _setup),
    "run": ("run a scan, unless its run is there already", _run_arguments, _run),
    "require": ("write down that a scan requires another one", _require_arguments, _require),
    "freeze": ("use one run of a required scan, whatever its files are now", _freeze_arguments, _freeze),
    "unfreeze": ("let a requirement follow its files again", _unfreeze_arguments, _unfreeze),
    "dependency": ("run a scan, and first what is missing of all it requires", _run_arguments, _dependency),
    "show": ("print the name of a scan's run and what goes into it, without running it", _show_arguments, _show),
    "list": ("list the runs of a scan and what it requires", _list_arguments, _list),
    "clean": ("remove old runs", _clean_arguments, _clean),
}  # fmt: skip
