"""What runs on the node: ``python -m launchers.plan.node RUN UNIT [NUMBER]``.

It puts the pickle of its step where submitit looks for it (under the job's id, which nobody knew before), with the
results of earlier steps filled in, and then is an ordinary submitit job: results, logs, checkpoints and requeues are
submitit's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from launchers.plan.model import CommandError, ResultOf
from launchers.plan.store import read_call, read_item, results

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

    def filled(value: Any) -> Any:
        return result(run, value.name) if isinstance(value, ResultOf) else value

    args = tuple(filled(value) for value in call["args"])
    kwargs = {name: filled(value) for name, value in call["kwargs"].items()}
    if number is not None:
        args = (read_item(folder, number), *args)
    return call["func"], args, kwargs


def main(argv: list[str]) -> int:
    """Run one member of a unit."""
    from submitit.core.job_environment import JobEnvironment
    from submitit.core.submission import process_job
    from submitit.core.utils import DelayedSubmission

    run, unit = Path(argv[0]), argv[1]
    folder = run / "jobs" / unit
    told = json.loads((folder / "unit.json").read_text())
    if told["barrier"]:
        return 0
    position = int(os.environ.get("SLURM_ARRAY_TASK_ID", "0")) if len(told["members"]) > 1 else 0
    step, number = told["members"][position]
    os.environ.update(surroundings(run, step, number), SUBMITIT_FOLDER=str(folder))
    environment = JobEnvironment()
    pickle = environment.paths.submitted_pickle
    if environment.global_rank == 0 and not pickle.exists():  # a requeued job finds its checkpoint there
        func, args, kwargs = prepared(run, step, number)
        delayed = DelayedSubmission(func, *args, **kwargs)
        delayed.set_timeout(told["minutes"] or ALWAYS, told["requeues"])
        fresh = pickle.with_name(f".{pickle.name}.{os.getpid()}")
        delayed.dump(fresh)
        fresh.rename(pickle)
    try:
        process_job(folder)
    except Exception as error:
        if told["fail_fast"]:
            stop_others(run, step, number)
        if isinstance(error, CommandError):  # its own words are in the log already
            return error.status if error.status > 0 else 128 - error.status
        raise
    return 0


def surroundings(run: Path, step: str, number: int | None) -> dict[str, str]:
    """What a job is told of itself: run folder, step, item, and the file for values that it hands on."""
    told = {"LAUNCHERS_RUN_DIR": str(run), "LAUNCHERS_STEP": step, "LAUNCHERS_OUTPUT": str(output(run, step, number))}
    return told if number is None else {**told, "LAUNCHERS_ITEM": str(number)}


def output(run: Path, step: str, number: int | None) -> Path:
    """The file of KEY=VALUE lines that a job hands on."""
    return run / "steps" / step / ("output" if number is None else f"output.{number}")


def stop_others(run: Path, step: str, number: int | None) -> None:
    """Cancel the other items of a step, and what hangs on them, after one has failed."""
    from launchers.plan.run import open_run

    open_run(run).cancel([step], but=number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
