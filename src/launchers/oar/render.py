"""What oarsub is asked for a selection."""

from __future__ import annotations

from launchers.matching.ask import Ask
from launchers.matching.fit import Fit
from launchers.matching.formula import Formula, ask_total
from launchers.oar.args import OarArgs, where
from launchers.offer.model import Group


def _oar_args(group: Group, fits: tuple[Fit, ...], ask: Ask, said: Formula) -> OarArgs:
    """Without a guard a node whose `gpu` is NULL would count as one with a GPU, and be given whole (facts/oar.md)."""
    queue = fits[0].offer.partition
    host, gpus = group.levels[0], ask_total(ask)
    levels, guard = [(host, ask.nodes)], ""
    if queue.exclusive or (gpus and "gpu" not in group.levels):
        guard = f"gpu_count >= {gpus}" if gpus else ""
    elif gpus:
        levels, guard = [*levels, ("gpu", gpus)], "gpu_count > 0"
    else:
        levels.append(("core", ask.cores or 1))
    return OarArgs(
        levels=tuple(levels),
        walltime=ask.duration,
        guard=guard,
        properties=where(said.clauses, queue.only, host, ",".join(said.exclude)),
        queue=queue.name,
        types=queue.types,
        project=group.project,
    )
