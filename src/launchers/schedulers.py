"""The schedulers by name: the one place where a name becomes a backend."""

from __future__ import annotations

from functools import cache

from launchers.jobs.backend import Backend, Resources
from launchers.matching import Selection

LOCAL, SLURM, OAR = "local", "slurm", "oar"
SCHEDULERS = (LOCAL, SLURM, OAR)


@cache
def backend(scheduler: str) -> Backend:
    """The backend of a scheduler, imported when it is first asked for.  Raises ValueError for an unknown name."""
    if scheduler == LOCAL:
        from launchers.local.backend import LocalBackend

        return LocalBackend()
    if scheduler == SLURM:
        from launchers.slurm.backend import SlurmBackend

        return SlurmBackend()
    if scheduler == OAR:
        from launchers.oar.backend import OarBackend

        return OarBackend()
    raise ValueError(f"unknown scheduler {scheduler!r}; known schedulers: {', '.join(SCHEDULERS)}")


def render(selection: Selection) -> Resources:
    """What the scheduler of a selection is asked."""
    return backend(selection.group.scheduler).render(selection)
