"""What sbatch is asked for a selection."""

from __future__ import annotations

from attrs import evolve

from launchers.matching.ask import Ask
from launchers.matching.fit import Fit
from launchers.matching.formula import Formula
from launchers.offer.model import Group
from launchers.slurm.args import SlurmArgs


def _slurm_args(group: Group, fits: tuple[Fit, ...], ask: Ask, said: Formula) -> SlurmArgs:
    access = fits[0].offer.access
    types = [str(number) if kind is None else f"{kind}:{number}" for kind, number in ask.devices]
    spelled = ",".join(types)
    args = SlurmArgs(
        time=None if ask.duration is None else -(-ask.duration // 60),
        partition=",".join(sorted({one.offer.partition.name for one in fits})) or None,
        nodes=ask.nodes,
        cpus_per_task=ask.cores or None,
        mem=ask.memory or None,
        constraint=said.constraint or None,
        exclude=",".join(said.exclude) or None,
        qos=access.qos,
        account=access.account,
        additional_params=group.sbatch,
    )
    if not spelled:
        return args
    if group.gres == "gpus_per_node":
        return evolve(args, gpus_per_node=spelled)
    return evolve(args, gres=",".join(f"gpu:{item}" for item in types))
