"""What can be wrong with a definition beyond its schema: keys that exclude each other, files that do not exist."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from launchers.files.paths import expand_user, real_path
from launchers.files.tree import KeyPath
from launchers.jobs.submission import STEP_NAME
from launchers.requirement import RequirementSyntaxError, parse
from launchers.scan import space
from launchers.scan.names import RUN_FILES, include_names, run_root, script_name
from launchers.scan.schema import ScanDocument

RUN_HASH = re.compile(r"[0-9a-f]{64}")
"""The name of a run: a sha256."""
_SCRIPT_NAME = re.compile(r"[A-Za-z0-9_.+@=,/-]+", re.ASCII)


@frozen
class Fault:
    """A mistake in a definition: its code, the path of its key, what is wrong, and what to do."""

    code: str
    path: KeyPath
    message: str
    hint: str = ""


def definition_problems(document: ScanDocument, folder: Path, files: bool) -> Iterator[Fault]:
    """All mistakes in a definition that its schema cannot see; those in the files that it names only with `files`."""
    yield from _key_problems(document)
    if document.parameters is not None:
        for path, message in space.space_problems(document.parameters):
            yield Fault("LC102", ("parameters", *path), message)
    yield from _need_problems(document)
    yield from _frozen_problems(document)
    if files:
        yield from _script_problems(document, folder)
        yield from _include_problems(document, folder)
        yield from _required_file_problems(document, folder)


def _key_problems(document: ScanDocument) -> Iterator[Fault]:
    if document.worker is None:
        yield Fault("LC114", (), "worker: is missing", "name the script that every task runs")
    if document.generator is None and document.parameters is None:
        yield Fault("LC114", (), "generator: and parameters: are both missing", "give one of them")
    if document.generator is not None and document.parameters is not None:
        yield Fault("LC114", (), "generator: and parameters: exclude each other", "leave one of them out")
    if document.template is not None and document.needs is not None:
        yield Fault("LC114", ("needs",), "needs: and template: exclude each other", "leave one of them out")
    if document.name is not None and not STEP_NAME.fullmatch(document.name):
        yield Fault("LC109", ("name",), f"{document.name!r}: a name has letters, digits, and _ . + @ = -")
    if document.workdir is not None and str(expand_user(document.workdir)).startswith("~"):
        hint = "write ./ before it if a folder has that name"
        yield Fault("LC113", ("workdir",), f"{document.workdir}: there is no such user, or no home", hint)
    if document.at_once == 0:
        yield Fault("LC102", ("at_once",), "must be 1 or more")


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
            message = "not the hash of a run, which has 64 hexadecimal digits"
            yield Fault("LC102", ("frozen", name), message, "launchers scan freeze writes it")


def _required_file_problems(document: ScanDocument, folder: Path) -> Iterator[Fault]:
    for name, written in (document.requires or {}).items():
        if not (folder / written).is_file():
            yield Fault("LC113", ("requires", name), f"there is no definition file {written}", f"looked in {folder}")


# -- scripts ---------------------------------------------------------------------------------------------------


def _script_problems(document: ScanDocument, folder: Path) -> Iterator[Fault]:
    programs = {"setup", "generator", *(() if document.template else ("worker",))}
    targets: dict[str, Path] = {}
    for role in ("setup", "worker", "generator", "template"):
        written = getattr(document, role)
        if written is None:
            continue
        unusable = _unusable_file(role, written, folder)
        if unusable is not None:
            yield unusable
            continue
        path = folder / written
        if role in programs and not os.access(path, os.X_OK):
            message = f"{written} is run as a program, but it is not executable"
            yield Fault("LC113", (role,), message, f"chmod +x {written}")
        if role == "template":
            yield from _template_problems(path)
            continue
        target = script_name(written)
        yield from _script_name_problems(role, written, target)
        if targets.setdefault(target, real_path(path)) != real_path(path):
            yield Fault("LC113", (role,), f"two scripts would have the name {target} in the run folder", "rename one")


def _unusable_file(role: str, written: str, folder: Path) -> Fault | None:
    """What is wrong with a script that does not exist or cannot be read."""
    path = folder / written
    if not path.is_file():
        return Fault("LC113", (role,), f"there is no file {written}", f"looked in {folder}")
    if not os.access(path, os.R_OK):
        return Fault("LC113", (role,), f"{written} cannot be read", f"chmod u+r {written}")
    return None


def _script_name_problems(role: str, written: str, target: str) -> Iterator[Fault]:
    if not _SCRIPT_NAME.fullmatch(target):
        message = f"{written}: the name of a script has letters, digits, and _ . + @ = , -"
        yield Fault("LC109", (role,), message, "rename it")
    top = target.partition("/")[0]
    if top in RUN_FILES:
        yield Fault("LC113", (role,), f"launchers makes a file or folder {top} in the run folder", "rename it")


def _template_problems(path: Path) -> Iterator[Fault]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("#!"):
        yield Fault(
            "LC113", ("template",), f"{path.name}: the first line must start with #!, or sbatch refuses it",
            "such as #!/bin/bash",
        )  # fmt: skip
    for word, place in (("WORKERSCRIPT", "where the worker runs"), ("TASKARRAYDEFINITION", "as #SBATCH --array=")):
        if word not in text:
            yield Fault("LC113", ("template",), f"{path.name} has no {word}", f"write it {place}")


# -- includes --------------------------------------------------------------------------------------------------


def _include_problems(document: ScanDocument, folder: Path) -> Iterator[Fault]:
    includes = document.includes or ()
    runs = run_root(folder, document.workdir)
    names: dict[str, str] = {}
    for number, (written, name) in enumerate(zip(includes, include_names(includes), strict=True)):
        key = ("includes", number)
        path = folder / written
        if not path.exists():
            yield Fault("LC113", key, f"there is no file or folder {written}", f"looked in {folder}")
        elif not (path.is_file() or path.is_dir()):  # to read a pipe or a device may take for ever
            yield Fault("LC113", key, f"{written} is neither a file nor a folder", "write what it gives into a file")
        elif real_path(runs).is_relative_to(real_path(path)):
            hint = "include less, or set workdir: to a folder outside of it"
            yield Fault("LC113", key, f"{written} contains the run folders", hint)
        if names.setdefault(name, written) != written:
            yield Fault("LC113", key, f"{names[name]} and {written} would both be includes/{name}")
