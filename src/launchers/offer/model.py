"""Groups, partitions, node shapes and the rights to use them, as frozen data.

`None` always means *unknown*, which is not zero: an unknown capacity rejects no job, it becomes an assumption that the
answer reports. Memory is in bytes, time in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from attrs import field, frozen

from launchers.offer.rules import LOCAL_RULES, SchedulerRules


@frozen
class Device:
    """Equal accelerators of one node.

    `kind` is cuda, rocm, mps, xpu (Intel), hpu (Gaudi), tpu, or gpu for an unknown kind. `memory` is the nominal size
    of one device. Where it is not known, `sizes` are the sizes in which its model is sold (empty: nothing is known).
    `min_memory` is the smallest memory request that the owner accepts on it, and `min_memory_rule` the rule that says
    so. `type` is the GRES type under which Slurm knows the device, None for an untyped GRES. `handles` (indices or
    UUIDs) make the devices of this machine visible to a process.
    """

    kind: str = "gpu"
    count: int | None = None
    memory: int | None = None
    model: str | None = None
    min_memory: int = 0
    min_memory_rule: str = ""
    type: str | None = None
    handles: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What says which model it is: the model, or else the GRES type. Without either it may be any model."""
        return tuple(name for name in (self.model or self.type,) if name)

    @property
    def may_be_of_any_kind(self) -> bool:
        """Whether nothing says what it is. A name that nobody knows is no sign of any kind."""
        return self.kind == "gpu" and not self.names

    @property
    def possible_sizes(self) -> tuple[int, ...]:
        """The sizes that one device may have (bytes); empty: nothing is known."""
        return self.sizes if self.memory is None else (self.memory,)


@frozen
class Shape:
    """Nodes that are alike. The time of matching grows with the shapes, not with the nodes.

    `cores` are CPUs as Slurm counts them: hardware threads where a core has several. Slurm allocates
    `threads_per_core` of them at a time, or `cpus_per_socket` where it allocates whole sockets. `available` of the
    `count` nodes were neither down nor drained when the facts were read. `hosts` is a folded host list such as
    ``rtx-[01-02]``. `hints` are the features that describe the devices. On OAR, features are properties such as
    ``gpu_model=Tesla V100``. `arch` is the architecture of the processors, as ``uname -m`` prints it. `total_cores` are
    those of all nodes together, where it is not known what each has.
    """

    name: str
    cores: int | None = None
    memory: int | None = None
    devices: tuple[Device, ...] = ()
    features: frozenset[str] = frozenset()
    hints: frozenset[str] = frozenset()
    count: int | None = None
    available: int | None = None
    hosts: str = ""
    threads_per_core: int = 1
    cpus_per_socket: int = 1
    mem_per_core: int | None = None
    arch: str | None = None
    total_cores: int | None = None

    @property
    def cores_somewhere(self) -> int:
        """The CPUs that one of the nodes has at least: the mean, where only their total is known."""
        return self.total_cores // self.count if self.total_cores and self.count else 0


class Per(Enum):
    """What a limited quantity is counted over; the value is its suffix in `Limit.subject`."""

    JOB = ""
    NODE = "/node"
    CPU = "/cpu"
    MINUTE = "*min"
    """The quantity times the minutes of the job."""


class SourceKind(Enum):
    """What can set a limit; the value is how messages write it."""

    PARTITION = "partition"
    QUEUE = "queue"
    QOS = "QoS"
    ACCOUNT = "account"
    GROUP = "limits"
    """The `limits:` of a whole group in launchers.yaml."""


@frozen
class Source:
    """Who sets a limit: ``Source(SourceKind.QOS, "gpu")``."""

    kind: SourceKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}".rstrip()


DEFAULT_TIME = "default_time"
COUNTS_REQUESTED_CPUS = "MaxCPUsPerNode"
"""The rule that Slurm compares with the CPUs that a job asks for; the others count what it allocates."""


@frozen
class Limit:
    """A bound on one quantity of a job.

    For example, four GPUs for each job: ``Limit("gres/gpu", 4, Source(SourceKind.QOS, "gpu"), "MaxTRESPerJob")``.

    `quantity` is "duration" (seconds), "nodes", or a TRES: "cpu", "mem" (bytes), "node", "gres/gpu", "gres/gpu:a100".
    A limit on `DEFAULT_TIME` (seconds) bounds no job: it is the time of those that ask for none. `rule` is the name
    that Slurm or launchers.yaml gives the limit. `is_minimum` turns the bound round. A limit `of_request` is compared
    with what a job asks for, also where it gets whole nodes.
    """

    quantity: str
    value: int
    source: Source
    rule: str
    per: Per = Per.JOB
    is_minimum: bool = False
    of_request: bool = False

    @property
    def subject(self) -> str:
        """What is bounded, as messages and JSON write it: ``duration``, ``mem/node``, ``cpu*min``."""
        return self.quantity + self.per.value

    @property
    def origin(self) -> str:
        """Who sets the limit, as messages and JSON write it: ``QoS gpu MaxTRESPerJob``."""
        return f"{self.source} {self.rule}"


