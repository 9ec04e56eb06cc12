"""The QoS and accounts that may be used in a partition, with the limits that hold for each.

Slurm takes each limit from the first place that sets it: partition QoS, job QoS, association. OverPartQOS puts the job
QoS first (https://slurm.schedmd.com/resource_limits.html, "Hierarchy"). The partition's own time and node limits bound
all of them, unless a flag of the job QoS lifts them (docs/slurm-facts.md, "QoS and associations").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve

from launchers.config.schema import AccountSpec, LimitsSpec, PartitionSpec, QosSpec, SlurmGroup
from launchers.offer.model import DEFAULT_TIME, Access, Limit, Per, Source, SourceKind

_SIMPLE_LIMITS = {
    "max_duration": ("duration", Per.JOB, "MaxWall"),
    "min_nodes": ("nodes", Per.JOB, "MinNodes"),
    "max_nodes": ("nodes", Per.JOB, "MaxNodes"),
    "max_cpus_per_node": ("cpu", Per.NODE, "MaxCPUsPerNode"),
    "max_mem_per_node": ("mem", Per.NODE, "MaxMemPerNode"),
    "max_mem_per_cpu": ("mem", Per.CPU, "MaxMemPerCPU"),
    "grp_wall": ("duration", Per.JOB, "GrpWall"),
    "default_time": (DEFAULT_TIME, Per.JOB, "GrpWall"),
}
"""Fields of LimitsSpec that bound one quantity, per what, and Slurm's name for the rule."""
_TRES_LIMITS = {
    "max_tres": (Per.JOB, "MaxTRESPerJob"),
    "max_tres_per_node": (Per.NODE, "MaxTRESPerNode"),
    "max_tres_per_user": (Per.JOB, "MaxTRESPerUser"),
    "max_tres_per_account": (Per.JOB, "MaxTRESPerAccount"),
    "grp_tres": (Per.JOB, "GrpTRES"),
    "min_tres": (Per.JOB, "MinTRESPerJob"),
    "max_tres_mins": (Per.MINUTE, "MaxTRESMinsPerJob"),
    "max_tres_run_mins_per_user": (Per.MINUTE, "MaxTRESRunMinsPerUser"),
    "max_tres_run_mins_per_account": (Per.MINUTE, "MaxTRESRunMinsPerAccount"),
    "grp_tres_run_mins": (Per.MINUTE, "GrpTRESRunMins"),
    "grp_tres_mins": (Per.MINUTE, "GrpTRESMins"),
}
"""Fields of LimitsSpec that bound a TRES each, per what, and Slurm's name for the rule."""
_COUNTS = {
    "max_submit": "MaxSubmitJobs",
    "max_submit_per_account": "MaxSubmitJobsPerAccount",
    "grp_submit": "GrpSubmitJobs",
    "max_jobs": "MaxJobs",
    "max_jobs_per_account": "MaxJobsPerAccount",
    "grp_jobs": "GrpJobs",
    "grp_wall": "GrpWall",
}
"""Fields of LimitsSpec that let nobody in where they are 0, and Slurm's names for the rules.

The shortest time that a file can have is a second: GrpWall=0 is written so.
"""
_OF_A_QOS = {"max_submit_per_account": "max_submit", "max_jobs_per_account": "max_jobs"}
"""Fields of a QoS that count in place of an account's, as those of the same name do."""
_MINIMUMS = ("min_nodes", "min_tres")
JUDGED = ("cpu", "mem", "node", "gres/gpu")
"""The TRES that a requirement asks for (and gres/gpu:TYPE)."""
_LIFTS = {
    "PartitionTimeLimit": ("duration", False),
    "PartitionMaxNodes": ("nodes", False),
    "PartitionMinNodes": ("nodes", True),
}
Key = tuple[str, str]
"""A field of LimitsSpec and the quantity that it bounds."""


def limits_of(spec: LimitsSpec | None, source: Source) -> dict[Key, Limit]:
    """The limits that `source` sets."""
    limits: dict[Key, Limit] = {}
    if spec is None:
        return limits
    for field, (quantity, per, rule) in _SIMPLE_LIMITS.items():
        value = getattr(spec, field)
        if value is not None:
            if field == "max_duration" and source.kind is SourceKind.PARTITION:
                rule = "MaxTime"  # the name of the same limit in slurm.conf
            limits[field, quantity] = Limit(quantity, value, source, rule, per, field in _MINIMUMS)
    for field, (per, rule) in _TRES_LIMITS.items():
        for tres, value in (getattr(spec, field) or {}).items():
            if is_judged(tres):
                limits[field, tres] = Limit(tres, value, source, rule, per, field in _MINIMUMS)
    return limits


def is_judged(tres: str) -> bool:
    """Whether a job can be checked against a limit on this TRES."""
    return tres in JUDGED or tres.startswith("gres/gpu:")


def _qos_limits(name: str, qos: QosSpec) -> dict[Key, Limit]:
    source = Source(SourceKind.QOS, name)
    limits = limits_of(qos.limits, source)
    if qos.max_duration is not None:
        limits["max_duration", "duration"] = Limit("duration", qos.max_duration, source, "max_duration")
    if qos.min_gpu:
        limits["min_tres", "gres/gpu"] = Limit("gres/gpu", qos.min_gpu, source, "min_gpu", is_minimum=True)
    return limits


