"""JSON that Slurm prints (openapi v0.0.37 to data_parser v0.0.44), as the keys and values that scontrol prints.

A key for which scontrol has no name keeps its path in the JSON, such as ``maximums.shares``. A value of
another kind than Slurm prints there is left out, and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from launchers.slurm.records import read_hosts
from launchers.slurm.tables import GROUP
from launchers.slurm.version import VERSION

LISTS = ("nodes", "partitions", "sinfo", "reservations", "qos", "associations")
"""The keys of a document that hold records."""
MAIN_LISTS = ("nodes", "partitions", "sinfo", "qos")
"""Those that make a document one of Slurm's even where they are empty."""
_MARKS = {
    "nodes": {"real_memory", "architecture", "gres_used"},
    "partitions": {"maximums", "max_time_limit", "allowed_accounts", "priority_tier"},
    "reservations": {"node_list", "node_count"},
    "qos": {"limits", "usage_factor"},
    "associations": {"parent_account", "is_default"},
}
"""Keys that only the entries of one list have: ``jq '.nodes[]'`` prints entries without their list."""
_DEEPEST = 8
"""Objects inside of objects: Slurm prints five."""
_UNSET = (4294967294, 4294967295, 18446744073709551614, 18446744073709551615)
"""NO_VAL and INFINITE of slurm.h, which older versions print as numbers (docs/slurm-facts.md#what-slurm-prints)."""

_META = {"release": VERSION, "cluster": "ClusterName"}
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
    "name": "PartitionName", "nodes.configured": "Nodes", "nodes.total": "TotalNodes",
    "total_nodes": "TotalNodes", "nodes.allowed_allocation": "AllocNodes",
    "allowed_allocation_nodes": "AllocNodes", "accounts.allowed": "AllowAccounts",
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


_SEVERAL = frozenset(
    {
        "Partitions", "AvailableFeatures", "ActiveFeatures", "Gres", "Nodes", "Users", "Accounts", "Flags", "QOS",
        "State", "AllowAccounts", "DenyAccounts", "AllowGroups", "AllowQos", "DenyQos", "JobDefaults", "CPUSpecList",
        "ReservationName",
    }
)  # fmt: skip
"""The keys whose value may be a list of names."""

Records = Iterator[tuple[str, dict[str, str]]]
"""Kind (scontrol's key, "Qos" or "Association"), keys and values."""
Unread = list[tuple[str, Any]]
"""Pieces that launchers cannot read: where each stands in its document, and the piece."""


def records(document: Mapping[str, Any], unread: Unread) -> Records:
    """Every record of a document. What has another shape than Slurm prints goes to `unread`. Never raises."""
    for key in LISTS:
        entries = document.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                unread.append((key, entry))
                continue
            pieces: Unread = []
            yield from _records(key, entry, pieces)
            unread += [(f"{key}: {entry.get('name', '?')}: {where}", piece) for where, piece in pieces]


def settings(document: Mapping[str, Any]) -> dict[str, str]:
    """What a document says of the cluster that printed it: its name, and the version of Slurm, such as 24.11.5."""
    about = document.get("meta")
    slurm = (about.get("slurm") or about.get("Slurm")) if isinstance(about, dict) else None
    printed = {setting: slurm.get(key) for key, setting in _META.items()} if isinstance(slurm, dict) else {}
    return {setting: value for setting, value in printed.items() if isinstance(value, str) and value}


def as_document(value: Any) -> Mapping[str, Any]:
    """A document of entries that stand without their list, as jq prints them; a document as it is."""
    entries = value if isinstance(value, list) else [value]
    document: dict[str, Any] = {}
    for entry in entries:
        for key, marks in _MARKS.items() if isinstance(entry, dict) else ():
            if marks & entry.keys():
                document.setdefault(key, []).append(entry)
                break
    return document or (value if isinstance(value, dict) else {})


def is_document(value: Any) -> bool:
    """Whether this is JSON of Slurm, or text that a tool recorded."""
    document = as_document(value)
    return any(isinstance(document.get(key), list) for key in LISTS) or isinstance(document.get("stdout"), str)


def _records(key: str, entry: Mapping[str, Any], unread: Unread) -> Records:
    match key:
        case "nodes":
            yield "NodeName", _node(entry, unread)
        case "partitions":
            yield "PartitionName", _partition(entry, unread)
        case "sinfo":
            yield from _sinfo(entry, unread)
        case "reservations":
            yield "ReservationName", _by_scontrol_keys(entry, _RESERVATION, unread)
        case "qos":
            yield "Qos", _qos(entry, unread)
        case _:
            yield "Association", _by_scontrol_keys(entry, _ASSOCIATION, unread)


def _node(entry: Mapping[str, Any], unread: Unread) -> dict[str, str]:
    pairs = _by_scontrol_keys(_without(entry, "state", "state_flags"), _NODE, unread)
    states = [*_names(entry, "state", unread), *_names(entry, "state_flags", unread)]
    return pairs | ({"State": "+".join(states)} if states else {})


