"""List the runs of a scan, and remove old ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from launchers.errors import RunError
from launchers.files.owner import user_name
from launchers.runs.folder import RunFolder
from launchers.runs.stored import StoredRun, load_run
from launchers.scan.definition import RUN_PREFIX
from launchers.scan.errors import DefinitionError
from launchers.scan.identity import Family
from launchers.scan.runs import FOREIGN, look_at, may_have_jobs, required_runs, run_folders, run_hash, run_state


@frozen
class ScanRun:
    """A run that exists.  `is_current` is the run of the scan's files as they are now.

    `scan` and `tasks`, the scan's name and the number of tasks, are None if ESIS made the run, or where it could not be
    looked at, as `problem` says.  `created` is in seconds of the epoch.
    """

    folder: Path
    is_current: bool
    state: str
    scan: str | None
    tasks: int | None
    created: float
    problem: str = ""

    @property
    def hash(self) -> str:
        """64 hexadecimal digits."""
        return run_hash(self.folder).partition(".")[0]

    @property
    def copy(self) -> str:
        """`.1` and so on for a run that another one replaced (`--force`); empty for others."""
        return run_hash(self.folder).removeprefix(self.hash)


def list_runs(family: Family, *, trust: bool = False) -> list[ScanRun]:
    """The runs in the folder where the family's scan has its runs, the oldest first.

    A run of another user is FOREIGN and nothing of it is read; with `trust` it is looked at.
    """
    identity = family.identities[family.target]
    return [
        _look_at_run(folder, folder == identity.folder, trust) for folder in run_folders(identity.definition.workdir)
    ]


def _look_at_run(folder: Path, is_current: bool, trust: bool) -> ScanRun:
    state, problem = look_at(folder, trust=trust)
    owner = folder.stat().st_uid
    if not problem and not trust and owner != os.geteuid():  # ESIS made it
        state, problem = FOREIGN, f"{folder} belongs to {user_name(owner)}"
    record = None if problem else _record(folder, trust)
    return ScanRun(
        folder=folder,
        is_current=is_current,
        state=state,
        scan=record.plan if record else None,
        tasks=record.steps[0].count if record else None,
        created=record.created if record else folder.stat().st_mtime,
        problem=problem,
    )


def _record(folder: Path, trust: bool = False) -> StoredRun | None:
    """What is stored about a run; None if ESIS made it, or a client that was killed."""
    return load_run(folder, trust=trust) if (folder / "plan.json").exists() else None


def clean_runs(family: Family, hashes: Sequence[str] = (), *, dry_run: bool = False) -> Iterator[tuple[Path, bool]]:
    """Remove runs that have ended.  Yields the folder of each chosen run, and whether it has ended and is removed.

    Without `hashes`, the old runs of this scan are chosen: not the current one, and not those that it requires.
    A hash may be the beginning of one.  With `dry_run` nothing is removed.  Raises DefinitionError, before anything is
    removed, if not exactly one run has a hash.
    """
    chosen = _named_runs(family, hashes) if hashes else _old_runs(family)
    return _remove_ended(chosen, dry_run)


def _remove_ended(folders: Sequence[Path], dry_run: bool) -> Iterator[tuple[Path, bool]]:
    for folder in folders:
        has_ended = not may_have_jobs(folder, run_state(folder))
        if has_ended and not dry_run:
            _remove(folder)
        yield folder, has_ended


def _remove(folder: Path) -> None:
    """Remove a run while nobody works on it; plan.json first, so that whoever gets the lock next finds no run."""
    with RunFolder(folder).lock():
        RunFolder(folder).plan_path.unlink(missing_ok=True)
        shutil.rmtree(folder)


def _named_runs(family: Family, hashes: Sequence[str]) -> list[Path]:
    workdir = family.identities[family.target].definition.workdir
    folders = run_folders(workdir)
    chosen = []
    for hash in hashes:
        start = hash.removeprefix(RUN_PREFIX)
        exact = [folder for folder in folders if run_hash(folder) == start]
        matches = exact or [folder for folder in folders if run_hash(folder).startswith(start)]
        if len(matches) != 1:
            raise DefinitionError(f"{len(matches)} runs in {workdir} begin with {hash}: name one run")
        chosen += matches
    return chosen


def _old_runs(family: Family) -> list[Path]:
    identity = family.identities[family.target]
    definition = identity.definition
    in_use = {identity.folder, *(run.folder for run in required_runs(family, definition))}
    old = (folder for folder in run_folders(definition.workdir) if folder not in in_use)
    return [folder for folder in old if _is_of(folder, definition.name)]


def _is_of(folder: Path, scan: str) -> bool:
    """Whether a run is one of a scan; what cannot be read, as it is another user's or damaged, is not."""
    try:
        record = _record(folder)
    except (RunError, OSError):
        return False
    return record is not None and record.plan == scan
