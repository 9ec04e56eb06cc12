"""What several records say of one thing, as one record: a node that scontrol, sinfo and a JSON document describe.

Each key has the value of the record that knows it best, whatever the order of the records: one that was printed in
full before one that was cut, scontrol before JSON before tables (docs/converting.md). What is configured and still
differs is told, once for each thing. What changes while jobs run is no contradiction.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import partial

from attrs import evolve

from launchers.quantities.hosts import expand_hosts
from launchers.quantities.numbers import whole_number
from launchers.slurm.facts import read_node_state
from launchers.slurm.records import CUT, ReadProblem, Record, Source, place
from launchers.slurm.times import read_limit, read_total

_TRUST = {Source.TABLE: 1, Source.JSON: 2, Source.SCONTROL: 3}
"""What knows better what a thing is: the higher one."""
LISTS_TO_JOIN = {"NodeName": ("Partitions",)}
"""The lists of which every record may have a part: sinfo names a node once for each of its partitions."""
_CONFIGURED = {
    "NodeName": frozenset(
        {
            "CPUTot", "CPUEfctv", "RealMemory", "MemSpecLimit", "CoreSpecCount", "ThreadsPerCore", "Sockets",
            "CoresPerSocket", "Gres", "AvailableFeatures", "ActiveFeatures", "Weight", "Arch", "State",
        }
    ),
    "PartitionName": frozenset(
        {
            "State", "Default", "Hidden", "MaxTime", "DefaultTime", "MinNodes", "MaxNodes", "MaxCPUsPerNode",
            "MaxCPUsPerSocket", "DefMemPerCPU", "DefMemPerNode", "MaxMemPerCPU", "MaxMemPerNode", "JobDefaults",
            "AllowAccounts", "DenyAccounts", "AllowQos", "DenyQos", "AllowGroups", "QoS", "OverSubscribe", "Exclusive",
            "RootOnly", "ReqResv", "PriorityTier", "Nodes", "TotalNodes",
        }
    ),
    "ReservationName": frozenset({"Nodes", "Users", "Accounts"}),
    "Config": frozenset(
        {
            "ClusterName", "SLURM_VERSION", "SelectType", "SelectTypeParameters", "AccountingStorageEnforce",
            "DefMemPerCPU", "DefMemPerNode", "MaxMemPerCPU", "MaxMemPerNode",
        }
    ),
}  # fmt: skip
"""By kind of record: the keys that a cluster's administrator sets. Those of the accounting database are all such."""
_NUMBERS = frozenset({"CPUTot", "CPUEfctv", "RealMemory", "MemSpecLimit", "CoreSpecCount", "Weight", "ThreadsPerCore"})
_TIMES = {"MaxTime": read_limit, "DefaultTime": read_limit, "MaxWall": read_limit, "GrpWall": read_total}
_NO_LIMIT = {"", "(null)", "n/a", "none", "unlimited", "infinite", "not_set"}
_NONE_IS_SAID = frozenset({"Gres", "AvailableFeatures", "ActiveFeatures"})
_SOCKETS = re.compile(r"\(s:[^)]*\)", re.IGNORECASE)
_NAMED_AT_ONCE = 3
"""How many of the keys that differ a message names."""


def merge(name: str, records: Sequence[Record], problems: list[ReadProblem]) -> Record:
    """The records of the thing of this name as one. Contradictions are added to `problems`."""
    if len(records) == 1:
        return records[0]
    kind = records[0].kind
    pairs: dict[str, str] = {}
    contradictions: dict[str, tuple[Record, Record]] = {}
    for key in dict.fromkeys(key for record in records for key in record.pairs):
        printed = [record for record in records if key in record.pairs]
        stating = [record for record in printed if _is_said(key, record.pairs[key])]
        if not stating:
            pairs[key] = max(record.pairs[key] for record in printed)
        elif key in LISTS_TO_JOIN.get(kind, ()):
            pairs[key] = _joined(record.pairs[key] for record in stating)
        else:
            best = max(stating, key=partial(_knowledge, key))
            pairs[key] = best.pairs[key]
            if other := _contradicting(kind, key, best, stating):
                contradictions[key] = best, other
    if contradictions:
        problems.append(_problem(name, contradictions))
    best = max(records, key=lambda record: (_TRUST[record.source], -record.line))
    return evolve(best, pairs=pairs)


