"""What Slurm says of a cluster, as facts: typed, in bytes and seconds, nothing inferred, unknown keys kept.

None means that Slurm says nothing or sets no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import field, frozen

from launchers.quantities.hosts import number
from launchers.slurm.gres import Gres, read_gres, read_tres
from launchers.slurm.records import Problem
from launchers.slurm.times import read_limit

MIB = 1024**2
_UNSET = {"", "(null)", "n/a", "none", "unlimited", "infinite"}
T = TypeVar("T")

GONE = frozenset({"DOWN", "FAIL", "FAILING", "ERROR", "FUTURE", "UNKNOWN"})
UNUSABLE = frozenset({"DRAIN", "DRAINED", "DRAINING", "NOT_RESPONDING", "FAIL", "MAINTENANCE", "REBOOT_ISSUED"})
_MARKS = {
    "*": "NOT_RESPONDING", "~": "POWERED_DOWN", "#": "POWERING_UP", "!": "POWERING_DOWN", "%": "POWERING_DOWN",
    "$": "MAINTENANCE", "@": "REBOOT_REQUESTED", "^": "REBOOT_ISSUED", "-": "PLANNED", "+": "COMPLETING",
}  # fmt: skip
_SHORT = {"ALLOC": "ALLOCATED", "MIX": "MIXED", "DRNG": "DRAINING", "COMP": "COMPLETING", "MAINT": "MAINTENANCE"}


@frozen
class NodeState:
    """A node's state and the flags hung on it: ``IDLE+CLOUD+POWERED_DOWN``, ``down*``."""

    base: str
    flags: frozenset[str] = frozenset()

    @property
    def usable(self) -> bool:
        """Whether jobs can start there, now or when what runs there has ended (man sinfo, NODE STATE CODES)."""
        return self.base not in GONE | UNUSABLE and not self.flags & (UNUSABLE | {"DOWN"})


def node_state(text: str) -> NodeState:
    """Read a state in scontrol's long form or sinfo's compact one."""
    bare = text.strip().upper()
    flags = set()
    while bare and bare[-1] in _MARKS:
        flags.add(_MARKS[bare[-1]])
        bare = bare[:-1]
    parts = [part.rstrip("*") for part in bare.split("+") if part]
    if "*" in bare:
        flags.add("NOT_RESPONDING")
    base, *more = parts or ["UNKNOWN"]
    return NodeState(_SHORT.get(base, base), frozenset(flags | set(more)))


@frozen
class Node:
    """A node: what it has, minus what Slurm keeps for itself.

    `cpus` are those that jobs can have (CPUEfctv, or CPUTot minus the specialised cores), `memory` RealMemory minus
    MemSpecLimit; None when RealMemory is 1, which means that nobody configured it.
    """

    name: str
    cpus: int | None
    memory: int | None
    threads_per_core: int
    gres: tuple[Gres, ...]
    features: tuple[str, ...]
    state: NodeState
    partitions: tuple[str, ...]
    weight: int
    line: int
    pairs: Mapping[str, str] = field(repr=False, eq=False)


@frozen
class Partition:
    """A partition and every limit that it sets.  `allow_*` is None for ALL."""

    name: str
    nodes: str
    state: str
    default: bool
    hidden: bool
    max_time: int | None
    default_time: int | None
    min_nodes: int
    max_nodes: int | None
    max_cpus_per_node: int | None
    max_cpus_per_socket: int | None
    def_mem_per_cpu: int | None
    def_mem_per_node: int | None
    def_mem_per_gpu: int | None
    def_cpu_per_gpu: int | None
    max_mem_per_cpu: int | None
    max_mem_per_node: int | None
    allow_accounts: tuple[str, ...] | None
    deny_accounts: tuple[str, ...]
    allow_qos: tuple[str, ...] | None
    deny_qos: tuple[str, ...]
    allow_groups: tuple[str, ...] | None
    qos: str | None
    oversubscribe: str
    root_only: bool
    req_resv: bool
    priority_tier: int
    line: int
    pairs: Mapping[str, str] = field(repr=False, eq=False)


@frozen
class Reservation:
    """A reservation: which nodes, for whom."""

    name: str
    nodes: str
    state: str
    users: tuple[str, ...]
    accounts: tuple[str, ...]
    flags: tuple[str, ...]
    start: str
    end: str
    line: int
    pairs: Mapping[str, str] = field(repr=False, eq=False)


Tres = tuple[tuple[str, int], ...]


@frozen
class Bounds:
    """Limits that a QoS or an association sets (man sacctmgr); times in seconds, TRES minutes as they are."""

    max_wall: int | None = None
    max_tres: Tres = ()
    max_tres_per_node: Tres = ()
    max_tres_per_user: Tres = ()
    max_tres_per_account: Tres = ()
    min_tres: Tres = ()
    grp_tres: Tres = ()
    max_tres_mins: Tres = ()
    grp_tres_mins: Tres = ()
    grp_tres_run_mins: Tres = ()
    max_tres_run_mins_per_user: Tres = ()
    max_tres_run_mins_per_account: Tres = ()
    max_jobs: int | None = None
    max_submit: int | None = None


