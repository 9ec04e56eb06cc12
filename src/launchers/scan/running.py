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
from launchers.scan.definition import Definition, find_definition
from launchers.scan.errors import ScanError
from launchers.scan.identity import Family, Identity, read_family
from launchers.scan.runs import COMPLETED, FAILED, MISSING, RUNNING, UNSUBMITTED, RequiredRun, required_runs, run_state
from launchers.scan.submission import find_scan_launcher, note_job, write_scan


@frozen
class LaunchOutcome:
    """What came of `launch`: the run's identity, whether it was submitted now, and its state if it was not."""

    identity: Identity
    submitted: bool
    state: str
    run: PlanRun | None


def run_scan(
    definition: str | Path | None = None,
    *,
    dependencies: bool = False,
    force: bool = False,
    esis_identity: bool = False,
    config: str | Path | None = None,
    tags: Iterable[str] = (),
) -> list[LaunchOutcome]:
    """Run a scan unless its run is there already, as ``launchers scan run`` does; what came of it.

    `definition` is a file, by default the one of this folder.  `dependencies` runs first what is missing of all that
    it requires, and gives an outcome for each.  `force` runs the scan again though nothing has changed.
    `esis_identity` names runs by ESIS's own rule.  `config` is the launchers.yaml, `tags` keep the groups that carry
    any of them.  Raises ConfigError and DefinitionError for definitions that cannot be used, ScanError when a required
    run is missing or failed or a script fails, LauncherNotFoundError, SubmitError and RunError.

        (outcome,) = launchers.run_scan("scan.yaml")
        outcome.run.wait()
    """
    path = find_definition(str(definition) if definition is not None else None)
    family = read_family(path, esis=esis_identity)
    if dependencies:
        return launch_all(family, force=force, config=config, tags=tags)
    return [launch(family, family.identities[family.target], force=force, config=config, tags=tags)]


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
    present = run_state(folder)
    if present == UNSUBMITTED and not force:
        run = resume(folder)
        note_job(run.record)
        return LaunchOutcome(identity, True, present, run)
    if present != MISSING and not force:
        return LaunchOutcome(identity, False, present, open_run(folder) if (folder / "plan.json").exists() else None)
    required = required_runs(family, identity.definition)
    _refuse(identity.definition, required)
    launcher = find_scan_launcher(identity.definition, config, tags)
    aside = _move_aside(folder, present) if present != MISSING else None
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
        return "it is gone" if run.frozen else f"launchers scan run {run.file}"
    if run.state == FAILED:
        return f"launchers retry {run.folder}"
    if run.state == UNSUBMITTED:
        return f"launchers resume {run.folder}"
    return f"no scheduler knows it any more; if it succeeded, write 1 into {run.folder}/__esis__/completed.state"


def _move_aside(folder: Path, state: str) -> Path:
    """Keep an old run under another name, which is given back."""
    if state == RUNNING:
        raise ScanError(f"{folder} is still running: launchers cancel {folder}")
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    return folder.rename(aside)


def _clear(folder: Path) -> None:
    """Remove what a client left here that was killed; nobody else works here, as we hold the lock."""
    if (folder / "plan.json").exists():
        raise ScanError(f"{folder} was made by another process just now")
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name.partition(".")[0] != "lock":
            path.unlink()
