"""Tasks as submissions: equal siblings are one array, wide fan-ins go through a barrier, dependencies are Slurm's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from launchers.jobs.submission import Member, Parent, Unit
from launchers.plan.graph import Task
from launchers.plan.place import Place, Placed
from launchers.plan.tree import Map

KINDS = {"ok": "afterok", "any": "afterany", "failed": "afternotok", "started": "after", "each": "aftercorr"}
"""Slurm's words for what a node waits for (man sbatch, --dependency)."""
WIDE = 3
"""Fan-ins of so many submissions by so many go through a barrier: N + M edges and not N x M."""


def units_of(
    placed: Placed,
    run: str,
    most: int | None = None,
    barrier: Mapping[str, Any] | None = None,
    *,
    bounds_arrays: bool = True,
) -> list[Unit]:
    """The submissions of a plan, parents first; no array has more than `most` elements.

    `barrier` are the parameters of barrier jobs; without them every edge is a dependency.  What bounds how many jobs
    of a Map run at once holds for one array: several of them run one after the other, and where the scheduler bounds
    none (`bounds_arrays`), no array is larger than that.
    """
    units: list[Unit] = []
    bounds = _bounds(placed)
    where: dict[str, list[tuple[Unit, int | None]]] = {}
    for tasks in _alike(placed):
        place = placed.places[tasks[0].name]
        members = [member for task in tasks for member in _members(task)]
        at_once = tasks[0].step.at_once if isinstance(tasks[0].step, Map) else None
        size = 1 if place.parameters is None else max(1, most or len(members))
        if not bounds_arrays:
            size = min(size, bounds.get(tasks[0].name, size))
        chunks = [members[start : start + size] for start in range(0, len(members), size)]
        wall = _barrier(tasks[0], len(chunks), where, _token(run, units), barrier)
        if wall is not None:
            units.append(wall)
        for number, chunk in enumerate(chunks):
            name = tasks[0].name if len(chunks) == 1 else f"{tasks[0].name}.{number}"
            own = [Parent(wall.name, "afterok")] if wall else _parents(tasks[0], where, number, len(chunk))
            if at_once and number and place.parameters is not None:
                own.append(Parent(units[-1].name, "afterany"))
            parameters = place.parameters
            if parameters is not None and not tasks[0].step.srun:
                parameters = {**parameters, "use_srun": False}
            unit = Unit(name, _token(run, units), tuple(chunk), tuple(own), parameters, at_once)
            units.append(unit)
            for index, (step, _) in enumerate(chunk):
                where.setdefault(step, []).append((unit, index if unit.array else None))
    return units


def _bounds(placed: Placed) -> dict[str, int]:
    """How many jobs of a Map may run at once; the least of Maps that go item by item, so that they are cut alike."""
    maps = {task.name: task for task in placed.graph.tasks if isinstance(task.step, Map)}
    groups = {name: {name} for name in maps}
    for task in maps.values():
        for before in (name for name, on in task.waits if on == "each"):
            together = groups[before] | groups[task.name]
            groups |= dict.fromkeys(together, together)
    said = {name: task.step.at_once for name, task in maps.items() if isinstance(task.step, Map) and task.step.at_once}
    least = {name: min((said[one] for one in group if one in said), default=0) for name, group in groups.items()}
    return {name: bound for name, bound in least.items() if bound}


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
            key = (task.step.srun, json.dumps(place.parameters, sort_keys=True, default=str), task.waits)
        groups.setdefault(key, []).append(task)
    return groups.values()


def _parents(
    task: Task, where: Mapping[str, list[tuple[Unit, int | None]]], number: int = 0, size: int = 1
) -> list[Parent]:
    """What the `number`th submission of a task, of `size` jobs, waits for: a whole array where all of it is waited for.

    Element-wise it is the submission of the Map before it that has the same items.
    """
    wanted: dict[tuple[str, str, str], list[int | None]] = {}
    unit_of = {unit.name: unit for name in task.parents for unit, _ in where[name]}
    for name, on in task.waits:
        before = where[name]
        if on == "each":
            only = list(dict.fromkeys(unit.name for unit, _ in before))[number]
            before = [one for one in before if one[0].name == only]
        kind = "afterok" if on == "each" and size == 1 else KINDS[on]
        for unit, index in before:
            # of an array as a whole one failure is enough, so steps that have to fail each are waited for one by one
            wanted.setdefault((unit.name, kind, name if on == "failed" else ""), []).append(index)
    found: list[Parent] = []
    for (name, kind, _), indices in wanted.items():
        whole = len(indices) == len(unit_of[name].members)
        found += [Parent(name, kind)] if whole else [Parent(name, kind, index) for index in indices]
    return found


def _barrier(
    task: Task,
    count: int,
    where: Mapping[str, list[tuple[Unit, int | None]]],
    token: str,
    parameters: Mapping[str, Any] | None,
) -> Unit | None:
    """A tiny job between many submissions and `count` ones that wait for all of them, where that saves edges."""
    if parameters is None or count < WIDE or any(on != "ok" for _, on in task.waits):
        return None
    parents = _parents(task, where)
    name = f"before-{task.name}"
    return (
        Unit(name, token, ((name, None),), tuple(parents), parameters, barrier=True) if len(parents) >= WIDE else None
    )
