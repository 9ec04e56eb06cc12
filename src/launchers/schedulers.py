"""The batch schedulers by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from launchers.errors import UNREACHABLE, LauncherNotFoundError
from launchers.jobs.backend import Batch
from launchers.matching.ask import Ask
from launchers.matching.fit import Fit
from launchers.matching.formula import Formula
from launchers.oar.args import OarArgs
from launchers.oar.render import _oar_args
from launchers.offer.model import Group
from launchers.slurm.args import SlurmArgs
from launchers.slurm.render import _slurm_args

if TYPE_CHECKING:
    from submitit import Executor


_RENDER: dict[str, Callable[[Group, tuple[Fit, ...], Ask, Formula], SlurmArgs | OarArgs]] = {
    "slurm": _slurm_args,
    "oar": _oar_args,
}


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
