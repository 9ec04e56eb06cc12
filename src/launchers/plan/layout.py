"""Tasks as submissions: equal siblings are one array, wide fan-ins go through a barrier, dependencies are Slurm's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from launchers.jobs.submission import DEPENDENCY_TYPES, Member, Parent, Submission
from launchers.plan.graph import Task
from launchers.plan.place import PlacedPlan
from launchers.plan.tree import Map

WIDE = 3
"""Fan-ins of so many submissions by so many go through a barrier: N + M edges and not N x M."""

Place = tuple[Submission, int | None]
"""Where a job is: its submission and, of an array, its position there."""


def lay_out_submissions(placed: PlacedPlan, run_id: str) -> list[Submission]:
    """The submissions of a plan as its scheduler takes them, parents first.

    No array has more elements than the scheduler allows.  What limits how many jobs of a Map run at once holds for one
    array: several of them run one after the other, and where the scheduler knows no such limit, no array is larger.
    """
    layout = _Layout(placed, run_id)
    for tasks in _equal_siblings(placed):
        layout.add(tasks)
    resumable = {task.name for task in placed.graph.tasks if hasattr(task.step.func, "checkpoint")}
    return [
        evolve(submission, parameters=placed.backend.checkpoint_parameters(submission.parameters))
        if not submission.barrier and resumable & set(submission.steps)
        else submission
        for submission in layout.submissions
    ]


def _equal_siblings(placed: PlacedPlan) -> Iterable[list[Task]]:
    """Steps with equal parameters that wait for the same, together; a Map is always by itself."""
    groups: dict[Any, list[Task]] = {}
    for task in placed.graph.tasks:
        key: Any = task.name
        if not isinstance(task.step, Map) and placed.backend.supports_arrays:
            parameters = placed.places[task.name].parameters
            key = (task.step.srun, json.dumps(parameters, sort_keys=True, default=str), task.waits)
        groups.setdefault(key, []).append(task)
    return groups.values()


@define
class _Layout:
    """The submissions so far, and where the jobs of each step are."""

    placed: PlacedPlan
    run_id: str
    submissions: list[Submission] = field(factory=list)
    places: dict[str, list[Place]] = field(factory=dict)
    _largest: int = field(init=False)
    _barrier: Mapping[str, Any] | None = field(init=False)
    _limits: Mapping[str, int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        scheduler = self.placed.backend
        first = next(iter(self.placed.places.values()))
        self._largest = max(1, scheduler.largest_array())
        self._barrier = scheduler.barrier_parameters(first.parameters)
        self._limits = {} if scheduler.supports_array_limit else _joint_limits(self.placed)

    def add(self, tasks: Sequence[Task]) -> None:
        """Add the submissions of equal steps, or of one Map."""
        first = tasks[0]
        members = [member for task in tasks for member in _members(task)]
        size = min(self._largest, self._limits.get(first.name, self._largest))
        chunks = [members[start : start + size] for start in range(0, len(members), size)]
        barrier = self._add_barrier(first, len(chunks))
        for number, chunk in enumerate(chunks):
            if barrier is not None:
                parents = [Parent(barrier.name, "afterok")]
            else:
                parents = _parents(first, self.places, number, len(chunk))
            self._add_chunk(first, chunk, parents, number, len(chunks))

    def _add_chunk(
        self, task: Task, members: Sequence[Member], parents: list[Parent], number: int, chunks: int
    ) -> None:
        at_once = _at_once(task)
        if at_once and number and self.placed.backend.supports_arrays:
            parents = [*parents, Parent(self.submissions[-1].name, "afterany")]
        parameters = self.placed.places[task.name].parameters
        submission = Submission(
            name=task.name if chunks == 1 else f"{task.name}.{number}",
            token=self._token(),
            members=tuple(members),
            parents=tuple(parents),
            parameters=parameters if task.step.srun else {**parameters, "use_srun": False},
            at_once=at_once,
        )
        self.submissions.append(submission)
        for position, (step, _) in enumerate(members):
            self.places.setdefault(step, []).append((submission, position if submission.array else None))

    def _add_barrier(self, task: Task, count: int) -> Submission | None:
        """A tiny job between many submissions and `count` ones that wait for all of them, where that saves edges."""
        if self._barrier is None or count < WIDE or any(on != "ok" for _, on in task.waits):
            return None
        parents = _parents(task, self.places)
        if len(parents) < WIDE:
            return None
        name = f"before-{task.name}"
        barrier = Submission(name, self._token(), ((name, None),), tuple(parents), self._barrier, barrier=True)
        self.submissions.append(barrier)
        return barrier

    def _token(self) -> str:
        return f"launchers-{self.run_id}-{len(self.submissions)}"


def _joint_limits(placed: PlacedPlan) -> dict[str, int]:
    """How many jobs of a Map may run at once; the least of Maps that go item by item, so that they are cut alike."""
    maps = [task for task in placed.graph.tasks if isinstance(task.step, Map)]
    groups = {task.name: {task.name} for task in maps}
    for task in maps:
        for before in (name for name, on in task.waits if on == "each"):
            together = groups[before] | groups[task.name]
            groups |= dict.fromkeys(together, together)
    own = {task.name: limit for task in maps if (limit := _at_once(task))}
    limits = {name: [own[member] for member in group if member in own] for name, group in groups.items()}
    return {name: min(limited) for name, limited in limits.items() if limited}


def _at_once(task: Task) -> int | None:
    """How many jobs of a Map may run at once; None: no limit."""
    return task.step.at_once if isinstance(task.step, Map) else None


def _same_items(places: Sequence[Place], number: int) -> list[Place]:
    """Of the places of a Map, those in its `number`th submission."""
    name = list(dict.fromkeys(submission.name for submission, _ in places))[number]
    return [(submission, index) for submission, index in places if submission.name == name]


def _members(task: Task) -> list[Member]:
    if isinstance(task.step, Map):
        return [(task.name, index) for index in range(task.count)]
    return [(task.name, None)]


def _parents(task: Task, places: Mapping[str, Sequence[Place]], number: int = 0, size: int = 1) -> list[Parent]:
    """What the `number`th submission of a task, of `size` jobs, waits for: a whole array where all of it is waited for.

    Item by item it is the submission of the Map before it that has the same items.
    """
    wanted: dict[tuple[str, str, str], list[int | None]] = {}
    submissions = {submission.name: submission for name in task.parents for submission, _ in places[name]}
    for name, on in task.waits:
        kind = "afterok" if on == "each" and size == 1 else DEPENDENCY_TYPES[on]
        for submission, index in _same_items(places[name], number) if on == "each" else places[name]:
            # of an array as a whole one failure is enough, so steps that have to fail each are waited for one by one
            wanted.setdefault((submission.name, kind, name if on == "failed" else ""), []).append(index)
    parents: list[Parent] = []
    for (name, kind, _), indices in wanted.items():
        whole = len(indices) == len(submissions[name].members)
        parents += [Parent(name, kind)] if whole else [Parent(name, kind, index) for index in indices]
    return parents
