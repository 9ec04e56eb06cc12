"""Functions, arguments and results of steps, pickled in the run folder.

What came of a job is read from its result file without unpickling it: to unpickle is to execute.
"""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from launchers.events import BadFileError, read_object
from launchers.files.atomic import write_atomically
from launchers.files.owner import ForeignFileError, open_file
from launchers.jobs.submission import Submission
from launchers.variables import ITEM, OUTPUT, RUN_DIR, STEP

RESULT_PATIENCE = 15.0
"""Seconds for which the result of a job that has ended may not be seen yet on a shared file system."""
SUCCESS, ERROR, CANCELLED = "success", "error", "cancelled"
"""The first word of a result file; submitit writes the first two."""
HEAD = 1 << 20
"""Bytes of a result file that are read for what came of the job."""
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

    with open_file(folder / "call.pkl") as file:
        return dict(pickle.load(file))  # noqa: S301 - nobody but this user can have written it


def read_item(folder: Path, number: int) -> Any:
    """One item of a Map."""
    import pickle

    with open_file(folder / "items.idx") as index, open_file(folder / "items.pkl") as file:
        index.seek(number * 8)
        file.seek(struct.unpack("<Q", index.read(8))[0])
        return pickle.load(file)  # noqa: S301 - nobody but this user can have written it


# -- what the node knows of its submission ---------------------------------------------------------------------


def write_ticket(
    folder: Path,
    submission: Submission,
    *,
    fail_fast: bool,
    rivals: Mapping[str, Sequence[str]],
    check_parents: bool,
) -> None:
    """Write what the node needs to know of a submission into its submitit folder, where its logs and results go.

    `fail_fast` has the other items cancelled when one fails, `rivals` other steps, by the step that fails.
    `check_parents` has each job look whether what it waited for came about, as its scheduler may not know that.
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
        "parents": [asdict(parent) for parent in submission.parents] if check_parents else [],
    }
    write_atomically(folder / "ticket.json", json.dumps(ticket))


def read_ticket(run: Path, submission: str) -> dict[str, Any]:
    """What `write_ticket` wrote.  Raises RunError for anything else, and FileNotFoundError."""
    path = run / "jobs" / submission / "ticket.json"
    ticket = read_object(path)
    if not _is_ticket(ticket):
        raise BadFileError(path, "this is not a ticket")
    return ticket


def _is_ticket(ticket: Mapping[str, Any]) -> bool:
    kinds = {"members": list, "barrier": bool, "requeues": int, "attempt": int, "fail_fast": bool, "rivals": dict}
    if any(type(ticket.get(key)) is not kind for key, kind in {**kinds, "parents": list}.items()):
        return False
    members, parents = ticket["members"], ticket["parents"]
    return all(map(_is_member, members)) and all(isinstance(parent, dict) for parent in parents)


def _is_member(member: object) -> bool:
    if not isinstance(member, list) or [type(part) for part in member] not in ([str, int], [str, type(None)]):
        return False
    return member[1] is None or member[1] >= 0


def job_variables(run: Path, step: str, item: int | None) -> dict[str, str]:
    """The environment variables in which a job finds its run folder, step, item, and the file that it hands on."""
    variables = {RUN_DIR: str(run), STEP: step, OUTPUT: str(output_path(run, step, item))}
    return variables if item is None else {**variables, ITEM: str(item)}


def output_path(run: Path, step: str, item: int | None) -> Path:
    """The file of KEY=VALUE lines that a job hands on."""
    return run / "steps" / step / ("output" if item is None else f"output.{item}")


# -- results ---------------------------------------------------------------------------------------------------


def result_paths(run: Path, submission: str, *, array: bool, task: int = 0) -> dict[int | None, Path]:
    """The newest result file of each member of a submission by its position, None where it is not an array.

    The folder is looked at once: it may hold the files of thousands.  `task` is which of a job's tasks wrote it.
    """
    ending = f"_{task}_result.pkl"
    files = sorted((run / "jobs" / submission).glob(f"*{ending}"), key=lambda path: path.stat().st_mtime_ns)
    if not array:
        return {None: files[-1]} if files else {}
    positions = {path: path.name.removesuffix(ending).rpartition("_")[2] for path in files}
    return {int(position): path for path, position in positions.items() if position.isdigit()}


@frozen
class Outcome:
    """What came of a job: `SUCCESS`, `ERROR` with its traceback, or `CANCELLED` with the reason."""

    word: str
    text: str = ""

    @property
    def reason(self) -> str:
        """Why it did not succeed, on one line."""
        return "".join(self.text.strip().splitlines()[-1:])


def write_outcome(path: Path, word: str, text: str = "") -> None:
    """Write what came of a job that calls no function, in the form of submitit's results."""
    from submitit.core.utils import cloudpickle_dump

    cloudpickle_dump((word, text or None), path)


def peek_outcome(path: Path) -> Outcome | None:
    """What came of a job, by its result file, which is not unpickled; None where that is not whole, or not a result."""
    import pickle
    import pickletools

    try:
        with open_file(path, own=False) as file:
            head = file.read(HEAD)
            file.seek(-1, os.SEEK_END)
            is_whole = file.read(1) == pickle.STOP
    except OSError:
        return None
    words: list[str] = []
    try:
        for opcode, word, _ in pickletools.genops(head):
            if isinstance(word, str) and "UNICODE" in opcode.name:
                words.append(word)
            if len(words) == (1 if words[:1] == [SUCCESS] else 2):
                break
    except Exception:  # genops raises whatever garbage makes it raise
        words = words if words[:1] == [ERROR] else []  # a traceback longer than what was read
    if not words or words[0] not in (SUCCESS, ERROR, CANCELLED):
        return None
    if words[0] == SUCCESS and not is_whole:
        return None
    return Outcome(words[0], words[1] if len(words) > 1 else "")


def read_outcome(path: Path) -> tuple[bool, Any]:
    """Whether a job succeeded, and its result or else the traceback.  Raises LookupError for what is no result."""
    import pickle

    outcome = peek_outcome(path)
    if outcome is None:
        raise LookupError(f"{path} is not the result of a job, or was cut off")
    if outcome.word != SUCCESS:
        return False, outcome.text
    try:
        with open_file(path) as file:
            _, value = pickle.load(file)  # noqa: S301 - nobody but this user can have written it
    except ForeignFileError as error:
        raise LookupError(f"{path} {error.strerror}, so it is not read") from error
    except Exception as error:  # unpickling imports and calls what the result is made of
        raise LookupError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    return True, value


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
            return all(position in paths and has_succeeded(paths[position]) for position in positions)
        time.sleep(0.5)


def has_succeeded(path: Path) -> bool:
    """Whether a result file says that its job succeeded."""
    outcome = peek_outcome(path)
    return outcome is not None and outcome.word == SUCCESS
