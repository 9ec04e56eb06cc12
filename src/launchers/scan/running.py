"""Whether to run a scan, and what it requires first."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen

from launchers.runs.folder import Store
from launchers.runs.record import origin
from launchers.runs.run import Run, open_run
from launchers.runs.send import SubmitError, carry_on, resume
from launchers.scan.definition import Definition
from launchers.scan.errors import ScanError
from launchers.scan.identity import Family, Identity
from launchers.scan.runs import COMPLETED, FAILED, MISSING, RUNNING, UNSUBMITTED, RequiredRun, requirements, state
from launchers.scan.submission import make, note_job, where
from launchers.schedulers import batch


@frozen
class Outcome:
    """What came of `launch`: the run's identity, whether it was submitted now, and its state if it was not."""

    identity: Identity
    submitted: bool
    state: str
    run: Run | None


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
        note_job(run.store)
        return Outcome(identity, True, there, run)
    if there != MISSING and not force:
        return Outcome(identity, False, there, open_run(folder) if (folder / "plan.json").exists() else None)
    required = requirements(family, identity.definition)
    _refuse(identity.definition, required)
    launcher = where(identity.definition, config, tags)
    aside = _move_aside(folder, there) if there != MISSING else None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ScanError(f"cannot make {folder}: {error.strerror}") from None
    store = Store(
        folder=folder,
        plan=identity.definition.name,
        id=secrets.token_hex(4),
        scheduler="slurm",
        group=None,
        created=time.time(),
        **origin(),
        tasks=(),
        units=(),
    )
    with store.locked():
        try:
            _clear(folder)
            make(store, identity, launcher, required)
            carry_on(store)
        except BaseException as error:
            refused = isinstance(error, SubmitError) and not batch(store.scheduler).transient(str(error))
            if refused or not (folder / "plan.json").exists():  # otherwise the job may be in the queue: see resume
                shutil.rmtree(folder)
                if aside is not None:
                    aside.rename(folder)
            raise
    note_job(store)
    return Outcome(identity, True, RUNNING, Run(store))


def launch_all(family: Family, *, force: bool = False, config: str | Path | None = None,
               tags: Iterable[str] = ()) -> list[Outcome]:  # fmt: skip
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
