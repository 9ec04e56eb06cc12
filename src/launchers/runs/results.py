"""Functions, arguments and results of steps, pickled in the run folder."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from launchers.variables import ITEM, OUTPUT, RUN_DIR, STEP

PATIENCE = 5.0
"""Seconds for which the result of a job that has ended may not be seen yet on a shared file system."""


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


def surroundings(run: Path, step: str, number: int | None) -> dict[str, str]:
    """What a job is told of itself: run folder, step, item, and the file for values that it hands on."""
    told = {RUN_DIR: str(run), STEP: step, OUTPUT: str(output(run, step, number))}
    return told if number is None else {**told, ITEM: str(number)}


def output(run: Path, step: str, number: int | None) -> Path:
    """The file of KEY=VALUE lines that a job hands on."""
    return run / "steps" / step / ("output" if number is None else f"output.{number}")


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


def results(folder: Path, unit: str, *, array: bool) -> dict[int | None, Path]:
    """The newest result file of each member of a submission by its position, None where it is not an array.

    The folder is looked at once: it may hold the files of thousands.
    """
    ending = "_0_result.pkl"
    files = sorted((folder / "jobs" / unit).glob(f"*{ending}"), key=lambda path: path.stat().st_mtime_ns)
    return {int(path.name.removesuffix(ending).rpartition("_")[2]) if array else None: path for path in files}
