"""What can be wrong with a single job of a flow: what it runs, what it asks for, and its environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from launchers.files.problems import Problem
from launchers.files.tree import KeyPath, Tree
from launchers.flow.check import suggest_name
from launchers.flow.model import AMOUNT_KEYS, FlowJob
from launchers.flow.schema import Container
from launchers.quantities.hosts import expand_hosts
from launchers.requirement import Requirement, RequirementSyntaxError, parse
from launchers.runs.escalate import factors
from launchers.slurm.args import MailType, time_limit_minutes
from launchers.slurm.features import constraint_matches
from launchers.slurm.gres import read_gres

WORK_KEYS = ("command", "script", "python")
"""The keys that say what a job runs; a job has exactly one of them."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
RESERVED_PREFIXES = ("SLURM_", "SBATCH_", "OAR_", "LAUNCHERS_")
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
APPTAINER_KEYS = ("nv", "rocm", "cleanenv", "fakeroot", "writable_tmpfs", "overlay")
"""The keys of a container that only apptainer and singularity have options for."""


def job_problems(jobs: Mapping[str, FlowJob], tree: Tree) -> Iterator[Problem]:
    """Everything that is wrong with single jobs."""
    for job in jobs.values():
        path: KeyPath = ("jobs", job.index)
        for check in CHECKS:
            yield from check(job, path, tree)


def place_of_setting(tree: Tree, path: KeyPath, *key: str) -> KeyPath:
    """Where a setting of a job stands: in the job or under `defaults`, itself or under `resources` or `environment`."""
    for above in (path, ("defaults",)):
        for below in ((), ("resources",), ("environment",), ("environment", "container")):
            if (*above, *below, *key) in tree.places:
                return (*above, *below, *key)
    return (*path, *key)


# -- what it runs ----------------------------------------------------------------------------------------------


