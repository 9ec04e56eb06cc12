"""Runs that are there: their states, and those that a scan requires."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from launchers.jobs.state import ENDED
from launchers.runs.run import open_run
from launchers.runs.script import states_completed
from launchers.scan.definition import Definition
from launchers.scan.identity import Family
from launchers.schedulers import SLURM, backend

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


def run_state(folder: Path) -> str:
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
    infos = backend(SLURM).states(folder, [job]) if job.isdigit() else {}
    seen = {info.state for info in infos.values()}
    if not seen:
        return COMPLETED if states_completed(folder) else UNKNOWN
    if seen & ENDED - {COMPLETED}:
        return FAILED
    return COMPLETED if seen == {COMPLETED} else RUNNING


def required_runs(family: Family, scan: Definition) -> tuple[RequiredRun, ...]:
    """The runs that a scan of a family requires, and their states."""
    runs = []
    for required in scan.requires:
        file = required.file
        definition = family.frozen[file] if required.frozen else family.identities[file].definition
        folder = definition.run_folder(required.frozen or family.identities[file].hash)
        runs.append(RequiredRun(required.name, file, folder, required.frozen is not None, run_state(folder)))
    return tuple(runs)


def run_folders(workdir: Path) -> list[Path]:
    """All run folders in a place, the oldest first."""
    marks = [folder / "__esis__" / "wf_status" for folder in workdir.glob("wrkdir.*")]
    present = [mark for mark in marks if mark.exists()]
    return [mark.parents[1] for mark in sorted(present, key=lambda mark: mark.stat().st_mtime_ns)]
