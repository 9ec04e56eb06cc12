"""What runs on the node: ``python -m launchers.plan.node RUN UNIT [NUMBER]``.

It puts the pickle of its step where submitit looks for it (under the job's id, which nobody knew before), with the
results of earlier steps filled in, and then is an ordinary submitit job: results, logs, checkpoints and requeues are
submitit's.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from launchers.plan.model import CommandError, filled
from launchers.plan.store import read_call, read_item, results
from launchers.variables import ITEM, OUTPUT, RUN_DIR, STEP

PARENT_FAILED = 113
"""The exit status of a job on OAR whose parents did not end as it waits for: it is cancelled, not failed."""
PATIENCE = 5.0
"""Seconds for which the result of a job that has ended may not be seen yet on a shared file system."""
ALWAYS = 10**6
"""Minutes that stand for a job without a time limit."""


def result(run: Path, step: str) -> Any:
    """The result of a step, of a Map a list; raises LookupError when it has none, or the step failed."""
    import pickle

    found: dict[int | None, Any] = {}
    written: dict[str, dict[int | None, Path]] = {}
    for (_, unit), position, number, many in sorted(_members(run, step)):
        if unit not in written:
            written[unit] = results(run, unit, array=many)
        path = written[unit].get(position if many else None)
        if path is None:
            found.setdefault(number, LookupError(f"step {step} has no result yet"))
            continue
        with path.open("rb") as file:
            outcome, value = pickle.load(file)  # noqa: S301 - written by this user's own jobs
        found[number] = value if outcome == "success" else LookupError(f"step {step} failed:\n{value}")
    for value in found.values():
        if isinstance(value, LookupError):
            raise value
    if not found:
        raise LookupError(f"there is no step {step} in {run}")
    if None in found:
        return found[None]
    return [found[number] for number in sorted(one for one in found if one is not None)]


def _members(run: Path, step: str) -> Iterator[tuple[tuple[int, str], int, int | None, bool]]:
    """Where the jobs of a step are: ((attempt, unit), position, item, whether it is an array), later attempts later."""
    for folder in (run / "jobs").iterdir():
        told = json.loads((folder / "unit.json").read_text())
        for position, (name, number) in enumerate(told["members"]):
            if name == step:
                yield (told["attempt"], folder.name), position, number, len(told["members"]) > 1


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


def succeeded(run: Path, unit: str, wanted: Sequence[int | None]) -> bool:
    """Whether members of a submission have good results; their values, which may be large, are not read."""
    deadline = time.monotonic() + PATIENCE
    while True:
        written = results(run, unit, array=wanted != [None])
        if set(wanted) <= set(written) or time.monotonic() > deadline:
            return all(one in written and _outcome(written[one]) == "success" for one in wanted)
        time.sleep(0.5)


def _outcome(path: Path) -> str:
    """The first word of a result."""
    import pickletools

    with path.open("rb") as file:
        return next(word for _, word, _ in pickletools.genops(file) if isinstance(word, str))


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


def surroundings(run: Path, step: str, number: int | None) -> dict[str, str]:
    """What a job is told of itself: run folder, step, item, and the file for values that it hands on."""
    told = {RUN_DIR: str(run), STEP: step, OUTPUT: str(output(run, step, number))}
    return told if number is None else {**told, ITEM: str(number)}


def output(run: Path, step: str, number: int | None) -> Path:
    """The file of KEY=VALUE lines that a job hands on."""
    return run / "steps" / step / ("output" if number is None else f"output.{number}")


def stop_others(run: Path, steps: Sequence[str], step: str, number: int | None, attempt: int) -> None:
    """Cancel steps, or the other items of a step, after one has failed; what hangs on those cannot start then.

    What hangs on an item that has succeeded goes on.  Only the first failure does: those that are cancelled of it end
    without success too.
    """
    from launchers.plan.run import open_run

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
