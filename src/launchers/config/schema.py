"""The schema of launchers.yaml, as classes. The loader reads into them, and the JSON Schema is made from them.

`doc` in a field's metadata documents its key. None always means that the file does not have the key. Memory is in
bytes, durations in seconds.
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

Kind = Literal["cuda", "rocm", "mps", "xpu", "hpu", "tpu", "gpu"]
Choose = Literal["tightest", "widest", "random"]
Gres = Literal["gpus_per_node", "gres", "gres_typed"]
JobType = Literal["besteffort", "idempotent", "deploy", "container"]
State = Literal["UP", "DOWN", "DRAIN", "INACTIVE"]


@frozen
class AcceleratorSpec:
    """Equal accelerators of one node."""

    kind: Kind | None = documented("cuda, rocm, mps, xpu (Intel), hpu (Gaudi), tpu, or gpu if it is not known")
    model: Line | None = documented(
        "the model, such as A100; the catalogue then knows kind and, where it is certain, memory"
    )
    memory: Memory | None = documented("memory of one device; 24564 MiB counts as 24G")
    count: Count | None = documented("number of them on a node")
    type: Name | None = documented("its GRES type in Slurm; leave out for an untyped GRES")
    min_mem_ratio: Ratio | None = documented("least share of the memory that a job must ask for, from 0 to 1")
    min_memory: Memory | None = documented("least memory that a job must ask for")
    probed: Name | None = documented("the node whose driver reported model and memory (written by `launchers probe`)")


@frozen
class CpuSpec:
    """The processors and memory of a node."""

    cores: Count | None = documented("CPUs as Slurm counts them: hardware threads where a core has several")
    memory: Memory | None = documented("memory that jobs can have")
    mem_per_cpu: Memory | None = documented(
        "memory that comes with one core, for clusters on which jobs cannot ask for memory"
    )
    threads_per_core: Count | None = documented("hardware threads per core: Slurm allocates whole cores")
    cpus_per_socket: Count | None = documented("CPUs per socket, where Slurm allocates whole sockets (CR_Socket)")


@frozen
class GpuSpec:
    """The accelerators of a node, all alike."""

    kind: Kind | None = documented("cuda (the default), rocm or mps")
    model: Line | None = documented("the model, such as A100")
    memory: Memory | None = documented("memory of one device")
    count: Count | None = documented("number of them on a node")
    min_mem_ratio: Ratio | None = documented("least share of the memory that a job must ask for, from 0 to 1")


@frozen
class NodeConfiguration:
    """A layer of what nodes are like. Layers are combined key by key, the last one wins."""

    cpu: CpuSpec | None = documented("processors and memory")
    gpu: GpuSpec | None = documented("accelerators, all alike")
    accelerators: tuple[AcceleratorSpec, ...] | None = documented("accelerators, class by class; replaces gpu")


Tres = dict[Name, Memory | Count]


@frozen
class NodesSpec:
    """Nodes of a partition that are alike."""

    hosts: tuple[Hosts, ...] | Hosts | None = documented("host names: a list, or a folded list such as rtx-[01-02]")
    count: Count | None = documented("number of nodes; 0 without hosts means that it is not known")
    available: Count | None = documented("number of nodes that were neither down nor drained")
    arch: Name | None = documented("their processor architecture, such as x86_64 or aarch64")
    features: tuple[Name, ...] | None = documented("their features in Slurm")
    configuration: NodeConfiguration | None = documented("what they are like")
    cpu: CpuSpec | None = documented("short for configuration.cpu")
    gpu: GpuSpec | None = documented("short for configuration.gpu")
    accelerators: tuple[AcceleratorSpec, ...] | None = documented("short for configuration.accelerators")
    tres: Tres | None = documented("what all of them have together, where it is not known what each has: TRES in Slurm")


@frozen
class LimitsSpec:
    """Bounds on a job, in Slurm's words (man sacctmgr, slurm.conf); TRES: cpu, mem, node, gres/gpu, gres/gpu:TYPE."""

    max_duration: Duration | None = documented("MaxWall or MaxTime: longest job")
    min_nodes: Count | None = documented("MinNodes")
    max_nodes: Count | None = documented("MaxNodes")
    max_cpus_per_node: Count | None = documented("MaxCPUsPerNode")
    max_mem_per_node: Memory | None = documented("MaxMemPerNode: the memory that a job may ask for on a node")
    max_mem_per_cpu: Memory | None = documented("MaxMemPerCPU: a job that asks for more memory gets more CPUs")
    max_tres: Tres | None = documented("MaxTRESPerJob")
    max_tres_per_node: Tres | None = documented("MaxTRESPerNode")
    max_tres_per_user: Tres | None = documented("MaxTRESPerUser")
    max_tres_per_account: Tres | None = documented("MaxTRESPerAccount")
    grp_tres: Tres | None = documented("GrpTRES: of all jobs together; no job can have more")
    min_tres: Tres | None = documented("MinTRESPerJob")
    max_tres_mins: Tres | None = documented("MaxTRESMinsPerJob: TRES times minutes")
    max_tres_run_mins_per_user: Tres | None = documented(
        "MaxTRESRunMinsPerUser: TRES times minutes of a user's running jobs"
    )
    max_tres_run_mins_per_account: Tres | None = documented("MaxTRESRunMinsPerAccount: of an account's running jobs")
    grp_tres_run_mins: Tres | None = documented("GrpTRESRunMins: TRES times minutes of all running jobs")
    grp_tres_mins: Tres | None = documented("GrpTRESMins: TRES times minutes, used up over time")
    grp_wall: Duration | None = documented("GrpWall: time of all jobs together; no job can have more")
    default_time: Duration | None = documented(
        "GrpWall where AccountingStorageEnforce is not safe: the time limit of a job that asks for none"
    )
    max_jobs: Count | None = documented("MaxJobs of an account, MaxJobsPerUser of a QoS; with 0 no job can run")
    max_jobs_per_account: Count | None = documented("MaxJobsPerAccount of a QoS")
    grp_jobs: Count | None = documented("GrpJobs")
    max_submit: Count | None = documented(
        "MaxSubmitJobs of an account, MaxSubmitJobsPerUser of a QoS; with 0 no job can be submitted"
    )
    max_submit_per_account: Count | None = documented("MaxSubmitJobsPerAccount of a QoS")
    grp_submit: Count | None = documented("GrpSubmitJobs")


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

    qos: tuple[Name, ...] | None = documented("the QoS that it may use; default: any")
    default_qos: Name | None = documented("the QoS of a job that names none")
    default: bool | None = documented("whether it is the user's default account")
    priority: float | None = documented("added to the partition's priority")
    partition: tuple[Name, ...] | None = documented("the partitions in which it may be used; default: all")
    limits: LimitsSpec | None = documented("its limits, with those of its parent accounts")


