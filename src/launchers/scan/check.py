"""What can be wrong with a definition beyond its schema: keys that contradict one another, files that are not there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from launchers.files.tree import KeyPath as Place
from launchers.jobs.submission import STEP_NAME
from launchers.requirement import RequirementSyntaxError, parse
from launchers.scan import space
from launchers.scan.names import OURS, include_names, script_name, workdir
from launchers.scan.schema import ScanDocument

HASH = re.compile(r"[0-9a-f]{64}")
_SCRIPT = re.compile(r"[A-Za-z0-9_.+@=,/-]+", re.ASCII)

Trouble = tuple[str, Place, str, str]
"""A code, where, what, and what to do."""


def problems(document: ScanDocument, folder: Path, files: bool) -> Iterator[Trouble]:
    """Everything wrong with a definition that its schema does not say."""
    if document.worker is None:
        yield "LC114", (), "worker: is missing", "name the script that every task runs"
    if (document.generator is None) == (document.parameters is None):
        yield "LC114", (), "there is one of generator: and parameters:", "a scan has one space of parameters"
    if document.template is not None and document.needs is not None:
        yield "LC114", ("needs",), "template: says already what jobs ask for", "leave one of them out"
    if document.name is not None and not STEP_NAME.fullmatch(document.name):
        yield "LC109", ("name",), f"{document.name!r}: a name has letters, digits, and _ . + @ = -", ""
    if document.at_once == 0:
        yield "LC102", ("at_once",), "at least one task has to run at once", ""
    if document.parameters is not None:
        for at, message in space.problems(document.parameters):
            yield "LC102", ("parameters", *at), message, ""
    if document.needs is not None:
        try:
            parse(document.needs)
        except RequirementSyntaxError as error:
            hint = f"did you mean {error.suggestion}?" if error.suggestion else "see docs/requirements.md"
            yield "LC112", ("needs",), f"column {error.column} of it: {error.reason}", hint
    for name, hash in (document.frozen or {}).items():
        if name not in (document.requires or {}):
            yield "LC108", ("frozen", name), f"{name} is not under requires:", ""
        elif not HASH.fullmatch(hash):
            yield "LC102", ("frozen", name), "a frozen run is named by its 64 hexadecimal digits", "launchers scan list"
    if files:
        yield from _file_problems(document, folder)


def _file_problems(document: ScanDocument, folder: Path) -> Iterator[Trouble]:
    """What is wrong with the files that a definition names."""
    yield from _script_problems(document, folder)
    yield from _include_problems(document, folder)
    for name, written in (document.requires or {}).items():
        if not (folder / written).is_file():
            yield "LC113", ("requires", name), f"there is no definition file {written}", f"looked in {folder}"


def _script_problems(document: ScanDocument, folder: Path) -> Iterator[Trouble]:
    run = {"setup", "generator", *(() if document.template else ("worker",))}
    targets: dict[str, Path] = {}
    for role in ("setup", "worker", "generator", "template"):
        written = getattr(document, role)
        if written is None:
            continue
        path = folder / written
        if not path.is_file():
            yield "LC113", (role,), f"there is no file {written}", f"looked in {folder}"
            continue
        if not os.access(path, os.R_OK):
            yield "LC113", (role,), f"{written} cannot be read", f"chmod u+r {written}"
            continue
        if role in run and not os.access(path, os.X_OK):
            yield "LC113", (role,), f"{written} is run as a program, and is not executable", f"chmod +x {written}"
        if role == "template":
            yield from _template_problems(path)
            continue
        target = script_name(written)
        if not _SCRIPT.fullmatch(target):
            yield "LC109", (role,), f"{written}: a script's name has letters, digits, and _ . + @ = , -", "rename it"
        if target.partition("/")[0] in OURS:
            yield "LC113", (role,), f"{target} is a name that run folders use themselves", "rename it"
        if targets.setdefault(target, path.resolve()) != path.resolve():
            yield "LC113", (role,), f"two scripts would be {target} in the run folder", "rename one"


def _include_problems(document: ScanDocument, folder: Path) -> Iterator[Trouble]:
    includes = document.includes or ()
    runs = workdir(folder, document.workdir)
    names: dict[str, str] = {}
    for number, (written, name) in enumerate(zip(includes, include_names(includes), strict=True)):
        at = ("includes", number)
        path = folder / written
        if not path.exists():
            yield "LC113", at, f"there is no file or folder {written}", f"looked in {folder}"
        elif runs.resolve().is_relative_to(path.resolve()):
            yield "LC113", at, f"{written} has the run folders in it", "include less, or move them (workdir:)"
        if names.setdefault(name, written) != written:
            yield "LC113", at, f"{names[name]} and {written} would both be includes/{name}", ""


def _template_problems(path: Path) -> Iterator[Trouble]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("#!"):
        yield "LC113", ("template",), f"{path.name}: sbatch wants #! in the first line", "such as #!/bin/bash"
    for word, sense in (("WORKERSCRIPT", "where the worker runs"), ("TASKARRAYDEFINITION", "as #SBATCH --array=")):
        if word not in text:
            yield "LC113", ("template",), f"{path.name} has no {word}", f"write it {sense}"
