"""The RUN argument of several commands: a run folder, its name, the end of its name, or nothing for the newest run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launchers.runs.run import PlanRun

ROOT = Path("runs")
ROOT_HELP = f"the folder that holds the run folders (default: ./{ROOT})"


def add_run(command: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add RUN to a command."""
    if required:
        command.add_argument("run", metavar="RUN", help="a run folder, its name or the end of its name")
    else:
        command.add_argument(
            "run", metavar="RUN", nargs="?", help="a run folder, or its name (default: the newest run)"
        )


def find_run(name: str | None) -> PlanRun:
    """The run with this name; RunError if there is none, or more than one."""
    from launchers.errors import RunError
    from launchers.runs.run import open_run

    if name and (Path(name) / "plan.json").exists():
        return open_run(name)
    folders = run_folders(ROOT)
    if not name:
        if not folders:
            raise RunError(f"no run: the folder ./{ROOT} has none")
        return open_run(folders[-1])
    named = [folder for folder in folders if folder.name == name or folder.name.endswith(f"-{name}")]
    if not named:
        raise RunError(f"{name} is neither a run folder nor the name of a run in ./{ROOT} (see: launchers runs)")
    if len(named) > 1:
        raise RunError(f"several runs have a name that ends in {name}: {', '.join(folder.name for folder in named)}")
    return open_run(named[0])


def run_folders(root: Path) -> list[Path]:
    """The run folders in a folder, the oldest first."""
    folders = [path.parent for path in root.glob("*/plan.json")]
    return sorted(folders, key=lambda folder: (folder / "plan.json").stat().st_mtime_ns)
