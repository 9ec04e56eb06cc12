"""The schema of launchers.yaml: these classes are it.  The loader structures into them, the JSON Schema is made from
them, and `doc` in a field's metadata is its documentation.

None always means "not said".  Memory is in bytes, durations in seconds.
"""

from typing import Literal

from attrs import field, frozen

from launchers.files.kinds import (
    Count,
    Duration,
    Hosts,
    Line,
    Memory,
    Name,
    Option,
    Property,
    Ratio,
    Regex,
    Scalar,
    Value,
    documented,
)

Kind = Literal["cuda", "rocm", "mps", "gpu"]
Choose = Literal["tightest", "widest", "random"]
Gres = Literal["gpus_per_node", "gres", "gres_typed"]
JobType = Literal["besteffort", "idempotent", "deploy", "container"]
State = Literal["UP", "DOWN", "DRAIN", "INACTIVE"]


@frozen
class AcceleratorSpec:
    """Equal accelerators of one node."""

    kind: Kind | None = documented("cuda, rocm, mps, or gpu when not known")
    model: Line | None = documented(
        "the model, such as A100; the catalogue then knows kind and, where it is certain, memory"
    )
    memory: Memory | None = documented("memory of one device; 24564 MiB counts as 24G")
    count: Count | None = documented("how many on a node")
    type: Name | None = documented("the GRES type under which Slurm knows it; leave out for an untyped GRES")
    min_mem_ratio: Ratio | None = documented("share of the memory that a job must ask for")
    min_memory: Memory | None = documented("memory that a job must ask for")
    probed: Name | None = documented("the node whose driver told model and memory (written by `launchers probe`)")


@frozen
class CpuSpec:
    """The processors and memory of a node."""

    cores: Count | None = documented("CPUs as Slurm counts them: hardware threads where a core has several")
    memory: Memory | None = documented("memory that jobs can have")
    mem_per_cpu: Memory | None = documented(
        "memory that comes with one core, used where memory itself cannot be asked for"
    )
    threads_per_core: Count | None = documented("hardware threads per core: Slurm allocates whole cores")
    cpus_per_socket: Count | None = documented("CPUs per socket, where Slurm allocates whole sockets (CR_Socket)")


@frozen
class GpuSpec:
    """The accelerators of a node when all are alike."""

    kind: Kind | None = documented("cuda (the default), rocm or mps")
    model: Line | None = documented("the model, such as A100")
    memory: Memory | None = documented("memory of one device")
    count: Count | None = documented("how many on a node")
    min_mem_ratio: Ratio | None = documented("share of the memory that a job must ask for")


@frozen
class NodeConfiguration:
    """What nodes are like; layers of these are laid over each other, key by key."""

    cpu: CpuSpec | None = documented("processors and memory")
    gpu: GpuSpec | None = documented("accelerators, all alike")
    accelerators: tuple[AcceleratorSpec, ...] | None = documented("accelerators, class by class; replaces gpu")


@frozen
class NodesSpec:
    """Nodes of a partition that are alike."""

    hosts: tuple[Hosts, ...] | Hosts | None = documented("their names: a list, or a folded list such as rtx-[01-02]")
    count: Count | None = documented("how many there are; 0 where no hosts are named means that nobody knows")
    available: Count | None = documented("how many of them were neither down nor drained")
    features: tuple[Name, ...] | None = documented("their features in Slurm")
    configuration: NodeConfiguration | None = documented("what they are like")
    cpu: CpuSpec | None = documented("short for configuration.cpu")
    gpu: GpuSpec | None = documented("short for configuration.gpu")
    accelerators: tuple[AcceleratorSpec, ...] | None = documented("short for configuration.accelerators")


Tres = dict[Name, Memory | Count]


@frozen
class LimitsSpec:
    """Bounds on a job, in Slurm's words (man sacctmgr, slurm.conf); TRES: cpu, mem, node, gres/gpu, gres/gpu:TYPE."""

    max_duration: Duration | None = documented("MaxWall or MaxTime: longest job")
    min_nodes: Count | None = documented("MinNodes")
    max_nodes: Count | None = documented("MaxNodes")
    max_cpus_per_node: Count | None = documented("MaxCPUsPerNode")
    max_mem_per_node: Memory | None = documented("MaxMemPerNode")
    max_mem_per_cpu: Memory | None = documented("MaxMemPerCPU: more memory costs more CPUs")
    max_tres: Tres | None = documented("MaxTRESPerJob")
    max_tres_per_node: Tres | None = documented("MaxTRESPerNode")
    max_tres_per_user: Tres | None = documented("MaxTRESPerUser")
    max_tres_per_account: Tres | None = documented("MaxTRESPerAccount")
    grp_tres: Tres | None = documented("GrpTRES: of all jobs together, so no job can have more")
    min_tres: Tres | None = documented("MinTRESPerJob")
    max_tres_mins: Tres | None = documented("MaxTRESMinsPerJob: TRES times minutes")
    max_tres_run_mins_per_user: Tres | None = documented(
        "MaxTRESRunMinsPerUser: TRES times minutes of a user's running jobs"
    )
    max_tres_run_mins_per_account: Tres | None = documented("MaxTRESRunMinsPerAccount: of an account's running jobs")
    grp_tres_run_mins: Tres | None = documented("GrpTRESRunMins: TRES times minutes of all running jobs")
    grp_tres_mins: Tres | None = documented("GrpTRESMins: TRES times minutes, used up over time")
    max_jobs: Count | None = documented("MaxJobs or GrpJobs; 0 lets no job run")
    max_submit: Count | None = documented("MaxSubmitJobs or GrpSubmitJobs; 0 lets nobody submit")


