"""What sbatch is asked for a selection."""

from __future__ import annotations

from attrs import evolve

from launchers.matching import Selection
from launchers.slurm.args import SlurmArgs


def render(selection: Selection) -> SlurmArgs:
    """The arguments of sbatch that ask for what was selected."""
    ask, access, group = selection.ask, selection.offers[0].access, selection.group
    types = [str(number) if kind is None else f"{kind}:{number}" for kind, number in ask.devices]
    spelled = ",".join(types)
    args = SlurmArgs(
        time=None if ask.duration is None else -(-ask.duration // 60),
        partition=",".join(selection.partitions) or None,
        nodes=ask.nodes,
        cpus_per_task=ask.cores or None,
        mem=ask.memory or None,
        constraint=selection.formula.constraint or None,
        exclude=",".join(selection.formula.exclude) or None,
        qos=access.qos,
        account=access.account,
        additional_params=group.sbatch,
    )
    if not spelled:
        return args
    if group.gres == "gpus_per_node":
        return evolve(args, gpus_per_node=spelled)
    return evolve(args, gres=",".join(f"gpu:{item}" for item in types))
