"""Submissions whose script is a file of the run folder, made by others and submitted as it stands.

It is submitted from the folder `cwd`, one element of its array for each item; a retry names the items.  So whoever
has the folder can run it again with the scheduler alone.  On this machine the file itself is run, once for each item.
"""

from __future__ import annotations

import re
from pathlib import Path

from launchers.jobs.submission import Unit
from launchers.runs.folder import Store
from launchers.schedulers import batch


def _cwd(store: Store) -> Path:
    return store.folder / "cwd"


def logs(store: Store, unit: Unit, number: int | None, job: str | None) -> list[Path]:
    """The output of one element, wherever the script sends it."""
    assert unit.script is not None
    if store.scheduler == "local":
        job, patterns = store.id, [f"slurm-%A_%a{'' if unit.attempt == 1 else f'~{unit.attempt}'}.out"]
    else:
        text = (store.folder / unit.script).read_text(encoding="utf-8", errors="replace")
        patterns = batch(store.scheduler).outputs(text)
    known = {"A": job or "*", "a": str(number), "j": "*", "%": "%"}
    found: list[Path] = []
    for pattern in patterns:
        name = re.sub(r"%\d*(.)", lambda match: known.get(match[1], "*"), pattern)
        place = _cwd(store) / name
        found += sorted(place.parent.glob(place.name))
    return found


def said_completed(folder: Path) -> bool:
    """Whether the run itself has written that it is done, as ESIS has it: what nobody else knows any more."""
    try:
        return (folder / "__esis__" / "completed.state").read_text(encoding="utf-8").strip() == "1"
    except (OSError, UnicodeDecodeError):
        return False
