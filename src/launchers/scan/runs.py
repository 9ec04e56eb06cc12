"""The runs that exist: their states, and those that a scan requires."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from attrs import frozen

from launchers.commands import CommandError
from launchers.errors import ForeignRunError, RunError
from launchers.jobs.backend import JobAnswer
from launchers.jobs.state import ENDED
from launchers.runs.run import open_run
from launchers.runs.script import states_completed
from launchers.scan.definition import RUN_PREFIX, Definition
from launchers.scan.identity import Family
from launchers.schedulers import SLURM, backend

MISSING, RUNNING, COMPLETED, FAILED, UNSUBMITTED, UNKNOWN, FOREIGN = (
    "MISSING", "RUNNING", "COMPLETED", "FAILED", "UNSUBMITTED", "UNKNOWN", "FOREIGN",
)  # fmt: skip
"""The states of a run.  RUNNING is also a run that waits in a queue, FAILED one of which a single task has failed, and
FOREIGN one of another user, which is not looked at."""


@frozen
class RequiredRun:
    """A run that a scan requires: its name there, its definition file, its folder, whether it is frozen, its state.

    `problem` says why it could not be looked at ("": it could).
    """

    name: str
    file: Path
    folder: Path
    frozen: bool
    state: str
    problem: str = ""

    @property
    def hash(self) -> str:
        """64 hexadecimal digits."""
        return run_hash(self.folder)


def run_hash(folder: Path) -> str:
    """The hash in the name of a run folder, with `.1` and so on for a run that was moved aside."""
    return folder.name.removeprefix(RUN_PREFIX)


def look_at(folder: Path, *, trust: bool = False) -> tuple[str, str]:
    """The state of a run, and why it could not be looked at ("": it could).  With `trust` it may be another user's."""
    try:
        return run_state(folder, trust=trust), ""
    except ForeignRunError as error:
        return FOREIGN, str(error)
    except (RunError, CommandError) as error:
        return UNKNOWN, str(error)
    except OSError as error:
        return UNKNOWN, f"{folder} cannot be read: {error.strerror}"


def run_state(folder: Path, *, trust: bool = False) -> str:
    """The state of a run, from the scheduler's states of all its tasks.

    For a folder that ESIS made it is the state of its job, or what its completed.state says if the scheduler has
    forgotten the job.  With `trust` it may be a run of another user.  Raises RunError, ForeignRunError and OSError.
    """
    if (folder / "plan.json").exists():
        return _plan_state(folder, trust)
    try:
        infos = _esis_answer(folder).infos
    except (FileNotFoundError, NotADirectoryError):
        return MISSING  # no folder, or what a client left that was killed
    return _esis_state(folder, {info.state for info in infos.values()})


def may_have_jobs(folder: Path, state: str) -> str:
    """Why a run in this state may still have jobs in its folder; "" where it has none."""
    if state == RUNNING:
        return "is still running"
    if (folder / "plan.json").exists():
        run = open_run(folder)
        if run.record.folder.is_locked:
            return "is being worked on"
        members = [member for step in run.status() for member in step.members]
        away = next((member.info.reason for member in members if member.is_unreachable), "")
        if any(member.job and not member.ended and member.info.state != UNKNOWN for member in members):
            return "is still running"
    else:
        away = _esis_answer(folder).problem if state == UNKNOWN else ""
    return f"may still be running, which cannot be found out now: {away}" if away else ""


def _plan_state(folder: Path, trust: bool) -> str:
    (step,) = open_run(folder, trust=trust).status()
    if step.failed:
        return FAILED
    if set(step.counts) == {COMPLETED}:
        return COMPLETED
    return next((state for state in (UNSUBMITTED, UNKNOWN) if state in step.counts), RUNNING)


def _esis_answer(folder: Path) -> JobAnswer:
    """What Slurm knows of the job of a folder that ESIS made.  Raises OSError where no job is named.

    ESIS gives its jobs no token: one counts that runs in the folder where a script of the run folder does.
    """
    job = (folder / "__esis__" / "jobid.tx").read_text(encoding="utf-8", errors="replace").strip()
    return backend(SLURM).states(folder, {job: ""}) if job.isascii() and job.isdigit() else JobAnswer()


def _esis_state(folder: Path, states: Set[str]) -> str:
    if not states:
        return COMPLETED if states_completed(folder) else UNKNOWN
    if states & ENDED - {COMPLETED}:
        return FAILED
    return COMPLETED if states == {COMPLETED} else RUNNING


def required_runs(family: Family, scan: Definition, *, trust: bool = False) -> tuple[RequiredRun, ...]:
    """The runs that a scan of a family requires, and their states; with `trust` also those of another user."""
    runs = []
    for required in scan.requires:
        file = required.file
        definition = family.frozen[file] if required.frozen else family.identities[file].definition
        folder = definition.run_folder(required.frozen or family.identities[file].hash)
        state, problem = look_at(folder, trust=trust)
        runs.append(RequiredRun(required.name, file, folder, required.frozen is not None, state, problem))
    return tuple(runs)


def run_folders(workdir: Path) -> list[Path]:
    """All run folders in a folder, the oldest first; also those that cannot be looked into."""
    made: dict[Path, int] = {}
    for folder in workdir.glob(f"{RUN_PREFIX}*"):
        try:
            made[folder] = (folder / "__esis__" / "wf_status").stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            made[folder] = folder.stat().st_mtime_ns
    return sorted(made, key=made.__getitem__)
