"""sbatch.sh: the user's template with three words replaced, or one made from a need."""

from __future__ import annotations

from launchers.requirement import Requirement
from launchers.scan.definition import Definition
from launchers.scan.names import script_name
from launchers.slurm.args import SlurmArgs


def render_sbatch(definition: Definition, template: str, count: int, dependency: str) -> str:
    """The file: `count` tasks, after what sbatch's --dependency says, from a template in ESIS's words."""
    after = f"SBATCH --dependency={dependency}" if dependency else ""
    return (
        template.replace("TASKARRAYDEFINITION", f"0-{count - 1}%{definition.at_once}")
        .replace("WORKERSCRIPT", f"../{script_name(definition.worker)}")
        .replace("ESIS_PRIVATE", after)
    )


def template_for(definition: Definition, args: SlurmArgs) -> str:
    """A template that asks for what the broker chose."""
    head = ["#!/bin/sh", f"#SBATCH --job-name={definition.name}", *args.directives()]
    start = "srun " if args.nodes > 1 else ""  # one node needs none, and then the file runs anywhere
    return "\n".join([*head, "#SBATCH --array=TASKARRAYDEFINITION", "#ESIS_PRIVATE", "", f"{start}WORKERSCRIPT", ""])


def args_for_need(need: Requirement) -> SlurmArgs:
    """What a need asks of any Slurm: for a run on this machine, whose folder may go to a cluster one day."""
    wanted = need.alternatives[0]
    return SlurmArgs(
        time=None if wanted.duration is None else -(-wanted.duration // 60),
        nodes=wanted.nodes,
        cpus_per_task=wanted.cores or None,
        mem=wanted.cpu_memory or None,
        gpus_per_node=len(wanted.accelerators),
    )
