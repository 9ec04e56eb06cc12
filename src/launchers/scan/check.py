"""What can be wrong with a definition beyond its schema: keys that contradict one another, files that are not there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from launchers.files.tree import KeyPath
from launchers.jobs.submission import STEP_NAME
from launchers.requirement import RequirementSyntaxError, parse
from launchers.scan import space
from launchers.scan.names import RUN_FILES, include_names, run_root, script_name
from launchers.scan.schema import ScanDocument

RUN_HASH = re.compile(r"[0-9a-f]{64}")
_SCRIPT = re.compile(r"[A-Za-z0-9_.+@=,/-]+", re.ASCII)


@frozen
class Fault:
    """Something wrong with a definition: its code, where it is, what it is, and what to do."""

    code: str
    path: KeyPath
    message: str
    hint: str = ""


def definition_problems(document: ScanDocument, folder: Path, files: bool) -> Iterator[Fault]:
    """Everything wrong with a definition that its schema does not say."""
    if document.worker is None:
        yield Fault("LC114", (), "worker: is missing", "name the script that every task runs")
    if (document.generator is None) == (document.parameters is None):
        yield Fault("LC114", (), "there is one of generator: and parameters:", "a scan has one space of parameters")
    if document.template is not None and document.needs is not None:
        yield Fault("LC114", ("needs",), "template: says already what jobs ask for", "leave one of them out")
    if document.name is not None and not STEP_NAME.fullmatch(document.name):
        yield Fault("LC109", ("name",), f"{document.name!r}: a name has letters, digits, and _ . + @ = -")
    if document.at_once == 0:
        yield Fault("LC102", ("at_once",), "at least one task has to run at once")
    if document.parameters is not None:
        for path, message in space.space_problems(document.parameters):
            yield Fault("LC102", ("parameters", *path), message)
    yield from _need_problems(document)
    yield from _frozen_problems(document)
    if files:
        yield from _file_problems(document, folder)


def _need_problems(document: ScanDocument) -> Iterator[Fault]:
    if document.needs is None:
        return
    try:
        parse(document.needs)
    except RequirementSyntaxError as error:
        hint = f"did you mean {error.suggestion}?" if error.suggestion else "see docs/requirements.md"
        yield Fault("LC112", ("needs",), f"column {error.column} of it: {error.reason}", hint)


def _frozen_problems(document: ScanDocument) -> Iterator[Fault]:
    for name, hash in (document.frozen or {}).items():
        if name not in (document.requires or {}):
            yield Fault("LC108", ("frozen", name), f"{name} is not under requires:")
        elif not RUN_HASH.fullmatch(hash):
            message = "a frozen run is named by its 64 hexadecimal digits"
            yield Fault("LC102", ("frozen", name), message, "launchers scan list")


def _file_problems(document: ScanDocument, folder: Path) -> Iterator[Fault]:
    """What is wrong with the files that a definition names."""
    yield from _script_problems(document, folder)
    yield from _include_problems(document, folder)
    for name, written in (document.requires or {}).items():
        if not (folder / written).is_file():
            yield Fault("LC113", ("requires", name), f"there is no definition file {written}", f"looked in {folder}")


def _script_problems(document: ScanDocument, folder: Path) -> Iterator[Fault]:
    run = {"setup", "generator", *(() if document.template else ("worker",))}
    targets: dict[str, Path] = {}
    for role in ("setup", "worker", "generator", "template"):
        written = getattr(document, role)
        if written is None:
            continue
        path = folder / written
        if not path.is_file():
            yield Fault("LC113", (role,), f"there is no file {written}", f"looked in {folder}")
            continue
        if not os.access(path, os.R_OK):
            yield Fault("LC113", (role,), f"{written} cannot be read", f"chmod u+r {written}")
            continue
        if role in run and not os.access(path, os.X_OK):
            yield Fault(
                "LC113", (role,), f"{written} is run as a program, and is not executable", f"chmod +x {written}"
            )
        if role == "template":
            yield from _template_problems(path)
            continue
        target = script_name(written)
        if not _SCRIPT.fullmatch(target):
            yield Fault(
                "LC109", (role,), f"{written}: a script's name has letters, digits, and _ . + @ = , -", "rename it"
            )
        if target.partition("/")[0] in RUN_FILES:
            yield Fault("LC113", (role,), f"{target} is a name that run folders use themselves", "rename it")
        if targets.setdefault(target, path.resolve()) != path.resolve():
            yield Fault("LC113", (role,), f"two scripts would be {target} in the run folder", "rename one")


def _include_problems(document: ScanDocument, folder: Path) -> Iterator[Fault]:
    includes = document.includes or ()
    runs = run_root(folder, document.workdir)
    names: dict[str, str] = {}
    for number, (written, name) in enumerate(zip(includes, include_names(includes), strict=True)):
        at = ("includes", number)
        path = folder / written
        if not path.exists():
            yield Fault("LC113", at, f"there is no file or folder {written}", f"looked in {folder}")
        elif runs.resolve().is_relative_to(path.resolve()):
            yield Fault("LC113", at, f"{written} has the run folders in it", "include less, or move them (workdir:)")
        if names.setdefault(name, written) != written:
            yield Fault("LC113", at, f"{names[name]} and {written} would both be includes/{name}")


def _template_problems(path: Path) -> Iterator[Fault]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("#!"):
        yield Fault("LC113", ("template",), f"{path.name}: sbatch wants #! in the first line", "such as #!/bin/bash")
    for word, sense in (("WORKERSCRIPT", "where the worker runs"), ("TASKARRAYDEFINITION", "as #SBATCH --array=")):
        if word not in text:
            yield Fault("LC113", ("template",), f"{path.name} has no {word}", f"write it {sense}")
