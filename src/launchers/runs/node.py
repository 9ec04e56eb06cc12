"""What runs on the node: ``python -m launchers.runs.node RUN UNIT [NUMBER]``.

It puts the pickle of its step where submitit looks for it (under the job's id, which nobody knew before), with the
results of earlier steps filled in, and then is an ordinary submitit job: results, logs, checkpoints and requeues are
submitit's.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launchers.jobs.submission import PARENT_FAILED
from launchers.runs.call import CommandError, filled
from launchers.runs.results import read_call, read_item, result, succeeded, surroundings
from launchers.variables import ITEM

ALWAYS = 10**6
"""Minutes that stand for a job without a time limit."""


def prepared(run: Path, step: str, number: int | None) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The function and the arguments of a step, results of earlier steps filled in."""
    folder = run / "steps" / step
    call = read_call(folder)

    args = call["args"] if number is None else (read_item(folder, number), *call["args"])
    args, kwargs = filled((tuple(args), call["kwargs"]), lambda name: result(run, name))
    return call["func"], args, kwargs


def unmet(run: Path, told: Mapping[str, Any], position: int) -> str:
    """The submission before this one that did not end as is waited for; "" when all did.

    OAR starts a job when those that it waits for have ended, however they did (facts/oar.md).
    """
    well: dict[str, bool] = {}  # by step, those that have to fail: one of its jobs is enough
    for parent in told["parents"]:
        members = json.loads((run / "jobs" / parent["unit"] / "unit.json").read_text())["members"]
        index = position if parent["kind"] == "aftercorr" else parent["index"]
        wanted = [None] if len(members) == 1 else [index] if index is not None else list(range(len(members)))
        good = succeeded(run, parent["unit"], wanted)
        if not good and parent["kind"] in ("afterok", "aftercorr"):
            return str(parent["unit"])
        if parent["kind"] == "afternotok":
            step = members[parent["index"] or 0][0]
            well[step] = well.get(step, True) and good
    return next((step for step, all_good in well.items() if all_good), "")


def main(argv: list[str]) -> int:
    """Run one member of a unit."""
    from submitit.core.job_environment import JobEnvironment
    from submitit.core.submission import process_job
    from submitit.core.utils import DelayedSubmission, cloudpickle_dump

    run, unit = Path(argv[0]), argv[1]
    folder = run / "jobs" / unit
    told = json.loads((folder / "unit.json").read_text())
    os.environ["SUBMITIT_FOLDER"] = str(folder)
    environment = JobEnvironment()
    paths = environment.paths
    position = int(environment.array_task_id or 0) if len(told["members"]) > 1 else 0
    if environment.cluster == "launchersoar":
        _redirect(paths.stdout, paths.stderr)
        failed = unmet(run, told, position)
        if failed:
            print(f"cancelled: parent failed: {failed}", file=sys.stderr)
            return PARENT_FAILED
        if told["barrier"]:
            cloudpickle_dump(("success", None), paths.result_pickle)
    if told["barrier"]:
        return 0
    step, number = told["members"][position]
    os.environ.pop(ITEM, None)  # where the client was an item itself
    os.environ.update(surroundings(run, step, number))
    submitted = paths.submitted_pickle
    if environment.global_rank == 0 and not submitted.exists():  # a requeued job finds its checkpoint there
        func, args, kwargs = prepared(run, step, number)
        delayed = DelayedSubmission(func, *args, **kwargs)
        delayed.set_timeout(told["minutes"] or ALWAYS, told["requeues"])
        fresh = submitted.with_name(f".{submitted.name}.{os.getpid()}")
        delayed.dump(fresh)
        fresh.rename(submitted)
    for handler in logging.getLogger("submitit").handlers:  # its lines are told from the job's own by the first word
        handler.setFormatter(logging.Formatter("submitit %(levelname)s (%(asctime)s) - %(message)s"))
    try:
        process_job(folder)
    except Exception as error:
        if told["fail_fast"] or step in told["rivals"]:
            stop_others(run, told["rivals"].get(step, [step]), step, number, told["attempt"])
        if isinstance(error, CommandError):  # its own words are in the log already
            status = error.status if error.status > 0 else 128 - error.status
            return 1 if status == PARENT_FAILED else status
        raise
    return 0


def stop_others(run: Path, steps: Sequence[str], step: str, number: int | None, attempt: int) -> None:
    """Cancel steps, or the other items of a step, after one has failed; what hangs on those cannot start then.

    What hangs on an item that has succeeded goes on.  Only the first failure does: those that are cancelled of it end
    without success too.
    """
    from launchers.runs.run import open_run

    try:
        (run / "steps" / min(step, *steps) / f"failed.{attempt}").touch(exist_ok=False)
    except FileExistsError:
        return
    open_run(run).cancel(steps, but=number, alone=True)


def _redirect(stdout: Path, stderr: Path) -> None:
    """Write to the files of this element of an array: OAR's own names know only the job's id."""
    for stream, path in ((1, stdout), (2, stderr)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, stream)
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
