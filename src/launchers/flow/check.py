"""What is wrong with a flow beyond the shape of its file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from launchers.files.problems import Problem
from launchers.files.tree import Path, Tree
from launchers.flow.model import AMOUNTS, KINDS, parsed_waits
from launchers.flow.notify import FINISHED, STARTED
from launchers.jobs.submission import NAME
from launchers.plan.tree import PlanError, sorted_names
from launchers.quantities.hosts import expand
from launchers.requirement import RequirementSyntaxError, parse
from launchers.runs.escalate import factors
from launchers.slurm.args import time_limit_minutes
from launchers.slurm.features import constraint_matches
from launchers.slurm.gres import read_gres

if TYPE_CHECKING:
    from launchers.flow.model import Cell, Job
RUNS = ("command", "script", "python")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
RESERVED = ("SLURM_", "SBATCH_", "OAR_", "LAUNCHERS_")
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
ONLY_APPTAINER = ("nv", "rocm", "cleanenv", "fakeroot", "writable_tmpfs", "overlay")
OWN = ("args", "run", "sweep", "deps")
"""What templates have beside the arguments."""


# -- the whole -------------------------------------------------------------------------------------------------


def document(data: Mapping[str, Any], tree: Tree) -> Iterator[Problem]:
    """What is missing, given twice, or hangs on nothing, in a file as it was read."""
    if data.get("name") is None:
        yield tree.problem("LC114", (), "a flow has a name", "write name: my-flow")
    elif not NAME.fullmatch(str(data["name"])):
        yield tree.problem("LC109", ("name",), f"{data['name']!r}: {A_NAME}")
    listed = data.get("jobs")
    raw = [job if isinstance(job, dict) else {} for job in listed] if isinstance(listed, list) else []
    if not raw:
        yield tree.problem("LC114", (), "a flow has jobs", "write jobs: and a list below it")
    names = [str(job["name"]) if job.get("name") is not None else None for job in raw]
    for index, (name, job) in enumerate(zip(names, raw, strict=True)):
        path: Path = ("jobs", index)
        if name is None:
            yield tree.problem("LC114", path, "a job has a name", "write name: ...")
        elif not NAME.fullmatch(name):
            yield tree.problem("LC109", (*path, "name"), f"{name!r}: {A_NAME}")
        elif name in (STARTED, FINISHED):
            yield tree.problem(
                "LC109", (*path, "name"), f"{name!r} is the job that sends a message", "name it otherwise"
            )
        elif name in names[:index]:
            yield tree.problem("LC106", (*path, "name"), f"there is a job {name!r} already")
        yield from _waits(job.get("depends_on"), (*path, "depends_on"), [name for name in names if name], tree)
    yield from _circle(names, [job.get("depends_on") for job in raw], tree)


A_NAME = "a name begins with a letter or digit and has letters, digits, and _ . + @ = -"


def _waits(listed: Any, path: Path, names: list[str], tree: Tree) -> Iterator[Problem]:
    texts = [listed] if isinstance(listed, str) else listed if isinstance(listed, list) else []
    before: dict[str, str] = {}
    for number, text in enumerate(texts):
        place = path if isinstance(listed, str) else (*path, number)
        if not isinstance(text, str):
            continue  # the schema says so
        kind, colon, name = text.partition(":")
        name = (name if colon else text).strip()
        if colon and kind.strip() not in KINDS:
            hint = meant(kind.strip(), KINDS)
            yield tree.problem("LC110", place, f"{kind!r} is no kind of dependency", hint)
        if name not in names:
            yield tree.problem("LC116", place, f"there is no job {name!r}", meant(name, names))
        asked = kind.strip() if colon else "afterok"
        if asked in KINDS and before.setdefault(name, asked) != asked:
            message = f"it waits for {name!r} already, and otherwise ({before[name]})"
            yield tree.problem("LC106", place, message, "keep one of them")


def meant(name: str, known: Iterable[str]) -> str:
    """A suggestion for a name that is not known."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}" if known else "there are none"


