"""Records of Slurm, as keys and values under scontrol's and sacctmgr's names, to typed facts.

A value that cannot be read becomes a problem, and counts as not stated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

from attrs import frozen

from launchers.quantities.hosts import count_hosts
from launchers.quantities.units import MIB
from launchers.slurm.columns import split_list
from launchers.slurm.facts import (
    Association,
    Bounds,
    Qos,
    Reservation,
    SlurmNode,
    SlurmPartition,
    Tres,
    read_node_state,
)
from launchers.slurm.gres import Gres, read_gres, read_tres
from launchers.slurm.records import CUT, ReadProblem
from launchers.slurm.times import read_limit, read_total

_UNSET = {"", "(null)", "n/a", "none", "unlimited", "infinite"}
_PARTITION_STATES = {"INACT": "INACTIVE", "": "UP"}
"""sinfo's word (AVAIL), and what a partition is taken for whose state was not printed."""
MAX_NUMBER = 2**63
"""Slurm's own numbers have at most 64 bits."""
T = TypeVar("T")


def read_node(pairs: Mapping[str, str], line: int, problems: list[ReadProblem]) -> SlurmNode:
    """A node from the keys of ``scontrol show node``."""
    values = Values(pairs, line, problems)
    threads = values.number("ThreadsPerCore") or 1
    return SlurmNode(
        name=pairs["NodeName"],
        cpus=_cpus_for_jobs(values, threads),
        memory=_memory_for_jobs(values),
        threads_per_core=threads,
        gres=values.read(_read_whole_gres, "Gres") or (),
        features=tuple(dict.fromkeys(values.names("ActiveFeatures", "AvailableFeatures", "Features"))),
        state=values.read(read_node_state, "State"),
        partitions=values.names("Partitions"),
        weight=values.number("Weight") or 1,
        line=line,
        pairs=pairs,
    )


def read_partition(pairs: Mapping[str, str], line: int, problems: list[ReadProblem]) -> SlurmPartition:
    """A partition from the keys of ``scontrol show partition``."""
    values = Values(pairs, line, problems)
    nodes = _whole_hosts(values, "Nodes")
    _check_host_list(nodes, pairs["PartitionName"], line, problems)
    settings = dict(item.split("=", 1) for item in (values.text("JobDefaults") or "").split(",") if "=" in item)
    job_defaults = Values(settings, line, problems)
    return SlurmPartition(
        name=pairs["PartitionName"],
        nodes=nodes,
        state=_partition_state(values),
        default=values.is_yes("Default"),
        hidden=values.is_yes("Hidden"),
        max_time=values.seconds("MaxTime"),
        default_time=values.seconds("DefaultTime"),
        min_nodes=values.number("MinNodes") or 0,
        max_nodes=values.number("MaxNodes"),
        max_cpus_per_node=values.number("MaxCPUsPerNode"),
        max_cpus_per_socket=values.number("MaxCPUsPerSocket"),
        def_mem_per_cpu=values.mebibytes("DefMemPerCPU"),
        def_mem_per_node=values.mebibytes("DefMemPerNode"),
        def_mem_per_gpu=job_defaults.mebibytes("DefMemPerGPU"),
        def_cpu_per_gpu=job_defaults.number("DefCpuPerGPU"),
        max_mem_per_cpu=values.mebibytes("MaxMemPerCPU"),
        max_mem_per_node=values.mebibytes("MaxMemPerNode"),
        allow_accounts=values.names_or_all("AllowAccounts"),
        deny_accounts=values.names_or_all("DenyAccounts") or (),
        allow_qos=values.names_or_all("AllowQos"),
        deny_qos=tuple(name for names in values.names_or_all("DenyQos") or () for name in names.split("+")),
        allow_groups=values.names_or_all("AllowGroups"),
        qos=values.text("QoS"),
        oversubscribe=_oversubscribe(values),
        root_only=values.is_yes("RootOnly"),
        req_resv=values.is_yes("ReqResv"),
        priority_tier=values.number("PriorityTier", "Priority"),
        total_nodes=values.number("TotalNodes"),
        tres=_readable_tres(values.text("TRES") or ""),
        groups=(),
        line=line,
        pairs=pairs,
    )


def read_reservation(pairs: Mapping[str, str], line: int, problems: list[ReadProblem]) -> Reservation:
    """A reservation from the keys of ``scontrol show reservation``."""
    values = Values(pairs, line, problems)
    return Reservation(
        name=pairs["ReservationName"],
        nodes=values.text("Nodes") or "",
        state=(values.text("State") or "").upper(),
        users=values.names("Users"),
        accounts=values.names("Accounts"),
        flags=values.names("Flags"),
        start=values.text("StartTime") or "",
        end=values.text("EndTime") or "",
        line=line,
        pairs=pairs,
    )


