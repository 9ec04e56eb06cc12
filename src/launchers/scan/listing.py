"""List the runs of a scan, and remove old ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from launchers.runs.folder import RunFolder
from launchers.runs.stored import StoredRun, load_run
from launchers.scan.definition import RUN_PREFIX
from launchers.scan.errors import DefinitionError
from launchers.scan.identity import Family
from launchers.scan.runs import may_have_jobs, required_runs, run_folders, run_hash, run_state


@frozen
class ScanRun:
    """A run that exists.  `is_current` is the run of the scan's files as they are now.

    `scan` and `tasks`, the scan's name and the number of tasks, are None if ESIS made the run.  `created` is in seconds
    of the epoch.
    """

    folder: Path
    is_current: bool
    state: str
    scan: str | None
    tasks: int | None
    created: float

    @property
    def hash(self) -> str:
        """64 hexadecimal digits."""
        return run_hash(self.folder).partition(".")[0]

    @property
    def copy(self) -> str:
        """`.1` and so on for a run that another one replaced (`--force`); empty for others."""
        return run_hash(self.folder).removeprefix(self.hash)


def list_runs(family: Family) -> list[ScanRun]:
    """The runs in the folder where the family's scan has its runs, the oldest first."""
    identity = family.identities[family.target]
    runs = []
    for folder in run_folders(identity.definition.workdir):
        record = _record(folder)
        runs.append(
            ScanRun(
                folder=folder,
                is_current=folder == identity.folder,
                state=run_state(folder),
                scan=record.plan if record else None,
                tasks=record.steps[0].count if record else None,
                created=record.created if record else (folder / "__esis__").stat().st_mtime,
            )
        )
    return runs


def _record(folder: Path) -> StoredRun | None:
    """What is stored about a run; None if ESIS made it, or a client that was killed."""
    return load_run(folder) if (folder / "plan.json").exists() else None


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
    records = {folder: _record(folder) for folder in run_folders(definition.workdir) if folder not in in_use}
    return [folder for folder, record in records.items() if record is not None and record.plan == definition.name]
