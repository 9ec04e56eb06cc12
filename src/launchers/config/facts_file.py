"""Facts files: launchers.yaml files with one entry, which `launchers convert` wrote for a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from launchers.config.find import warn_of_others
from launchers.config.load import load
from launchers.config.schema import OarGroup, SlurmGroup
from launchers.files.paths import expand_user
from launchers.files.problems import ConfigError, Problem

T = TypeVar("T")
G = TypeVar("G", SlurmGroup, OarGroup)


def load_facts_for(file: Path, entry: G) -> G | None:
    """The facts that an entry of `file` is laid over; None for an entry without `facts:`. Raises ConfigError."""
    if entry.facts is None:
        return None
    path = file.parent / expand_user(entry.facts)
    if path.is_file():
        warn_of_others(path)
    facts: Any = load_slurm_facts(path) if isinstance(entry, SlurmGroup) else load_oar_facts(path)
    if facts.facts is not None:
        hint = "name a file that launchers convert -o wrote"
        raise ConfigError([Problem(str(path), 1, 1, "LC111", "", "its entry has a facts: of its own", hint)])
    return cast(G, facts)


def load_slurm_facts(path: Path) -> SlurmGroup:
    """The one Slurm entry of a facts file. Raises ConfigError."""
    return _only(load(path).document.slurm or (), "slurm", path)


def load_oar_facts(path: Path) -> OarGroup:
    """The one OAR entry of a facts file. Raises ConfigError."""
    return _only(load(path).document.oar or (), "oar", path)


def _only(groups: Sequence[T], kind: str, path: Path) -> T:
    if len(groups) != 1:
        message = f"a facts file has one {kind}: entry, but this file has {len(groups)}"
        raise ConfigError([Problem(str(path), 1, 1, "LC111", kind, message)])
    return groups[0]