def _work_problems(job: FlowJob, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    spec = job.spec
    given = [key for key in WORK_KEYS if getattr(spec, key) is not None]
    if not given:
        yield tree.problem("LC114", path, "this job runs nothing", "write one of command, script, python")
    for key in given[1:]:
        yield tree.problem("LC114", (*path, key), f"this job has {given[0]} already", f"keep {given[0]} or {key}")
    if spec.command is not None and not spec.command:
        yield tree.problem("LC114", (*path, "command"), "the command is empty")
    if spec.python is not None and not FUNCTION.fullmatch(spec.python):
        yield tree.problem("LC109", (*path, "python"), f"{spec.python!r} is not module:function")
    if spec.with_ is not None and spec.python is None:
        message = "with has the arguments of a Python function, and this job has no python"
        yield tree.problem("LC114", (*path, "with"), message)


def _export_problems(job: FlowJob, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    for name in job.spec.exports or ():
        if not VARIABLE.fullmatch(name):
            yield _bad_variable(name, (*path, "exports", name), tree)


def _bad_variable(name: str, path: KeyPath, tree: Tree, *, key: bool = False) -> Problem:
    rule = "use letters, digits and _, not beginning with a digit"
    return tree.problem("LC109", path, f"{name!r} is not a valid name for a variable", rule, key=key)


# -- what it asks for ------------------------------------------------------------------------------------------


def _needs_problems(job: FlowJob, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    """A requirement that cannot be read, and amounts beside it: `needs` has them, and the time unless it has none."""
    needs = job.spec.needs
    if needs is None:
        return
    requirement: Requirement | None = None
    try:
        requirement = parse(needs)
    except RequirementSyntaxError as error:
        message = f"{error.reason}, at column {error.column} of {needs!r}"
        hint = f"did you mean {error.suggestion}?" if error.suggestion else ""
        yield tree.problem("LC112", place_of_setting(tree, path, "needs"), message, hint)
    timed = requirement is not None and any(alternative.duration for alternative in requirement.alternatives)
    for key in (*AMOUNT_KEYS, "time_limit") if timed else AMOUNT_KEYS:
        if getattr(job.resources, key) is not None:
            message = f"needs already states what the job asks for: {needs}"
            place = place_of_setting(tree, path, key)
            yield tree.problem("LC114", place, message, f"leave out {key} or needs", key=True)


def _amount_problems(job: FlowJob, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    resources = job.resources
    for key in ("nodes", "ntasks_per_node", "cpus_per_task"):
        if getattr(resources, key) == 0:
            yield tree.problem("LC102", place_of_setting(tree, path, key), f"{key} must be at least 1")
    gres = (resources.gres or "").split(",")
    if resources.gpus_per_node and any(part.strip().startswith("gpu") for part in gres):
        message = "gpus_per_node asks for GPUs already"
        yield tree.problem("LC114", place_of_setting(tree, path, "gres"), message, "keep one of them")
    if resources.time_limit is not None:
        limit = resources.time_limit
        try:
            time_limit_minutes(limit if isinstance(limit, int) else str(limit))
        except (ValueError, TypeError) as error:
            yield tree.problem("LC104", place_of_setting(tree, path, "time_limit"), str(error))


def _syntax_problems(job: FlowJob, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    """Text that has a syntax of its own and is not read until the job is submitted."""
    resources = job.resources
    readers: list[tuple[str, str | None, Callable[[str], object]]] = [
        ("gres", resources.gres, read_gres),
        ("nodelist", resources.nodelist, expand_hosts),
        ("constraint", resources.constraint, lambda text: constraint_matches(text, ())),
        ("escalate", job.spec.escalate, factors),
    ]
    for key, text, read in readers:
        try:
            if text is not None:
                read(text)
        except ValueError as error:
            yield tree.problem("LC110", place_of_setting(tree, path, key), str(error))


def _mail_problems(job: FlowJob, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    mail = job.resources.mail_type
    for text in filter(None, mail if isinstance(mail, tuple) else [mail]):
        for kind in text.split(","):
            if kind.strip().upper() not in MailType.__members__:
                place = place_of_setting(tree, path, "mail_type")
                hint = suggest_name(kind.strip().upper(), MailType.__members__)
                yield tree.problem("LC110", place, f"Slurm sends no mail about {kind.strip()!r}", hint)


# -- its environment -------------------------------------------------------------------------------------------


def _environment_problems(job: FlowJob, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    environment = job.environment
    if environment.conda and environment.venv:
        message = "conda and venv cannot be used together: a job runs in one environment"
        yield tree.problem("LC114", place_of_setting(tree, path, "venv"), message, "keep one of them")
    if environment.container is not None:
        yield from _container_problems(environment.container, path, tree)
    inside = environment.container.env if environment.container is not None else None
    for name in {**(environment.env or {}), **(inside or {})}:
        places = (place_of_setting(tree, path, key, name) for key in ("env", "env_vars"))
        place = next(filter(tree.places.get, places), path)
        if not VARIABLE.fullmatch(name):
            yield _bad_variable(name, place, tree, key=True)
        elif name.startswith(RESERVED_PREFIXES):
            message = f"{name} is reserved: names that begin with {', '.join(RESERVED_PREFIXES)} are not yours to set"
            yield tree.problem("LC109", place, message, key=True)


def _container_problems(container: Container, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    if not container.image:
        place = place_of_setting(tree, path, "container")
        yield tree.problem("LC114", place, "the container has no image", "write image: ...")
    runtime = container.runtime or "pyxis"
    for key in APPTAINER_KEYS if runtime in ("pyxis", "podman") else ():
        if getattr(container, key):
            message = f"only apptainer and singularity know {key}; the runtime here is {runtime}"
            yield tree.problem("LC114", place_of_setting(tree, path, key), message, key=True)


CHECKS: tuple[Callable[[FlowJob, KeyPath, Tree], Iterator[Problem]], ...] = (
    _work_problems,
    _needs_problems,
    _amount_problems,
    _syntax_problems,
    _mail_problems,
    _environment_problems,
    _export_problems,
)
