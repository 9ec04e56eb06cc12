"""The keys of a flow file, as classes; their values are read as those of launchers.yaml are.

None means that the file does not have the key.  Memory is in bytes.  The field `with_` is the key `with`.
"""

from typing import Any, Literal

from attrs import frozen

from launchers.files.kinds import Count, Line, Memory, Name, Scalar, Word, documented

Runtime = Literal["pyxis", "apptainer", "singularity", "podman"]
Mapped = dict[Name, Any]
Value = bool | int | float | Word
"""A word of a command, or what a variable is set to."""


@frozen(kw_only=True)
class Container:
    """The container that the command runs in."""

    runtime: Runtime | None = documented("pyxis (default), apptainer, singularity or podman")
    image: Line | None = documented("the image, as the runtime names it")
    mounts: tuple[Line, ...] | None = documented("HOST:CONTAINER or HOST:CONTAINER:ro")
    workdir: Line | None = documented("the working directory in the container")
    nv: bool | None = documented("make NVIDIA GPUs available (apptainer, singularity)")
    rocm: bool | None = documented("make AMD GPUs available (apptainer, singularity)")
    cleanenv: bool | None = documented("do not pass on the host's environment (apptainer, singularity)")
    fakeroot: bool | None = documented("be root in the container (apptainer, singularity)")
    writable_tmpfs: bool | None = documented("a writable layer, removed at the end (apptainer, singularity)")
    overlay: Line | None = documented("an overlay image (apptainer, singularity)")
    env: dict[Name, Value] | None = documented("environment variables in the container")


@frozen(kw_only=True, slots=False)
class JobEnvironment:
    """The environment that a job runs in."""

    conda: Line | None = documented("a conda environment: its name or path; conda is found by CONDA_EXE or on PATH")
    venv: Line | None = documented("the folder of a virtual environment")
    modules: tuple[Line, ...] | None = documented("environment modules to load, in this order")
    env: dict[Name, Value] | None = documented("environment variables")
    env_vars: dict[Name, Value] | None = documented("the same as env, as older files spell it")
    container: Container | None = documented("a container that the command runs in")


@frozen(kw_only=True, slots=False)
class JobResources:
    """What a job asks for, in Slurm's words.  Amounts become a requirement; the rest is passed on unchanged."""

    nodes: Count | None = documented("how many nodes")
    gpus_per_node: Count | None = documented("GPUs on each node")
    ntasks_per_node: Count | None = documented("tasks on each node, for srun in the job")
    cpus_per_task: Count | None = documented("CPUs of each task")
    memory_per_node: Memory | None = documented("memory on each node")
    time_limit: Scalar | None = documented("the time limit in any of Slurm's forms; a number is minutes")
    partition: Line | None = documented("one of these partitions, separated by commas")
    nodelist: Line | None = documented("nodes that the job must run on")
    account: Line | None = documented("the account")
    qos: Line | None = documented("the QoS")
    constraint: Line | None = documented("node features, as sbatch takes them")
    gres: Line | None = documented("generic resources, as sbatch takes them")
    mail_type: tuple[Line, ...] | Line | None = documented("when Slurm sends mail: BEGIN, END, FAIL, ALL...")
    mail_user: Line | None = documented("who gets the mail")


@frozen(kw_only=True)
class JobDefaults(JobResources, JobEnvironment):
    """The keys that a job may have and that `defaults` may have for all jobs."""

    needs: Line | None = documented("a requirement, such as 'cuda(mem=24G)*2 & duration=4h'")
    resources: JobResources | None = documented("what the job asks for, in Slurm's words")
    environment: JobEnvironment | None = documented("the environment that the job runs in")
    setup: tuple[str, ...] | str | None = documented("shell commands that run before the job, in the same shell")
    teardown: tuple[str, ...] | str | None = documented("shell commands that run after the job, however it ends")
    work_dir: Line | None = documented("the folder that the job runs in; by default where it was submitted")
    retry: Count | None = documented("how often a failed job is tried again")
    retry_delay: Count | None = documented("seconds to wait before a retry")
    escalate: Line | None = documented(
        "multiply what the failed attempt asked for, such as 'mem*2', and submit the job again"
    )


@frozen(kw_only=True)
class JobSpec(JobDefaults):
    """A job: a command, a script or a Python function."""

    name: Name | None = documented("the name of the job")
    command: tuple[Value, ...] | str | None = documented("a list of words, passed on unchanged, or text for bash")
    script: Line | None = documented("the path of a script")
    python: Line | None = documented("a Python function, as module:function")
    with_: Mapped | None = documented("the arguments of the function")
    depends_on: tuple[Line, ...] | Line | None = documented(
        "the jobs that it waits for, such as a, afterany:b, afternotok:c, after:d"
    )
    exports: dict[Name, Value] | None = documented("values for the jobs that depend on it: {{ deps.NAME.KEY }}")
    inputs: tuple[Line, ...] | None = documented("files that the job reads, for --resume")
    outputs: tuple[Line, ...] | None = documented("files that the job writes, for --resume")
    once: bool | None = documented("in a sweep: run once for all cells, after all of them")


@frozen(kw_only=True)
class SweepSpec:
    """Run the jobs once for each of several values of the arguments."""

    matrix: dict[Name, tuple[Scalar, ...]] | None = documented(
        "the values of each argument; every combination is a cell"
    )
    include: tuple[dict[Name, Scalar], ...] | None = documented("more cells")
    exclude: tuple[dict[Name, Scalar], ...] | None = documented("leave out cells that have all of these values")
    max_parallel: Count | None = documented("how many cells of a job may run at once")
    fail_fast: bool | None = documented("true: when a cell of a job fails, cancel the other cells of that job")


@frozen(kw_only=True)
class NotifySpec:
    """Who gets messages about what, through apprise."""

    urls: tuple[Line, ...] | Line | None = documented(
        "apprise URLs; $NAME is a variable of your environment, file:PATH a file with the URL"
    )
    on: tuple[Literal["started", "finished", "failed"], ...] | None = documented(
        "when to send a message; by default always"
    )


@frozen(kw_only=True)
class FlowDocument:
    """A flow: a pipeline on one page."""

    name: Name | None = documented("the name of the flow")
    args: Mapped | None = documented("values for templates, as {{ args.NAME }} or {{ NAME }}")
    defaults: JobDefaults | None = documented("keys that all jobs have in common")
    jobs: tuple[JobSpec, ...] | None = documented("the jobs")
    sweep: SweepSpec | None = documented("run the jobs once for each of several values of the arguments")
    notify: NotifySpec | None = documented("who gets messages, and when")
