"""A run as a plan: one Map, whose submission is the run folder's own sbatch.sh or oarsub.sh."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import evolve

from launchers.config.find import locate
from launchers.jobs.backend import Element, Wait
from launchers.jobs.reach import need_commands
from launchers.jobs.submission import Parent, Unit
from launchers.launcher.find import find_launcher
from launchers.launcher.launcher import Launcher
from launchers.local.backend import local_jobs
from launchers.local.capacity import capacity
from launchers.local.jobs import write_table
from launchers.plan.place import ANYTHING
from launchers.runs.folder import Store, write
from launchers.runs.record import TaskEntry
from launchers.runs.run import open_run
from launchers.runs.send import afterok
from launchers.scan import oarsub, sbatch
from launchers.scan.definition import Definition
from launchers.scan.errors import ScanError
from launchers.scan.folder import OAR, SLURM, fill
from launchers.scan.identity import Identity
from launchers.scan.runs import RUNNING, RequiredRun
from launchers.slurm.backend import array_size, dependency

STEP = "scan"
"""What the Map is called."""


def where(definition: Definition, config: str | Path | None, tags: Iterable[str]) -> Launcher | None:
    """The launcher of a scan; None for a template on a cluster that no launchers.yaml describes."""
    if definition.template and locate(config, os.environ, Path.cwd()).used is None and shutil.which("sbatch"):
        return None
    launcher = find_launcher(definition.need or ANYTHING, tags=tags, config=config)
    if launcher.oar_args is not None and definition.template:
        raise ScanError(
            f"{definition.path(definition.template)} is an sbatch file, and {launcher.group.name} is OAR: "
            "write needs: instead of template:, from which oarsub.sh is made, or go elsewhere with --tag"
        )
    if launcher.group.scheduler != "local":
        need_commands(launcher.group)
    return launcher


def make(store: Store, identity: Identity, launcher: Launcher | None, required: Sequence[RequiredRun]) -> None:
    """Fill the folder, write the script and the plan: one Map, whose submission is that file."""
    definition = identity.definition
    store.scheduler = launcher.group.scheduler if launcher else "slurm"
    store.group = launcher.group.name if launcher else None
    after = tuple(str(one.folder) for one in required if one.state == RUNNING)
    jobs = _jobs(after, store.scheduler)
    told = OAR if store.scheduler == "oar" else SLURM
    count = fill(store.folder, identity, {one.name: one.folder for one in required}, told)
    if store.scheduler == "slurm" and count > (most := array_size() + 1):
        raise ScanError(f"{count} tasks are more than one array may have here ({most}, MaxArraySize): split the scan")
    if launcher is not None and launcher.oar_args is not None:
        oarsub.write(store.folder, definition, launcher.oar_args, count, after)
    else:
        _write_sbatch(store.folder, definition, launcher, count, jobs)
    store.tasks = (_task(definition, launcher, count),)
    store.units = _units(store, definition, count, after)
    if launcher is not None and store.scheduler == "local":
        _write_local(store, definition, launcher)
    write(store)


def _write_sbatch(
    folder: Path, definition: Definition, launcher: Launcher | None, count: int, jobs: Sequence[Element]
) -> None:
    if definition.template is not None:
        template = definition.path(definition.template).read_text(encoding="utf-8", errors="surrogateescape")
    else:
        args = launcher.slurm_args if launcher else None
        template = sbatch.made(definition, args or sbatch.asked(definition.need or ANYTHING))
    after = dependency(Wait("afterok", job) for job in jobs)
    script = folder / "sbatch.sh"
    script.write_text(sbatch.text(definition, template, count, after), encoding="utf-8", errors="surrogateescape")
    script.chmod(0o700)


def _task(definition: Definition, launcher: Launcher | None, count: int) -> TaskEntry:
    """The Map; of a template nobody here knows what it asks for."""
    if definition.template or launcher is None:
        return TaskEntry(STEP, (), count, "template", None, definition.worker, None)
    says = ",".join(filter(None, launcher.selection.partitions)) or launcher.group.name
    # the command line cannot take back what a script asks of OAR, so a retry cannot ask for more
    need = None if launcher.oar_args else str(definition.need or ANYTHING)
    return TaskEntry(STEP, (), count, says, launcher.selection.ask.time, definition.worker, need)


def _jobs(after: Sequence[str], scheduler: str) -> list[Element]:
    """The jobs that have to succeed first; on this machine the scheduler looks at the runs themselves."""
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
    """One submission on Slurm, one for each task on this machine, one after the other on OAR, which bounds no array."""
    members = tuple((STEP, number) for number in range(count))
    token = f"launchers-{store.id}"
    whole = Unit(STEP, f"{token}-0", members, (), {}, definition.at_once, script="sbatch.sh", after=after)
    if store.scheduler == "slurm":
        return (whole,)
    if store.scheduler == "oar":
        return _one_after_the_other(evolve(whole, script="oarsub.sh", numbered=False), token, definition.at_once)
    return tuple(
        evolve(whole, name=f"{STEP}.{number}", token=f"{token}-{number}", members=((STEP, number),), parameters=None)
        for number in range(count)
    )


def _one_after_the_other(whole: Unit, token: str, size: int) -> tuple[Unit, ...]:
    if len(whole.members) <= size:
        return (whole,)
    units: list[Unit] = []
    for start in range(0, len(whole.members), size):
        name, parents = f"{STEP}.{len(units)}", tuple(Parent(unit.name, "afterany") for unit in units[-1:])
        members = whole.members[start : start + size]
        units.append(evolve(whole, name=name, token=f"{token}-{len(units)}", members=members, parents=parents))
    return tuple(units)


def _write_local(store: Store, definition: Definition, launcher: Launcher) -> None:
    """The table for this machine's scheduler; a token of the run bounds how many tasks run at once."""
    token = f"scan-{store.id}"
    room = capacity(launcher.group)
    room = evolve(room, tokens=(*room.tokens, (token, definition.at_once)))
    job = launcher.local_job()
    job = evolve(job, tokens=(*job.tokens, (token, 1)))
    write_table(store.local_folder(1), room, local_jobs(store, store.units, {unit.name: job for unit in store.units}))


def note_job(store: Store) -> None:
    """Where ESIS looks for the job."""
    for job in store.submitted().values():
        (store.folder / "__esis__" / "jobid.tx").write_text(f"{job}\n", encoding="utf-8")