def _is_said(key: str, value: str) -> bool:
    """Whether a value says something; ``(null)`` says that a node has no GRES or features."""
    text = value.strip().lower()
    return text not in ("", "n/a") and (text != "(null)" or key in _NONE_IS_SAID)


def _joined(lists: Iterable[str]) -> str:
    """Lists of names as one; in the order in which they were printed where all are the same, else sorted."""
    distinct = set(lists)
    if len(distinct) == 1:
        return distinct.pop()
    return ",".join(sorted({name for names in distinct for name in names.split(",") if name}))


def _knowledge(key: str, record: Record) -> tuple[bool, bool, int, bool, int, str, int]:
    """What orders the values of one key, the best last: the value itself decides where all else is equal."""
    value = record.pairs[key].strip()
    is_whole = not value.endswith(("+", CUT))
    is_down = key == "State" and not _is_usable(value)
    return _is_readable(key, value), is_whole, _TRUST[record.source], is_down, len(value), value, -record.line


def _is_readable(key: str, value: str) -> bool:
    if key in _NUMBERS:
        return whole_number(value.replace(",", "").removesuffix("+")) is not None
    return True


# -- contradictions --------------------------------------------------------------------------------------------


def _contradicting(kind: str, key: str, best: Record, stating: Iterable[Record]) -> Record | None:
    """The first record, by its place, that cannot be true together with the best one."""
    if kind in _CONFIGURED and key not in _CONFIGURED[kind]:
        return None
    others = (record for record in stating if record.pairs[key] != best.pairs[key])
    differing = (record for record in others if not _agree(kind, key, best, record))
    return min(differing, key=lambda record: (record.text, record.line, record.pairs[key]), default=None)


def _agree(kind: str, key: str, best: Record, other: Record) -> bool:
    """Whether two records say the same of a key, each in its own form."""
    value, stated = best.pairs[key].strip(), other.pairs[key].strip()
    if kind == "NodeName" and key == "State":
        return _is_usable(value) == _is_usable(stated)
    if not _is_readable(key, stated):
        return True  # told where it is read
    if stated.endswith(CUT):
        return _SOCKETS.sub("", value).startswith(stated.removesuffix(CUT).removesuffix(","))
    if key in _NUMBERS and (stated.endswith("+") or value.endswith("+")):
        return True  # the least of several nodes
    if key == "CPUTot" and stated == best.pairs.get("CPUEfctv"):
        return True  # newer versions of sinfo print the CPUs that jobs can have
    return _meaning(key, value) == _meaning(key, stated)


def _meaning(key: str, value: str) -> Hashable:
    """A value without what Slurm prints in several ways: the form of times, the order of lists, sockets of GRES."""
    text = _SOCKETS.sub("", value.lower())
    if key in _TIMES:
        try:
            return _TIMES[key](text) if text else None
        except ValueError:
            return text
    if key == "Nodes":
        try:
            return frozenset(expand_hosts(text))
        except ValueError:
            return text
    if key.startswith(("DefMem", "MaxMem", "MaxNodes", "MaxCPUs")) and (text in _NO_LIMIT or text == "0"):
        return None
    if key == "MinNodes":
        return "1" if text == "0" else text
    if text in _NO_LIMIT and not key.startswith(("Allow", "Deny")):
        return frozenset()
    return frozenset(item for item in re.split(r"[,+]", text) if item)


def _is_usable(state: str) -> bool:
    """Whether jobs can start in a state; also where it is no state that launchers knows."""
    try:
        read = read_node_state(state)
    except ValueError:
        return True
    return read is None or read.usable


def _problem(name: str, contradictions: Mapping[str, tuple[Record, Record]]) -> ReadProblem:
    """One message for a thing, at the record that is not believed."""
    best, other = contradictions[min(contradictions)]
    here = [key for key, places in sorted(contradictions.items()) if places == (best, other)]
    shown = ", ".join(
        f"{key}={other.pairs[key][:60]} here, {best.pairs[key][:60]} there" for key in here[:_NAMED_AT_ONCE]
    )
    there = place(best.text, best.line)
    message = f"{name} is described on {there} too, and differs: {shown}; {there} is used"
    return ReadProblem(other.line, name, message, other.text)