@frozen
class PartitionSpec:
    """A partition."""

    disabled: bool | None = documented("true: never choose it")
    state: State | None = documented("State in Slurm; jobs start only in UP")
    hidden: bool | None = documented("Hidden in Slurm; launchers may choose it nevertheless")
    default: bool | None = documented("whether it is the partition of jobs that name none")
    priority: float | None = documented("a higher number is chosen first")
    qos: tuple[Name, ...] | None = documented("jobs here must use one of these QoS")
    accounts: tuple[Name, ...] | None = documented("jobs here must use one of these accounts")
    deny_qos: tuple[Name, ...] | None = documented("jobs here cannot use these QoS")
    deny_accounts: tuple[Name, ...] | None = documented("jobs here cannot use these accounts")
    partition_qos: Name | None = documented("QoS= in Slurm: a QoS whose limits apply to every job here")
    configuration: NodeConfiguration | None = documented("what its nodes are like")
    nodes: tuple[NodesSpec, ...] | None = documented("its nodes, in blocks of nodes that are alike")
    limits: LimitsSpec | None = documented("its limits")
    exclusive: bool | None = documented("OverSubscribe=EXCLUSIVE: jobs get whole nodes")
    default_time: Duration | None = documented("DefaultTime: the time limit of a job that asks for none")
    def_mem_per_cpu: Memory | None = documented("DefMemPerCPU")
    def_mem_per_node: Memory | None = documented("DefMemPerNode")
    def_mem_per_gpu: Memory | None = documented("DefMemPerGPU")
    def_cpu_per_gpu: Count | None = documented("DefCpuPerGPU")


@frozen
class DefaultsSpec:
    """The user's account and QoS for jobs that name none."""

    account: Name | None = documented("the default account")
    qos: Name | None = documented("the default QoS")


@frozen
class LocalGroup:
    """This machine, described by hand or probed."""

    id: Line | None = documented("a name for it")
    connector: Literal["local"] | None = documented("no effect yet: commands always run on this machine")
    weight: float | None = documented("a higher number is chosen first; default 0")
    tags: tuple[Line, ...] | None = documented("select the group with --tag or find_launcher(tags=...)")
    choose: Choose | None = documented("tightest (default), widest or random")
    disabled: bool | None = documented("true: never choose it")
    probe: bool | None = documented("read what the file leaves out from this machine")
    tokens: dict[Name, Count] | None = documented("for each token, how many jobs at once may hold it, across processes")
    arch: Name | None = documented("its processor architecture, such as x86_64 or aarch64")
    cpu: CpuSpec | None = documented("processors and memory that jobs can have")
    gpu: tuple[GpuSpec, ...] | GpuSpec | None = documented("accelerators: one entry, or a list")
    accelerators: tuple[AcceleratorSpec, ...] | None = documented("accelerators, class by class")


