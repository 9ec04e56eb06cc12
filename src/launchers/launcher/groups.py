"""The groups of the launchers.yaml in force, with what their clusters say of themselves."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

from launchers.config.find import Located, check_owner, locate
from launchers.errors import UNREACHABLE, LauncherNotFoundError
from launchers.jobs.backend import Backend
from launchers.offer.model import Group
from launchers.quantities.architectures import normalize_architecture
from launchers.schedulers import OAR, SLURM, backend

if TYPE_CHECKING:
    from launchers.config.schema import Document, OarGroup, SlurmGroup
    from launchers.matching import Answer

G = TypeVar("G", "SlurmGroup", "OarGroup")


def load_groups(
    config: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    refresh: bool = False,
    live: bool = False,
) -> tuple[tuple[Group, ...], Located]:
    """The groups of the launchers.yaml in force, clusters that must be asked asked; without one, this machine.

    `refresh` reads clusters again, `live` asks what they are doing now.  Raises ConfigError for a file that cannot be
    used.
    """
    located = locate(config, os.environ if environ is None else environ, Path.cwd())
    if located.used is None:
        from launchers.local import machine

        return (machine.machine_group(machine.probe()),), located
    from launchers.config.load import load

    check_owner(located)
    groups = _build_groups(load(located.used).document, located.used, refresh=refresh)
    return add_signals(groups, live), located


def _build_groups(document: Document, path: Path, *, refresh: bool) -> tuple[Group, ...]:
    """The groups of a file, with the facts that stand in other files, in live clusters and in this machine."""
    from launchers.config.build import build

    notes: dict[str, tuple[str, ...]] = {}
    slurm = _facts(document.slurm or (), SLURM, path, notes, _asks_slurm, lambda: ask_cluster(refresh=refresh))
    oar = _facts(document.oar or (), OAR, path, notes, _asks_oar, lambda: ask_oar(refresh=refresh))
    groups = tuple(evolve(group, notes=notes.get(group.name, ())) for group in build(document, slurm, oar))
    probed = {spec.id or f"local[{index}]" for index, spec in enumerate(document.local or ()) if spec.probe}
    if not probed:
        return groups
    from launchers.local import machine

    return machine.fill_groups(groups, probed)


def _facts(
    specs: Iterable[G],
    key: str,
    path: Path,
    notes: dict[str, tuple[str, ...]],
    is_live: Callable[[G], bool],
    ask: Callable[[], tuple[G | str, tuple[str, ...]]],
) -> dict[int, G | str]:
    """The facts of the groups under a key of the file, by their index; notes on a live cluster go to `notes`."""
    from launchers.config.facts_file import load_facts_for

    facts: dict[int, G | str] = {}
    for index, spec in enumerate(specs):
        if spec.disabled:
            continue
        recorded = load_facts_for(path, spec)
        if recorded is not None:
            facts[index] = recorded
        elif is_live(spec):
            facts[index], notes[spec.id or f"{key}[{index}]"] = ask()
    return facts


def _asks_slurm(spec: SlurmGroup) -> bool:
    return bool(spec.query_slurm)


def _asks_oar(spec: OarGroup) -> bool:
    return bool(spec.query_oar)


def add_signals(groups: tuple[Group, ...], live: bool) -> tuple[Group, ...]:
    """The groups with what their cluster is doing now, where that is wanted and can be had: it only orders equals."""
    wanted = {group.scheduler for group in groups if live or group.live}
    signals = {scheduler: backend(scheduler).signals() for scheduler in wanted}

    def add(group: Group) -> Group:
        if not (live or group.live):
            return group
        known = signals[group.scheduler]
        if isinstance(known, str):
            return evolve(group, notes=(*group.notes, f"no live signal: {known}"))
        partitions = tuple(evolve(partition, signal=known.get(partition.name)) for partition in group.partitions)
        return evolve(group, partitions=partitions)

    return tuple(map(add, groups))


def check_commands(group: Group, answer: Answer | None = None) -> None:
    """Raise LauncherNotFoundError unless the commands of a group's scheduler are here."""
    check_scheduler(backend(group.scheduler), f"{group.name} matches but cannot be reached", answer)


def check_scheduler(scheduler: Backend, problem: str, answer: Answer | None = None) -> None:
    """Raise LauncherNotFoundError, with the problem and what to do, unless the scheduler's commands are here."""
    if missing := scheduler.missing_commands():
        message = (
            f"{problem}: no {' and no '.join(missing)} on PATH. "
            f"Run this where {scheduler.title}'s commands are, or load the module that brings them."
        )
        raise LauncherNotFoundError(message, UNREACHABLE, answer)


def ask_cluster(*, refresh: bool = False) -> tuple[SlurmGroup | str, tuple[str, ...]]:
    """What the live Slurm says, or why it cannot be read; and notes on how old that is and what is missing."""
    if shutil.which("scontrol") is None:
        return "query_slurm: there is no scontrol on PATH, so its cluster cannot be read from here", ()
    from launchers.slurm.query import query

    answer = query(refresh=refresh)
    if isinstance(answer, str):
        return answer, ()
    return _submitted_here(answer.group), (_age(answer.age), *(f"not asked: {failure}" for failure in answer.failed))


def ask_oar(*, refresh: bool = False) -> tuple[OarGroup | str, tuple[str, ...]]:
    """What the live OAR says, or why it cannot be read; and a note on how old that is."""
    if shutil.which("oarnodes") is None:
        return "query_oar: there is no oarnodes on PATH, so its cluster cannot be read from here", ()
    from launchers.oar.query import query

    answer = query(refresh=refresh)
    return (answer, ()) if isinstance(answer, str) else (_submitted_here(answer.group), (_age(answer.age),))


def _submitted_here(group: G) -> G:
    """The entry of a live cluster: this machine submits its jobs."""
    return evolve(group, login_arch=normalize_architecture(platform.machine()))


def _age(seconds: float) -> str:
    return f"read {seconds:.0f} s ago (--refresh reads it again)" if seconds else "read just now"
