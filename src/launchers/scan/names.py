"""What files are called in a run folder: a function of how the definition names them, not of where it is."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from launchers.schedulers import SCHEDULERS

RUN_FILES = {
    *("cwd", "parameters", "includes", "__esis__", "sbatch.sh", "oarsub.sh", "README"),
    *("plan.json", "journal.jsonl", "lock", "seen.json", "jobs", "steps"),
    *SCHEDULERS,  # each has a folder of its name
}
"""What a run folder has by itself: no script of these names is copied into it."""


def run_root(folder: Path, written: str | None) -> Path:
    """Where the run folders of a definition in `folder` are."""
    return Path(os.path.normpath(folder / Path(written or ".").expanduser()))


def script_name(written: str) -> str:
    """What a script is called in the run folder: its path, where that leads down from the definition."""
    path = PurePosixPath(os.path.normpath(written))
    return path.name if path.is_absolute() or path.parts[:1] == ("..",) else str(path)


def include_names(written: tuple[str, ...]) -> list[str]:
    """What includes are called: the file's name as ESIS has it, and as much of the path as tells two apart."""
    ways = [[part for part in PurePosixPath(os.path.normpath(one)).parts if part not in ("..", "/")] for one in written]

    def name(way: list[str], length: int = 1) -> str:
        rivals = [other for other in ways if other is not way and other[-length:] == way[-length:]]
        return "/".join(way[-length:]) if not rivals or length >= len(way) else name(way, length + 1)

    return [name(way) for way in ways]
