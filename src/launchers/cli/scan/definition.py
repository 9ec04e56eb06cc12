"""`launchers scan setup`, `require`, `freeze` and `unfreeze`: write and change definition files."""

from __future__ import annotations

import argparse
from pathlib import Path

from launchers.cli import options as shared
from launchers.cli.output import add_output, write
from launchers.cli.scan.options import add_scan
from launchers.files.output import is_stream


def setup_arguments(command: argparse.ArgumentParser) -> None:
    """Options of setup."""
    command.add_argument(
        "files", metavar="FILE", nargs="*",
        help="setup, generator, template and worker, then includes; includes alone if options name the scripts",
    )  # fmt: skip
    command.add_argument(
        "--esis-order", action="store_true", help="the order of ESIS 0.0.4: setup template worker generator"
    )
    for role in ("setup", "generator", "template", "worker"):
        command.add_argument(f"--{role}", metavar="FILE", help=f"the {role}, by name instead of by position")
    command.add_argument("--needs", metavar="EXPR", help="a requirement, instead of a template")
    command.add_argument(
        "-m", "--max-parallel", metavar="N", type=shared.positive_number,
        help="how many tasks may run at once; default 10",
    )  # fmt: skip
    add_output(command, "default scan.yaml; .json writes a file of ESIS", default="scan.yaml")
    command.add_argument(
        "--workdir", metavar="FOLDER", help="where run folders are made; default: beside the definition"
    )


def setup(options: argparse.Namespace) -> int:
    """Write a definition."""
    from launchers.scan.edit import ROLES, assign_roles, definition_text

    scripts, includes = {role: getattr(options, role) for role in ROLES}, options.files
    if not any(scripts.values()):
        scripts, includes = assign_roles(options.files, esis_order=options.esis_order)
    text = definition_text(
        Path(options.output),
        scripts,
        includes,
        at_once=options.max_parallel,
        needs=options.needs,
        workdir=options.workdir,
    )
    write("launchers scan setup", options.output, text, force=options.force)
    if not is_stream(options.output):
        print(f"wrote {options.output}")
    return 0


def require_arguments(command: argparse.ArgumentParser) -> None:
    """Options of require."""
    command.add_argument("other", metavar="WF", help="the definition file of the required scan")
    command.add_argument("name", metavar="NAME", help="the name that the generator uses for it")
    add_scan(command)


def require(options: argparse.Namespace) -> int:
    """Add a requirement to a definition."""
    from launchers.scan.definition import find_definition
    from launchers.scan.edit import add_requirement

    changed = add_requirement(find_definition(options.scan), Path(options.other), options.name)
    print(f"{changed.name} requires {', '.join(required.name for required in changed.requires)}")
    return 0


def freeze_arguments(command: argparse.ArgumentParser) -> None:
    """Options of freeze."""
    command.add_argument("name", metavar="NAME", help="a requirement")
    command.add_argument("hash", metavar="HASH", help="one of its runs, or the beginning of its hash")
    add_scan(command)


def freeze(options: argparse.Namespace) -> int:
    """Freeze a requirement to a run."""
    from launchers.scan.definition import find_definition
    from launchers.scan.edit import freeze_requirement

    required = freeze_requirement(find_definition(options.scan), options.name, options.hash)
    print(f"{required.name} is frozen to {required.frozen}")
    return 0


def unfreeze_arguments(command: argparse.ArgumentParser) -> None:
    """Options of unfreeze."""
    command.add_argument("name", metavar="NAME", help="a requirement")
    add_scan(command)


def unfreeze(options: argparse.Namespace) -> int:
    """Undo freeze."""
    from launchers.scan.definition import find_definition
    from launchers.scan.edit import unfreeze_requirement

    unfreeze_requirement(find_definition(options.scan), options.name)
    print(f"{options.name} follows its files again")
    return 0
