"""The facts of a Slurm cluster: typed, in bytes and seconds, with nothing inferred.

None means that Slurm states no value or sets no limit. `pairs` keeps every key as Slurm printed it.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from launchers.slurm.gres import Gres
from launchers.slurm.records import ReadProblem

LOST = frozenset({"DOWN", "FAIL", "FAILING", "ERROR", "FUTURE", "UNKNOWN"})
"""Base states of nodes that Slurm cannot use."""
RESERVED_BY_ADMIN = frozenset(
    {"DRAIN", "DRAINED", "DRAINING", "NOT_RESPONDING", "FAIL", "MAINTENANCE", "REBOOT_ISSUED"}
)
"""States and flags that keep new jobs away from a node, whatever its base state."""
_SUFFIXES = {
    "*": "NOT_RESPONDING", "~": "POWERED_DOWN", "#": "POWERING_UP", "!": "POWERING_DOWN", "%": "POWERING_DOWN",
    "$": "MAINTENANCE", "@": "REBOOT_REQUESTED", "^": "REBOOT_ISSUED", "-": "PLANNED", "+": "COMPLETING",
}  # fmt: skip
"""The marks that sinfo puts behind a state (man sinfo, NODE STATE CODES)."""
_SHORT_STATES = {"ALLOC": "ALLOCATED", "MIX": "MIXED", "DRNG": "DRAINING", "COMP": "COMPLETING", "MAINT": "MAINTENANCE"}

Tres = tuple[tuple[str, int], ...]
"""Amounts by TRES: memory in bytes, everything else as a number."""


@frozen
class NodeState:
    """A node's state and its flags: ``IDLE+CLOUD+POWERED_DOWN`` has the base IDLE and two flags."""

    base: str
    flags: frozenset[str] = frozenset()

    @property
    def usable(self) -> bool:
        """Whether jobs can start there, now or when the jobs that run there end (man sinfo, NODE STATE CODES)."""
        return self.base not in LOST | RESERVED_BY_ADMIN and not self.flags & (RESERVED_BY_ADMIN | {"DOWN"})


def read_node_state(text: str) -> NodeState:
    """Read a state in scontrol's long form (``DOWN+CLOUD``) or sinfo's short one (``down*``)."""
    bare = text.strip().upper()
    flags = set()
    while bare and bare[-1] in _SUFFIXES:
        flags.add(_SUFFIXES[bare[-1]])
        bare = bare[:-1]
    if "*" in bare:
        flags.add("NOT_RESPONDING")
    base, *more = [part.rstrip("*") for part in bare.split("+") if part] or ["UNKNOWN"]
    return NodeState(_SHORT_STATES.get(base, base), frozenset(flags | set(more)))


@frozen
class SlurmNode:
    """A node and what jobs can have of it.

    `cpus` are the CPUs for jobs: CPUEfctv, or CPUTot without the specialised cores. `memory` is RealMemory without
    MemSpecLimit, in bytes; None where RealMemory is 1, because then nobody configured it (docs/slurm-facts.md#memory).
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
class SlurmPartition:
    """A partition and every limit that it sets. `allow_*` is None for ALL."""

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
    """A reservation: which nodes, for whom, and when."""

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


@frozen
class Bounds:
    """The limits of a QoS or an association (man sacctmgr): times in seconds, `..._mins` in TRES times minutes."""

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
    grp_wall: int | None = None
    max_jobs: int | None = None
    max_jobs_per_account: int | None = None
    grp_jobs: int | None = None
    max_submit: int | None = None
    max_submit_per_account: int | None = None
    grp_submit: int | None = None


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
    """What one user may do under one account; without a user, what the account itself may do."""

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
class SlurmFacts:
    """Everything that texts, or a live cluster, say of one Slurm cluster. `problems` is what could not be read."""

    nodes: list[SlurmNode] = field(factory=list)
    partitions: list[SlurmPartition] = field(factory=list)
    reservations: list[Reservation] = field(factory=list)
    qos: list[Qos] = field(factory=list)
    associations: list[Association] = field(factory=list)
    config: dict[str, str] = field(factory=dict)
    problems: list[ReadProblem] = field(factory=list)
