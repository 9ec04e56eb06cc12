"""The schema of a flow file: these classes are it, read by the loader of launchers.yaml.

None always means "not said".  Memory is in bytes, durations in seconds.  `with_` is the key `with`.
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
    """A container that the command runs in."""

    runtime: Runtime | None = says("pyxis (default), apptainer, singularity or podman")
    image: Line | None = says("the image, as the runtime names it")
    mounts: tuple[Line, ...] | None = says("HOST:CONTAINER or HOST:CONTAINER:ro")
    workdir: Line | None = says("working directory inside")
    nv: bool | None = says("NVIDIA GPUs inside (apptainer, singularity)")
    rocm: bool | None = says("AMD GPUs inside (apptainer, singularity)")
    cleanenv: bool | None = says("no variables of the host inside (apptainer, singularity)")
    fakeroot: bool | None = says("root inside (apptainer, singularity)")
    writable_tmpfs: bool | None = says("a writable layer that is thrown away (apptainer, singularity)")
    overlay: Line | None = says("an overlay image (apptainer, singularity)")
    env: dict[Name, Value] | None = says("variables inside")


@frozen(kw_only=True, slots=False)
class Environment:
    """What a job runs in."""

    conda: Line | None = says("a conda environment, by name or path; conda is found by CONDA_EXE or on PATH")
    venv: Line | None = says("the folder of a virtual environment")
    modules: tuple[Line, ...] | None = says("environment modules to load, in this order")
    env: dict[Name, Value] | None = says("variables")
    env_vars: dict[Name, Value] | None = says("the same, as older files spell it")
    container: Container | None = says("a container that the command runs in")


@frozen(kw_only=True, slots=False)
class Resources:
    """What a job asks of Slurm, in Slurm's words; amounts become a requirement, the rest is passed as it stands."""

    nodes: Count | None = says("how many nodes")
    gpus_per_node: Count | None = says("GPUs on each")
    ntasks_per_node: Count | None = says("tasks on each, for srun inside")
    cpus_per_task: Count | None = says("CPUs of each task")
    memory_per_node: Memory | None = says("memory on each")
    time_limit: Scalar | None = says("in any form of Slurm's; a number is minutes")
    partition: Line | None = says("one of these, with commas")
    nodelist: Line | None = says("these nodes")
    account: Line | None = says("the account")
    qos: Line | None = says("the QoS")
    constraint: Line | None = says("features, as Slurm has them")
    gres: Line | None = says("generic resources, as Slurm has them")
    mail_type: tuple[Line, ...] | Line | None = says("when Slurm writes mail: BEGIN, END, FAIL, ALL...")
    mail_user: Line | None = says("to whom")


@frozen(kw_only=True)
class Defaults(Resources, Environment):
    """What may stand in a job and, for all jobs, under `defaults`."""

    needs: Line | None = says("a requirement, such as 'cuda(mem=24G)*2 & duration=4h'")
    resources: Resources | None = says("what it asks of Slurm, in Slurm's words")
    environment: Environment | None = says("what it runs in")
    setup: tuple[str, ...] | str | None = says("shell commands before it, in the same shell")
    teardown: tuple[str, ...] | str | None = says("shell commands after it, however it ends")
    work_dir: Line | None = says("where it runs; left out: where it was submitted")
    retry: Count | None = says("how often it is tried again when it fails")
    retry_delay: Count | None = says("seconds before that")
    escalate: Line | None = says("what it asks for when tried again, such as 'mem*2': it is then submitted anew")


@frozen(kw_only=True)
class Job(Defaults):
    """A job: a command, a script or a Python function."""

    name: Name | None = says("its name")
    command: tuple[Value, ...] | str | None = says("a list of words as they stand, or text for the shell")
    script: Line | None = says("a script to run")
    python: Line | None = says("a function, module:function")
    with_: Mapped | None = says("the arguments of the function")
    depends_on: tuple[Line, ...] | Line | None = says("jobs before it, such as a, afterany:b, afternotok:c, after:d")
    exports: dict[Name, Value] | None = says("values for others, as {{ deps.NAME.KEY }}")
    inputs: tuple[Line, ...] | None = says("files it reads, for --resume")
    outputs: tuple[Line, ...] | None = says("files it writes, for --resume")
    once: bool | None = says("in a sweep: one job for all cells, after all of them")


@frozen(kw_only=True)
class Sweep:
    """The same jobs with other arguments."""

    matrix: dict[Name, tuple[Scalar, ...]] | None = says("values of each argument; every combination is a cell")
    include: tuple[dict[Name, Scalar], ...] | None = says("further cells")
    exclude: tuple[dict[Name, Scalar], ...] | None = says("cells with all of these values are left out")
    max_parallel: Count | None = says("at most so many cells of a job at once")
    fail_fast: bool | None = says("true: the first cell of a job that fails has its others cancelled")


@frozen(kw_only=True)
class Notify:
    """Who is told of what, through apprise."""

    urls: tuple[Line, ...] | Line | None = says("apprise URLs; $NAME for one in the environment, file:PATH for a file")
    on: tuple[Literal["started", "finished", "failed"], ...] | None = says("of what; left out: of all")


@frozen(kw_only=True)
class Document:
    """A flow."""

    name: Name | None = says("its name")
    args: Mapped | None = says("values for templates, as {{ args.NAME }} or {{ NAME }}")
    defaults: Defaults | None = says("for all jobs")
    jobs: tuple[Job, ...] | None = says("the jobs")
    sweep: Sweep | None = says("the same jobs with other arguments")
    notify: Notify | None = says("who is told")
