"""What is on offer: groups, partitions, node shapes and the rights to use them.

Everything here is frozen data; `None` always means *unknown*, which is not zero: an unknown capacity does not
reject a job, it is an assumption that the answer reports.  Memory is in bytes, time in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from attrs import field, frozen


@frozen
class Device:
    """Equal accelerators of one node.

    `kind` is cuda, rocm, mps, or gpu where nobody said.  `memory` is the nominal size of one device; where that is not
    known, `sizes` are those that its model is sold with (none: nothing is known).  `min_memory` is
    the smallest memory request that its owner accepts on it, `min_memory_rule` the rule that says so.  `type` is the
    GRES type under which Slurm knows the device, None for an untyped GRES.
    `handles` are what shows the devices of this machine to a process (indices or UUIDs).
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
    def possible(self) -> tuple[int, ...]:
        """The sizes that one device may have (bytes), empty where nothing is known of them."""
        return self.sizes if self.memory is None else (self.memory,)


@frozen
class Shape:
    """Nodes that are alike: matching cost grows with shapes, not with nodes.

    `cores` are CPUs as Slurm counts and allocates them: hardware threads where a node has several per core, in
    which case Slurm hands them out `threads_per_core` at a time, or `cpus_per_socket` where it hands out whole
    sockets.  `available` of `count` nodes were neither
    down nor drained when the facts were read.  `hosts` is a folded host list such as ``rtx-[01-02]``.
    `hints` are the features that say something about the devices (a `features_regex` matched them).  On OAR features
    are properties, ``gpu_model=Tesla V100``.
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


@frozen
class Limit:
    """A bound on one quantity of a job.

    For example, four GPUs for each job: ``Limit("gres/gpu", 4, Source(SourceKind.QOS, "gpu"), "MaxTRESPerJob")``.

    `quantity` is "duration" (seconds), "nodes", or a TRES: "cpu", "mem" (bytes), "node", "gres/gpu", "gres/gpu:a100".
    `rule` is the name that Slurm or launchers.yaml gives the limit. `is_minimum` turns the bound round.
    """

    quantity: str
    value: int
    source: Source
    rule: str
    per: Per = Per.JOB
    is_minimum: bool = False

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
    """What Slurm gives where a job does not say (DefMemPerCPU and friends); None where nothing is set."""

    mem_per_cpu: int | None = None
    mem_per_node: int | None = None
    mem_per_gpu: int | None = None
    cpus_per_gpu: int | None = None
    duration: int | None = None


@frozen
class Access:
    """A way to be let in: QoS and account (None: Slurm's own default), their priority and limits.

    `rank` orders accesses that are equal otherwise: 0 for what the user gets by default.
    """

    qos: str | None = None
    account: str | None = None
    priority: float = 0
    limits: tuple[Limit, ...] = ()
    rank: int = 0
    closed: str | None = None


@frozen
class Signal:
    """What was seen of a partition just now: idle and partly idle nodes, jobs that wait."""

    idle: int
    mixed: int
    waiting: int


@frozen
class Partition:
    """A partition (or the one unnamed partition of a machine): node shapes, accesses, limits.

    `closed` says why it takes no jobs at all.  `exclusive` partitions allocate whole nodes.  `signal` only
    orders what is equal otherwise.  On OAR it is a queue: `types` are job types that it always asks for, `only` the
    properties of its nodes.
    """

    name: str
    shapes: tuple[Shape, ...]
    accesses: tuple[Access, ...] = (Access(),)
    priority: float = 0
    limits: tuple[Limit, ...] = ()
    defaults: Defaults = Defaults()
    exclusive: bool = False
    closed: str | None = None
    types: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    signal: Signal | None = field(default=None, eq=False)


@frozen
class Group:
    """A launcher group: one entry under `local:`, `slurm:` or `oar:` of launchers.yaml, ready to be matched.

    `levels` are the levels of OAR's resources, hosts first. `gres` is how this cluster wants GPUs spelled:
    gpus_per_node, gres or gres_typed. `unreachable` says why a group that must be read from its cluster could not
    be. `live` wants signals of its partitions read at find time.
    """

    name: str
    scheduler: str
    partitions: tuple[Partition, ...]
    weight: float = 0
    tags: frozenset[str] = frozenset()
    choose: str = "tightest"
    gres: str = "gpus_per_node"
    memory_constraint: bool = True
    sbatch: tuple[tuple[str, str | int | float | bool], ...] = ()
    tokens: tuple[tuple[str, int], ...] = ()
    levels: tuple[str, ...] = ()
    project: str | None = None
    unreachable: str | None = None
    live: bool = False
    notes: tuple[str, ...] = field(default=(), eq=False)

    def offers(self) -> Iterator[Offer]:
        """The smallest things that can be chosen here, in the order of the file."""
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
    def name(self) -> str:
        """A name for people, unique within the group: ``partition/shape qos=.. account=..``."""
        parts = [f"{self.partition.name}/{self.shape.name}" if self.partition.name else self.shape.name]
        if self.access.qos:
            parts.append(f"qos={self.access.qos}")
        if self.access.account:
            parts.append(f"account={self.access.account}")
        return " ".join(parts)