@frozen
class QosSpec:
    """A quality of service."""

    max_duration: Duration | None = documented("longest job, short for limits.max_duration")
    min_gpu: Count | None = documented("GPUs that a job must ask for, short for limits.min_tres")
    priority: float | None = documented("added to the partition's priority")
    limits: LimitsSpec | None = documented("its limits")
    flags: tuple[Name, ...] | None = documented("Slurm's flags, such as OverPartQOS, PartitionTimeLimit, DenyOnLimit")


@frozen
class AccountSpec:
    """An account (association) that the user may charge."""

    qos: tuple[Name, ...] | None = documented("the QoS that it may use; left out: any")
    default_qos: Name | None = documented("the QoS that a job gets when it names none")
    default: bool | None = documented("whether it is the user's default account")
    priority: float | None = documented("added to the partition's priority")
    partition: tuple[Name, ...] | None = documented("the partitions it is good for; left out: all")
    limits: LimitsSpec | None = documented("its limits, its parents' included")


@frozen
class PartitionSpec:
    """A partition."""

    disabled: bool | None = documented("true: never chosen")
    state: State | None = documented("State in Slurm; only UP takes jobs that start")
    hidden: bool | None = documented("Hidden in Slurm; it can be used all the same")
    default: bool | None = documented("whether jobs go here when they name no partition")
    priority: float | None = documented("higher is chosen first")
    qos: tuple[Name, ...] | None = documented("the QoS that must be used here, one of them")
    accounts: tuple[Name, ...] | None = documented("the accounts that must be used here, one of them")
    deny_qos: tuple[Name, ...] | None = documented("QoS that cannot be used here")
    deny_accounts: tuple[Name, ...] | None = documented("accounts that cannot be used here")
    partition_qos: Name | None = documented("QoS= in Slurm: a QoS whose limits apply to every job here")
    configuration: NodeConfiguration | None = documented("what its nodes are like")
    nodes: tuple[NodesSpec, ...] | None = documented("its nodes, those that are alike together")
    limits: LimitsSpec | None = documented("its limits")
    exclusive: bool | None = documented("OverSubscribe=EXCLUSIVE: jobs get whole nodes")
    default_time: Duration | None = documented("DefaultTime: what a job gets that asks for no time")
    def_mem_per_cpu: Memory | None = documented("DefMemPerCPU")
    def_mem_per_node: Memory | None = documented("DefMemPerNode")
    def_mem_per_gpu: Memory | None = documented("DefMemPerGPU")
    def_cpu_per_gpu: Count | None = documented("DefCpuPerGPU")


@frozen
class DefaultsSpec:
    """What the user gets without asking."""

    account: Name | None = documented("the default account")
    qos: Name | None = documented("the default QoS")


@frozen
class LocalGroup:
    """This machine, described by hand or probed."""

    id: Line | None = documented("a name for it")
    connector: Literal["local"] | None = documented("nothing yet: commands run on this machine")
    weight: float | None = documented("higher is chosen first; default 0")
    tags: tuple[Line, ...] | None = documented("for --tag and find_launcher(tags=...)")
    choose: Choose | None = documented("tightest (default), widest or random")
    disabled: bool | None = documented("true: never chosen")
    probe: bool | None = documented("take what is not said from this machine")
    tokens: dict[Name, Count] | None = documented("at most so many jobs at once hold each token, across processes")
    cpu: CpuSpec | None = documented("processors and memory that jobs can have")
    gpu: tuple[GpuSpec, ...] | GpuSpec | None = documented("accelerators: one entry, or a list")
    accelerators: tuple[AcceleratorSpec, ...] | None = documented("accelerators, class by class")


