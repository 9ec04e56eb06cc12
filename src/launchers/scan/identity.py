"""The identity of a run: a hash of everything that its results depend on, and of nothing else.

The scripts, the parameters, the includes and the required runs count, wherever the files are and whenever they were
changed.  Where and how the run goes (the template, the need, how many at once) does not change its results, so it does
not count.  By ESIS's own rule the template counts, and includes and requirements count with their paths.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from attrs import frozen

from launchers.files.paths import real_path
from launchers.files.problems import ConfigError, Problem
from launchers.scan.definition import Definition, load_definition
from launchers.scan.errors import DefinitionError
from launchers.scan.names import include_names, script_name
from launchers.scan.schema import ESIS_KEYS, ESIS_SCRIPTS


@frozen
class Part:
    """A thing that goes into a run: its role, its file as written, its path in the run folder, and its sha256.

    Parameters in the definition have no file (`source` is None).  The template is not copied (`target` is None).
    """

    role: str
    written: str
    source: Path | None
    target: str | None
    digest: str


def collect_parts(definition: Definition) -> tuple[Part, ...]:
    """Everything that goes into a run except other runs.  Raises OSError for a file that cannot be read."""
    parts: list[Part] = []
    for role in ESIS_SCRIPTS:
        written = getattr(definition, role)
        if written is not None:
            source = definition.path(written)
            target = None if role == "template" else script_name(written)
            parts.append(Part(role, written, source, target, sha256_of(source)))
    if definition.rows is not None:
        text = json.dumps(definition.rows, sort_keys=True, separators=(",", ":"))
        parts.append(Part("parameters", "", None, None, hashlib.sha256(text.encode()).hexdigest()))
    for written, name in zip(definition.includes, include_names(definition.includes), strict=True):
        source = definition.path(written)
        parts.append(Part("include", written, source, f"includes/{name}", sha256_of(source)))
    return tuple(parts)


def sha256_of(path: Path) -> str:
    """The sha256 of a file; for a folder, that of the paths and bytes of all files in it."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = (f"{file.relative_to(path).as_posix()}\0{sha256_of(file)}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def identity_text(parts: tuple[Part, ...], requires: Mapping[str, str]) -> str:
    """The text that is hashed: a line for each part, for each include, sorted, and for each required run, sorted."""
    lines = [f"{part.role} {part.digest}" for part in parts if part.role not in ("template", "include")]
    includes = [part for part in parts if part.role == "include"]
    lines += sorted(f"include {(part.target or '').removeprefix('includes/')} {part.digest}" for part in includes)
    lines += [f"requires {name} {hash}" for name, hash in sorted(requires.items())]
    return "\n".join(lines)


def esis_identity_text(definition: Definition, parts: tuple[Part, ...], requires: Mapping[str, str]) -> str:
    """The text that ESIS 0.0.4 hashes (its command `status`).  Raises DefinitionError unless there are four scripts."""
    digests = {part.role: part.digest for part in parts}
    missing = [role for role in ESIS_SCRIPTS if role not in digests]
    if missing:
        names = " and no ".join(missing)
        raise DefinitionError(f"{definition.file}: ESIS's identity needs four scripts; there is no {names}")
    includes = {part.written: part.digest for part in parts if part.role == "include"}
    required = sorted(definition.requires, key=lambda scan: scan.written)
    lines = [f"{ESIS_KEYS[role]}:{digests[role]}" for role in ESIS_SCRIPTS]
    lines += [f"{written}:{digest}" for written, digest in sorted(includes.items())]
    lines += [f"{scan.written}:{requires[scan.name]}" for scan in required]
    return "\n".join(lines)


@frozen
class Identity:
    """The identity of a run: its definition, what goes into it, and the text that is hashed."""

    definition: Definition
    parts: tuple[Part, ...]
    text: str

    @property
    def hash(self) -> str:
        """64 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """The folder of the run, whether it exists or not."""
        return self.definition.run_folder(self.hash)


@frozen
class Family:
    """A scan and all scans that it requires, by definition file, required scans first.

    A scan that is required only as a frozen run is in `frozen` and has no identity: its files do not matter.
    """

    target: Path
    identities: Mapping[Path, Identity]
    frozen: Mapping[Path, Definition]


def read_family(path: Path, *, esis: bool = False) -> Family:
    """Read a definition and all that it requires; `esis` names runs by ESIS's own rule.

    Raises ConfigError with the mistakes of all of them, DefinitionError for scans that require each other.
    """
    definitions, frozen = _read_definitions(path)
    identities: dict[Path, Identity] = {}
    for file in _required_first(definitions):
        definition = definitions[file]
        parts = collect_parts(definition)
        requires = {scan.name: scan.frozen or identities[scan.file].hash for scan in definition.requires}
        text = esis_identity_text(definition, parts, requires) if esis else identity_text(parts, requires)
        identities[file] = Identity(definition, parts, text)
    return Family(real_path(path), identities, frozen)


def _required_first(definitions: Mapping[Path, Definition]) -> list[Path]:
    graph = {
        file: {scan.file for scan in definition.requires if not scan.frozen} for file, definition in definitions.items()
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        cycle = error.args[1]
        names = " requires ".join(definitions[file].name for file in reversed(cycle))
        files = ", ".join(str(file) for file in dict.fromkeys(cycle))
        message = f"these scans require each other: {names} ({files}): remove one of the requirements"
        raise DefinitionError(message) from None


def _read_definitions(path: Path) -> tuple[dict[Path, Definition], dict[Path, Definition]]:
    """The definitions that a scan needs, by file, and those of frozen runs, which only say where their runs are."""
    definitions: dict[Path, Definition] = {}
    frozen: dict[Path, Definition] = {}
    problems: list[Problem] = []
    to_read = [(real_path(path), path)]
    while to_read:
        file, shown = to_read.pop()
        if file in definitions:
            continue
        try:
            definitions[file] = load_definition(shown)
        except ConfigError as error:
            problems += error.problems
            continue
        for required in definitions[file].requires:
            if required.frozen is None:
                to_read.append((required.file, shown.parent / required.written))
            elif required.file not in frozen:
                frozen[required.file] = load_definition(required.file, files=False)
    if problems:
        raise ConfigError(set(problems))
    return definitions, frozen
