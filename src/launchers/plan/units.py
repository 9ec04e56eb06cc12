"""Tasks as submissions: equal siblings are one array, wide fan-ins go through a barrier, dependencies are Slurm's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import asdict, evolve, field, frozen

from launchers.plan.graph import Graph, Task
from launchers.plan.model import Map
from launchers.plan.place import Place, Placed

KINDS = {"ok": "afterok", "any": "afterany", "failed": "afternotok", "started": "after", "each": "aftercorr"}
"""Slurm's words for what a node waits for (man sbatch, --dependency)."""
WIDE = 3
"""Fan-ins of so many submissions by so many go through a barrier: N + M edges and not N x M."""
BARRIER = {"time": 1, "cpus_per_task": 1, "nodes": 1}

Member = tuple[str, int | None]
"""A step and, of a Map, the item."""


@frozen
class Parent:
    """What a submission waits for: another one, or one element of it where it is an array."""

    unit: str
    kind: str
    index: int | None = None


@frozen(eq=False)
class Unit:
    """One submission: a job, or an array of `members`.  `token` is how it is found again in the scheduler.

    `parameters` are submitit's Slurm parameters, None on this machine.  `attempt` counts retries: the last one that has
    a member is the one that counts.
    """

    name: str
    token: str
    members: tuple[Member, ...]
    parents: tuple[Parent, ...]
    parameters: Mapping[str, Any] | None
    at_once: int | None = None
    barrier: bool = field(default=False)
    attempt: int = 1

    @property
    def array(self) -> bool:
        """Whether it is submitted as an array."""
        return len(self.members) > 1

    def as_json(self) -> dict[str, Any]:
        """For the plan on disk."""
        return asdict(self)


def unit_from_json(entry: Mapping[str, Any]) -> Unit:
    """A unit as `as_json` wrote it."""
    members = tuple((name, index) for name, index in entry["members"])
    parents = tuple(Parent(**one) for one in entry["parents"])
    return Unit(**{**entry, "members": members, "parents": parents})


def units_of(placed: Placed, run: str, most: int | None = None, barrier: Mapping[str, Any] | None = None) -> list[Unit]:
    """The submissions of a plan, parents first; no array has more than `most` elements.

    `barrier` are the parameters of barrier jobs; without them every edge is a dependency.
    """
    units: list[Unit] = []
    where: dict[str, list[tuple[Unit, int | None]]] = {}
    for tasks in _alike(placed):
        place = placed.places[tasks[0].name]
        members = [member for task in tasks for member in _members(task)]
        size = len(members) if place.parameters is None or most is None else max(1, most)
        chunks = [members[start : start + size] for start in range(0, len(members), size)]
        if place.parameters is None:
            chunks = [[member] for member in members]
        at_once = next((task.step.at_once for task in tasks if isinstance(task.step, Map)), None)
        parents = _parents(tasks[0], where, placed.graph)
        if barrier is not None and tasks[0].on == "ok" and len(parents) >= WIDE and len(chunks) >= WIDE:
            name = f"before-{tasks[0].name}"
            wall = Unit(name, _token(run, units), ((name, None),), tuple(parents), barrier, barrier=True)
            units.append(wall)
            parents = [Parent(wall.name, "afterok")]
        for number, chunk in enumerate(chunks):
            name = tasks[0].name if len(chunks) == 1 else f"{tasks[0].name}.{number}"
            own = _corresponding(parents, number, tasks[0], chunk)
            unit = Unit(name, _token(run, units), tuple(chunk), tuple(own), place.parameters, at_once)
            units.append(unit)
            for index, (step, _) in enumerate(chunk):
                where.setdefault(step, []).append((unit, index if unit.array else None))
    return units


def _token(run: str, units: Sequence[Unit]) -> str:
    return f"launchers-{run}-{len(units)}"


def _members(task: Task) -> list[Member]:
    if isinstance(task.step, Map):
        return [(task.name, index) for index in range(task.count)]
    return [(task.name, None)]


def _alike(placed: Placed) -> Iterable[list[Task]]:
    """Siblings with equal parameters and equal parents together; a Map is always by itself."""
    groups: dict[Any, list[Task]] = {}
    for task in placed.graph.tasks:
        place: Place = placed.places[task.name]
        key: Any = task.name
        if not isinstance(task.step, Map) and place.parameters is not None:
            key = (json.dumps(place.parameters, sort_keys=True, default=str), task.parents, task.on)
        groups.setdefault(key, []).append(task)
    return groups.values()


def _parents(task: Task, where: Mapping[str, list[tuple[Unit, int | None]]], graph: Graph) -> list[Parent]:
    """What a task waits for: a whole array where all of it is waited for, else its elements."""
    kind = KINDS[task.on]
    wanted: dict[str, list[int | None]] = {}
    unit_of: dict[str, Unit] = {}
    for name in task.parents:
        for unit, index in where[name]:
            wanted.setdefault(unit.name, []).append(index)
            unit_of[unit.name] = unit
    found: list[Parent] = []
    for name, indices in wanted.items():
        if len(indices) == len(unit_of[name].members):
            found.append(Parent(name, kind))
        else:
            found += [Parent(name, kind, index) for index in indices]
    return found


def _corresponding(parents: list[Parent], number: int, task: Task, chunk: list[Member]) -> list[Parent]:
    """For element-wise chains the chunk of the Map before that has the same items."""
    if task.on != "each":
        return parents
    mine = parents[number]
    return [mine if len(chunk) > 1 else evolve(mine, kind="afterok")]
