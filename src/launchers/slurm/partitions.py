"""Partitions as launchers.yaml has them: who may use them, their limits and defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from launchers.config import schema
from launchers.config.emit import Notes
from launchers.quantities.numbers import whole_number
from launchers.quantities.units import MIB
from launchers.slurm.accounts import Person, parent_accounts, with_accounts_below
from launchers.slurm.facts import SlurmFacts, SlurmPartition
from launchers.slurm.version import counts_accounts_below, refuses_memory_of_more_cpus

STATES = ("DOWN", "DRAIN", "INACTIVE")
"""The states of a partition beside UP. Slurm can print others, UNKNOWN among them (docs/slurm-facts.md#partitions)."""
_MAX_MEMORY, _DEFAULT_MEMORY = {"MaxMemPerCPU", "MaxMemPerNode"}, {"DefMemPerCPU", "DefMemPerNode"}
"""scontrol prints one of each for every partition, UNLIMITED where none is set."""


def partition_spec(
    partition: SlurmPartition, facts: SlurmFacts, person: Person, accounts: Iterable[str]
) -> schema.PartitionSpec:
    """A partition without its nodes and priority; `accounts` are those that the person may charge."""
    config = ClusterConfig(facts.config)
    allowed, denied = _allowed_and_denied(partition, facts, tuple(accounts))
    per_cpu, per_node = _default_memory(partition, config)
    return schema.PartitionSpec(
        disabled=True if closed_reason(partition, person) else None,
        state=partition.state if partition.state in STATES else None,  # type: ignore[arg-type]
        hidden=partition.hidden or None,
        default=partition.default or None,
        qos=partition.allow_qos,
        accounts=allowed,
        deny_qos=partition.deny_qos or None,
        deny_accounts=denied or None,
        partition_qos=partition.qos,
        limits=_limits(partition, facts),
        exclusive=True if partition.oversubscribe.startswith("EXCLUSIVE") else None,
        default_time=partition.default_time,
        def_mem_per_cpu=per_cpu,
        def_mem_per_node=per_node,
        def_mem_per_gpu=partition.def_mem_per_gpu,
        def_cpu_per_gpu=partition.def_cpu_per_gpu,
    )


def partition_notes(partition: SlurmPartition, person: Person, path: tuple[Any, ...]) -> Notes:
    """Why the partition is closed to the person, or what is not known about that."""
    if reason := closed_reason(partition, person):
        return {(*path, "disabled"): reason}
    notes = []
    if partition.allow_groups is not None and person.groups is None:
        notes.append(f"{_allow_groups(partition)}: it is not known whether you are in one of these groups")
    if partition.pairs.get("AllocNodes", "").upper() not in ("", "ALL", "(NULL)", "N/A", "NONE"):
        notes.append("AllocNodes: jobs can be submitted from some nodes only")
    return {path: "; ".join(notes)} if notes else {}


def closed_reason(partition: SlurmPartition, person: Person) -> str:
    """Why this person cannot use a partition, whatever the job (docs/slurm-facts.md#partitions); "" if they can."""
    if partition.state not in ("UP", *STATES):
        return f"State={partition.state}, which is not a state in which jobs start"
    if partition.root_only:
        return "RootOnly=YES"
    if partition.req_resv:
        return "ReqResv=YES: jobs need a reservation"
    groups = partition.allow_groups
    if groups is not None and person.groups is not None and person.groups.isdisjoint(groups):
        return f"{_allow_groups(partition)}: you are in none of these groups"
    return ""


def _allow_groups(partition: SlurmPartition) -> str:
    return f"AllowGroups={','.join(partition.allow_groups or ())}"


def _allowed_and_denied(
    partition: SlurmPartition, facts: SlurmFacts, accounts: tuple[str, ...]
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The accounts that may use a partition (None: any), and those that may not.

    From 23.02 on the accounts below a named account count as well (docs/slurm-facts.md#partitions).
    """
    allowed, denied = partition.allow_accounts, partition.deny_accounts
    if not accounts:
        return allowed, denied
    if counts_accounts_below(facts):
        parents = parent_accounts(facts)
        allowed = None if allowed is None else with_accounts_below(allowed, accounts, parents)
        denied = with_accounts_below(denied, accounts, parents)
    return None if allowed is None else tuple(name for name in allowed if name in accounts), denied


def _limits(partition: SlurmPartition, facts: SlurmFacts) -> schema.LimitsSpec | None:
    per_cpu, per_node = _max_memory(partition, facts)
    limits = schema.LimitsSpec(
        max_duration=partition.max_time,
        min_nodes=partition.min_nodes if partition.min_nodes > 1 else None,
        max_nodes=partition.max_nodes,
        max_cpus_per_node=partition.max_cpus_per_node,
        max_mem_per_node=per_node,
        max_mem_per_cpu=per_cpu,
    )
    return None if limits == schema.LimitsSpec() else limits


def _max_memory(partition: SlurmPartition, facts: SlurmFacts) -> tuple[int | None, int | None]:
    """MaxMemPerCPU and MaxMemPerNode, the partition's or else the cluster's (docs/slurm-facts.md#memory).

    The cluster's say nothing of a partition whose own were not printed. 24.11 refuses memory that costs more CPUs than
    MaxCPUsPerNode; 22.05 gives the CPUs.
    """
    config = ClusterConfig(facts.config)
    per_cpu, per_node = partition.max_mem_per_cpu, partition.max_mem_per_node
    if per_cpu is None and per_node is None and partition.pairs.keys() & _MAX_MEMORY:
        per_cpu, per_node = config.memory("MaxMemPerCPU"), config.memory("MaxMemPerNode")
    if per_cpu and partition.max_cpus_per_node and refuses_memory_of_more_cpus(facts):
        per_node = per_cpu * partition.max_cpus_per_node
    return per_cpu, per_node


def _default_memory(partition: SlurmPartition, config: ClusterConfig) -> tuple[int | None, int | None]:
    """DefMemPerCPU and DefMemPerNode: the partition's, or the cluster's where the partition sets neither.

    The cluster's say nothing of a partition whose own were not printed, such as one that only sinfo names.
    """
    per_cpu, per_node = partition.def_mem_per_cpu, partition.def_mem_per_node
    if per_cpu is None and per_node is None and partition.pairs.keys() & _DEFAULT_MEMORY:
        return config.memory("DefMemPerCPU"), config.memory("DefMemPerNode")
    return per_cpu, per_node


@frozen
class ClusterConfig:
    """The settings of the cluster, as `scontrol show config` prints them."""

    settings: Mapping[str, str]

    def memory(self, key: str) -> int | None:
        """A setting in MiB, in bytes; None for 0, which means no limit."""
        number = whole_number(self.settings.get(key))
        return number * MIB if number else None