def _first(sources: Iterable[Mapping[Key, Limit]]) -> dict[Key, Limit]:
    """Each limit from the first source that sets it."""
    merged: dict[Key, Limit] = {}
    for source in sources:
        merged |= {key: limit for key, limit in source.items() if key not in merged}
    return merged


def _strict(limits: dict[Key, Limit], all_qos: Iterable[tuple[Any, QosSpec]]) -> dict[Key, Limit]:
    """These limits; where a QoS has DenyOnLimit, what is submitted has to keep them (docs/slurm-facts.md).

    GrpWall then bounds each job, and a minimum is one of what the job asks for.
    """
    if not any("DenyOnLimit" in (qos.flags or ()) for _, qos in all_qos):
        return limits
    strict = {key: evolve(limit, of_request=limit.is_minimum) for key, limit in limits.items()}
    if wall := limits.get(("default_time", DEFAULT_TIME)):
        strict["grp_wall", "duration"] = evolve(wall, quantity="duration")
    return strict


def _closed_reason(sources: Iterable[tuple[LimitsSpec | None, Source]]) -> str | None:
    """Why these let no job in, of which the first that sets a limit counts; None: jobs may come."""
    first: dict[str, tuple[int, Source]] = {}
    for spec, source in sources:
        hidden = {_OF_A_QOS.get(field, field) for field in first} if source.kind is SourceKind.ACCOUNT else set()
        for field in _COUNTS:
            value = getattr(spec, field, None)
            if value is not None and field not in hidden:
                first.setdefault(field, (value, source))
    closed = ((source, _COUNTS[field]) for field, (value, source) in first.items() if value <= (field == "grp_wall"))
    return next((f"{source} has {rule}=0" for source, rule in closed), None)


def accesses(group: SlurmGroup, partition: str, spec: PartitionSpec, limits: tuple[Limit, ...]) -> tuple[Access, ...]:
    """Every pair of QoS and account that may be used in a partition; `limits` are the partition's own."""
    return tuple(
        _access(group, spec, account_name, account, qos_name, limits)
        for account_name, account in _accounts(group, partition, spec)
        for qos_name in _qos_names(spec, account)
    )


def _accounts(group: SlurmGroup, partition: str, spec: PartitionSpec) -> Iterator[tuple[Any, AccountSpec]]:
    """The accounts that may be used in a partition, by name; None is Slurm's default account."""
    defined = group.accounts or {}
    names: list[Any] = list(defined) or [None]
    if spec.accounts is not None:
        names = [name for name in spec.accounts if name in defined or not defined]
    for name in names:
        account = defined.get(name, AccountSpec())
        is_for_partition = account.partition is None or partition in account.partition
        if is_for_partition and name not in (spec.deny_accounts or ()):
            yield name, account


def _qos_names(spec: PartitionSpec, account: AccountSpec) -> list[Any]:
    """The QoS that may be used in a partition with an account; None is Slurm's default QoS."""
    names: list[Any] = [None]
    if spec.qos is not None:
        names = list(spec.qos)
    elif account.qos is not None:
        names = list(account.qos)
    if spec.qos is not None and account.qos is not None:
        names = [name for name in names if name in account.qos]
    return [name for name in names if name not in (spec.deny_qos or ())]


def _access(
    group: SlurmGroup,
    spec: PartitionSpec,
    account_name: Any,
    account: AccountSpec,
    qos_name: Any,
    limits: tuple[Limit, ...],
) -> Access:
    defined: dict[Any, QosSpec] = dict(group.qos or {})
    qos = defined.get(qos_name, QosSpec())
    all_qos = [(qos_name, qos)]
    if spec.partition_qos and spec.partition_qos in defined:
        job_qos_first = "OverPartQOS" in (qos.flags or ())
        all_qos.insert(1 if job_qos_first else 0, (spec.partition_qos, defined[spec.partition_qos]))
    account_source = Source(SourceKind.ACCOUNT, account_name)
    sources = [*(_qos_limits(name, each) for name, each in all_qos), limits_of(account.limits, account_source)]
    counts = [(each.limits, Source(SourceKind.QOS, name)) for name, each in all_qos]
    lifted = {_LIFTS[flag] for flag in qos.flags or () if flag in _LIFTS}  # flags of the partition's QoS lift nothing
    kept = tuple(limit for limit in limits if (limit.quantity, limit.is_minimum) not in lifted)
    return Access(
        qos=qos_name,
        account=account_name,
        priority=(qos.priority or 0) + (account.priority or 0),
        limits=kept + tuple(_strict(_first(sources), all_qos).values()),
        rank=_rank(group, account_name, account, qos_name),
        closed_reason=_closed_reason([*counts, (account.limits, account_source)]),
    )


def _rank(group: SlurmGroup, account_name: Any, account: AccountSpec, qos_name: Any) -> int:
    """0 for the user's default QoS and account, 1 if one of them is another, 2 if both are."""
    defaults = group.defaults
    default_account = defaults.account if defaults and defaults.account else None
    default_qos = account.default_qos or (defaults.qos if defaults else None)
    other_account = account_name != default_account if default_account else account.default is False
    other_qos = bool(default_qos) and qos_name != default_qos
    return int(other_account) + int(other_qos)