@frozen
class SlurmGroup:
    """A Slurm cluster, or a part of one."""

    id: Line | None = documented("a name for it")
    connector: Literal["local"] | None = documented("nothing yet: commands run on this machine")
    weight: float | None = documented("higher is chosen first; default 0")
    tags: tuple[Line, ...] | None = documented("for --tag and find_launcher(tags=...)")
    choose: Choose | None = documented("tightest (default), widest or random")
    disabled: bool | None = documented("true: never chosen")
    facts: Line | None = documented("a launchers.yaml written by `launchers convert` that this entry is laid over")
    query_slurm: bool | None = documented("read the live cluster, and lay this entry over what it says")
    live: bool | None = documented("let idle nodes and waiting jobs order what is equal otherwise")
    features_regex: tuple[Regex, ...] | None = documented(
        "regular expressions for features; groups: cuda_count, cuda_memory, rocm_count, rocm_memory, gpu_count, "
        "gpu_memory, gpu_model"
    )
    features: dict[Name, NodeConfiguration] | None = documented("what a feature says about the nodes that have it")
    use_memory_constraint: bool | None = documented("false: ask for cores that bring the memory (mem_per_cpu)")
    use_memory_contraint: bool | None = documented("the same, as it is spelled in older files")
    qos: dict[Name, QosSpec] | None = documented("qualities of service")
    accounts: dict[Name, AccountSpec] | None = documented("accounts that the user may charge")
    configuration: NodeConfiguration | None = documented("what nodes are like unless said otherwise")
    partitions: dict[Name, PartitionSpec] | None = documented("the partitions")
    gres: Gres | None = documented("how GPUs are spelled: gpus_per_node (default), gres, gres_typed")
    sbatch: dict[Option, Scalar] | None = documented(
        "sbatch options that are always passed; not those that a requirement decides"
    )
    limits: LimitsSpec | None = documented("limits of every partition")
    defaults: DefaultsSpec | None = documented("the user's default account and QoS")


@frozen
class OarNodes:
    """Nodes of an OAR cluster that are alike."""

    hosts: tuple[Hosts, ...] | Hosts | None = documented("their names: a list, or a folded list such as chifflot-[1-8]")
    count: Count | None = documented("how many there are")
    available: Count | None = documented("how many of them were alive")
    cpu: CpuSpec | None = documented("processors and memory")
    accelerators: tuple[AcceleratorSpec, ...] | None = documented("accelerators, class by class")
    properties: dict[Property, Value] | None = documented("properties that all of them have, to name them by")


@frozen
class OarLimits:
    """Bounds on a job of a queue."""

    max_duration: Duration | None = documented("longest walltime")
    max_nodes: Count | None = documented("most nodes")


@frozen
class OarQueue:
    """A queue of an OAR cluster."""

    disabled: bool | None = documented("true: never chosen")
    priority: float | None = documented("higher is chosen first")
    types: tuple[JobType, ...] | None = documented(
        "job types that are always asked for: besteffort, idempotent, deploy, container"
    )
    properties: dict[Property, Value] | None = documented("only nodes that have these")
    limits: OarLimits | None = documented("its limits")
    default_time: Duration | None = documented("the walltime of a job that asks for none")


@frozen
class OarGroup:
    """An OAR cluster, or a part of one."""

    id: Line | None = documented("a name for it")
    connector: Literal["local"] | None = documented("nothing yet: commands run on this machine")
    weight: float | None = documented("higher is chosen first; default 0")
    tags: tuple[Line, ...] | None = documented("for --tag and find_launcher(tags=...)")
    choose: Choose | None = documented("tightest (default), widest or random")
    disabled: bool | None = documented("true: never chosen")
    facts: Line | None = documented("a launchers.yaml written by `launchers convert` that this entry is laid over")
    query_oar: bool | None = documented("read the live cluster, and lay this entry over what it says")
    resources: tuple[Property, ...] | None = documented(
        "the levels that jobs ask for, hosts first; default [host, gpu, core]; without core, jobs get whole nodes"
    )
    project: Line | None = documented("the project that jobs belong to")
    queues: dict[Name, OarQueue] | None = documented("the queues; left out: one, called default")
    nodes: tuple[OarNodes, ...] | None = documented("its nodes, those that are alike together")


@frozen
class GpuModel:
    """A GPU model that the catalogue does not know, or knows otherwise."""

    kind: Kind = field(default="cuda", metadata={"doc": "cuda, rocm or mps"})
    memory: Memory | None = documented("memory of one device")


@frozen
class Document:
    """A launchers.yaml."""

    local: tuple[LocalGroup, ...] | None = documented("machines that jobs run on directly")
    slurm: tuple[SlurmGroup, ...] | None = documented("Slurm clusters")
    oar: tuple[OarGroup, ...] | None = documented("OAR clusters")
    gpus: dict[Line, GpuModel] | None = documented("GPU models, by the names used here")
