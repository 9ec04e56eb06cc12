"""A flow as it was read: its jobs, their cells, and what they wait for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from launchers.files.tree import Tree
from launchers.flow import schema
from launchers.plan.tree import On, PlanError, sorted_names


@frozen
class Job:
    """A job as it will run: which one of the file, its settings, defaults included, and what it waits for."""

    name: str
    index: int
    spec: schema.Job
    resources: schema.Resources
    environment: schema.Environment
    waits: tuple[tuple[str, On], ...]


@frozen
class Cell:
    """One combination of a sweep's values (none of them in a flow without a sweep) and its jobs."""

    values: Mapping[str, Any]
    jobs: Mapping[str, Job]

    @property
    def label(self) -> str:
        """``lr=0.1,seed=2``."""
        return ",".join(f"{name}={value}" for name, value in self.values.items())


@frozen
class Flow:
    """A flow: the same jobs in every cell, parents before children."""

    name: str
    file: str
    cells: tuple[Cell, ...]
    sweep: schema.Sweep | None
    notify: schema.Notify | None
    tree: Tree

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The jobs of the first cell: all cells have jobs of these names."""
        return self.cells[0].jobs


KINDS: dict[str, On] = {
    "afterok": "ok", "afterany": "any", "afternotok": "failed", "after": "started", "aftercorr": "each",
}  # fmt: skip
"""Slurm's words for what a job waits for (man sbatch, --dependency), and the plan's."""


AMOUNTS = ("nodes", "gpus_per_node", "ntasks_per_node", "cpus_per_task", "memory_per_node", "gres")
"""What a requirement says too."""


def parsed_waits(value: Any) -> Iterator[tuple[str, On]]:
    """``a``, ``afterany:b`` as (name, what of it); of what is not right as much as can be read."""
    for text in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []:
        if isinstance(text, str):
            kind, colon, name = text.partition(":")
            yield (name.strip(), KINDS.get(kind.strip(), "ok")) if colon else (text.strip(), "ok")


def ordered(jobs: Mapping[str, Job]) -> list[str]:
    """The names of jobs, parents first; in their order where there is no such order."""
    after = {name: [parent for parent, _ in job.waits if parent in jobs] for name, job in jobs.items()}
    try:
        return sorted_names(list(jobs), after)
    except PlanError:
        return list(jobs)