@frozen
class Defaults:
    """What Slurm gives to a job that does not ask (DefMemPerCPU, DefaultTime ...); None: no default is set."""

    mem_per_cpu: int | None = None
    mem_per_node: int | None = None
    mem_per_gpu: int | None = None
    cpus_per_gpu: int | None = None
    duration: int | None = None


@frozen
class Access:
    """A QoS and an account that the user may use (None: Slurm's default), their priority and limits.

    `rank` orders accesses that are otherwise equal: 0 for what the user gets by default. `closed_reason` says why no
    job may use the access; None: it is open.
    """

    qos: str | None = None
    account: str | None = None
    priority: float = 0
    limits: tuple[Limit, ...] = ()
    rank: int = 0
    closed_reason: str | None = None


@frozen
class Signal:
    """The live state of a partition: numbers of idle nodes, of partly idle nodes and of waiting jobs."""

    idle: int
    mixed: int
    waiting: int


@frozen
class Partition:
    """A partition of Slurm, a queue of OAR, or the one unnamed partition of a machine.

    `closed_reason` says why it takes no jobs at all; None: it is open. An `exclusive` partition allocates whole nodes.
    `signal` only orders what is otherwise equal. On OAR, `types` are the job types that every job of the queue asks
    for, and `node_properties` the properties that its nodes have.
    """

    name: str
    shapes: tuple[Shape, ...]
    accesses: tuple[Access, ...] = (Access(),)
    priority: float = 0
    limits: tuple[Limit, ...] = ()
    defaults: Defaults = Defaults()
    exclusive: bool = False
    closed_reason: str | None = None
    types: tuple[str, ...] = ()
    node_properties: tuple[str, ...] = ()
    signal: Signal | None = field(default=None, eq=False)


@frozen
class Group:
    """A launcher group: one entry under `local:`, `slurm:` or `oar:` of launchers.yaml, ready to be matched.

    `rules` are those of its scheduler. `gres` is how this cluster wants GPUs written: gpus_per_node, gres or
    gres_typed. `levels` are the levels of OAR's resources, hosts first. `unreachable` says why the cluster of the group
    could not be read. `login_arch` is the architecture of the node where its jobs are submitted. With `live`, the
    signals of its partitions are read whenever a launcher is looked for; `signal_error` says why they could not be
    read.
    """

    name: str
    scheduler: str
    partitions: tuple[Partition, ...]
    weight: float = 0
    tags: frozenset[str] = frozenset()
    choose: str = "tightest"
    rules: SchedulerRules = LOCAL_RULES
    gres: str = "gpus_per_node"
    memory_constraint: bool = True
    sbatch: tuple[tuple[str, str | int | float | bool], ...] = ()
    tokens: tuple[tuple[str, int], ...] = ()
    levels: tuple[str, ...] = ()
    project: str | None = None
    unreachable: str | None = None
    login_arch: str | None = None
    live: bool = False
    notes: tuple[str, ...] = field(default=(), eq=False)
    signal_error: str | None = field(default=None, eq=False)

    def offers(self) -> Iterator[Offer]:
        """Every offer of this group, in the order of the file."""
        for partition in self.partitions:
            for shape in partition.shapes:
                for access in partition.accesses:
                    yield Offer(self, partition, shape, access)


@frozen(eq=False)
class Offer:
    """The smallest thing that can be chosen: (group, partition, node shape, QoS and account)."""

    group: Group
    partition: Partition
    shape: Shape
    access: Access

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Every limit that a job on this offer meets."""
        return self.partition.limits + self.access.limits

    @property
    def name(self) -> str:
        """A name for people, unique within the group: ``partition/shape qos=.. account=..``."""
        parts = [f"{self.partition.name}/{self.shape.name}" if self.partition.name else self.shape.name]
        if self.access.qos:
            parts.append(f"qos={self.access.qos}")
        if self.access.account:
            parts.append(f"account={self.access.account}")
        return " ".join(parts)
