"""The keys of a flow file, as classes; their values are read as those of launchers.yaml are.

None means that the file does not have the key.  Memory is in bytes.  The field `with_` is the key `with`.
"""

from typing import Any, Literal

from attrs import frozen

from launchers.files.kinds import Count, Line, Memory, Name, Scalar, Word, says

Runtime = Literal["pyxis", "apptainer", "singularity", "podman"]
Mapped = dict[Name, Any]
Value = bool | int | float | Word
"""A word of a command, or what a variable is set to."""


@frozen(kw_only=True)
class Container:
    """The container that the command runs in."""

    runtime: Runtime | None = says("pyxis (default), apptainer, singularity or podman")
    image: Line | None = says("the image, as the runtime names it")
    mounts: tuple[Line, ...] | None = says("HOST:CONTAINER or HOST:CONTAINER:ro")
    workdir: Line | None = says("the working directory in the container")
    nv: bool | None = says("make NVIDIA GPUs available (apptainer, singularity)")
    rocm: bool | None = says("make AMD GPUs available (apptainer, singularity)")
    cleanenv: bool | None = says("do not pass on the host's environment (apptainer, singularity)")
    fakeroot: bool | None = says("be root in the container (apptainer, singularity)")
    writable_tmpfs: bool | None = says("a writable layer, removed at the end (apptainer, singularity)")
    overlay: Line | None = says("an overlay image (apptainer, singularity)")
    env: dict[Name, Value] | None = says("environment variables in the container")


@frozen(kw_only=True, slots=False)
class Environment:
    """The environment that a job runs in."""

    conda: Line | None = says("a conda environment: its name or path; conda is found by CONDA_EXE or on PATH")
    venv: Line | None = says("the folder of a virtual environment")
    modules: tuple[Line, ...] | None = says("environment modules to load, in this order")
    env: dict[Name, Value] | None = says("environment variables")
    env_vars: dict[Name, Value] | None = says("the same as env, as older files spell it")
    container: Container | None = says("a container that the command runs in")


@frozen(kw_only=True, slots=False)
class Resources:
    """What a job asks for, in Slurm's words.  Amounts become a requirement; the rest is passed on unchanged."""

    nodes: Count | None = says("how many nodes")
    gpus_per_node: Count | None = says("GPUs on each node")
    ntasks_per_node: Count | None = says("tasks on each node, for srun in the job")
    cpus_per_task: Count | None = says("CPUs of each task")
    memory_per_node: Memory | None = says("memory on each node")
    time_limit: Scalar | None = says("the time limit in any of Slurm's forms; a number is minutes")
    partition: Line | None = says("one of these partitions, separated by commas")
    nodelist: Line | None = says("nodes that the job must run on")
    account: Line | None = says("the account")
    qos: Line | None = says("the QoS")
    constraint: Line | None = says("node features, as sbatch takes them")
    gres: Line | None = says("generic resources, as sbatch takes them")
    mail_type: tuple[Line, ...] | Line | None = says("when Slurm sends mail: BEGIN, END, FAIL, ALL...")
    mail_user: Line | None = says("who gets the mail")


@frozen(kw_only=True)
class JobDefaults(Resources, Environment):
    """The keys that a job may have and that `defaults` may have for all jobs."""

    needs: Line | None = says("a requirement, such as 'cuda(mem=24G)*2 & duration=4h'")
    resources: Resources | None = says("what the job asks for, in Slurm's words")
    environment: Environment | None = says("the environment that the job runs in")
    setup: tuple[str, ...] | str | None = says("shell commands that run before the job, in the same shell")
    teardown: tuple[str, ...] | str | None = says("shell commands that run after the job, however it ends")
    work_dir: Line | None = says("the folder that the job runs in; by default where it was submitted")
    retry: Count | None = says("how often a failed job is tried again")
    retry_delay: Count | None = says("seconds to wait before a retry")
    escalate: Line | None = says(
        "multiply what the failed attempt asked for, such as 'mem*2', and submit the job again"
    )


@frozen(kw_only=True)
class JobSpec(JobDefaults):
    """A job: a command, a script or a Python function."""

    name: Name | None = says("the name of the job")
    command: tuple[Value, ...] | str | None = says("a list of words, passed on unchanged, or text for bash")
    script: Line | None = says("the path of a script")
    python: Line | None = says("a Python function, as module:function")
    with_: Mapped | None = says("the arguments of the function")
    depends_on: tuple[Line, ...] | Line | None = says(
        "the jobs that it waits for, such as a, afterany:b, afternotok:c, after:d"
    )
    exports: dict[Name, Value] | None = says("values for the jobs that depend on it: {{ deps.NAME.KEY }}")
    inputs: tuple[Line, ...] | None = says("files that the job reads, for --resume")
    outputs: tuple[Line, ...] | None = says("files that the job writes, for --resume")
    once: bool | None = says("in a sweep: run once for all cells, after all of them")


@frozen(kw_only=True)
class SweepSpec:
    """Run the jobs once for each of several values of the arguments."""

    matrix: dict[Name, tuple[Scalar, ...]] | None = says("the values of each argument; every combination is a cell")
    include: tuple[dict[Name, Scalar], ...] | None = says("more cells")
    exclude: tuple[dict[Name, Scalar], ...] | None = says("leave out cells that have all of these values")
    max_parallel: Count | None = says("how many cells of a job may run at once")
    fail_fast: bool | None = says("true: when a cell of a job fails, cancel the other cells of that job")


@frozen(kw_only=True)
class NotifySpec:
    """Who gets messages about what, through apprise."""

    urls: tuple[Line, ...] | Line | None = says(
        "apprise URLs; $NAME is a variable of your environment, file:PATH a file with the URL"
    )
    on: tuple[Literal["started", "finished", "failed"], ...] | None = says("when to send a message; by default always")


@frozen(kw_only=True)
class FlowDocument:
    """A flow: a pipeline on one page."""

    name: Name | None = says("the name of the flow")
    args: Mapped | None = says("values for templates, as {{ args.NAME }} or {{ NAME }}")
    defaults: JobDefaults | None = says("keys that all jobs have in common")
    jobs: tuple[JobSpec, ...] | None = says("the jobs")
    sweep: SweepSpec | None = says("run the jobs once for each of several values of the arguments")
    notify: NotifySpec | None = says("who gets messages, and when")
