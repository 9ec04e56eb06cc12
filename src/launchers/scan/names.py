"""The names of files in a run folder.  They depend on how the definition names a file, not on where it is."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from launchers.files.paths import expand_user
from launchers.jobs.backend import GATE
from launchers.schedulers import SCHEDULERS

RUN_FILES = {
    *("cwd", "parameters", "includes", "__esis__", "sbatch.sh", "oarsub.sh", GATE, "README"),
    *("plan.json", "journal.jsonl", "lock", "seen.json", "jobs", "steps"),
    *SCHEDULERS,  # each has a folder of its name
}
"""The files and folders that launchers makes in a run folder.  No script may have such a name."""


def run_root(folder: Path, written: str | None) -> Path:
    """The folder for the run folders of a definition in `folder`, whose workdir: is `written`."""
    return Path(os.path.normpath(folder / expand_user(written or ".")))


def script_name(written: str) -> str:
    """The path of a script in the run folder: as written, or its last part if it is not below the definition."""
    path = PurePosixPath(os.path.normpath(written))
    return path.name if path.is_absolute() or path.parts[:1] == ("..",) else str(path)


def include_names(written: tuple[str, ...]) -> list[str]:
    """The paths of includes below includes/: the last part, as in ESIS, and as many before it as make names differ."""
    paths = [_parts(path) for path in written]
    return ["/".join(_shortest_name(path, paths)) for path in paths]


def _parts(path: str) -> list[str]:
    return [part for part in PurePosixPath(os.path.normpath(path)).parts if part not in ("..", "/")]


def _shortest_name(path: list[str], paths: list[list[str]]) -> list[str]:
    """The shortest end of `path` that is the end of no other; all of it if there is none."""
    others = [other for other in paths if other is not path]
    for length in range(1, len(path)):
        if not any(other[-length:] == path[-length:] for other in others):
            return path[-length:]
    return path
