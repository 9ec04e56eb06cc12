"""Make sbatch.sh, from the user's template or from a need."""

from __future__ import annotations

from launchers.requirement import Requirement
from launchers.scan.definition import Definition
from launchers.scan.names import script_name
from launchers.slurm.args import SlurmArgs


def render_sbatch(definition: Definition, template: str, count: int, dependency: str) -> str:
    """The text of sbatch.sh: the template, with ESIS's three words replaced.

    `count` is the number of tasks; `dependency` the value of sbatch's --dependency, empty for none.
    """
    directive = f"SBATCH --dependency={dependency}" if dependency else ""
    return (
        template.replace("TASKARRAYDEFINITION", f"0-{count - 1}%{definition.at_once}")
        .replace("WORKERSCRIPT", f"../{script_name(definition.worker)}")
        .replace("ESIS_PRIVATE", directive)
    )


def template_for(definition: Definition, args: SlurmArgs) -> str:
    """A template that asks for what `args` say."""
    head = ["#!/bin/sh", f"#SBATCH --job-name={definition.name}", *args.directives()]
    start = "srun " if args.nodes > 1 else ""  # with one node srun is not needed, and the file runs on any machine
    return "\n".join([*head, "#SBATCH --array=TASKARRAYDEFINITION", "#ESIS_PRIVATE", "", f"{start}WORKERSCRIPT", ""])


def args_for_need(need: Requirement) -> SlurmArgs:
    """The arguments for any Slurm cluster: a run on this machine has an sbatch.sh, too, for use on a cluster."""
    preferred = need.alternatives[0]
    return SlurmArgs(
        time=None if preferred.duration is None else -(-preferred.duration // 60),
        nodes=preferred.nodes,
        cpus_per_task=preferred.cores or None,
        mem=preferred.cpu_memory or None,
        gpus_per_node=len(preferred.accelerators),
    )
