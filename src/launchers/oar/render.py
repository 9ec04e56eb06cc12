"""What oarsub is asked for a selection."""

from __future__ import annotations

from launchers.matching import Selection
from launchers.oar.args import OarArgs, sql_where


def render(selection: Selection) -> OarArgs:
    """The arguments of oarsub that ask for what was selected.

    Without a guard a node whose `gpu` is NULL would count as one with a GPU, and be given whole (docs/oar-facts.md).
    """
    request, group, queue = selection.request, selection.group, selection.offers[0].partition
    host, gpus = group.levels[0], request.gpus
    levels, guard = [(host, request.nodes)], ""
    if queue.exclusive or (gpus and "gpu" not in group.levels):
        guard = f"gpu_count >= {gpus}" if gpus else ""
    elif gpus:
        levels, guard = [*levels, ("gpu", gpus)], "gpu_count > 0"
    else:
        levels.append(("core", request.cores or 1))
    return OarArgs(
        levels=tuple(levels),
        walltime=request.duration,
        guard=guard,
        properties=sql_where(
            selection.node_filter.clauses, queue.node_properties, host, ",".join(selection.node_filter.exclude)
        ),
        queue=queue.name,
        types=queue.types,
        project=group.project,
    )
