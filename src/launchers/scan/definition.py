"""A scan as a scan.yaml or a wf.esis.json defines it.  Reading one reports all its mistakes at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from launchers.files.paths import real_path
from launchers.files.problems import ConfigError
from launchers.files.structure import read_text, structure_text
from launchers.files.tree import KeyPath, Tree
from launchers.requirement import Requirement, parse
from launchers.scan import space
from launchers.scan.check import definition_problems
from launchers.scan.errors import DefinitionError
from launchers.scan.names import run_root
from launchers.scan.schema import ESIS_KEYS, ESIS_SCRIPTS, EsisDocument, ScanDocument

DEFINITION_FILES = ("scan.yaml", "wf.esis2.json", "wf.esis.json")
"""The names of definition files.  A folder may have one of them."""
AT_ONCE = 10
"""Tasks that run at once where the definition has no at_once:, as in ESIS."""
RUN_PREFIX = "wrkdir."
"""What the name of a run folder starts with; its hash follows."""


@frozen
class RequiredScan:
    """A scan that another one requires: its name there, its definition file, the hash of the run it is frozen to."""

    name: str
    written: str
    file: Path
    frozen: str | None


@frozen
class Definition:
    """A scan.  Scripts and includes are as written, relative to the folder of `file`; None is not given."""

    file: Path
    name: str
    worker: str
    setup: str | None
    generator: str | None
    template: str | None
    rows: tuple[space.Row, ...] | None = field(repr=False)
    need: Requirement | None
    includes: tuple[str, ...]
    at_once: int
    workdir: Path
    requires: tuple[RequiredScan, ...]

    def path(self, written: str) -> Path:
        """The path of a file that the definition names."""
        return self.file.parent / written

    def run_folder(self, hash: str) -> Path:
        """The folder of the run with this hash, whether it exists or not."""
        return self.workdir / f"{RUN_PREFIX}{hash}"


def find_definition(name: str | None) -> Path:
    """The definition file with this name; without a name the one in the current folder.

    Raises DefinitionError if the current folder has none or several.
    """
    if name:
        return Path(name)
    present = [file for file in DEFINITION_FILES if Path(file).exists()]
    if not present:
        raise DefinitionError(f"this folder has no {' or '.join(DEFINITION_FILES)}: launchers scan setup writes one")
    if len(present) > 1:
        raise DefinitionError(f"this folder has several definitions: name one of {', '.join(present)}")
    return Path(present[0])


def load_definition(path: str | Path, *, files: bool = True) -> Definition:
    """Read a definition.  Raises ConfigError with all its mistakes.

    With `files=False` the files that it names need not exist: those of a frozen run do not matter.
    """
    return parse_definition(read_text(Path(path)), Path(path), files=files)


def parse_definition(text: str, path: Path, *, files: bool = True) -> Definition:
    """As `load_definition`, for the text of a file that is at `path`, or will be."""
    if path.suffix == ".json":
        document, tree, keys = _esis(*structure_text(text, str(path), EsisDocument, "a wf.esis.json is a JSON object"))
    else:
        document, tree = structure_text(text, str(path), ScanDocument, "a scan.yaml is a mapping with worker:")
        keys = {}
    file = real_path(path)
    problems = [
        tree.problem(fault.code, keys.get(fault.path[0], fault.path) if fault.path else (), fault.message, fault.hint)
        for fault in definition_problems(document, file.parent, files)
    ]
    if problems:
        raise ConfigError(problems)
    return _definition(document, file)


def _definition(document: ScanDocument, file: Path) -> Definition:
    stem = file.parent.name if file.name in DEFINITION_FILES else file.stem
    frozen = document.frozen or {}
    return Definition(
        file=file,
        name=document.name or re.sub(r"[^A-Za-z0-9_.+@=-]", "_", stem).lstrip(".+@=-") or "scan",
        worker=document.worker or "",
        setup=document.setup,
        generator=document.generator,
        template=document.template,
        rows=space.space_rows(document.parameters) if document.parameters else None,
        need=parse(document.needs) if document.needs else None,
        includes=document.includes or (),
        at_once=AT_ONCE if document.at_once is None else document.at_once,
        workdir=run_root(file.parent, document.workdir),
        requires=tuple(
            RequiredScan(name, written, real_path(file.parent / written), frozen.get(name))
            for name, written in (document.requires or {}).items()
        ),
    )


def _esis(document: EsisDocument, tree: Tree) -> tuple[ScanDocument, Tree, Mapping[str | int, KeyPath]]:
    """The content of ESIS's file as a ScanDocument, and the path in the file of each of its keys."""
    keys: dict[str | int, KeyPath] = {ours: (theirs,) for ours, theirs in ESIS_KEYS.items()}
    names = document.requires_names or {}
    frozen = {**(document.freeze_requirements or {}), **(document.freezes or {})}
    requires = {names.get(written, written): written for written in document.requires or ()}
    at_once = str(document.maxparallel if document.maxparallel is not None else AT_ONCE)
    if not at_once.isdigit():
        raise ConfigError([tree.problem("LC102", ("maxparallel",), f"a whole number is expected here, not {at_once}")])
    missing = [theirs for theirs in (ESIS_KEYS[role] for role in ESIS_SCRIPTS) if not getattr(document, theirs)]
    if missing:
        raise ConfigError(
            [tree.problem("LC114", (), f"{key} is missing: ESIS requires four scripts") for key in missing]
        )
    return (
        ScanDocument(
            setup=document.setupscript,
            worker=document.workerscript,
            generator=document.param_generator,
            template=document.sbatchtemplate,
            includes=document.param_includes,
            at_once=int(at_once),
            workdir=document.workdirpath,
            requires=requires,
            frozen={name: frozen[written] for name, written in requires.items() if written in frozen},
        ),
        tree,
        keys,
    )
