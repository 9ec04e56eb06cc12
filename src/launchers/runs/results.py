"""Functions, arguments and results of steps, pickled in the run folder."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict

from launchers.jobs.submission import Submission
from launchers.variables import ITEM, OUTPUT, RUN_DIR, STEP

RESULT_PATIENCE = 5.0
"""Seconds for which the result of a job that has ended may not be seen yet on a shared file system."""
REQUEUES = 3
"""How often submitit may queue a job again that goes on from a checkpoint."""


# -- functions and arguments -----------------------------------------------------------------------------------


def write_call(folder: Path, call: Mapping[str, Any], items: Sequence[Any] | None) -> None:
    """Pickle a step's function and arguments, and the items of a Map one by one, so that a job reads only its own."""
    import cloudpickle

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "call.pkl").open("wb") as out:
        cloudpickle.dump(dict(call), out)
    if items is None:
        return
    with (folder / "items.pkl").open("wb") as out, (folder / "items.idx").open("wb") as index:
        for item in items:
            index.write(struct.pack("<Q", out.tell()))
            cloudpickle.dump(item, out)


def read_call(folder: Path) -> dict[str, Any]:
    """The function and the arguments of a step."""
    import pickle

    with (folder / "call.pkl").open("rb") as file:
        return dict(pickle.load(file))  # noqa: S301 - written by this user, in a folder of mode 0700


def read_item(folder: Path, number: int) -> Any:
    """One item of a Map."""
    import pickle

    with (folder / "items.idx").open("rb") as index, (folder / "items.pkl").open("rb") as file:
        index.seek(number * 8)
        file.seek(struct.unpack("<Q", index.read(8))[0])
        return pickle.load(file)  # noqa: S301 - written by this user, in a folder of mode 0700


# -- what the node knows of its submission ---------------------------------------------------------------------


def write_ticket(folder: Path, submission: Submission, *, fail_fast: bool, rivals: Mapping[str, Sequence[str]]) -> None:
    """Write what the node needs to know of a submission into its submitit folder, where its logs and results go.

    `fail_fast` has the other items cancelled when one fails, `rivals` other steps, by the step that fails.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    parameters = submission.parameters
    ticket = {
        "members": submission.members,
        "barrier": submission.barrier,
        "minutes": parameters.get("time") or parameters.get("timeout_min"),
        "requeues": REQUEUES,
        "attempt": submission.attempt,
        "fail_fast": fail_fast,
        "rivals": dict(rivals),
        "parents": [asdict(parent) for parent in submission.parents],
    }
    (folder / "ticket.json").write_text(json.dumps(ticket))


def read_ticket(run: Path, submission: str) -> dict[str, Any]:
    """What `write_ticket` wrote."""
    ticket: dict[str, Any] = json.loads((run / "jobs" / submission / "ticket.json").read_text())
    return ticket


def job_variables(run: Path, step: str, item: int | None) -> dict[str, str]:
    """The environment variables in which a job finds its run folder, step, item, and the file that it hands on."""
    variables = {RUN_DIR: str(run), STEP: step, OUTPUT: str(output_path(run, step, item))}
    return variables if item is None else {**variables, ITEM: str(item)}


def output_path(run: Path, step: str, item: int | None) -> Path:
    """The file of KEY=VALUE lines that a job hands on."""
    return run / "steps" / step / ("output" if item is None else f"output.{item}")


# -- results ---------------------------------------------------------------------------------------------------


def result_paths(run: Path, submission: str, *, array: bool) -> dict[int | None, Path]:
    """The newest result file of each member of a submission by its position, None where it is not an array.

    The folder is looked at once: it may hold the files of thousands.
    """
    ending = "_0_result.pkl"
    files = sorted((run / "jobs" / submission).glob(f"*{ending}"), key=lambda path: path.stat().st_mtime_ns)
    return {int(path.name.removesuffix(ending).rpartition("_")[2]) if array else None: path for path in files}


def read_outcome(path: Path) -> tuple[bool, Any]:
    """Whether a job succeeded, and its result or else the traceback."""
    import pickle

    with path.open("rb") as file:
        outcome, value = pickle.load(file)  # noqa: S301 - written by this user's own jobs
    return outcome == "success", value


def read_result(run: Path, step: str) -> Any:
    """The result of a step, of a Map a list.  Raises LookupError when it has none, or the step failed."""
    values: dict[int | None, Any] = {}
    paths: dict[str, dict[int | None, Path]] = {}
    for (_, submission), position, item, array in sorted(_jobs_of(run, step)):
        if submission not in paths:
            paths[submission] = result_paths(run, submission, array=array)
        path = paths[submission].get(position if array else None)
        if path is None:
            values.setdefault(item, LookupError(f"step {step} has no result yet"))
            continue
        succeeded, value = read_outcome(path)
        values[item] = value if succeeded else LookupError(f"step {step} failed:\n{value}")
    for value in values.values():
        if isinstance(value, LookupError):
            raise value
    if not values:
        raise LookupError(f"there is no step {step} in {run}")
    if None in values:
        return values[None]
    return [values[item] for item in sorted(item for item in values if item is not None)]


def _jobs_of(run: Path, step: str) -> Iterator[tuple[tuple[int, str], int, int | None, bool]]:
    """The jobs of a step: ((attempt, submission), position, item, whether it is an array)."""
    for folder in (run / "jobs").iterdir():
        ticket = read_ticket(run, folder.name)
        for position, (name, item) in enumerate(ticket["members"]):
            if name == step:
                yield (ticket["attempt"], folder.name), position, item, len(ticket["members"]) > 1


def all_succeeded(run: Path, submission: str, positions: Sequence[int | None]) -> bool:
    """Whether members of a submission have good results; their values, which may be large, are not read."""
    deadline = time.monotonic() + RESULT_PATIENCE
    while True:
        paths = result_paths(run, submission, array=positions != [None])
        if set(positions) <= set(paths) or time.monotonic() > deadline:
            return all(position in paths and _first_word(paths[position]) == "success" for position in positions)
        time.sleep(0.5)


def _first_word(path: Path) -> str:
    """The first text in a result file, which says what came of the job."""
    import pickletools

    with path.open("rb") as file:
        return next(word for _, word, _ in pickletools.genops(file) if isinstance(word, str))
