"""JSON that Slurm prints (openapi v0.0.37 to data_parser v0.0.44) as the same keys and values that scontrol prints.

So there is one reading of facts, whatever form they came in.  Keys that scontrol has no word for are kept as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

UNSET = (4294967294, 4294967295, 18446744073709551614, 18446744073709551615)
"""NO_VAL and INFINITE of slurm.h, which older versions print as numbers."""

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
_QOS = {
    "max.tres.per.job": "MaxTRES", "max.tres.per.node": "MaxTRESPerNode", "max.tres.per.user": "MaxTRESPU",
    "max.tres.per.account": "MaxTRESPA", "max.tres.total": "GrpTRES", "max.tres.minutes.per.job": "MaxTRESMins",
    "max.tres.minutes.total": "GrpTRESMins", "min.tres.per.job": "MinTRES", "max.wall_clock.per.job": "MaxWall",
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


def records(data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every record of a document, as (kind, keys and values); kind is scontrol's, or "Qos" or "Association"."""
    for entry in _list(data, "nodes"):
        yield "NodeName", _node(entry)
    for entry in _list(data, "partitions"):
        yield "PartitionName", _partition(entry)
    for entry in _list(data, "sinfo"):
        yield from _sinfo(entry)
    for entry in _list(data, "reservations"):
        yield "ReservationName", _reservation(entry)
    for entry in _list(data, "qos"):
        flags = [_QOS_FLAGS.get(flag, flag) for flag in entry.get("flags") or ()]
        name = {"Name": str(entry.get("name", "")), "Flags": _text(flags)}
        name["Priority"] = _text(entry.get("priority"))
        yield "Qos", {**name, **_mapped(entry.get("limits") or {}, _QOS)}
    for entry in _list(data, "associations"):
        yield "Association", _mapped(entry, _ASSOCIATION)


def odd(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What stands in the lists of records and is none, with the key of its list."""
    for key in ("nodes", "partitions", "sinfo", "reservations", "qos", "associations"):
        entries = data.get(key)
        yield from ((key, one) for one in (entries if isinstance(entries, list) else ()) if not isinstance(one, dict))


def _list(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = data.get(key)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _text(value: Any) -> str:
    """A value as scontrol would print it; the wrapped numbers of newer versions unwrapped."""
    if isinstance(value, Mapping) and "number" in value:
        if value.get("infinite"):
            return "UNLIMITED"
        return _text(value["number"]) if value.get("set") else ""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and (value < 0 or value in UNSET)):
        return ""
    if isinstance(value, list):
        if value and all(isinstance(item, Mapping) and "type" in item for item in value):
            return ",".join(f"{_tres(item)}={_text(item.get('count'))}" for item in value)
        return ",".join(_text(item) for item in value)
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True)
    return str(value)


def _tres(item: Mapping[str, Any]) -> str:
    return f"{item['type']}/{item['name']}" if item.get("name") else str(item["type"])


def _mapped(entry: Mapping[str, Any], names: Mapping[str, str], prefix: str = "") -> dict[str, str]:
    """Values by scontrol's keys; what has none keeps its own path."""
    found: dict[str, str] = {}
    for key, value in entry.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and "number" not in value:
            for name, text in _mapped(value, names, f"{path}.").items():
                found.setdefault(name, text)
        elif (text := _text(value)) or path in names:
            found[names.get(path, path)] = text
    return found


def _node(entry: Mapping[str, Any]) -> dict[str, str]:
    pairs = _mapped({key: value for key, value in entry.items() if key not in ("state", "state_flags")}, _NODE)
    states = entry.get("state")
    flags = entry.get("state_flags") or []
    pairs["State"] = "+".join([*(states if isinstance(states, list) else [str(states or "UNKNOWN")]), *flags])
    return pairs


def _partition(entry: Mapping[str, Any]) -> dict[str, str]:
    pairs = _mapped(entry, _PARTITION)
    flags = {str(flag).lower() for flag in entry.get("flags") or []}
    pairs["Default"] = "YES" if "default" in flags else "NO"
    pairs["Hidden"] = "YES" if "hidden" in flags else "NO"
    shares = entry.get("maximums", {}).get("oversubscribe", {})
    if exclusive := entry.get("partition", {}).get("exclusive"):
        pairs["Exclusive"] = exclusive
    elif shares.get("jobs") == 0:  # where partitions say `exclusive`, 0 says nothing
        pairs["OverSubscribe"] = "EXCLUSIVE"
    if units := [one for one in entry.get("select_type") or () if one != "NONE"]:
        pairs["SelectTypeParameters"] = "_".join(["CR", *units])
    return pairs


def _reservation(entry: Mapping[str, Any]) -> dict[str, str]:
    names = {"name": "ReservationName", "node_list": "Nodes", "users": "Users", "accounts": "Accounts"}
    return _mapped(entry, {**names, "flags": "Flags", "start_time": "StartTime", "end_time": "EndTime"})


def _sinfo(entry: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """One group of equal nodes, as `sinfo --json` prints them from 23.02 on."""
    partition = _partition(entry.get("partition") or {})
    if partition.get("PartitionName"):
        yield "PartitionName", partition
    names = {
        "cpus.maximum": "CPUTot", "memory.maximum": "RealMemory", "threads.maximum": "ThreadsPerCore",
        "gres.total": "Gres", "features.total": "AvailableFeatures", "features.active": "ActiveFeatures",
        "node.state": "State", "weight.maximum": "Weight",
    }  # fmt: skip
    pairs = _mapped({key: value for key, value in entry.items() if key != "partition"}, names)
    pairs["State"] = pairs.get("State", "UNKNOWN").replace(",", "+")
    pairs["Partitions"] = partition.get("PartitionName", "")
    for name in (entry.get("nodes") or {}).get("nodes") or ():
        yield "NodeName", {"NodeName": str(name), **pairs}
