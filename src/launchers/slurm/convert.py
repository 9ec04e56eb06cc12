"""The facts of a Slurm cluster as an entry of launchers.yaml, with notes on where each inferred fact comes from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from attrs import evolve

from launchers.config import schema
from launchers.config.acceptable import converted
from launchers.config.emit import Converted, Notes
from launchers.slurm.accounts import Person, accounts_of
from launchers.slurm.facts import SlurmFacts, SlurmPartition
from launchers.slurm.limits import Enforcement, enforcement_of, qos_spec
from launchers.slurm.members import members_by_partition
from launchers.slurm.node_blocks import node_blocks
from launchers.slurm.partitions import partition_notes, partition_spec

Accounts = dict[str, schema.AccountSpec]


def convert(
    facts: SlurmFacts,
    person: Person | None = None,
    *,
    only: Collection[str] = (),
    hosts: bool = True,
    id: str | None = None,
) -> Converted[schema.SlurmGroup]:
    """Convert the facts of a cluster for one person.

    Arguments:
        facts: what `launchers.slurm.read.read` returned
        person: whose accounts count; without one, those of the only user in the facts
        only: the partitions to keep; all if empty
        hosts: False leaves the names of hosts out
        id: the name of the entry; the cluster's name if left out

    """
    person = person or Person()
    enforcement = enforcement_of(facts)
    accounts = accounts_of(facts, person, enforcement)
    partitions, notes = _partitions(facts, person, accounts, only, hosts)
    qos = _qos(facts, accounts, enforcement)
    default = next((name for name, account in accounts.items() if account.default), None)
    group = schema.SlurmGroup(
        id=id or facts.config.get("ClusterName") or "slurm",
        tags=("slurm",),
        gres=_gres_spelling(facts),
        defaults=schema.DefaultsSpec(account=default) if default is not None else None,
        qos=qos or None,
        accounts=dict(sorted(accounts.items())) or None,
        partitions=partitions or None,
    )
    return converted(group, notes | _qos_notes(facts, qos))


def _qos(facts: SlurmFacts, accounts: Accounts, enforcement: Enforcement) -> dict[str, schema.QosSpec]:
    """The QoS by name: those that the accounts may use and that partitions give to every job; all without accounts.

    Where there are some, those that partitions allow are there too: the file has to define every QoS that it names.
    """
    if not enforcement.associations:
        return {}
    usable = {name for account in accounts.values() for name in account.qos or ()}
    usable |= {partition.qos for partition in facts.partitions if partition.qos}
    known = {qos.name: qos_spec(qos, enforcement) for qos in facts.qos}
    kept = {name for name in known if not accounts or name in usable}
    if kept:
        kept |= {name for partition in facts.partitions for name in partition.allow_qos or ()}
    return {name: known.get(name, schema.QosSpec()) for name in sorted(kept)}


def _qos_notes(facts: SlurmFacts, specs: Mapping[str, schema.QosSpec]) -> Notes:
    """Which QoS are only named."""
    known = {qos.name for qos in facts.qos}
    return {("qos", name): "only named: its limits were not printed" for name in specs if name not in known}


def _partitions(
    facts: SlurmFacts, person: Person, accounts: Accounts, only: Collection[str], hosts: bool
) -> tuple[dict[str, schema.PartitionSpec], Notes]:
    """The partitions by name. Their priority is their tier, where the cluster has several tiers."""
    members = members_by_partition(facts)
    has_tiers = len({_tier(partition) for partition in facts.partitions}) > 1
    wanted = [partition for partition in facts.partitions if not only or partition.name in only]
    specs: dict[str, schema.PartitionSpec] = {}
    notes: Notes = {}
    for partition in sorted(wanted, key=lambda partition: partition.name):
        path: tuple[Any, ...] = ("partitions", partition.name)
        blocks = node_blocks(partition, members[partition.name], facts, hosts=hosts)
        specs[partition.name] = evolve(
            partition_spec(partition, facts, person, accounts),
            nodes=blocks.specs if blocks.specs or members[partition.name].none else None,
            priority=float(_tier(partition)) if has_tiers else None,
        )
        notes |= partition_notes(partition, person, path)
        if has_tiers and partition.priority_tier is None:
            notes[*path, "priority"] = "not printed; Slurm's default"
        notes |= {(*path, "nodes", *below): note for below, note in blocks.notes.items()}
    return specs, notes


def _tier(partition: SlurmPartition) -> int:
    """PriorityTier, which is 1 for all partitions that set none (man slurm.conf)."""
    return 1 if partition.priority_tier is None else partition.priority_tier


def _gres_spelling(facts: SlurmFacts) -> Any:
    """How this cluster takes GPUs: --gpus-per-node needs cons_tres, --gres always works (docs/slurm-facts.md#gpus)."""
    return "gpus_per_node" if "cons_tres" in facts.config.get("SelectType", "") else "gres_typed"
