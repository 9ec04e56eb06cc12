"""What runs on the node: ``python -m launchers.runs.node RUN SUBMISSION``.

It puts the pickle of its step where submitit looks for it (under the job's id, which nobody knew before), with the
results of earlier steps filled in, and then is an ordinary submitit job: results, logs, checkpoints and requeues are
submitit's.

Before that it makes sure of two things that no scheduler can: that no other job runs the same member (launchers.runs.
gate), and that what it waited for has come about.  A scheduler may have forgotten a parent, and OAR never asks how it
ended.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from launchers.commands import CommandError
from launchers.errors import RunError
from launchers.jobs.submission import NEEDS_SUCCESS, NOT_RUN, PARENT_FAILED
from launchers.runs.call import StepCommandError, fill_results
from launchers.runs.folder import RunFolder
from launchers.runs.gate import take
from launchers.runs.results import (
    CANCELLED,
    SUCCESS,
    all_succeeded,
    has_succeeded,
    job_variables,
    read_call,
    read_item,
    read_result,
    read_ticket,
    result_paths,
    write_outcome,
)
from launchers.variables import ITEM

if TYPE_CHECKING:
    from submitit.core.job_environment import JobEnvironment

NO_LIMIT = 10**6
"""Minutes that stand for a job without a time limit."""
OAR_ENVIRONMENT = "launchersoar"
"""The name of submitit's environment of our jobs on OAR (launchers.oar.environment)."""
LOOK = 5.0
"""Seconds between two looks for the result of another job that runs the same member."""


@frozen
class _Job:
    """A member of a submission that is to run now, and the file for its result."""

    run: Path
    folder: Path
    ticket: Mapping[str, Any]
    step: str
    item: int | None
    result: Path


def main(argv: list[str]) -> int:
    """Run one member of a submission; the exit status is the job's."""
    run = Path(argv[0])
    try:
        job = _prepare(run, argv[1])
    except OSError as error:
        if not _is_about(error, run):  # the function of a step may do anything when it is imported
            raise
        print(f"launchers: nothing is run, as {error.filename}: {error.strerror}", file=sys.stderr)
        return NOT_RUN
    return job if isinstance(job, int) else _process(job)


def _prepare(run: Path, submission: str) -> _Job | int:
    """Make all ready for a member's job, or the exit status of a job that has nothing to run.  Raises OSError."""
    from submitit.core.job_environment import JobEnvironment

    ticket = read_ticket(run, submission)
    folder = run / "jobs" / submission
    os.environ["SUBMITIT_FOLDER"] = str(folder)
    environment = JobEnvironment()
    paths = environment.paths
    array = len(ticket["members"]) > 1
    position = int(environment.array_task_id or 0) if array else 0
    if environment.cluster == OAR_ENVIRONMENT:
        _redirect(paths.stdout, paths.stderr)
    has_name = take(folder, position if array else None, environment.job_id)
    if has_name.job not in ("", environment.job_id):
        return _follow_other(run, submission, position if array else None, has_name.job, environment.job_id)
    if _has_succeeded_before(environment, folder):
        print("launchers: this has succeeded already, and is not run again", file=sys.stderr)
        return 0
    if why := has_name.withheld or _parent_failure(run, ticket, position):
        print(f"launchers: this job is cancelled: {why}", file=sys.stderr)
        write_outcome(paths.result_pickle, CANCELLED, why)
        return PARENT_FAILED
    if ticket["barrier"]:
        write_outcome(paths.result_pickle, SUCCESS)
        return 0
    step, item = ticket["members"][position]
    os.environ.pop(ITEM, None)  # where the client was an item itself
    os.environ.update(job_variables(run, step, item))
    if environment.global_rank == 0:
        _write_pickle(run, ticket, step, item, paths.submitted_pickle)
    return _Job(run, folder, ticket, step, item, paths.result_pickle)


def _has_succeeded_before(environment: JobEnvironment, folder: Path) -> bool:
    """Whether all tasks of this very job have succeeded, which its scheduler does not know and so queued it again.

    A controller that was killed forgets that a job has ended (docs/slurm-facts.md#job-states).  A job that failed runs
    again: a site may have Slurm queue such jobs again (man slurm.conf, RequeueExit).
    """
    from submitit.core.utils import JobPaths

    results = (JobPaths(folder, environment.job_id, task).result_pickle for task in range(environment.num_tasks))
    return all(map(has_succeeded, results))


def _follow_other(run: Path, submission: str, position: int | None, other: str, me: str) -> int:
    """Leave a member to the job that has its name: the exit status.

    Others may wait for this job: the run's journal knows a submission by one of its jobs.  So the one that it knows
    ends as the other does, and any further one at once.
    """
    print(f"launchers: job {other} runs this already, so job {me} does not", file=sys.stderr)
    known = RunFolder(run).journal.state().jobs.get(submission, "")
    if known != me.partition("_")[0]:
        return 0
    while (path := result_paths(run, submission, array=position is not None).get(position)) is None:
        time.sleep(LOOK)
    return 0 if has_succeeded(path) else 1