def read_qos(pairs: Mapping[str, str], line: int, problems: list[ReadProblem]) -> Qos:
    """A QoS from the columns of ``sacctmgr show qos``."""
    values = Values(pairs, line, problems)
    priority = values.number("Priority") or 0
    return Qos(pairs["Name"], priority, values.names("Flags"), _read_bounds(values), line, pairs)


def read_association(pairs: Mapping[str, str], line: int, problems: list[ReadProblem]) -> Association:
    """An association from the columns of ``sacctmgr show assoc`` (or ``show user withassoc``)."""
    values = Values(pairs, line, problems)
    account = values.text("Account") or ""
    default = values.text("DefaultAccount", "Def Acct")
    return Association(
        cluster=values.text("Cluster") or "",
        account=account,
        parent=values.text("ParentName", "Par Name") or "",
        user=values.text("User") or "",
        partition=values.text("Partition") or "",
        qos=values.names("QOS"),
        default_qos=values.text("Def QOS", "DefaultQOS") or "",
        default=default == account if default else False,
        bounds=_read_bounds(values),
        line=line,
        pairs=pairs,
    )


@frozen
class Values:
    """The values of one record by their keys. Several keys are names of one value: the first that is set counts.

    A value that cannot be read is added to `problems`, and is None.
    """

    pairs: Mapping[str, str]
    line: int
    problems: list[ReadProblem]

    def text(self, *keys: str) -> str | None:
        """The value as text; None where it is not set, or is a word for "no limit"."""
        for key in keys:
            value = self.pairs.get(key, "").strip()
            if value.lower() not in _UNSET:
                return value
        return None

    def read(self, convert: Callable[[str], T], *keys: str) -> T | None:
        """The value as `convert` reads it, which raises ValueError for what it cannot read."""
        value = self.text(*keys)
        if value is None:
            return None
        try:
            return convert(value)
        except ValueError as error:
            self.problems.append(ReadProblem(self.line, f"{keys[0]}={value}", str(error)))
            return None

    def number(self, *keys: str) -> int | None:
        """A whole number."""
        return self.read(_read_whole_number, *keys)

    def mebibytes(self, *keys: str) -> int | None:
        """An amount of memory that Slurm prints in MiB, in bytes. None for 0, which means no limit."""
        value = self.number(*keys)
        return value * MIB if value else None

    def seconds(self, *keys: str) -> int | None:
        """A time limit, in seconds."""
        return self.read(read_limit, *keys)

    def names(self, *keys: str) -> tuple[str, ...]:
        """A list of names, separated by commas or plus signs."""
        value = self.text(*keys)
        return tuple(name for name in (value or "").replace("+", ",").split(",") if name not in ("", CUT))

    def names_or_all(self, *keys: str) -> tuple[str, ...] | None:
        """A list of names; None for ALL. The word none is a name like any other (docs/slurm-facts.md#partitions)."""
        value = next((value for key in keys if (value := self.pairs.get(key, "").strip())), "")
        if value.upper() in ("", "ALL", "(NULL)", "N/A"):
            return None
        return tuple(name for name in value.split(",") if name)

    def is_yes(self, key: str) -> bool:
        """Whether the value is YES; NO where it is not set."""
        return (self.text(key) or "NO").upper().startswith("YES")

    def tres(self, *keys: str) -> Tres:
        """A TRES list."""
        return self.read(read_tres, *keys) or ()


def _read_whole_number(text: str) -> int:
    """A number from 0 up. sinfo prints ``128+`` where it is the least of several nodes: 128 is true of each."""
    try:
        number = int(text.replace(",", "").removesuffix("+"))
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not a whole number") from None
    if not 0 <= number < MAX_NUMBER:
        raise ValueError(f"{text[:60]!r} is not a number from 0 up that Slurm can have")
    return number


def _read_whole_gres(text: str) -> tuple[Gres, ...]:
    """The resources of a list, as far as it was printed."""
    return read_gres(text.removesuffix(CUT).removesuffix(","))


def _cpus_for_jobs(values: Values, threads: int) -> int | None:
    """CPUEfctv where scontrol prints it, else CPUTot without the specialised cores (docs/slurm-facts.md#cpus)."""
    effective = values.number("CPUEfctv")
    if effective is not None:
        return effective
    total = values.number("CPUTot", "CPUs")
    if total is None:
        return None
    return max(0, total - (values.number("CoreSpecCount") or 0) * threads)


