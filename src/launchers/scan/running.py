"""Run a scan, and first the scans that it requires."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen

from launchers.launcher.launcher import Launcher
from launchers.runs.folder import RunFolder
from launchers.runs.run import PlanRun, open_run
from launchers.runs.send import SubmitError, resume, submit_pending
from launchers.runs.stored import StoredRun
from launchers.scan.definition import Definition, find_definition
from launchers.scan.errors import ScanError
from launchers.scan.identity import Family, Identity, read_family
from launchers.scan.runs import (
    COMPLETED,
    FAILED,
    MISSING,
    RUNNING,
    UNSUBMITTED,
    RequiredRun,
    may_have_jobs,
    required_runs,
    run_state,
)
from launchers.scan.submission import find_scan_launcher, write_job_id, write_scan


@frozen
class LaunchOutcome:
    """The result of `launch`: the run's identity, whether it was submitted now, its state before that, and the run.

    `run` is None for a run that ESIS made.
    """

    identity: Identity
    submitted: bool
    state: str
    run: PlanRun | None

    @property
    def is_good(self) -> bool:
        """Whether the run was submitted now, still runs, or has succeeded."""
        return self.submitted or self.state in (COMPLETED, RUNNING)


def run_scan(
    definition: str | Path | None = None,
    *,
    dependencies: bool = False,
    force: bool = False,
    esis_identity: bool = False,
    config: str | Path | None = None,
    tags: Iterable[str] = (),
) -> list[LaunchOutcome]:
    """Submit a scan unless its run exists, as ``launchers scan run`` does, and return what happened.

    `definition` is a file; the default is the one in the current folder.
    With `dependencies`, the scans that it requires and that have no run are submitted first; each scan has an outcome,
    the scan itself the last.
    With `force`, the scan itself runs again though nothing has changed; its old run is moved aside.
    `esis_identity` names runs by ESIS's own rule.
    `config` is the launchers.yaml; only groups with one of `tags` are used.

    Raises ConfigError and DefinitionError for definitions with mistakes; ScanError when a required run is missing or
    has failed, or when a script fails; LauncherNotFoundError when nothing offers what the scan needs; SubmitError when
    the scheduler refuses it; RunError for a run folder that cannot be read.

        (outcome,) = launchers.run_scan("scan.yaml")
        outcome.run.wait()
    """
    path = find_definition(str(definition) if definition is not None else None)
    family = read_family(path, esis=esis_identity)
    tags = tuple(tags)
    if dependencies:
        return launch_all(family, force=force, config=config, tags=tags)
    return [launch(family, family.identities[family.target], force=force, config=config, tags=tags)]


def launch_all(
    family: Family, *, force: bool = False, config: str | Path | None = None, tags: Sequence[str] = ()
) -> list[LaunchOutcome]:
    """Submit a scan and those that it requires, required ones first, unless their runs exist.

    `force` is for the scan itself only.  Raises as `launch`.
    """
    return [
        launch(family, identity, force=force and file == family.target, config=config, tags=tags)
        for file, identity in family.identities.items()
    ]


def launch(
    family: Family,
    identity: Identity,
    *,
    force: bool = False,
    config: str | Path | None = None,
    tags: Iterable[str] = (),
) -> LaunchOutcome:
    """Submit one scan of a family unless its run exists; `force` moves that run aside first.

    A run whose submission was interrupted is finished.  Raises ScanError when a required run is missing or has failed,
    or when a script fails; LauncherNotFoundError; SubmitError.
    """
    folder = identity.folder
    state = run_state(folder)
    if state == UNSUBMITTED and not force:
        run = resume(folder)
        write_job_id(run.record)
        return LaunchOutcome(identity, True, state, run)
    if state != MISSING and not force:
        return LaunchOutcome(identity, False, state, open_run(folder) if (folder / "plan.json").exists() else None)
    required = required_runs(family, identity.definition)
    check_required(identity.definition, required)
    launcher = find_scan_launcher(identity.definition, config, tags)
    aside = _move_aside(folder, state) if state != MISSING else None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ScanError(f"cannot create {folder}: {error.strerror}") from None
    stored = _submit(RunFolder(folder), aside, identity, launcher, required)
    write_job_id(stored)
    return LaunchOutcome(identity, True, RUNNING, PlanRun(stored))


def _submit(
    folder: RunFolder,
    aside: Path | None,
    identity: Identity,
    launcher: Launcher | None,
    required: Sequence[RequiredRun],
) -> StoredRun:
    """Fill a run folder and submit the run.  If nothing is submitted, the old run is moved back from `aside`."""
    with folder.lock():
        try:
            _clear(folder.path)
            run = write_scan(folder, identity, launcher, required)
            submit_pending(run)
        except BaseException as error:
            queued = folder.plan_path.exists() and folder.journal.state().jobs
            refused = isinstance(error, SubmitError) and not error.transient and not queued
            if refused or not folder.plan_path.exists():  # otherwise the job may be in the queue: see resume
                shutil.rmtree(folder.path)
                if aside is not None:
                    aside.rename(folder.path)
            raise
    return run


# -- required runs ---------------------------------------------------------------------------------------------


def check_required(definition: Definition, required: Sequence[RequiredRun]) -> None:
    """Raise ScanError unless every required run has succeeded or is running."""
    bad = [run for run in required if run.state not in (COMPLETED, RUNNING)]
    if not bad:
        return
    lines = [f"{definition.name} requires runs that are missing or did not succeed:"]
    for run in bad:
        lines.append(f"  {run.name}{' (frozen)' if run.frozen else ''} {run.state}: {run.folder}")
        lines.append(f"    {_advice(run)}")
    if any(run.state == MISSING and not run.frozen for run in bad):
        lines.append("launchers scan dependency runs what is missing")
    raise ScanError("\n".join(lines))


def _advice(run: RequiredRun) -> str:
    """What to do about a required run that is missing or did not succeed."""
    if run.state == MISSING:
        return "its folder was removed" if run.frozen else f"launchers scan run {run.file}"
    if run.problem:
        return run.problem
    if run.state == FAILED:
        return f"launchers retry {run.folder}"
    if run.state == UNSUBMITTED:
        return f"launchers resume {run.folder}"
    return f"no scheduler knows it any more; if it succeeded, write 1 into {run.folder}/__esis__/completed.state"


# -- the folder ------------------------------------------------------------------------------------------------


def _move_aside(folder: Path, state: str) -> Path:
    """Rename an old run, to the same name with a number; returns its new path."""
    if why := may_have_jobs(folder, state):
        raise ScanError(f"{folder} {why}: launchers cancel {folder}")
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    return folder.rename(aside)


def _clear(folder: Path) -> None:
    """Remove what a killed client left here.  No other process works here, as this one holds the lock."""
    if (folder / "plan.json").exists():
        raise ScanError(f"{folder} was made by another process just now")
    for path in folder.iterdir():
        if path.name.partition(".")[0] == "lock":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