def _parent_failure(run: Path, ticket: Mapping[str, Any], position: int) -> str:
    """Why this job can never start, where it waited for what did not come about; "" where it came about."""
    failed = unmet_parent(run, ticket, position)
    return f"it waits for {failed}, which ended otherwise" if failed else ""


def unmet_parent(run: Path, ticket: Mapping[str, Any], position: int) -> str:
    """The submission or step before this one that did not end as is waited for; "" when all did.

    OAR starts a job when those that it waits for have ended, however they did (docs/oar-facts.md, dependencies).  Slurm
    22.05 starts one whose parent it has forgotten (docs/slurm-facts.md, dependencies).
    """
    all_good: dict[str, bool] = {}  # by step, of those that have to fail: one of its jobs is enough
    for parent in ticket["parents"]:
        members = read_ticket(run, parent["submission"])["members"]
        index = position if parent["kind"] == "aftercorr" else parent["index"]
        positions = [None] if len(members) == 1 else [index] if index is not None else list(range(len(members)))
        good = all_succeeded(run, parent["submission"], positions)
        if not good and parent["kind"] in NEEDS_SUCCESS:
            return str(parent["submission"])
        if parent["kind"] == "afternotok":
            step = members[parent["index"] or 0][0]
            all_good[step] = all_good.get(step, True) and good
    return next((step for step, good in all_good.items() if good), "")


def _write_pickle(run: Path, ticket: Mapping[str, Any], step: str, item: int | None, path: Path) -> None:
    """Put the call of a step where submitit looks for it; a job that was queued again finds its checkpoint there."""
    from submitit.core.utils import DelayedSubmission

    if path.exists():
        return
    function, args, kwargs = fill_call(run, step, item)
    delayed = DelayedSubmission(function, *args, **kwargs)
    delayed.set_timeout(ticket["minutes"] or NO_LIMIT, ticket["requeues"])
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    delayed.dump(fresh)
    fresh.rename(path)


def fill_call(run: Path, step: str, item: int | None) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The function and the arguments of a step, with the results of earlier steps filled in."""
    folder = run / "steps" / step
    call = read_call(folder)
    args = call["args"] if item is None else (read_item(folder, item), *call["args"])
    args, kwargs = fill_results((tuple(args), call["kwargs"]), lambda name: read_result(run, name))
    return call["func"], args, kwargs


def _process(job: _Job) -> int:
    """Be a submitit job, which writes its result; the exit status of a command is the job's."""
    from submitit.core.submission import process_job

    for handler in logging.getLogger("submitit").handlers:  # its lines differ from the job's own in the first word
        handler.setFormatter(logging.Formatter("submitit %(levelname)s (%(asctime)s) - %(message)s"))
    step, rivals = job.step, job.ticket["rivals"]
    try:
        process_job(job.folder)
    except Exception as error:
        if _is_about(error, job.result):
            print(f"launchers: what came of this job cannot be written: {error}", file=sys.stderr)
            return NOT_RUN
        if job.ticket["fail_fast"] or step in rivals:
            stop_others(job.run, rivals.get(step, [step]), step, job.item, job.ticket["attempt"])
        if isinstance(error, StepCommandError):  # the command's own words are in the log already
            status = error.status if error.status > 0 else 128 - error.status
            return 1 if status == PARENT_FAILED else status
        raise
    return 0


def _is_about(error: Exception, path: Path) -> bool:
    """Whether a file, or one in a folder, could not be read or written; submitit adds to the names of files."""
    return isinstance(error, OSError) and str(error.filename).startswith(str(path))


def stop_others(run: Path, steps: Sequence[str], step: str, item: int | None, attempt: int) -> None:
    """Cancel steps, or the other items of a step, after one has failed; what hangs on those cannot start then.

    What hangs on an item that has succeeded goes on.  Only the first failure does: those that are cancelled of it end
    without success too.
    """
    from launchers.runs.run import open_run

    try:
        (run / "steps" / min(step, *steps) / f"failed.{attempt}").touch(exist_ok=False)
    except FileExistsError:
        return
    try:
        open_run(run).cancel(steps, except_item=item, descendants=False)
    except (CommandError, RunError) as error:  # the failure itself matters more
        print(f"launchers: the others could not be cancelled: {error}", file=sys.stderr)


def _redirect(stdout: Path, stderr: Path) -> None:
    """Write to the files of this element of an array: OAR's own names know only the job's id."""
    for stream, path in ((1, stdout), (2, stderr)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, stream)
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
