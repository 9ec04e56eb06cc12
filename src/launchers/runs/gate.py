"""Who runs a member of a submission: a name in the run folder that can be taken once.

A submission may come to its scheduler twice.  An sbatch whose client was killed goes on by itself while the controller
is away, and its job comes after `launchers resume` has found none.  So every job takes the name of its member before it
runs anything.  A job that its scheduler queued again is still the same job, so its name is its own.

A client withholds names: of what it cancels and has not got an id of, and of what it takes for lost.

A name is taken by a hard link to a file that is whole already, and then compared.  A shared file system may make the
link and lose the answer, and what it says of a file that is opened exclusively cannot be trusted (man open, O_EXCL).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from attrs import frozen

WHOLE = "all"
"""Stands for all members of a submission."""
_JOB, _WITHHELD = "job", "withheld"

Position = int | str | None
"""The number of a member in its submission (`Submission.element`), None where that is no array, or `WHOLE`."""


@frozen
class Runner:
    """Who has a name: a job (its id), or nobody, as it was withheld for a reason."""

    job: str = ""
    withheld: str = ""


def take(folder: Path, position: Position, job: str) -> Runner:
    """Take the name of a member for a job: who has it then.  `folder` is that of the submission.  Raises OSError.

    A whole submission that is withheld counts for all its members.  A client looks at the members' names after it has
    withheld the whole, and a job looks at the whole after it has taken its own name: one of them sees the other.
    """
    mine = _take(_path(folder, position), f"{_JOB} {job}")
    return runner(folder, WHOLE) or mine


def withhold(folder: Path, position: Position, reason: str) -> Runner:
    """Take a name for nobody, so that no job can: who has it then.  Raises OSError."""
    return _take(_path(folder, position), f"{_WITHHELD} {reason}")


def runner(folder: Path, position: Position) -> Runner | None:
    """Who has a name; None while nobody has.  Raises OSError."""
    return _read(_path(folder, position))


def runners(folder: Path) -> dict[Position, Runner]:
    """Who has the names of a submission that are taken, by position.  Raises OSError."""
    taken: dict[Position, Runner] = {}
    for path in folder.glob("runner*"):
        ending = path.name.removeprefix("runner").removeprefix(".")
        if (has := _read(path)) is not None:
            taken[int(ending) if ending.isdigit() else ending or None] = has
    return taken


def _path(folder: Path, position: Position) -> Path:
    return folder / ("runner" if position is None else f"runner.{position}")


def _read(path: Path) -> Runner | None:
    try:
        kind, _, rest = path.read_text(encoding="utf-8", errors="replace").strip().partition(" ")
    except FileNotFoundError:
        return None
    return Runner(job=rest) if kind == _JOB else Runner(withheld=rest or "its name was not taken by launchers")


def _take(path: Path, text: str) -> Runner:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with fresh.open("x", encoding="utf-8") as out:
            out.write(f"{' '.join(text.split())}\n")
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):  # then what it says decides: the answer to our own link may be lost
            os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    has = _read(path)
    if has is None:
        raise FileNotFoundError(errno.ENOENT, "the name that was just taken is not there", str(path))
    return has
