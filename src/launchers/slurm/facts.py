"""The facts of a Slurm cluster: typed, in bytes and seconds, with nothing inferred.

None means that Slurm states no value or sets no limit. `pairs` keeps every key as Slurm printed it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

from launchers.quantities.architectures import normalize_architecture
from launchers.slurm.gres import Gres
from launchers.slurm.records import ReadProblem

LOST = frozenset({"DOWN", "FAIL", "FAILING", "ERROR", "FUTURE", "UNKNOWN", "INVAL"})
"""Base states of nodes that Slurm cannot use."""
RESERVED_BY_ADMIN = frozenset(
    {"DRAIN", "DRAINED", "DRAINING", "NOT_RESPONDING", "FAIL", "MAINTENANCE", "REBOOT_ISSUED", "INVAL"}
)
"""States and flags that keep new jobs away from a node, whatever its base state."""
_OTHER_STATES = frozenset(
    {
        "ALLOCATED", "BLOCKED", "COMPLETING", "IDLE", "MIXED", "PERFCTRS", "PLANNED", "POWERED_DOWN", "POWERING_DOWN",
        "POWERING_UP", "REBOOT", "REBOOT_REQUESTED", "RESERVED",
    }
)  # fmt: skip
"""States in which jobs can start, now or later."""
_SUFFIXES = {
    "*": "NOT_RESPONDING", "~": "POWERED_DOWN", "#": "POWERING_UP", "!": "POWERING_DOWN", "%": "POWERING_DOWN",
    "$": "MAINTENANCE", "@": "REBOOT_REQUESTED", "^": "REBOOT_ISSUED", "-": "PLANNED", "+": "COMPLETING",
}  # fmt: skip
"""The marks that sinfo puts behind a state (man sinfo, NODE STATE CODES)."""
_OTHER_SPELLINGS = {
    "ALLOC": "ALLOCATED", "MIX": "MIXED", "DRNG": "DRAINING", "COMP": "COMPLETING", "MAINT": "MAINTENANCE",
    "FAILG": "FAILING", "FUTR": "FUTURE", "UNK": "UNKNOWN", "INVALID": "INVAL", "INVALID_REG": "INVAL",
    "NO_RESPOND": "NOT_RESPONDING", "NPC": "PERFCTRS", "PLND": "PLANNED", "RESV": "RESERVED", "RES": "RESERVED",
    "BOOT": "REBOOT", "BLOCK": "BLOCKED", "ERR": "ERROR", "POW_DN": "POWERED_DOWN", "POWER_DOWN": "POWERED_DOWN",
    "POW_UP": "POWERING_UP", "POWER_UP": "POWERING_UP", "POWERING": "POWERING_UP",
}  # fmt: skip
"""The short words of sinfo (`%t`), those of older versions, and those that scontrol uses for flags."""
_STATES = LOST | RESERVED_BY_ADMIN | _OTHER_STATES

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

    def __str__(self) -> str:
        return "+".join([self.base, *sorted(self.flags)])


def read_node_state(text: str) -> NodeState | None:
    """Read a state in scontrol's long form (``DOWN+CLOUD``) or sinfo's short one (``down*``); None for "" and ``n/a``.

    Raises ValueError for words that name no state (docs/slurm-facts.md#nodes).
    """
    bare = text.strip().upper()
    if bare in ("", "N/A", "(NULL)"):
        return None
    flags = set()
    while bare and bare[-1] in _SUFFIXES:
        flags.add(_SUFFIXES[bare[-1]])
        bare = bare[:-1]
    if "*" in bare:
        flags.add("NOT_RESPONDING")
    words = [part.rstrip("*") for part in re.split(r"[+,]", bare)]
    words = [_OTHER_SPELLINGS.get(word, word) for word in words if word]
    base = next((word for word in words if word in _STATES), None)
    if base is None:
        raise ValueError(f"{text.strip()!r} is no state of a node")
    return NodeState(base, frozenset((flags | set(words)) - {base}))


@frozen
class SlurmNode:
    """A node and what jobs can have of it.

    `cpus` are the CPUs for jobs: CPUEfctv, or CPUTot without the specialised cores. `memory` is RealMemory without
    MemSpecLimit, in bytes; None where RealMemory is 1, because then nobody configured it (docs/slurm-facts.md#memory).
    `state` is None where it was not printed, which is not the state UNKNOWN.
    """

    name: str
    cpus: int | None
    memory: int | None
    threads_per_core: int
    gres: tuple[Gres, ...]
    features: tuple[str, ...]
    state: NodeState | None
    partitions: tuple[str, ...]
    weight: int
    line: int
    pairs: Mapping[str, str] = field(repr=False, eq=False)

    @property
    def architecture(self) -> str | None:
        """The architecture of its processors: Arch, which slurmd reports once it has registered."""
        return normalize_architecture(self.pairs.get("Arch", ""))


@frozen
class NodeGroup:
    """Nodes of a partition in one row of sinfo, which may not name them: their number, and what each is like.

    `usable` is how many of them jobs can use, None where that was not printed. `node` has no name.
    """

    hosts: tuple[str, ...]
    count: int
    usable: int | None
    node: SlurmNode


@frozen
class SlurmPartition:
    """A partition and every limit that it sets. `allow_*` is None for ALL, and where it was not printed.

    `total_nodes` is None where their number was not printed. `groups` are the rows of sinfo about its nodes.
    """

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
    priority_tier: int | None
    total_nodes: int | None
    tres: Tres
    groups: tuple[NodeGroup, ...]
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