def _memory_for_jobs(values: Values) -> int | None:
    """RealMemory without MemSpecLimit, in bytes; RealMemory=1 is Slurm's default: nobody configured it."""
    total = values.number("RealMemory")
    kept_back = values.number("MemSpecLimit") or 0
    return None if total is None or total <= max(1, kept_back) else (total - kept_back) * MIB


def _partition_state(values: Values) -> str:
    """UP, DOWN, DRAIN or INACTIVE; any other word as it was printed."""
    state = (values.text("State") or "").upper()
    return _PARTITION_STATES.get(state, state)


def _readable_tres(text: str) -> Tres:
    """The amounts of a TRES list, without those that are no numbers, such as ``mem=UNLIMITED``."""
    amounts: list[tuple[str, int]] = []
    for item in text.split(","):
        with suppress(ValueError):
            amounts += read_tres(item)
    return tuple(amounts)


def is_cut_off(hosts: str) -> bool:
    """Whether the end of a list of hosts is missing: three dots stand for it, or its last bracket is open."""
    return CUT in hosts or hosts.rfind("[") > hosts.rfind("]")


def _whole_hosts(values: Values, key: str) -> str:
    """A list of hosts, without the last one where it was cut off."""
    hosts = values.text(key) or ""
    if not is_cut_off(hosts):
        return hosts
    values.problems.append(ReadProblem(values.line, f"{key}={hosts}", "this list of nodes was cut off"))
    return ",".join(part for part in split_list(hosts) if not is_cut_off(part))


def _check_host_list(hosts: str, partition: str, line: int, problems: list[ReadProblem]) -> None:
    try:
        if hosts:
            count_hosts(hosts)
    except ValueError as error:
        problems.append(ReadProblem(line, str(error), f"cannot read the Nodes of partition {partition}"))


def _oversubscribe(values: Values) -> str:
    """OverSubscribe, for which 26.05 has Exclusive=NODE in place of EXCLUSIVE (docs/slurm-facts.md#partitions)."""
    if (values.text("Exclusive") or "NO").upper() == "NODE":
        return "EXCLUSIVE"
    return (values.text("OverSubscribe", "Shared") or "NO").upper()


def _read_bounds(values: Values) -> Bounds:
    """The limits among the columns of ``sacctmgr show qos`` or ``show assoc``."""
    return Bounds(
        max_wall=values.seconds("MaxWall"),
        max_tres=_with_old_columns(values, "MaxTRES", {"cpu": ("MaxCPUs",), "node": ("MaxNodes",)}),
        max_tres_per_node=values.tres("MaxTRESPerNode"),
        max_tres_per_user=_with_old_columns(values, "MaxTRESPU", {"cpu": ("MaxCPUsPU",), "node": ("MaxNodesPU",)}),
        max_tres_per_account=values.tres("MaxTRESPA"),
        min_tres=_with_old_columns(values, "MinTRES", {"cpu": ("MinCPUs",)}),
        grp_tres=_with_old_columns(values, "GrpTRES", {"cpu": ("GrpCPUs",), "node": ("GrpNodes",)}),
        max_tres_mins=values.tres("MaxTRESMins"),
        grp_tres_mins=values.tres("GrpTRESMins"),
        grp_tres_run_mins=values.tres("GrpTRESRunMins"),
        max_tres_run_mins_per_user=values.tres("MaxTRESRunMinsPU"),
        max_tres_run_mins_per_account=values.tres("MaxTRESRunMinsPA"),
        grp_wall=values.read(read_total, "GrpWall"),
        max_jobs=values.number("MaxJobsPU", "MaxJobs"),
        max_jobs_per_account=values.number("MaxJobsPA"),
        grp_jobs=values.number("GrpJobs"),
        max_submit=values.number("MaxSubmitPU", "MaxSubmit"),
        max_submit_per_account=values.number("MaxSubmitPA"),
        grp_submit=values.number("GrpSubmit"),
    )


def _with_old_columns(values: Values, key: str, columns: Mapping[str, tuple[str, ...]]) -> Tres:
    """A TRES list with the amounts that older formats have in columns of their own, such as MaxCPUs."""
    own = {tres: number for tres, names in columns.items() if (number := values.number(*names)) is not None}
    return tuple({**own, **dict(values.tres(key))}.items())
