"""JSON that Slurm prints (openapi v0.0.37 to data_parser v0.0.44), as the keys and values that scontrol prints.

A key for which scontrol has no name keeps its path in the JSON, such as ``maximums.shares``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

LISTS = ("nodes", "partitions", "sinfo", "reservations", "qos", "associations")
"""The keys of a document that hold records."""
MAIN_LISTS = ("nodes", "partitions", "sinfo", "qos")
"""Those that make a document one of Slurm's even where they are empty."""
_UNSET = (4294967294, 4294967295, 18446744073709551614, 18446744073709551615)
"""NO_VAL and INFINITE of slurm.h, which older versions print as numbers (docs/slurm-facts.md#what-slurm-prints)."""

_NODE = {
    "name": "NodeName", "cpus": "CPUTot", "effective_cpus": "CPUEfctv", "threads": "ThreadsPerCore",
    "cores": "CoresPerSocket", "sockets": "Sockets", "real_memory": "RealMemory", "weight": "Weight",
    "specialized_memory": "MemSpecLimit", "specialized_cores": "CoreSpecCount", "specialized_cpus": "CPUSpecList",
    "gres": "Gres", "active_features": "ActiveFeatures", "features": "AvailableFeatures", "reason": "Reason",
    "partitions": "Partitions", "tres": "CfgTRES", "tres_used": "AllocTRES", "reservation": "ReservationName",
    "comment": "Comment", "temporary_disk": "TmpDisk", "architecture": "Arch", "version": "Version",
    "slurmd_version": "Version", "operating_system": "OS", "address": "NodeAddr", "hostname": "NodeHostName",
    "alloc_cpus": "CPUAlloc", "alloc_memory": "AllocMem",
}  # fmt: skip
_PARTITION = {
    "name": "PartitionName", "nodes.configured": "Nodes", "accounts.allowed": "AllowAccounts",
    "accounts.deny": "DenyAccounts", "groups.allowed": "AllowGroups", "qos.allowed": "AllowQos", "qos.deny": "DenyQos",
    "qos.assigned": "QoS", "tres.configured": "TRES", "defaults.partition_memory_per_cpu": "DefMemPerCPU",
    "defaults.partition_memory_per_node": "DefMemPerNode", "defaults.time": "DefaultTime",
    "defaults.job": "JobDefaults", "maximums.cpus_per_node": "MaxCPUsPerNode",
    "maximums.cpus_per_socket": "MaxCPUsPerSocket",
    "maximums.partition_memory_per_cpu": "MaxMemPerCPU", "maximums.partition_memory_per_node": "MaxMemPerNode",
    "maximums.nodes": "MaxNodes", "maximums.time": "MaxTime", "minimums.nodes": "MinNodes",
    "priority.tier": "PriorityTier", "priority.job_factor": "PriorityJobFactor", "partition.state": "State",
    # openapi v0.0.37 and v0.0.38
    "nodes": "Nodes", "allowed_accounts": "AllowAccounts", "denied_accounts": "DenyAccounts",
    "allowed_groups": "AllowGroups", "allowed_qos": "AllowQos", "denied_qos": "DenyQos", "qos": "QoS", "tres": "TRES",
    "default_memory_per_cpu": "DefMemPerCPU", "default_memory_per_node": "DefMemPerNode",
    "default_time_limit": "DefaultTime", "max_time_limit": "MaxTime", "maximum_cpus_per_node": "MaxCPUsPerNode",
    "maximum_memory_per_node": "MaxMemPerNode", "maximum_memory_per_cpu": "MaxMemPerCPU",
    "maximum_nodes_per_job": "MaxNodes", "min nodes per job": "MinNodes", "priority_tier": "PriorityTier",
    "priority_job_factor": "PriorityJobFactor", "state": "State",
}  # fmt: skip
_RESERVATION = {
    "name": "ReservationName", "node_list": "Nodes", "users": "Users", "accounts": "Accounts", "flags": "Flags",
    "start_time": "StartTime", "end_time": "EndTime",
}  # fmt: skip
_SINFO = {
    "cpus.maximum": "CPUTot", "memory.maximum": "RealMemory", "threads.maximum": "ThreadsPerCore",
    "gres.total": "Gres", "features.total": "AvailableFeatures", "features.active": "ActiveFeatures",
    "node.state": "State", "weight.maximum": "Weight",
}  # fmt: skip
_QOS = {
    "max.tres.per.job": "MaxTRES", "max.tres.per.node": "MaxTRESPerNode", "max.tres.per.user": "MaxTRESPU",
    "max.tres.per.account": "MaxTRESPA", "max.tres.total": "GrpTRES", "max.tres.minutes.per.job": "MaxTRESMins",
    "max.tres.minutes.total": "GrpTRESMins", "min.tres.per.job": "MinTRES", "max.wall_clock.per.job": "MaxWall",
    "max.wall_clock.per.qos": "GrpWall",
    "max.tres.minutes.per.qos": "GrpTRESRunMins", "max.tres.minutes.per.user": "MaxTRESRunMinsPU",
    "max.tres.minutes.per.account": "MaxTRESRunMinsPA",
    "max.jobs.active_jobs.per.user": "MaxJobsPU", "max.jobs.active_jobs.per.account": "MaxJobsPA",
    "max.jobs.per.user": "MaxSubmitPU", "max.jobs.per.account": "MaxSubmitPA",
    "max.active_jobs.count": "GrpJobs", "max.jobs.count": "GrpSubmit",
}  # fmt: skip
_QOS_FLAGS = {
    "PARTITION_MINIMUM_NODE": "PartitionMinNodes", "PARTITION_MAXIMUM_NODE": "PartitionMaxNodes",
    "PARTITION_TIME_LIMIT": "PartitionTimeLimit", "OVERRIDE_PARTITION_QOS": "OverPartQOS", "DENY_LIMIT": "DenyOnLimit",
    "ENFORCE_USAGE_THRESHOLD": "EnforceUsageThreshold", "NO_RESERVE": "NoReserve", "NO_DECAY": "NoDecay",
    "REQUIRED_RESERVATION": "RequiresReservation", "USAGE_FACTOR_SAFE": "UsageFactorSafe", "RELATIVE": "Relative",
}  # fmt: skip
_ASSOCIATION = {
    "account": "Account", "user": "User", "cluster": "Cluster", "partition": "Partition",
    "parent_account": "ParentName",
    "qos": "QOS", "default.qos": "Def QOS", "max.tres.per.job": "MaxTRES", "max.tres.per.node": "MaxTRESPerNode",
    "max.tres.total": "GrpTRES", "max.tres.minutes.per.job": "MaxTRESMins", "max.per.account.wall_clock": "GrpWall",
    "max.jobs.per.wall_clock": "MaxWall", "max.jobs.active": "MaxJobs", "max.jobs.total": "MaxSubmit",
    "max.tres.group.minutes": "GrpTRESMins", "max.tres.group.active": "GrpTRESRunMins",
    "max.jobs.per.count": "GrpJobs", "max.jobs.per.submitted": "GrpSubmit",
}  # fmt: skip


