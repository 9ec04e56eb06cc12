"""The groups of the launchers.yaml in force, with what their clusters say of themselves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from launchers.config.find import Located, locate
from launchers.offer.model import Group

if TYPE_CHECKING:
    from launchers.config.schema import OarGroup, SlurmGroup


# -- groups ----------------------------------------------------------------------------------------------------


def load_groups(
    config: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    refresh: bool = False,
    live: bool = False,
) -> tuple[tuple[Group, ...], Located]:
    """The groups of the launchers.yaml in force, clusters that must be asked asked; without one, this machine.

    Raises ConfigError for a file that cannot be used.
    """
    located = locate(config, os.environ if environ is None else environ, Path.cwd())
    if located.used is None:
        from launchers.local import machine

        return (machine.group(machine.probe()),), located
    from launchers.config.build import build
    from launchers.config.facts_file import load_facts_for
    from launchers.config.load import load

    document = load(located.used).document
    facts: dict[int, SlurmGroup | str] = {}
    notes: dict[str, tuple[str, ...]] = {}
    for index, spec in enumerate(document.slurm or ()):
        if spec.disabled:
            continue
        under = load_facts_for(located.used, spec)
        if under is not None:
            facts[index] = under
        elif spec.query_slurm:
            facts[index], notes[spec.id or f"slurm[{index}]"] = ask_cluster(refresh=refresh)
    oar: dict[int, OarGroup | str] = {}
    for index, cluster in enumerate(document.oar or ()):
        if cluster.disabled:
            continue
        below = load_facts_for(located.used, cluster)
        if below is not None:
            oar[index] = below
        elif cluster.query_oar:
            oar[index], notes[cluster.id or f"oar[{index}]"] = ask_oar(refresh=refresh)
    groups = tuple(evolve(one, notes=notes.get(one.name, ())) for one in build(document, facts, oar))
    probed = {spec.id or f"local[{index}]" for index, spec in enumerate(document.local or ()) if spec.probe}
    if probed:
        from launchers.local import machine

        groups = machine.filled(groups, probed)
    return with_signals(groups, live), located


def with_signals(groups: tuple[Group, ...], live: bool) -> tuple[Group, ...]:
    """The groups with what their cluster is doing now, where that is wanted and can be had: it only orders equals."""
    if not any(live or group.live for group in groups if group.scheduler == "slurm"):
        return groups
    from launchers.commands import LocalConnector
    from launchers.slurm.live import live_signals

    seen = live_signals(LocalConnector())

    def told(group: Group) -> Group:
        if group.scheduler != "slurm" or not (live or group.live):
            return group
        if isinstance(seen, str):
            return evolve(group, notes=(*group.notes, f"no live signal: {seen}"), signal_error=seen)
        partitions = tuple(evolve(one, signal=seen.get(one.name)) for one in group.partitions)
        return evolve(group, partitions=partitions)

    return tuple(told(group) for group in groups)


def narrowed(group: Group, partitions: Iterable[str], qos: str = "", account: str = "") -> Group:
    """The group with these partitions, and of their accesses those with this QoS and account ("": any)."""
    wanted = set(partitions)
    kept = []
    for one in group.partitions:
        if one.name in wanted:
            accesses = tuple(a for a in one.accesses if qos in ("", a.qos) and account in ("", a.account))
            kept.append(evolve(one, accesses=accesses) if accesses else one)
    return evolve(group, partitions=tuple(kept))


def ask_cluster(*, refresh: bool = False) -> tuple[SlurmGroup | str, tuple[str, ...]]:
    """What the live cluster says, or why it cannot be read; and notes on how old that is and what is missing."""
    import shutil

    if shutil.which("scontrol") is None:
        return "query_slurm: there is no scontrol on PATH, so its cluster cannot be read from here", ()
    from launchers.slurm.query import query

    answer = query(refresh=refresh)
    if isinstance(answer, str):
        return answer, ()
    age = f"read {answer.age:.0f} s ago (--refresh reads it again)" if answer.age else "read just now"
    return answer.group, (age, *(f"not asked: {failure}" for failure in answer.failed))


def ask_oar(*, refresh: bool = False) -> tuple[OarGroup | str, tuple[str, ...]]:
    """What the live OAR says, or why it cannot be read; and a note on how old that is."""
    import shutil

    if shutil.which("oarnodes") is None:
        return "query_oar: there is no oarnodes on PATH, so its cluster cannot be read from here", ()
    from launchers.oar.query import query

    answer = query(refresh=refresh)
    if isinstance(answer, str):
        return answer, ()
    return answer.group, (f"read {answer.age:.0f} s ago (--refresh reads it again)" if answer.age else "read just now",)
