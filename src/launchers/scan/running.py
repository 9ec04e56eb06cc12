"""Whether to run a scan, and what it requires first."""

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
from launchers.scan.definition import Definition
from launchers.scan.errors import ScanError
from launchers.scan.identity import Family, Identity
from launchers.scan.runs import COMPLETED, FAILED, MISSING, RUNNING, UNSUBMITTED, RequiredRun, requirements, state
from launchers.scan.submission import find_scan_launcher, note_job, write_scan


@frozen
class LaunchOutcome:
    """What came of `launch`: the run's identity, whether it was submitted now, and its state if it was not."""

    identity: Identity
    submitted: bool
    state: str
    run: PlanRun | None


def launch(
    family: Family,
    identity: Identity,
    *,
    force: bool = False,
    config: str | Path | None = None,
    tags: Iterable[str] = (),
) -> LaunchOutcome:
    """Run a scan unless its run is there already; `force` moves that aside and makes it again.

    Raises ScanError when a required run is missing or failed, or a script fails; SubmitError, LauncherNotFoundError.
    """
    folder = identity.folder
    there = state(folder)
    if there == UNSUBMITTED and not force:
        run = resume(folder)
        note_job(run.record)
        return LaunchOutcome(identity, True, there, run)
    if there != MISSING and not force:
        return LaunchOutcome(identity, False, there, open_run(folder) if (folder / "plan.json").exists() else None)
    required = requirements(family, identity.definition)
    _refuse(identity.definition, required)
    launcher = find_scan_launcher(identity.definition, config, tags)
    aside = _move_aside(folder, there) if there != MISSING else None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ScanError(f"cannot make {folder}: {error.strerror}") from None
    stored = _submit(RunFolder(folder), aside, identity, launcher, required)
    note_job(stored)
    return LaunchOutcome(identity, True, RUNNING, PlanRun(stored))


def _submit(
    folder: RunFolder,
    aside: Path | None,
    identity: Identity,
    launcher: Launcher | None,
    required: Sequence[RequiredRun],
) -> StoredRun:
    """Write and submit a run; where nothing was submitted, the folder is as it was before."""
    with folder.lock():
        try:
            _clear(folder.path)
            run = write_scan(folder, identity, launcher, required)
            submit_pending(run)
        except BaseException as error:
            refused = isinstance(error, SubmitError) and not error.transient
            if refused or not folder.plan_path.exists():  # otherwise the job may be in the queue: see resume
                shutil.rmtree(folder.path)
                if aside is not None:
                    aside.rename(folder.path)
            raise
    return run


def launch_all(family: Family, *, force: bool = False, config: str | Path | None = None,
               tags: Iterable[str] = ()) -> list[LaunchOutcome]:  # fmt: skip
    """Run a scan and what is missing of all it requires, required ones first, each once.  Raises as `launch`.

    `force` is for the scan itself alone.
    """
    return [
        launch(family, identity, force=force and file == family.target, config=config, tags=tags)
        for file, identity in family.identities.items()
    ]


def _refuse(definition: Definition, required: Sequence[RequiredRun]) -> None:
    """Raise ScanError unless everything required is good, or on its way."""
    bad = [one for one in required if one.state not in (COMPLETED, RUNNING)]
    if not bad:
        return
    lines = [f"{definition.name} requires runs that are not there, or not good:"]
    for one in bad:
        lines.append(f"  {one.name}{' (frozen)' if one.frozen else ''} {one.state}: {one.folder}")
        lines.append(f"    {_advice(one)}")
    if any(one.state == MISSING and not one.frozen for one in bad):
        lines.append("launchers scan dependency runs what is missing")
    raise ScanError("\n".join(lines))


def _advice(one: RequiredRun) -> str:
    """What to do about a required run that is no good."""
    if one.state == MISSING:
        return "it is gone" if one.frozen else f"launchers scan run {one.file}"
    if one.state == FAILED:
        return f"launchers retry {one.folder}"
    if one.state == UNSUBMITTED:
        return f"launchers resume {one.folder}"
    return f"no scheduler knows it any more; if it is good, write 1 into {one.folder}/__esis__/completed.state"


def _move_aside(folder: Path, there: str) -> Path:
    """Keep an old run under another name, which is given back."""
    if there == RUNNING:
        raise ScanError(f"{folder} is still running: launchers cancel {folder}")
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    return folder.rename(aside)


def _clear(folder: Path) -> None:
    """Remove what a client left here that was killed; nobody else works here, as we hold the lock."""
    if (folder / "plan.json").exists():
        raise ScanError(f"{folder} was made by another process just now")
    for one in folder.iterdir():
        if one.is_dir():
            shutil.rmtree(one)
        elif one.name.partition(".")[0] != "lock":
            one.unlink()