@frozen
class SlurmGroup:
    """A Slurm cluster, or a part of one."""

    id: Line | None = documented("a name for it")
    connector: Literal["local"] | None = documented("no effect yet: commands always run on this machine")
    weight: float | None = documented("a higher number is chosen first; default 0")
    tags: tuple[Line, ...] | None = documented("select the group with --tag or find_launcher(tags=...)")
    choose: Choose | None = documented("tightest (default), widest or random")
    disabled: bool | None = documented("true: never choose it")
    facts: Line | None = documented("a file written by `launchers convert`; this entry overrides it key by key")
    query_slurm: bool | None = documented("read the live cluster; this entry overrides it key by key")
    login_arch: Name | None = documented("the processor architecture of the node where jobs are submitted")
    live: bool | None = documented("order otherwise equal offers by idle nodes and waiting jobs")
    features_regex: tuple[Regex, ...] | None = documented(
        "regular expressions for features; groups: cuda_count, cuda_memory, rocm_count, rocm_memory, gpu_count, "
        "gpu_memory, gpu_model"
    )
    features: dict[Name, NodeConfiguration] | None = documented("what the nodes with a feature are like")
    use_memory_constraint: bool | None = documented("false: ask for the cores that come with the memory (mem_per_cpu)")
    use_memory_contraint: bool | None = documented("the same, as older files spell it")
    qos: dict[Name, QosSpec] | None = documented("qualities of service")
    accounts: dict[Name, AccountSpec] | None = documented("the accounts of the user")
    configuration: NodeConfiguration | None = documented("what the nodes of all partitions are like")
    partitions: dict[Name, PartitionSpec] | None = documented("the partitions")
    gres: Gres | None = documented("how sbatch is asked for GPUs: gpus_per_node (default), gres, gres_typed")
    sbatch: dict[Option, Scalar] | None = documented(
        "sbatch options for every job; launchers sets those of the requirement itself"
    )
    limits: LimitsSpec | None = documented("limits of every partition")
    defaults: DefaultsSpec | None = documented("the user's default account and QoS")


@frozen
class OarNodes:
    """Nodes of an OAR cluster that are alike."""

    hosts: tuple[Hosts, ...] | Hosts | None = documented("their names: a list, or a folded list such as chifflot-[1-8]")
    count: Count | None = documented("number of nodes")
    available: Count | None = documented("number of nodes that were alive")
    arch: Name | None = documented("their processor architecture, such as x86_64 or aarch64")
    cpu: CpuSpec | None = documented("processors and memory")
    accelerators: tuple[AcceleratorSpec, ...] | None = documented("accelerators, class by class")
    properties: dict[Property, Value] | None = documented(
        "properties that all of them have; jobs ask for the nodes by these"
    )


@frozen
class OarLimits:
    """Bounds on a job of a queue."""

    max_duration: Duration | None = documented("longest walltime")
    max_nodes: Count | None = documented("most nodes")


@frozen
class OarQueue:
    """A queue of an OAR cluster."""

    disabled: bool | None = documented("true: never choose it")
    priority: float | None = documented("a higher number is chosen first")
    types: tuple[JobType, ...] | None = documented(
        "job types that every job here asks for: besteffort, idempotent, deploy, container"
    )
    properties: dict[Property, Value] | None = documented("only nodes with these properties")
    limits: OarLimits | None = documented("its limits")
    default_time: Duration | None = documented("the walltime of a job that asks for none")


@frozen
class OarGroup:
    """An OAR cluster, or a part of one."""

    id: Line | None = documented("a name for it")
    connector: Literal["local"] | None = documented("no effect yet: commands always run on this machine")
    weight: float | None = documented("a higher number is chosen first; default 0")
    tags: tuple[Line, ...] | None = documented("select the group with --tag or find_launcher(tags=...)")
    choose: Choose | None = documented("tightest (default), widest or random")
    disabled: bool | None = documented("true: never choose it")
    facts: Line | None = documented("a file written by `launchers convert`; this entry overrides it key by key")
    query_oar: bool | None = documented("read the live cluster; this entry overrides it key by key")
    login_arch: Name | None = documented("the processor architecture of the node where jobs are submitted")
    resources: tuple[Property, ...] | None = documented(
        "the levels that jobs ask for, hosts first; default [host, gpu, core]; without core, jobs get whole nodes"
    )
    project: Line | None = documented("the project that jobs belong to")
    queues: dict[Name, OarQueue] | None = documented("the queues; default: one, called default")
    nodes: tuple[OarNodes, ...] | None = documented("its nodes, in blocks of nodes that are alike")


@frozen
class GpuModel:
    """A GPU model that is not in the catalogue, or differs from it."""

    kind: Kind = field(default="cuda", metadata={"doc": "cuda, rocm or mps"})
    memory: Memory | None = documented("memory of one device")


@frozen
class Document:
    """A launchers.yaml."""

    local: tuple[LocalGroup, ...] | None = documented("machines that jobs run on directly")
    slurm: tuple[SlurmGroup, ...] | None = documented("Slurm clusters")
    oar: tuple[OarGroup, ...] | None = documented("OAR clusters")
    gpus: dict[Line, GpuModel] | None = documented("GPU models, by the names used here")
