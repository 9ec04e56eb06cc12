"""The limits of QoS and associations, as far as the cluster enforces them."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from launchers.config import schema
from launchers.slurm.facts import Bounds, Qos, SlurmFacts, Tres


@frozen
class Enforcement:
    """What Slurm holds jobs to: associations at all, limits, among those the maximums of memory, and `safe` limits.

    `safe`: no job starts that could not end within what is left of a limit on the time of all jobs together.
    """

    associations: bool
    limits: bool
    memory: bool
    safe: bool


def enforcement_of(facts: SlurmFacts) -> Enforcement:
    """What AccountingStorageEnforce names (docs/slurm-facts.md#qos-and-associations); everything if it is unknown."""
    setting = facts.config.get("AccountingStorageEnforce", "all")
    words = set(setting.lower().split(","))
    return Enforcement(
        associations=bool(words & {"all", "associations", "limits", "qos", "safe"}),
        limits=bool(words & {"all", "limits", "safe"}),
        safe=bool(words & {"all", "safe"}),
        memory=allocates_memory(facts) or any("DenyOnLimit" in qos.flags for qos in facts.qos),
    )


def allocates_memory(facts: SlurmFacts) -> bool:
    """Whether this cluster allocates memory, CR_*_Memory (docs/slurm-facts.md#memory); yes where it is not known."""
    return "MEMORY" in facts.config.get("SelectTypeParameters", "CR_CORE_MEMORY").upper()


def qos_spec(qos: Qos, enforcement: Enforcement) -> schema.QosSpec:
    """A QoS of launchers.yaml."""
    return schema.QosSpec(
        priority=float(qos.priority) if qos.priority else None,
        limits=limits_of(qos.bounds, enforcement),
        flags=qos.flags or None,
    )


def limits_of(bounds: Bounds, enforcement: Enforcement) -> schema.LimitsSpec | None:
    """The limits of launchers.yaml; None where there are none or the cluster does not enforce them.

    Where memory is not allocated, a job uses none, so that no maximum of memory stops it. Minimums always count.
    """
    if not enforcement.limits:
        return None

    def maximum(tres: Tres) -> dict[Any, Any] | None:
        return {name: amount for name, amount in tres if name != "mem" or enforcement.memory} or None

    holds_wall = enforcement.safe or bounds.grp_wall == 1  # a second is as short as a file can say, and stands for 0
    limits = schema.LimitsSpec(
        max_duration=bounds.max_wall,
        max_tres=maximum(bounds.max_tres),
        max_tres_per_node=maximum(bounds.max_tres_per_node),
        max_tres_per_user=maximum(bounds.max_tres_per_user),
        max_tres_per_account=maximum(bounds.max_tres_per_account),
        grp_tres=maximum(bounds.grp_tres),
        min_tres=dict(bounds.min_tres) or None,
        max_tres_mins=maximum(bounds.max_tres_mins),
        grp_tres_mins=maximum(bounds.grp_tres_mins),
        grp_tres_run_mins=maximum(bounds.grp_tres_run_mins),
        max_tres_run_mins_per_user=maximum(bounds.max_tres_run_mins_per_user),
        max_tres_run_mins_per_account=maximum(bounds.max_tres_run_mins_per_account),
        grp_wall=bounds.grp_wall if holds_wall else None,
        default_time=None if holds_wall else bounds.grp_wall,
        max_jobs=bounds.max_jobs,
        max_jobs_per_account=bounds.max_jobs_per_account,
        grp_jobs=bounds.grp_jobs,
        max_submit=bounds.max_submit,
        max_submit_per_account=bounds.max_submit_per_account,
        grp_submit=bounds.grp_submit,
    )
    return None if limits == schema.LimitsSpec() else limits