def _partition(entry: Mapping[str, Any], unread: Unread) -> dict[str, str]:
    pairs = _by_scontrol_keys(_without(entry, "flags", "select_type"), _PARTITION, unread)
    flags = {flag.lower() for flag in _names(entry, "flags", unread)}
    pairs |= {key: "YES" for key in ("Default", "Hidden") if key.lower() in flags}  # newer versions print no flags
    shares = _object(_object(entry, "maximums"), "oversubscribe")
    if exclusive := _names(_object(entry, "partition"), "exclusive", unread):
        pairs["Exclusive"] = exclusive[0]
    elif shares.get("jobs") == 0:  # with `exclusive` (26.05) every partition has 0 here, and it means nothing
        pairs["OverSubscribe"] = "EXCLUSIVE"
    if units := [unit for unit in _names(entry, "select_type", unread) if unit != "NONE"]:
        pairs["SelectTypeParameters"] = "_".join(["CR", *units])
    return pairs


def _sinfo(entry: Mapping[str, Any], unread: Unread) -> Records:
    """One group of nodes, as `sinfo --json` prints them from 23.02 on; they may differ in their numbers."""
    partition = _partition(_object(entry, "partition", unread), unread)
    if partition.get("PartitionName"):
        yield "PartitionName", partition
    pairs = _by_scontrol_keys(_without(entry, "partition", "nodes"), _SINFO, unread)
    pairs |= {
        key: f"{least}+"
        for path, key in _SINFO.items()
        if (least := pairs.get(path.replace("maximum", "minimum"))) and least != pairs.get(key)
    }
    pairs["State"] = pairs.get("State", "").replace(",", "+")
    pairs["Partitions"] = partition.get("PartitionName", "")
    nodes = _object(entry, "nodes", unread)
    names: list[str] = []
    for hosts in _names(nodes, "nodes", unread):
        try:
            names += read_hosts(hosts)
        except ValueError:
            unread.append(("nodes", hosts))
    for name in names:
        yield "NodeName", {"NodeName": name, **pairs}
    if pairs["Partitions"] and type(total := nodes.get("total")) is int:
        yield GROUP, {**pairs, "NODES": str(total), "Hosts": ",".join(names)}


def _qos(entry: Mapping[str, Any], unread: Unread) -> dict[str, str]:
    own = {
        "Name": _text_of(entry.get("name")) or "",
        "Flags": ",".join(_QOS_FLAGS.get(flag, flag) for flag in _names(entry, "flags", unread)),
        "Priority": _text_of(entry.get("priority")) or "",
    }
    return own | _by_scontrol_keys(_object(entry, "limits", unread), _QOS, unread)


def _by_scontrol_keys(
    entry: Mapping[str, Any], names: Mapping[str, str], unread: Unread, prefix: str = ""
) -> dict[str, str]:
    """The values of an entry and of all objects in it, as text; `names` has scontrol's keys by path."""
    pairs: dict[str, str] = {}
    for key, value in entry.items():
        path = f"{prefix}{key}"
        if type(value) is str and value:
            pairs[names.get(path, path)] = value
            continue
        if isinstance(value, dict) and "number" not in value:
            inner = _by_scontrol_keys(value, names, unread, f"{path}.") if path.count(".") < _DEEPEST else {}
            for inner_name, inner_text in inner.items():
                pairs.setdefault(inner_name, inner_text)
            if path in names and not any(name.startswith(f"{path}.") for name in names):
                unread.append((path, value))
            continue
        name = names.get(path, path)
        text = _text_of(value, several=path not in names or name in _SEVERAL)
        if text is None and path in names:
            unread.append((path, value))
        elif text:
            pairs[name] = text
        elif path in names:
            pairs.setdefault(name, "")
    return pairs


def _without(entry: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in keys}


def _object(entry: Mapping[str, Any], key: str, unread: Unread | None = None) -> Mapping[str, Any]:
    """The object under this key; an empty one where there is none. What is no object goes to `unread`."""
    value = entry.get(key)
    if unread is not None and value is not None and not isinstance(value, dict):
        unread.append((key, value))
    return value if isinstance(value, dict) else {}


def _names(entry: Mapping[str, Any], key: str, unread: Unread) -> list[str]:
    """The names under this key, which may be a list or text; what is no name goes to `unread`."""
    value = entry.get(key)
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list):
        names = [] if value is None else [value]
    unread += [(key, name) for name in names if not isinstance(name, str)]
    return [name for name in names if isinstance(name, str) and name]


def _text_of(value: Any, *, several: bool = True) -> str | None:
    """A value as scontrol would print it: "" where it is not set, None for what no version of Slurm prints there."""
    if value is None or isinstance(value, str | bool):
        return "" if value is None else str(value)
    if isinstance(value, int | float):
        return _text_of_number(value)
    match value:
        case {"number": int() | float() | str() | None as number}:
            return "UNLIMITED" if value.get("infinite") else _text_of(number) if value.get("set") else ""
        case [{"type": _}, *_]:
            return _text_of_tres(value)
        case [] | [_]:
            return _text_of(value[0]) if value else ""
        case list() if several:
            texts = [_text_of(item) for item in value]
            return None if None in texts else ",".join(text for text in texts if text is not None)
    return None


def _text_of_number(number: float) -> str:
    """A number; "" for those that mean that nothing is set."""
    if number != number or number in (float("inf"), float("-inf")) or number < 0 or number in _UNSET:
        return ""
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)


def _text_of_tres(items: Iterable[Any]) -> str | None:
    amounts = []
    for item in items:
        match item:
            case {"type": str() as kind}:
                name = item.get("name")
                count = _text_of(item.get("count"), several=False)
                amounts.append(f"{kind}/{name}={count}" if isinstance(name, str) and name else f"{kind}={count}")
            case _:
                return None
    return None if any(amount.endswith("=None") for amount in amounts) else ",".join(amounts)
