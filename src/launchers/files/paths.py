"""Paths as people write them, and as schedulers can take them."""

from __future__ import annotations

import os
from pathlib import Path


def unusable(path: Path) -> str:
    r"""Why jobs cannot have their files in a folder, in words to be read after its path; "" where they can.

    submitit puts the id of a job in the place of %j, %t, %A, %a and %n wherever they stand in a path, and Slurm reads
    any % of a file name so; a \ makes it read none (man sbatch, "filename pattern"). Their scripts have a line for each
    option, which a control character would break, and are UTF-8 text.
    """
    text = os.fspath(path)
    for character, name in (("%", "a % sign"), ("\\", "a backslash")):
        if character in text:
            return f"has {name} in it, which submitit and Slurm replace in the names of files"
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        return "has a line break or another control character in it"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8 text"
    return ""


def real_path(path: Path) -> Path:
    """A path without links; of links that lead in a circle what can be followed (Path.resolve has a RuntimeError)."""
    return Path(os.path.realpath(path))


def expand_user(path: str | Path) -> Path:
    """A path with the home folder of a user in place of ``~`` and ``~name``, where that is known."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user, or one without a home
        return Path(path)
