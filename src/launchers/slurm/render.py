"""What sbatch is asked for a selection."""

from __future__ import annotations

from attrs import evolve

from launchers.matching import Selection
from launchers.slurm.args import SlurmArgs


def render(selection: Selection) -> SlurmArgs:
    """The arguments of sbatch that ask for what was selected."""
    request, access, group = selection.request, selection.offers[0].access, selection.group
    types = [str(number) if kind is None else f"{kind}:{number}" for kind, number in request.devices]
    spelled = ",".join(types)
    args = SlurmArgs(
        time=None if request.duration is None else -(-request.duration // 60),
        partition=",".join(selection.partitions) or None,
        nodes=request.nodes,
        cpus_per_task=request.cores or None,
        mem=request.memory or None,
        constraint=selection.node_filter.constraint or None,
        exclude=",".join(selection.node_filter.exclude) or None,
        qos=access.qos,
        account=access.account,
        additional_params=group.sbatch,
    )
    if not spelled:
        return args
    if group.gres == "gpus_per_node":
        return evolve(args, gpus_per_node=spelled)
    return evolve(args, gres=",".join(f"gpu:{item}" for item in types))