def records(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every record of a document: its kind (scontrol's key, "Qos" or "Association"), its keys and values."""
    for entry in _entries(document, "nodes"):
        yield "NodeName", _node(entry)
    for entry in _entries(document, "partitions"):
        yield "PartitionName", _partition(entry)
    for entry in _entries(document, "sinfo"):
        yield from _sinfo(entry)
    for entry in _entries(document, "reservations"):
        yield "ReservationName", _by_scontrol_keys(entry, _RESERVATION)
    for entry in _entries(document, "qos"):
        yield "Qos", _qos(entry)
    for entry in _entries(document, "associations"):
        yield "Association", _by_scontrol_keys(entry, _ASSOCIATION)


def malformed_records(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The entries in the lists of records that are no objects, each with the key of its list."""
    for key in LISTS:
        entries = document.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                yield key, entry


def _entries(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = document.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _node(entry: Mapping[str, Any]) -> dict[str, str]:
    pairs = _by_scontrol_keys({key: entry[key] for key in entry if key not in ("state", "state_flags")}, _NODE)
    states = entry.get("state")
    flags = entry.get("state_flags") or []
    pairs["State"] = "+".join([*(states if isinstance(states, list) else [str(states or "UNKNOWN")]), *flags])
    return pairs


def _partition(entry: Mapping[str, Any]) -> dict[str, str]:
    pairs = _by_scontrol_keys(entry, _PARTITION)
    flags = {str(flag).lower() for flag in entry.get("flags") or []}
    pairs["Default"] = "YES" if "default" in flags else "NO"
    pairs["Hidden"] = "YES" if "hidden" in flags else "NO"
    shares = entry.get("maximums", {}).get("oversubscribe", {})
    if exclusive := entry.get("partition", {}).get("exclusive"):
        pairs["Exclusive"] = exclusive
    elif shares.get("jobs") == 0:  # with `exclusive` (26.05) every partition has 0 here, and it means nothing
        pairs["OverSubscribe"] = "EXCLUSIVE"
    if units := [unit for unit in entry.get("select_type") or () if unit != "NONE"]:
        pairs["SelectTypeParameters"] = "_".join(["CR", *units])
    return pairs


def _sinfo(entry: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """One group of equal nodes, as `sinfo --json` prints them from 23.02 on."""
    partition = _partition(entry.get("partition") or {})
    if partition.get("PartitionName"):
        yield "PartitionName", partition
    pairs = _by_scontrol_keys({key: value for key, value in entry.items() if key != "partition"}, _SINFO)
    pairs["State"] = pairs.get("State", "UNKNOWN").replace(",", "+")
    pairs["Partitions"] = partition.get("PartitionName", "")
    for name in (entry.get("nodes") or {}).get("nodes") or ():
        yield "NodeName", {"NodeName": str(name), **pairs}


def _qos(entry: Mapping[str, Any]) -> dict[str, str]:
    flags = [_QOS_FLAGS.get(flag, flag) for flag in entry.get("flags") or ()]
    own = {
        "Name": str(entry.get("name", "")),
        "Flags": _text_of(flags),
        "Priority": _text_of(entry.get("priority")),
    }
    return own | _by_scontrol_keys(entry.get("limits") or {}, _QOS)


def _by_scontrol_keys(entry: Mapping[str, Any], names: Mapping[str, str], prefix: str = "") -> dict[str, str]:
    """The values of an entry and of all objects in it, as text; `names` has scontrol's keys by path."""
    pairs: dict[str, str] = {}
    for key, value in entry.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and "number" not in value:
            for name, text in _by_scontrol_keys(value, names, f"{path}.").items():
                pairs.setdefault(name, text)
        elif (text := _text_of(value)) or path in names:
            pairs[names.get(path, path)] = text
    return pairs


def _text_of(value: Any) -> str:
    """A value as scontrol would print it; "" where it is not set."""
    if isinstance(value, Mapping):
        return _text_of_number(value) if "number" in value else json.dumps(value, sort_keys=True)
    if isinstance(value, list):
        return ",".join(_text_of_tres(item) for item in value) if _is_tres(value) else ",".join(map(_text_of, value))
    return "" if value is None or _is_unset(value) else str(value)


def _text_of_number(value: Mapping[str, Any]) -> str:
    """A number in the wrapping of newer versions: ``{"set": true, "infinite": false, "number": 8}``."""
    if value.get("infinite"):
        return "UNLIMITED"
    return _text_of(value["number"]) if value.get("set") else ""


def _is_unset(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and (value < 0 or value in _UNSET)


def _is_tres(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, Mapping) and "type" in item for item in items)


def _text_of_tres(item: Mapping[str, Any]) -> str:
    name = f"{item['type']}/{item['name']}" if item.get("name") else str(item["type"])
    return f"{name}={_text_of(item.get('count'))}"