def _circle(names: Sequence[str | None], waits: Sequence[Any], tree: Tree) -> Iterator[Problem]:
    after: dict[str, list[str]] = {name: [] for name in names if name}
    for name, one in zip(names, waits, strict=True):
        if name:
            after[name] += [parent for parent, _ in parsed_waits(one) if parent in names]
    try:
        sorted_names(list(after), after)
    except PlanError as error:
        first = error.problems[0].rpartition(" -> ")[2]
        yield tree.problem("LC116", ("jobs", names.index(first), "depends_on"), error.problems[0])


def sweep(given: Mapping[str, Any], args: Mapping[str, Any], axes: Mapping[str, Any], tree: Tree) -> Iterator[Problem]:
    """What is swept, or replaced on the command line, has to be an argument."""
    for name in given:
        if name in OWN:
            yield tree.problem(
                "LC108", ("args", name), f"in templates {name} means something already", "call it otherwise"
            )
    for option, names in (("--arg", args), ("--sweep", axes)):
        for name in names:
            if name not in given:
                yield tree.problem(
                    "LC115", ("args",), f"{option} {name}: there is no such argument", meant(name, given)
                )
    said = tree.data.get("sweep")
    for key in ("matrix", "include", "exclude"):
        part = said.get(key) if isinstance(said, dict) else None
        for number, one in enumerate(part) if isinstance(part, list) else [(None, part)]:
            path: Path = ("sweep", key) if number is None else ("sweep", key, number)
            for name in one if isinstance(one, dict) else ():
                if name not in given:
                    message = f"there is no argument {name!r} to be swept"
                    yield tree.problem("LC115", (*path, name), message, meant(name, given), key=True)


def cells(found: Sequence[Cell], names: Sequence[str | None], tree: Tree) -> Iterator[Problem]:
    """What has to be the same in all cells of a sweep, the name of the flow among it."""
    if len(set(names)) > 1:
        yield tree.problem("LC115", ("name",), "the name of a flow is the same in all cells of a sweep")
    first = found[0].jobs
    for job in first.values():
        others = [{one.index: one for one in cell.jobs.values()}[job.index] for cell in found]
        if any(one.name != job.name for one in others):
            path: Path = ("jobs", job.index, "name")
            yield tree.problem("LC115", path, "the name of a job is the same in all cells of a sweep")
        elif any(one.waits != job.waits for one in others):
            path = ("jobs", job.index, "depends_on")
            yield tree.problem("LC115", path, "a job waits for the same in all cells of a sweep")
        elif job.spec.once and any(one != job for one in others):
            path = ("jobs", job.index, "once")
            yield tree.problem("LC114", path, "it runs once for all cells, and is not the same in all of them")


# -- each job --------------------------------------------------------------------------------------------------


def jobs(found: Mapping[str, Job], tree: Tree) -> Iterator[Problem]:
    """What is wrong with single jobs."""
    for job in found.values():
        path: Path = ("jobs", job.index)
        yield from _runs(job, path, tree)
        yield from _asks(job, path, tree)
        yield from _environment(job, path, tree)
        for name in job.spec.exports or ():
            if not VARIABLE.fullmatch(name):
                yield tree.problem("LC109", (*path, "exports", name), f"{name!r} is not a name that templates can use")


def written(tree: Tree, path: Path, *key: str) -> Path:
    """Where a setting of a job stands: in the job or under the defaults, there or under resources or environment."""
    for above in (path, ("defaults",)):
        for below in ((), ("resources",), ("environment",), ("environment", "container")):
            if (*above, *below, *key) in tree.places:
                return (*above, *below, *key)
    return (*path, *key)


def _runs(job: Job, path: Path, tree: Tree) -> Iterator[Problem]:
    spec = job.spec
    given = [name for name in RUNS if getattr(spec, name) is not None]
    if not given:
        yield tree.problem("LC114", path, "a job has one of command, script, python; it has none of them")
    for name in given[1:]:
        yield tree.problem("LC114", (*path, name), f"a job has one of command, script, python; it has {given[0]} too")
    if spec.command is not None and not spec.command:
        yield tree.problem("LC114", (*path, "command"), "the command is empty")
    if spec.python is not None and not FUNCTION.fullmatch(spec.python):
        yield tree.problem("LC109", (*path, "python"), f"{spec.python!r} is not module:function")
    if spec.with_ is not None and spec.python is None:
        yield tree.problem("LC114", (*path, "with"), "arguments are for python: module:function")


