"""Running scans: what is there already, what is required, where it goes, and the plan of one Map that it becomes."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import evolve, frozen

from launchers.connector import LocalConnector
from launchers.launcher import Launcher, capacity, find_launcher, need_slurm
from launchers.local.jobs import write_table
from launchers.offer.locate import locate
from launchers.plan.place import ANYTHING
from launchers.plan.queue import states
from launchers.plan.run import Run, open_run
from launchers.plan.script import said_completed
from launchers.plan.store import Store, TaskEntry, write
from launchers.plan.submit import SubmitError, afterok, array_size, carry_on, local_jobs, resume
from launchers.plan.units import Unit
from launchers.scan import sbatch
from launchers.scan.definition import Definition
from launchers.scan.errors import ScanError
from launchers.scan.folder import fill
from launchers.scan.identity import Family, Identity
from launchers.slurm.states import ENDED

STEP = "scan"
MISSING, RUNNING, COMPLETED, FAILED, UNSUBMITTED, UNKNOWN = (
    "MISSING", "RUNNING", "COMPLETED", "FAILED", "UNSUBMITTED", "UNKNOWN",
)  # fmt: skip
"""What a run folder can be; RUNNING is also what waits in a queue, FAILED also where only one task has failed."""


@frozen
class RequiredRun:
    """A required run: the name the scan knows it by, its folder, whether it is frozen, and its state."""

    name: str
    file: Path
    folder: Path
    frozen: bool
    state: str


@frozen
class Outcome:
    """What came of `launch`: the run's identity, whether it was submitted now, and its state if it was not."""

    identity: Identity
    submitted: bool
    state: str
    run: Run | None


# -- what is there ---------------------------------------------------------------------------------------------


def state(folder: Path) -> str:
    """The state of a run, from the scheduler's states of all its tasks.

    A folder that ESIS made is judged by its job and, where no scheduler knows that any more, its completed.state.
    """
    if (folder / "plan.json").exists():
        (step,) = open_run(folder).status()
        if step.failed:
            return FAILED
        if set(step.counts) == {COMPLETED}:
            return COMPLETED
        return next((word for word in (UNSUBMITTED, UNKNOWN) if word in step.counts), RUNNING)
    try:
        job = (folder / "__esis__" / "jobid.tx").read_text(encoding="utf-8").strip()
    except OSError:
        return MISSING  # nothing, or what a client left that was killed
    seen = {info.state for info in states(LocalConnector(), [job]).values()} if job.isdigit() else set()
    if not seen:
        return COMPLETED if said_completed(folder) else UNKNOWN
    if seen & ENDED - {COMPLETED}:
        return FAILED
    return COMPLETED if seen == {COMPLETED} else RUNNING


def requirements(family: Family, scan: Definition) -> tuple[RequiredRun, ...]:
    """The runs that a scan of a family requires, and their states."""
    found = []
    for one in scan.requires:
        definition = family.frozen[one.file] if one.frozen else family.identities[one.file].definition
        folder = definition.run_folder(one.frozen or family.identities[one.file].hash)
        found.append(RequiredRun(one.name, one.file, folder, one.frozen is not None, state(folder)))
    return tuple(found)


def runs(workdir: Path) -> list[Path]:
    """All run folders in a place, the oldest first."""
    found = [one / "__esis__" / "wf_status" for one in workdir.glob("wrkdir.*")]
    there = [one for one in found if one.exists()]
    return [one.parents[1] for one in sorted(there, key=lambda one: one.stat().st_mtime_ns)]


# -- running ---------------------------------------------------------------------------------------------------


def launch(
    family: Family,
    identity: Identity,
    *,
    force: bool = False,
    config: str | Path | None = None,
    tags: Iterable[str] = (),
) -> Outcome:
    """Run a scan unless its run is there already; `force` moves that aside and makes it again.

    Raises ScanError when a required run is missing or failed, or a script fails; SubmitError, LauncherNotFoundError.
    """
    folder = identity.folder
    there = state(folder)
    if there == UNSUBMITTED and not force:
        run = resume(folder)
        _note_job(run.store)
        return Outcome(identity, True, there, run)
    if there != MISSING and not force:
        return Outcome(identity, False, there, open_run(folder) if (folder / "plan.json").exists() else None)
    required = requirements(family, identity.definition)
    _refuse(identity.definition, required)
    launcher = where(identity.definition, config, tags)
    if there != MISSING:
        _move_aside(folder, there)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ScanError(f"cannot make {folder}: {error.strerror}") from None
    store = Store(
        folder, identity.definition.name, secrets.token_hex(4), "slurm", None, (), (), time.time(), str(Path.cwd())
    )
    with store.locked():
        try:
            _clear(folder)
            _make(store, identity, launcher, required)
            carry_on(store)
        except BaseException as error:
            if isinstance(error, SubmitError) or not (folder / "plan.json").exists():
                shutil.rmtree(folder)
            raise
    _note_job(store)
    return Outcome(identity, True, RUNNING, Run(store))


def launch_all(family: Family, *, force: bool = False, config: str | Path | None = None,
               tags: Iterable[str] = ()) -> list[Outcome]:  # fmt: skip
    """Run a scan and what is missing of all it requires, required ones first, each once.  Raises as `launch`.

    `force` is for the scan itself alone.
    """
    found = []
    for file, identity in family.identities.items():
        outcome = launch(family, identity, force=force and file == family.target, config=config, tags=tags)
        found.append(outcome)
    return found


