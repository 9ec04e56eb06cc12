"""The batch schedulers by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from launchers.errors import UNREACHABLE, LauncherNotFoundError
from launchers.jobs.backend import Batch
from launchers.matching import Selection
from launchers.oar import render as oar
from launchers.oar.args import OarArgs
from launchers.slurm import render as slurm
from launchers.slurm.args import SlurmArgs

if TYPE_CHECKING:
    from submitit import Executor


_RENDER: dict[str, Callable[[Selection], SlurmArgs | OarArgs]] = {"slurm": slurm.render, "oar": oar.render}


def render(selection: Selection) -> SlurmArgs | OarArgs | None:
    """What the scheduler is asked for a selection; None on this machine."""
    scheduler = selection.group.scheduler
    return _RENDER[scheduler](selection) if scheduler in _RENDER else None


def _executor(scheduler: str, folder: Path) -> Executor:
    """A submitit executor of a batch scheduler."""
    if scheduler == "slurm":
        from submitit import SlurmExecutor

        return SlurmExecutor(folder)
    try:
        from launchers.oar.executor import Executor as OarExecutor
    except ImportError as error:
        message = (
            f"functions go to OAR through submitit-oar, which is not installed: pip install 'launchers[oar]' ({error})"
        )
        raise LauncherNotFoundError(message, UNREACHABLE) from error
    return OarExecutor(folder)


def batch(scheduler: str) -> Batch:
    """The batch scheduler of a name."""
    if scheduler == "oar":
        from launchers.oar import backend as on_oar

        return on_oar
    from launchers.slurm import backend as on_slurm

    return on_slurm