def _asks(job: Job, path: Path, tree: Tree) -> Iterator[Problem]:
    spec, asked = job.spec, job.resources
    if spec.needs is not None:
        twice: tuple[str, ...] = AMOUNTS
        try:
            if any(one.duration for one in parse(spec.needs).alternatives):
                twice = (*AMOUNTS, "time_limit")
        except RequirementSyntaxError as error:
            message = f"{error.reason}, at column {error.column} of {spec.needs!r}"
            hint = f"did you mean {error.suggestion}?" if error.suggestion else ""
            yield tree.problem("LC112", written(tree, path, "needs"), message, hint)
        for name in twice:
            if getattr(asked, name) is not None:
                message = f"that is for needs to say ({spec.needs})"
                yield tree.problem("LC114", written(tree, path, name), message, f"leave {name} or needs out", key=True)
    if asked.time_limit is not None:
        try:
            time_limit_minutes(asked.time_limit if isinstance(asked.time_limit, int) else str(asked.time_limit))
        except (ValueError, TypeError) as error:
            yield tree.problem("LC104", written(tree, path, "time_limit"), str(error))
    checks: dict[str, Callable[[str], object]] = {
        "gres": read_gres, "nodelist": expand, "constraint": lambda text: constraint_matches(text, ()),
    }  # fmt: skip
    for name, read in checks.items():
        try:
            read(getattr(asked, name) or "")
        except ValueError as error:
            yield tree.problem("LC110", written(tree, path, name), str(error))
    if asked.gpus_per_node and any(part.strip().startswith("gpu") for part in (asked.gres or "").split(",")):
        message = "gpus_per_node says that already"
        yield tree.problem("LC114", written(tree, path, "gres"), message, "keep one of them")
    for name in ("nodes", "ntasks_per_node", "cpus_per_task"):
        if getattr(asked, name) == 0:
            yield tree.problem("LC102", written(tree, path, name), f"{name} is 1 or more")
    for name in filter(None, asked.mail_type if isinstance(asked.mail_type, tuple) else [asked.mail_type]):
        yield from _mail(name, written(tree, path, "mail_type"), tree)
    if spec.escalate is not None:
        try:
            factors(spec.escalate)
        except ValueError as error:
            yield tree.problem("LC110", written(tree, path, "escalate"), str(error))


def _mail(text: str, path: Path, tree: Tree) -> Iterator[Problem]:
    from launchers.slurm.args import MailType

    for one in text.split(","):
        if one.strip().upper() not in MailType.__members__:
            hint = meant(one.strip().upper(), MailType.__members__)
            yield tree.problem("LC110", path, f"{one!r} is nothing that Slurm writes mail about", hint)


def _environment(job: Job, path: Path, tree: Tree) -> Iterator[Problem]:
    env = job.environment
    if env.conda and env.venv:
        message = "a job runs in a conda environment or in a virtual environment, not in both"
        yield tree.problem("LC114", written(tree, path, "venv"), message)
    inside = env.container
    if inside is not None and not inside.image:
        yield tree.problem("LC114", written(tree, path, "container"), "a container has an image")
    runtime = (inside.runtime if inside else None) or "pyxis"
    for name in ONLY_APPTAINER if runtime in ("pyxis", "podman") else ():
        if getattr(inside, name, None):
            message = f"it means something to apptainer and singularity, not to {runtime}"
            yield tree.problem("LC114", written(tree, path, name), message, key=True)
    for name in {**(env.env or {}), **((inside.env if inside else None) or {})}:
        place = next(filter(tree.places.get, (written(tree, path, key, name) for key in ("env", "env_vars"))), path)
        if not VARIABLE.fullmatch(name):
            yield tree.problem("LC109", place, f"{name!r} is not the name of a variable", key=True)
        elif name.startswith(RESERVED):
            message = f"variables that begin with {', '.join(RESERVED)} are not yours"
            yield tree.problem("LC109", place, message, key=True)
