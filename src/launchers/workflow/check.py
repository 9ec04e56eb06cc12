"""What is wrong with a flow beyond the shape of its file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from launchers.offer.problems import Problem
from launchers.offer.tree import Path, Tree
from launchers.plan.graph import NAME
from launchers.plan.model import On, PlanError, sorted_names
from launchers.plan.retry import factors
from launchers.plan.store import RunError
from launchers.requirement import RequirementSyntaxError, parse
from launchers.slurm.args import minutes
from launchers.workflow import schema

if TYPE_CHECKING:
    from launchers.workflow.flow import Job

KINDS: dict[str, On] = {
    "afterok": "ok", "afterany": "any", "afternotok": "failed", "after": "started", "aftercorr": "each",
}  # fmt: skip
"""Slurm's words for what a job waits for (man sbatch, --dependency), and the plan's."""
RUNS = ("command", "script", "python")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
RESERVED = ("SLURM_", "SBATCH_", "OAR_", "LAUNCHERS_")
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
ONLY_APPTAINER = ("nv", "rocm", "cleanenv", "fakeroot", "writable_tmpfs", "overlay")
AMOUNTS = ("nodes", "gpus_per_node", "ntasks_per_node", "cpus_per_task", "memory_per_node", "time_limit", "gres")


def parsed_waits(value: Any) -> Iterator[tuple[str, On]]:
    """``a``, ``afterany:b`` as (name, what of it); of what is not right as much as can be read."""
    for text in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []:
        if isinstance(text, str):
            kind, colon, name = text.partition(":")
            yield (name.strip(), KINDS.get(kind.strip(), "ok")) if colon else (text.strip(), "ok")


def ordered(jobs: Mapping[str, Job]) -> list[str]:
    """The names of jobs, parents first; in their order where there is no such order."""
    after = {name: [parent for parent, _ in job.waits if parent in jobs] for name, job in jobs.items()}
    try:
        return sorted_names(list(jobs), after)
    except PlanError:
        return list(jobs)


# -- the whole -------------------------------------------------------------------------------------------------


def document(flow: schema.Document, tree: Tree) -> Iterator[Problem]:
    """What is missing, given twice, or hangs on nothing."""
    if not flow.name:
        yield tree.problem("LC114", (), "a flow has a name", "write name: my-flow")
    elif not NAME.fullmatch(flow.name):
        yield tree.problem("LC109", ("name",), f"{flow.name!r}: a name has letters, digits, and _ . + @ = -")
    if not flow.jobs:
        yield tree.problem("LC114", (), "a flow has jobs", "write jobs: and a list below it")
    names = [job.name for job in flow.jobs or ()]
    for index, job in enumerate(flow.jobs or ()):
        path: Path = ("jobs", index)
        if job.name is None:
            yield tree.problem("LC114", path, "a job has a name", "write name: ...")
        elif not NAME.fullmatch(job.name):
            yield tree.problem("LC109", (*path, "name"), f"{job.name!r}: a name has letters, digits, and _ . + @ = -")
        elif job.name in names[:index]:
            yield tree.problem("LC106", (*path, "name"), f"there is a job {job.name!r} already")
        yield from _waits(job, path, [name for name in names if name], tree)
    yield from _circle(flow, tree)


def _waits(job: schema.Job, path: Path, names: list[str], tree: Tree) -> Iterator[Problem]:
    listed = [job.depends_on] if isinstance(job.depends_on, str) else job.depends_on or ()
    for number, text in enumerate(listed):
        place = (*path, "depends_on") if isinstance(job.depends_on, str) else (*path, "depends_on", number)
        kind, colon, name = text.partition(":")
        name = (name if colon else text).strip()
        if colon and kind.strip() not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KINDS)}"
            yield tree.problem("LC110", place, f"{kind!r} is no kind of dependency", hint)
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            yield tree.problem("LC116", place, f"there is no job {name!r}", hint)


def _circle(flow: schema.Document, tree: Tree) -> Iterator[Problem]:
    names = [job.name for job in flow.jobs or () if job.name]
    after = {job.name: [one for one, _ in parsed_waits(job.depends_on) if one in names] for job in flow.jobs or ()}
    try:
        sorted_names(names, {name: parents for name, parents in after.items() if name})
    except PlanError as error:
        first = error.problems[0].rpartition(" -> ")[2]
        yield tree.problem("LC116", ("jobs", names.index(first)), error.problems[0])


# -- each job --------------------------------------------------------------------------------------------------


def jobs(found: Mapping[str, Job], tree: Tree) -> Iterator[Problem]:
    """What is wrong with single jobs."""
    for index, job in enumerate(found.values()):
        path: Path = ("jobs", index)
        yield from _runs(job, path, tree)
        yield from _asks(job, path, tree)
        yield from _environment(job, path, tree)
        for name in job.spec.exports or ():
            if not VARIABLE.fullmatch(name):
                yield tree.problem("LC109", (*path, "exports", name), f"{name!r} is not a name that templates can use")


def _runs(job: Job, path: Path, tree: Tree) -> Iterator[Problem]:
    spec = job.spec
    given = [name for name in RUNS if getattr(spec, name) is not None]
    if len(given) != 1:
        said = f"it has {' and '.join(given)}" if given else "it has none of them"
        yield tree.problem("LC114", path, f"a job has one of command, script, python; {said}")
    if spec.command is not None and not spec.command:
        yield tree.problem("LC114", (*path, "command"), "the command is empty")
    if spec.python is not None and not FUNCTION.fullmatch(spec.python):
        yield tree.problem("LC109", (*path, "python"), f"{spec.python!r} is not module:function")
    if spec.with_ is not None and spec.python is None:
        yield tree.problem("LC114", (*path, "with"), "arguments are for python: module:function")


def _asks(job: Job, path: Path, tree: Tree) -> Iterator[Problem]:
    spec, asked = job.spec, job.resources
    if spec.needs is not None:
        try:
            parse(spec.needs)
        except RequirementSyntaxError as error:
            where = (*path, "needs") if (*path, "needs") in tree.places else ("defaults", "needs")
            yield tree.problem("LC112", where, " ".join(str(error).split()))
        both = [name for name in AMOUNTS if getattr(asked, name) is not None]
        if both:
            yield tree.problem("LC114", path, f"needs and {', '.join(both)} say the same thing: keep one of them")
    if asked.time_limit is not None:
        try:
            minutes(asked.time_limit if isinstance(asked.time_limit, int) else str(asked.time_limit))
        except (ValueError, TypeError) as error:
            yield tree.problem("LC104", (*path, "time_limit"), str(error))
    if asked.nodes == 0 or asked.ntasks_per_node == 0 or asked.cpus_per_task == 0:
        yield tree.problem("LC102", path, "nodes, ntasks_per_node and cpus_per_task are from 1 up")
    for name in asked.mail_type if isinstance(asked.mail_type, tuple) else filter(None, [asked.mail_type]):
        yield from _mail(name, path, tree)
    if spec.escalate is not None:
        try:
            factors(spec.escalate)
        except RunError as error:
            yield tree.problem("LC110", (*path, "escalate"), str(error).removeprefix("--escalate "))


def _mail(name: str, path: Path, tree: Tree) -> Iterator[Problem]:
    from launchers.slurm.args import MailType

    for one in name.split(","):
        if one.strip().upper() not in MailType.__members__:
            known = ", ".join(MailType.__members__)
            yield tree.problem("LC110", (*path, "mail_type"), f"{one!r}: Slurm knows {known}")


def _environment(job: Job, path: Path, tree: Tree) -> Iterator[Problem]:
    env = job.environment
    if env.conda and env.venv:
        yield tree.problem("LC114", path, "a job runs in a conda environment or in a virtual environment, not in both")
    inside = env.container
    if inside is not None and not inside.image:
        yield tree.problem("LC114", path, "a container has an image")
    if inside is not None and (inside.runtime or "pyxis") in ("pyxis", "podman"):
        wrong = [name for name in ONLY_APPTAINER if getattr(inside, name)]
        if wrong:
            message = (
                f"{', '.join(wrong)} mean something to apptainer and singularity, not to {inside.runtime or 'pyxis'}"
            )
            yield tree.problem("LC114", path, message)
    yield from _variables({**(env.env or {}), **((inside.env if inside else None) or {})}, path, tree)


def _variables(names: Iterable[str], path: Path, tree: Tree) -> Iterator[Problem]:
    for name in names:
        if not VARIABLE.fullmatch(name):
            yield tree.problem("LC109", path, f"{name!r} is not the name of a variable")
        elif name.startswith(RESERVED):
            yield tree.problem("LC109", path, f"{name}: variables that begin with {', '.join(RESERVED)} are not yours")
