"""What runs on the node: ``python -m launchers.runs.node RUN SUBMISSION``.

It puts the pickle of its step where submitit looks for it (under the job's id, which nobody knew before), with the
results of earlier steps filled in, and then is an ordinary submitit job: results, logs, checkpoints and requeues are
submitit's.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launchers.jobs.submission import NEEDS_SUCCESS, PARENT_FAILED
from launchers.runs.call import StepCommandError, fill_results
from launchers.runs.results import all_succeeded, job_variables, read_call, read_item, read_result, read_ticket
from launchers.variables import ITEM

NO_LIMIT = 10**6
"""Minutes that stand for a job without a time limit."""
OAR_ENVIRONMENT = "launchersoar"
"""The name of submitit's environment of our jobs on OAR (launchers.oar.environment)."""


def main(argv: list[str]) -> int:
    """Run one member of a submission; the exit status is the job's."""
    from submitit.core.job_environment import JobEnvironment

    run, submission = Path(argv[0]), argv[1]
    ticket = read_ticket(run, submission)
    folder = run / "jobs" / submission
    os.environ["SUBMITIT_FOLDER"] = str(folder)
    environment = JobEnvironment()
    position = int(environment.array_task_id or 0) if len(ticket["members"]) > 1 else 0
    if environment.cluster == OAR_ENVIRONMENT and (status := _start_on_oar(run, ticket, position, environment.paths)):
        return status
    if ticket["barrier"]:
        return 0
    step, item = ticket["members"][position]
    os.environ.pop(ITEM, None)  # where the client was an item itself
    os.environ.update(job_variables(run, step, item))
    if environment.global_rank == 0:
        _write_pickle(run, ticket, step, item, environment.paths.submitted_pickle)
    return _process(run, folder, ticket, step, item)


def _start_on_oar(run: Path, ticket: Mapping[str, Any], position: int, paths: Any) -> int:
    """Do what OAR leaves to the job: write to files of its own, and look at what it waited for.  0: go on."""
    from submitit.core.utils import cloudpickle_dump

    _redirect(paths.stdout, paths.stderr)
    if failed := unmet_parent(run, ticket, position):
        print(f"cancelled: parent failed: {failed}", file=sys.stderr)
        return PARENT_FAILED
    if ticket["barrier"]:
        cloudpickle_dump(("success", None), paths.result_pickle)
    return 0


def unmet_parent(run: Path, ticket: Mapping[str, Any], position: int) -> str:
    """The submission or step before this one that did not end as is waited for; "" when all did.

    OAR starts a job when those that it waits for have ended, however they did (docs/oar-facts.md, dependencies).
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


def _process(run: Path, folder: Path, ticket: Mapping[str, Any], step: str, item: int | None) -> int:
    """Be a submitit job; the exit status of a command is the job's."""
    from submitit.core.submission import process_job

    for handler in logging.getLogger("submitit").handlers:  # its lines differ from the job's own in the first word
        handler.setFormatter(logging.Formatter("submitit %(levelname)s (%(asctime)s) - %(message)s"))
    try:
        process_job(folder)
    except Exception as error:
        if ticket["fail_fast"] or step in ticket["rivals"]:
            stop_others(run, ticket["rivals"].get(step, [step]), step, item, ticket["attempt"])
        if isinstance(error, StepCommandError):  # the command's own words are in the log already
            status = error.status if error.status > 0 else 128 - error.status
            return 1 if status == PARENT_FAILED else status
        raise
    return 0


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
    open_run(run).cancel(steps, except_item=item, descendants=False)


def _redirect(stdout: Path, stderr: Path) -> None:
    """Write to the files of this element of an array: OAR's own names know only the job's id."""
    for stream, path in ((1, stdout), (2, stderr)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, stream)
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