@frozen
class Qos:
    """A quality of service."""

    name: str
    priority: int
    flags: tuple[str, ...]
    bounds: Bounds
    line: int
    pairs: Mapping[str, str] = field(repr=False, eq=False)


@frozen
class Association:
    """What one user (or, without a user, an account) may do."""

    cluster: str
    account: str
    parent: str
    user: str
    partition: str
    qos: tuple[str, ...]
    default_qos: str
    default: bool
    bounds: Bounds
    line: int
    pairs: Mapping[str, str] = field(repr=False, eq=False)


@frozen
class Facts:
    """Everything that a text (or a live cluster) says."""

    nodes: list[Node] = field(factory=list)
    partitions: list[Partition] = field(factory=list)
    reservations: list[Reservation] = field(factory=list)
    qos: list[Qos] = field(factory=list)
    associations: list[Association] = field(factory=list)
    config: dict[str, str] = field(factory=dict)
    problems: list[Problem] = field(factory=list)


class Reader:
    """Reads the values of one record; a value that cannot be read is reported and counts as not said."""

    def __init__(self, pairs: Mapping[str, str], line: int, problems: list[Problem]) -> None:
        self.pairs, self.line, self.problems = pairs, line, problems

    def text(self, *keys: str) -> str | None:
        """The first of these keys that is there and set."""
        for key in keys:
            value = self.pairs.get(key, "").strip()
            if value.lower() not in _UNSET:
                return value
        return None

    def read(self, convert: Callable[[str], T], *keys: str) -> T | None:
        """The first of these keys, converted."""
        value = self.text(*keys)
        if value is None:
            return None
        try:
            return convert(value)
        except ValueError as error:
            self.problems.append(Problem(self.line, f"{keys[0]}={value}", str(error)))
            return None

    def number(self, *keys: str) -> int | None:
        """A whole number."""
        return self.read(_whole, *keys)

    def mebibytes(self, *keys: str) -> int | None:
        """Memory in MiB, which 0 leaves unlimited."""
        value = self.number(*keys)
        return value * MIB if value else None

    def time(self, *keys: str) -> int | None:
        """A time limit in seconds."""
        return self.read(read_limit, *keys)

    def names(self, *keys: str) -> tuple[str, ...]:
        """A list of names."""
        value = self.text(*keys)
        return tuple(name for name in (value or "").replace("+", ",").split(",") if name)

    def allowed(self, *keys: str) -> tuple[str, ...] | None:
        """A list of names; None for ALL."""
        value = self.text(*keys)
        return None if value is None or value.upper() == "ALL" else tuple(value.split(","))

    def flag(self, key: str) -> bool:
        """YES or NO."""
        return (self.text(key) or "NO").upper().startswith("YES")

    def tres(self, *keys: str) -> Tres:
        """A TRES list."""
        return self.read(read_tres, *keys) or ()


def _whole(text: str) -> int:
    try:
        return int(text.replace(",", ""))
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


def node(pairs: Mapping[str, str], line: int, problems: list[Problem]) -> Node:
    """A node from the keys of ``scontrol show node``."""
    read = Reader(pairs, line, problems)
    threads = read.number("ThreadsPerCore") or 1
    cpus = read.number("CPUEfctv")
    if cpus is None and (total := read.number("CPUTot", "CPUs")) is not None:
        cpus = total - (read.number("CoreSpecCount") or 0) * threads
    memory = read.number("RealMemory")
    special = read.number("MemSpecLimit") or 0
    known = memory is not None and memory > 1
    return Node(
        name=pairs["NodeName"],
        cpus=cpus,
        memory=(memory - special) * MIB if known and memory is not None else None,
        threads_per_core=threads,
        gres=read.read(read_gres, "Gres") or (),
        features=tuple(dict.fromkeys(read.names("ActiveFeatures", "AvailableFeatures", "Features"))),
        state=node_state(read.text("State") or "UNKNOWN"),
        partitions=read.names("Partitions"),
        weight=read.number("Weight") or 1,
        line=line,
        pairs=pairs,
    )


