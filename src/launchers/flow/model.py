"""A flow as it was read: its jobs, the cells of its sweep, and what each job waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from launchers.files.tree import Tree
from launchers.flow import schema
from launchers.jobs.submission import Condition
from launchers.order import CircularWaitError, sort_by_waits

DEPENDENCY_KINDS: dict[str, Condition] = {
    "afterok": "ok", "afterany": "any", "afternotok": "failed", "after": "started", "aftercorr": "each",
}  # fmt: skip
"""Slurm's words for what a job waits for (man sbatch, --dependency), and the plan's words for the same."""

AMOUNT_KEYS = ("nodes", "gpus_per_node", "ntasks_per_node", "cpus_per_task", "memory_per_node", "gres")
"""The resources that a requirement (`needs`) can state, too."""


@frozen
class FlowJob:
    """A job with its defaults filled in; `index` is its position in the file.

    `waits` has the jobs that it waits for, each with what has to have happened to it.
    """

    name: str
    index: int
    spec: schema.JobSpec
    resources: schema.JobResources
    environment: schema.JobEnvironment
    waits: tuple[tuple[str, Condition], ...]


@frozen
class Cell:
    """One combination of a sweep's values, and its jobs.  A flow without a sweep has one cell, without values."""

    values: Mapping[str, Any]
    jobs: Mapping[str, FlowJob]

    @property
    def label(self) -> str:
        """The values as text: ``lr=0.1,seed=2``."""
        return ",".join(f"{name}={value}" for name, value in self.values.items())


@frozen
class Flow:
    """A flow.  All cells have jobs of the same names, in an order where each job follows those that it waits for."""

    name: str
    file: str
    cells: tuple[Cell, ...]
    sweep: schema.SweepSpec | None
    notify: schema.NotifySpec | None
    tree: Tree

    @property
    def jobs(self) -> Mapping[str, FlowJob]:
        """The jobs of the first cell."""
        return self.cells[0].jobs


def split_dependency(text: str) -> tuple[str, str]:
    """Split ``afterany:b`` into its kind and the name of a job; without a kind, it is ``afterok``."""
    kind, colon, name = text.partition(":")
    return (kind.strip(), name.strip()) if colon else ("afterok", text.strip())


def read_dependencies(value: Any) -> Iterator[tuple[str, Condition]]:
    """Read `depends_on`: the name of each job and what has to have happened to it.

    What cannot be read is passed over, and an unknown kind counts as ``afterok``: `check` reports both.
    """
    for text in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []:
        if isinstance(text, str):
            kind, name = split_dependency(text)
            yield name, DEPENDENCY_KINDS.get(kind, "ok")


def sorted_jobs(jobs: Mapping[str, FlowJob]) -> dict[str, FlowJob]:
    """The jobs, each behind those that it waits for.  Jobs that wait for each other stay in the order of the file."""
    parents = {name: [parent for parent, _ in job.waits if parent in jobs] for name, job in jobs.items()}
    try:
        return {name: jobs[name] for name in sort_by_waits(jobs, parents)}
    except CircularWaitError:
        return dict(jobs)