def _refuse(definition: Definition, required: Sequence[RequiredRun]) -> None:
    """Raise ScanError unless everything required is good, or on its way."""
    lines = []
    for one in required:
        if one.state in (COMPLETED, RUNNING):
            continue
        frozen = " (frozen)" if one.frozen else ""
        advice = {
            MISSING: "it is gone" if one.frozen else f"launchers scan run {one.file}",
            FAILED: f"launchers retry {one.folder}",
            UNSUBMITTED: f"launchers resume {one.folder}",
        }.get(
            one.state,
            f"no scheduler knows it any more; if it is good, write 1 into {one.folder}/__esis__/completed.state",
        )
        lines.append(f"  {one.name}{frozen} {one.state}: {one.folder}\n    {advice}")
    if lines:
        told = "\n".join(lines)
        hint = (
            "\nlaunchers scan dependency runs what is missing"
            if any(o.state == MISSING and not o.frozen for o in required)
            else ""
        )
        raise ScanError(f"{definition.name} requires runs that are not there, or not good:\n{told}{hint}")


def where(definition: Definition, config: str | Path | None, tags: Iterable[str]) -> Launcher | None:
    """The launcher of a scan; None for a template on a cluster that no launchers.yaml describes."""
    if definition.template and locate(config, os.environ, Path.cwd()).used is None and shutil.which("sbatch"):
        return None
    launcher = find_launcher(definition.need or ANYTHING, tags=tags, config=config)
    if launcher.group.scheduler not in ("slurm", "local"):
        raise ScanError(f"{launcher.group.name} is {launcher.group.scheduler}: scans run on Slurm and on this machine")
    if launcher.slurm_args is not None:
        need_slurm(launcher.group)
    return launcher


def _move_aside(folder: Path, there: str) -> None:
    """Keep an old run under another name."""
    if there == RUNNING:
        raise ScanError(f"{folder} is still running: launchers cancel {folder}")
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    folder.rename(aside)


def _clear(folder: Path) -> None:
    """Remove what a client left here that was killed; nobody else works here, as we hold the lock."""
    if (folder / "plan.json").exists():
        raise ScanError(f"{folder} was made by another process just now")
    for one in folder.iterdir():
        if one.is_dir():
            shutil.rmtree(one)
        elif one.name != "lock":
            one.unlink()


def _note_job(store: Store) -> None:
    """Where ESIS looks for the job."""
    for job in store.submitted().values():
        (store.folder / "__esis__" / "jobid.tx").write_text(f"{job}\n", encoding="utf-8")


# -- as a plan -------------------------------------------------------------------------------------------------


def _make(store: Store, identity: Identity, launcher: Launcher | None, required: Sequence[RequiredRun]) -> None:
    """Fill the folder, write sbatch.sh and the plan: one Map, whose submission is that file."""
    definition = identity.definition
    args = launcher.slurm_args if launcher else None
    store.scheduler = "slurm" if launcher is None or args is not None else "local"
    store.group = launcher.group.name if launcher else None
    after = tuple(str(one.folder) for one in required if one.state == RUNNING)
    jobs = _jobs(after, store.scheduler)
    count = fill(store.folder, identity, {one.name: one.folder for one in required})
    if store.scheduler == "slurm" and count > (most := array_size() + 1):
        raise ScanError(
            f"{count} tasks are more than one array may have here ({most}, MaxArraySize): make several scans"
        )
    if definition.template is not None:
        template = definition.path(definition.template).read_text(encoding="utf-8", errors="surrogateescape")
    else:
        template = sbatch.made(definition, args or sbatch.asked(definition.need or ANYTHING))
    script = store.folder / "sbatch.sh"
    text = sbatch.text(definition, template, count, jobs)
    script.write_text(text, encoding="utf-8", errors="surrogateescape")
    script.chmod(0o700)
    seconds = launcher.selection.ask.time if launcher and not definition.template else None
    says = (
        "template" if definition.template else ",".join(filter(None, launcher.selection.partitions)) if launcher else ""
    )
    need = None if definition.template else str(definition.need or ANYTHING)
    store.tasks = (TaskEntry(STEP, (), count, says or (store.group or ""), seconds, definition.worker, need),)
    store.units = _units(store, definition, count, after)
    if launcher is not None and args is None:
        _write_local(store, definition, launcher)
    write(store)


def _jobs(after: Sequence[str], scheduler: str) -> list[str]:
    """The Slurm jobs that have to succeed first; on this machine the scheduler looks at the runs themselves."""
    for folder in after:
        if open_run(folder).store.scheduler != scheduler:
            raise ScanError(f"{folder} runs elsewhere, so nothing here can wait for it: first launchers wait {folder}")
    if scheduler == "local":
        return []
    jobs = afterok(after)
    if jobs is None:
        raise ScanError(f"a required run failed just now: {', '.join(after)}")
    return jobs


def _units(store: Store, definition: Definition, count: int, after: tuple[str, ...]) -> tuple[Unit, ...]:
    members = tuple((STEP, number) for number in range(count))
    whole = Unit(STEP, f"launchers-{store.id}-0", members, (), {}, definition.at_once, script="sbatch.sh", after=after)
    if store.scheduler == "slurm":
        return (whole,)
    return tuple(
        evolve(
            whole, name=f"{STEP}.{number}", token=f"launchers-{store.id}-{number}", members=(member,), parameters=None
        )
        for number, member in enumerate(members)
    )


def _write_local(store: Store, definition: Definition, launcher: Launcher) -> None:
    """The table for this machine's scheduler; a token of the run bounds how many tasks run at once."""
    token = f"scan-{store.id}"
    room = capacity(launcher.group)
    room = evolve(room, tokens=(*room.tokens, (token, definition.at_once)))
    job = launcher.local_job()
    job = evolve(job, tokens=(*job.tokens, (token, 1)))
    write_table(store.local_folder(1), room, local_jobs(store, store.units, {unit.name: job for unit in store.units}))