def partition(pairs: Mapping[str, str], line: int, problems: list[Problem]) -> Partition:
    """A partition from the keys of ``scontrol show partition``."""
    read = Reader(pairs, line, problems)
    nodes = read.text("Nodes") or ""
    try:
        if nodes:
            number(nodes)
    except ValueError as error:
        problems.append(Problem(line, str(error), f"the Nodes of {pairs['PartitionName']} cannot be read"))
    jobs = dict(item.split("=", 1) for item in (read.text("JobDefaults") or "").split(",") if "=" in item)
    defaults = Reader(jobs, line, problems)
    exclusive = (read.text("Exclusive") or "NO").upper()  # 26.05, for OverSubscribe=EXCLUSIVE
    return Partition(
        name=pairs["PartitionName"],
        nodes=nodes,
        state=(read.text("State") or "UP").upper(),
        default=read.flag("Default"),
        hidden=read.flag("Hidden"),
        max_time=read.time("MaxTime"),
        default_time=read.time("DefaultTime"),
        min_nodes=read.number("MinNodes") or 0,
        max_nodes=read.number("MaxNodes"),
        max_cpus_per_node=read.number("MaxCPUsPerNode"),
        max_cpus_per_socket=read.number("MaxCPUsPerSocket"),
        def_mem_per_cpu=read.mebibytes("DefMemPerCPU"),
        def_mem_per_node=read.mebibytes("DefMemPerNode"),
        def_mem_per_gpu=defaults.mebibytes("DefMemPerGPU"),
        def_cpu_per_gpu=defaults.number("DefCpuPerGPU"),
        max_mem_per_cpu=read.mebibytes("MaxMemPerCPU"),
        max_mem_per_node=read.mebibytes("MaxMemPerNode"),
        allow_accounts=read.allowed("AllowAccounts"),
        deny_accounts=read.names("DenyAccounts"),
        allow_qos=read.allowed("AllowQos"),
        deny_qos=read.names("DenyQos"),
        allow_groups=read.allowed("AllowGroups"),
        qos=read.text("QoS"),
        oversubscribe="EXCLUSIVE" if exclusive == "NODE" else (read.text("OverSubscribe", "Shared") or "NO").upper(),
        root_only=read.flag("RootOnly"),
        req_resv=read.flag("ReqResv"),
        priority_tier=read.number("PriorityTier", "Priority") or 0,
        line=line,
        pairs=pairs,
    )


def reservation(pairs: Mapping[str, str], line: int, problems: list[Problem]) -> Reservation:
    """A reservation from the keys of ``scontrol show reservation``."""
    read = Reader(pairs, line, problems)
    return Reservation(
        name=pairs["ReservationName"],
        nodes=read.text("Nodes") or "",
        state=(read.text("State") or "").upper(),
        users=read.names("Users"),
        accounts=read.names("Accounts"),
        flags=read.names("Flags"),
        start=read.text("StartTime") or "",
        end=read.text("EndTime") or "",
        line=line,
        pairs=pairs,
    )


def bounds(read: Reader) -> Bounds:
    """The limits among the columns of ``sacctmgr show qos`` or ``show assoc``."""
    return Bounds(
        max_wall=read.time("MaxWall"),
        max_tres=read.tres("MaxTRES"),
        max_tres_per_node=read.tres("MaxTRESPerNode"),
        max_tres_per_user=read.tres("MaxTRESPU"),
        max_tres_per_account=read.tres("MaxTRESPA"),
        min_tres=read.tres("MinTRES"),
        grp_tres=read.tres("GrpTRES"),
        max_tres_mins=read.tres("MaxTRESMins"),
        grp_tres_mins=read.tres("GrpTRESMins"),
        grp_tres_run_mins=read.tres("GrpTRESRunMins"),
        max_tres_run_mins_per_user=read.tres("MaxTRESRunMinsPU"),
        max_tres_run_mins_per_account=read.tres("MaxTRESRunMinsPA"),
        max_jobs=_least(read.number(key) for key in ("GrpJobs", "MaxJobs", "MaxJobsPU", "MaxJobsPA")),
        max_submit=_least(read.number(key) for key in ("GrpSubmit", "MaxSubmit", "MaxSubmitPU", "MaxSubmitPA")),
    )


def _least(values: Any) -> int | None:
    return min((value for value in values if value is not None), default=None)


def qos(pairs: Mapping[str, str], line: int, problems: list[Problem]) -> Qos:
    """A QoS from the columns of ``sacctmgr show qos``."""
    read = Reader(pairs, line, problems)
    return Qos(pairs["Name"], read.number("Priority") or 0, read.names("Flags"), bounds(read), line, pairs)


def association(pairs: Mapping[str, str], line: int, problems: list[Problem]) -> Association:
    """An association from the columns of ``sacctmgr show assoc`` (or ``show user withassoc``)."""
    read = Reader(pairs, line, problems)
    account = read.text("Account") or ""
    default = read.text("DefaultAccount", "Def Acct")
    return Association(
        cluster=read.text("Cluster") or "",
        account=account,
        parent=read.text("ParentName", "Par Name") or "",
        user=read.text("User") or "",
        partition=read.text("Partition") or "",
        qos=read.names("QOS"),
        default_qos=read.text("Def QOS", "DefaultQOS") or "",
        default=default == account if default else False,
        bounds=bounds(read),
        line=line,
        pairs=pairs,
    )
