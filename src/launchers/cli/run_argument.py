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


def add_trust(command: argparse.ArgumentParser) -> None:
    """Add --trust to a command that only looks at runs."""
    text = "look at a run that is not yours, or that others can write; nothing of it is run"
    command.add_argument("--trust", action="store_true", help=text)


def find_run(name: str | None, *, trust: bool = False) -> PlanRun:
    """The run with this name; RunError if there is none, or more than one.

    With `trust` it may be a run of another user, to be looked at.
    """
    from launchers.errors import RunError
    from launchers.runs.run import open_run

    if name and (Path(name) / "plan.json").exists():
        return open_run(name, trust=trust)
    folders = run_folders(ROOT)
    if not name:
        if not folders:
            raise RunError(f"no run: the folder ./{ROOT} has none")
        return open_run(folders[-1], trust=trust)
    named = [folder for folder in folders if folder.name == name or folder.name.endswith(f"-{name}")]
    if not named:
        raise RunError(f"{name} is neither a run folder nor the name of a run in ./{ROOT} (see: launchers runs)")
    if len(named) > 1:
        raise RunError(f"several runs have a name that ends in {name}: {', '.join(folder.name for folder in named)}")
    return open_run(named[0], trust=trust)


def run_folders(root: Path) -> list[Path]:
    """The run folders in a folder, the oldest first; a folder that cannot be looked into may be one, and comes first.

    Raises OSError for a `root` that cannot be read.
    """
    times: dict[Path, int] = {}
    try:
        folders = list(root.iterdir())
    except FileNotFoundError:
        return []
    for folder in folders:
        try:
            times[folder] = (folder / "plan.json").stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            times[folder] = 0
    return sorted(times, key=lambda folder: (times[folder], folder))
