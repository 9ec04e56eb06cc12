"""What oarsub is asked for a selection."""

from __future__ import annotations

from launchers.matching import Selection
from launchers.matching.formula import ask_total
from launchers.oar.args import OarArgs, sql_where


def render(selection: Selection) -> OarArgs:
    """The arguments of oarsub that ask for what was selected.

    Without a guard a node whose `gpu` is NULL would count as one with a GPU, and be given whole (docs/oar-facts.md).
    """
    ask, group, queue = selection.ask, selection.group, selection.offers[0].partition
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
        properties=sql_where(
            selection.formula.clauses, queue.node_properties, host, ",".join(selection.formula.exclude)
        ),
        queue=queue.name,
        types=queue.types,
        project=group.project,
    )
