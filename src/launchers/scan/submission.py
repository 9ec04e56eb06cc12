"""A run of a scan as a plan: one Map, which is submitted by the run folder's own sbatch.sh or oarsub.sh."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import evolve

from launchers.config.find import locate
from launchers.files.atomic import write_atomically
from launchers.jobs.backend import Backend, Element, Wait
from launchers.jobs.submission import Parent, Submission
from launchers.launcher.find import find_launcher
from launchers.launcher.groups import check_commands
from launchers.launcher.launcher import Launcher
from launchers.runs.folder import RunFolder
from launchers.runs.record import ANYTHING, StepRecord, origin
from launchers.runs.run import open_run
from launchers.runs.script import write_gate
from launchers.runs.send import live_jobs
from launchers.runs.stored import StoredRun, write_run
from launchers.scan import oarsub, sbatch
from launchers.scan.definition import Definition
from launchers.scan.errors import ScanError
from launchers.scan.folder import OAR_README, SLURM_README, fill_run_folder
from launchers.scan.identity import Identity
from launchers.scan.runs import RUNNING, RequiredRun
from launchers.schedulers import SLURM, backend
from launchers.slurm.backend import dependency

STEP = "scan"
"""The name of the Map."""


def find_scan_launcher(definition: Definition, config: str | Path | None, tags: Iterable[str]) -> Launcher | None:
    """The launcher of a scan; None for a template where there is an sbatch but no launchers.yaml.

    Raises LauncherNotFoundError, and ScanError for a template where the launcher's cluster has OAR.
    """
    if definition.template and locate(config, os.environ, Path.cwd()).used is None and shutil.which("sbatch"):
        return None
    launcher = find_launcher(definition.need or ANYTHING, tags=tags, config=config)
    if launcher.oar_args is not None and definition.template:
        raise ScanError(
            f"{definition.path(definition.template)} is an sbatch file, but {launcher.group.name} has OAR: "
            "give needs: instead of template:, or select another group with --tag"
        )
    check_commands(launcher.group)
    return launcher


def write_scan(
    folder: RunFolder, identity: Identity, launcher: Launcher | None, required: Sequence[RequiredRun]
) -> StoredRun:
    """Fill the folder, and write the script to submit and the plan.  Raises ScanError."""
    definition = identity.definition
    scheduler = launcher.group.scheduler if launcher else SLURM
    after = tuple(str(run.folder) for run in required if run.state == RUNNING)
    jobs = jobs_before(after, scheduler)
    args = launcher.oar_args if launcher else None
    readme = OAR_README if args is not None else SLURM_README
    count = fill_run_folder(folder.path, identity, {run.name: run.folder for run in required}, readme)
    write_gate(folder.path)
    if args is not None:
        oarsub.write_oarsub(folder.path, definition, args, count, after)
    else:
        check_array_size(backend(scheduler), count)
        _write_sbatch(folder.path, definition, launcher, count, jobs)
    id = secrets.token_hex(4)
    run = StoredRun(
        folder=folder,
        plan=definition.name,
        id=id,
        scheduler=scheduler,
        group=launcher.group.name if launcher else None,
        created=time.time(),
        cluster=backend(scheduler).cluster(),
        **origin(),
        steps=(_step_record(definition, launcher, count),),
        submissions=_submissions(definition, launcher, id, count, after),
    )
    run.backend.prepare([run.request(submission) for submission in run.submissions])
    write_run(run)
    return run


def jobs_before(after: Sequence[str], scheduler: str) -> list[Element]:
    """The jobs of required runs that must succeed first; none for a scheduler that reads the run folders itself."""
    for folder in after:
        if open_run(folder).record.backend is not backend(scheduler):
            raise ScanError(
                f"{folder} runs elsewhere, and jobs here cannot wait for it: first run launchers wait {folder}"
            )
    if backend(scheduler).sends_attempts_whole:
        return []
    jobs = live_jobs(after)
    if jobs is None:
        raise ScanError(f"a required run failed just now: {', '.join(after)}")
    return jobs


def check_array_size(scheduler: Backend, count: int) -> None:
    """Raise ScanError for more tasks than one array may have.

    Tasks of scans are numbered from 0, those that `largest_array` counts from 1.
    """
    if scheduler.supports_arrays and count > (limit := scheduler.largest_array() + 1):
        raise ScanError(f"{count} tasks are more than one array may have here ({limit}, MaxArraySize): split the scan")


def _write_sbatch(
    folder: Path, definition: Definition, launcher: Launcher | None, count: int, jobs: Sequence[Element]
) -> None:
    if definition.template is not None:
        template = definition.path(definition.template).read_text(encoding="utf-8", errors="surrogateescape")
    else:
        args = launcher.slurm_args if launcher else None
        template = sbatch.template_for(definition, args or sbatch.args_for_need(definition.need or ANYTHING))
    after = dependency(Wait("afterok", job) for job in jobs)
    script = folder / "sbatch.sh"
    script.write_text(
        sbatch.render_sbatch(definition, template, count, after), encoding="utf-8", errors="surrogateescape"
    )
    script.chmod(0o700)


def _step_record(definition: Definition, launcher: Launcher | None, count: int) -> StepRecord:
    """The Map.  What a template asks for is not known here."""
    if definition.template or launcher is None:
        return StepRecord(STEP, (), count, "template", None, definition.worker, None)
    place = ",".join(filter(None, launcher.selection.partitions)) or launcher.group.name
    # OAR's command line cannot override what a script asks for, so a retry cannot ask for more
    need = None if launcher.oar_args else str(definition.need or ANYTHING)
    seconds = launcher.backend.time_limit(launcher.selection)
    return StepRecord(STEP, (), count, place, seconds, definition.worker, need)


def _submissions(
    definition: Definition, launcher: Launcher | None, id: str, count: int, after: tuple[str, ...]
) -> tuple[Submission, ...]:
    """One submission on Slurm, one for each task on this machine, several in a row on OAR, which cannot limit an array.

    `id` is that of the run, `after` are the folders of required runs that still run.
    """
    members = tuple((STEP, number) for number in range(count))
    token, at_once = f"launchers-{id}", definition.at_once
    whole = Submission(STEP, f"{token}-0", members, (), {}, at_once, script="sbatch.sh", after=after)
    if launcher is None or launcher.slurm_args is not None:
        return (whole,)
    if launcher.oar_args is not None:
        return _in_a_row(evolve(whole, script="oarsub.sh", numbered=False), token, at_once)
    parameters = launcher.resources.submitit()
    return tuple(
        evolve(
            whole,
            name=f"{STEP}.{number}",
            token=f"{token}-{number}",
            members=((STEP, number),),
            parameters=parameters,
        )
        for number in range(count)
    )


def _in_a_row(whole: Submission, token: str, size: int) -> tuple[Submission, ...]:
    """Submissions of at most `size` tasks.  Each starts when the one before it has ended."""
    if len(whole.members) <= size:
        return (whole,)
    submissions: list[Submission] = []
    for start in range(0, len(whole.members), size):
        number = len(submissions)
        submissions.append(
            evolve(
                whole,
                name=f"{STEP}.{number}",
                token=f"{token}-{number}",
                members=whole.members[start : start + size],
                parents=tuple(Parent(before.name, "afterany") for before in submissions[-1:]),
            )
        )
    return tuple(submissions)


def write_job_id(run: StoredRun) -> None:
    """Write the job's id into the file in which ESIS looks for it."""
    for job in run.folder.journal.state().jobs.values():
        write_atomically(run.folder.path / "__esis__" / "jobid.tx", f"{job}\n")
