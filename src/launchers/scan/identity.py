"""The identity of a run: a hash of everything that went into it, and of nothing else.

Ours is a function of the scripts, the parameters, the includes and the runs it requires, wherever they are and whoever
touched them when.  Where and how it runs (the template, the need, how many at once) does not change what comes out, so
it does not count.  ESIS's own rule counts the template, and knows includes and requirements by their paths.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from attrs import frozen

from launchers.files.problems import ConfigError, Problem
from launchers.scan.definition import Definition, load_definition
from launchers.scan.errors import DefinitionError
from launchers.scan.names import include_names, script_name


@frozen
class Part:
    """One thing that went into a run: its role, its file and what that is called in the run folder, its sha256.

    Of parameters from the definition there is no file; the template is not copied under its own name.
    """

    role: str
    written: str
    source: Path | None
    target: str | None
    digest: str


def collect_parts(definition: Definition) -> tuple[Part, ...]:
    """Everything that goes into a run but other runs; raises OSError for a file that cannot be read."""
    found: list[Part] = []
    for role in ("setup", "template", "worker", "generator"):
        written = getattr(definition, role)
        if written is not None:
            source = definition.path(written)
            target = None if role == "template" else script_name(written)
            found.append(Part(role, written, source, target, sha256_of(source)))
    if definition.rows is not None:
        text = json.dumps(definition.rows, sort_keys=True, separators=(",", ":"))
        found.append(Part("parameters", "", None, None, hashlib.sha256(text.encode()).hexdigest()))
    for written, name in zip(definition.includes, include_names(definition.includes), strict=True):
        source = definition.path(written)
        found.append(Part("include", written, source, f"includes/{name}", sha256_of(source)))
    return tuple(found)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes; of a folder, of the names and bytes of all files in it."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(one for one in path.rglob("*") if one.is_file())
    lines = (f"{one.relative_to(path).as_posix()}\0{sha256_of(one)}\n" for one in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def identity_text(found: tuple[Part, ...], requires: Mapping[str, str]) -> str:
    """What is hashed: a line for each part, the includes by their names, then required runs by theirs."""
    lines = [f"{part.role} {part.digest}" for part in found if part.role not in ("template", "include")]
    lines += sorted(f"include {(part.target or '')[9:]} {part.digest}" for part in found if part.role == "include")
    lines += [f"requires {name} {hash}" for name, hash in sorted(requires.items())]
    return "\n".join(lines)


def esis_identity_text(definition: Definition, found: tuple[Part, ...], requires: Mapping[str, str]) -> str:
    """What ESIS 0.0.4 hashes (its command `status`); raises DefinitionError for what it does not know."""
    by_role = {part.role: part.digest for part in found}
    roles = {
        "setup": "setupscript",
        "template": "sbatchtemplate",
        "worker": "workerscript",
        "generator": "param_generator",
    }
    missing = [role for role in roles if role not in by_role]
    if missing:
        raise DefinitionError(
            f"{definition.file}: ESIS's identity needs four scripts; there is no {' and no '.join(missing)}"
        )
    lines = [f"{theirs}:{by_role[ours]}" for ours, theirs in roles.items()]
    lines += [
        f"{written}:{value}"
        for written, value in sorted({p.written: p.digest for p in found if p.role == "include"}.items())
    ]
    lines += [f"{one.written}:{requires[one.name]}" for one in sorted(definition.requires, key=lambda one: one.written)]
    return "\n".join(lines)


@frozen
class Identity:
    """A definition, what goes into its run, the text that is hashed, and the hash."""

    definition: Definition
    parts: tuple[Part, ...]
    text: str

    @property
    def hash(self) -> str:
        """64 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Where its run is, or would be."""
        return self.definition.run_folder(self.hash)


@frozen
class Family:
    """A scan and all it requires, by definition file, required ones first; frozen runs need no identity."""

    target: Path
    identities: Mapping[Path, Identity]
    frozen: Mapping[Path, Definition]

    def hash(self, file: Path, freeze: str | None) -> str:
        """The identity of a required run."""
        return freeze or self.identities[file].hash


def read_family(path: Path, *, esis: bool = False) -> Family:
    """Read a definition and all that it requires.

    Raises ConfigError with the problems of all of them, DefinitionError that names a cycle.
    """
    target = path.resolve()
    definitions, frozen = _read(path)
    graph = {file: {one.file for one in each.requires if not one.frozen} for file, each in definitions.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        names = " requires ".join(definitions[file].name for file in reversed(error.args[1]))
        files = ", ".join(str(file) for file in dict.fromkeys(error.args[1]))
        raise DefinitionError(f"these scans require one another: {names} ({files}): take one requirement out") from None
    identities: dict[Path, Identity] = {}
    for file in order:
        each = definitions[file]
        found = collect_parts(each)
        requires = {one.name: one.frozen or identities[one.file].hash for one in each.requires}
        text = esis_identity_text(each, found, requires) if esis else identity_text(found, requires)
        identities[file] = Identity(each, found, text)
    return Family(target, identities, frozen)


def _read(path: Path) -> tuple[dict[Path, Definition], dict[Path, Definition]]:
    """All definitions that a scan leads to, and those of frozen runs, of which only the place of their runs matters."""
    definitions: dict[Path, Definition] = {}
    frozen: dict[Path, Definition] = {}
    problems: list[Problem] = []
    left = [(path.resolve(), path)]
    while left:
        file, shown = left.pop()
        if file in definitions:
            continue
        try:
            definitions[file] = load_definition(shown)
        except ConfigError as error:
            problems += error.problems
            continue
        for one in definitions[file].requires:
            if one.frozen is None:
                left.append((one.file, shown.parent / one.written))
            elif one.file not in frozen:
                frozen[one.file] = load_definition(one.file, files=False)
    if problems:
        raise ConfigError(set(problems))
    return definitions, frozen
