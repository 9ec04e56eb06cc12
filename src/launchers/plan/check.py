"""What is wrong with a plan, found before anything is submitted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from launchers.jobs.backend import Submission
from launchers.jobs.submission import NAME, Unit
from launchers.plan.graph import Graph, Task, graph_of
from launchers.plan.place import Placed, need_in, place
from launchers.plan.plan import Plan
from launchers.plan.tree import Map, Pinned, PlanError, Step
from launchers.requirement import Requirement
from launchers.runs.call import filled
from launchers.runs.escalate import asked, factors, pointless
from launchers.schedulers import batch


def checked(plan: Plan, config: str | Path | None, tags: Iterable[str]) -> Placed:
    """The plan with its places; raises PlanError with everything that is wrong."""
    found = list(problems(plan, graph_of(plan)))
    try:
        placed = place(plan, config=config, tags=tags)
    except PlanError as error:
        raise PlanError([*found, *error.problems]) if found else error from None
    if placed.scheduler != "local":
        cannot = batch(placed.scheduler).cannot
        for task in placed.graph.tasks:
            for on in sorted({on for _, on in task.waits} & cannot):
                found.append(f'step {task.name}: on="{on}" is nothing that {placed.scheduler.upper()} can wait for')
    if placed.scheduler == "slurm":
        found += _failing_parts(placed)
    found += [f"step {task.name}: {why}" for task in placed.graph.tasks if (why := _escalation(plan, task.step))]
    if found:
        raise PlanError(found)
    if placed.scheduler != "local" and placed.group is not None:
        batch(placed.scheduler).reach(placed.group)
    found = list(_refused_by_submitit(plan.name, placed))
    if found:
        raise PlanError(found)
    return placed


def _refused_by_submitit(name: str, placed: Placed) -> Iterator[str]:
    """Parameters that submitit does not know, found out before anything is submitted."""
    verdicts: dict[str, str] = {}  # by parameters: a thousand equal steps need one look
    for step, where in placed.places.items():
        if where.parameters is None:
            continue
        kind = json.dumps(where.parameters, sort_keys=True, default=str)
        if kind not in verdicts:
            unit = Unit(step, "launchers-check", ((step, None),), (), where.parameters)
            verdicts[kind] = _refusal(Submission(Path(), name, unit), placed)
        if verdicts[kind]:
            yield f"step {step}: submitit refuses its parameters: {verdicts[kind]}"


def _refusal(job: Submission, placed: Placed) -> str:
    try:
        batch(placed.scheduler).text(job)
    except (ValueError, TypeError, NameError) as error:
        return str(error) or type(error).__name__
    return ""


def _failing_parts(placed: Placed) -> list[str]:
    """What waits for the failure of a Map that is several arrays: Slurm cannot wait for one of them to fail."""
    tasks = placed.graph.tasks
    maps = {task.name: task.count for task in tasks if isinstance(task.step, Map)}
    waits = [(task.name, on) for task in tasks for on, what in task.waits if what == "failed" and on in maps]
    most = batch(placed.scheduler).array_size() if waits else 0
    return [
        f'step {name}: on="failed" of {on}, which has more items than an array may have here ({most})'
        for name, on in waits
        if maps[on] > most
    ]


def _escalation(plan: Plan, step: Step) -> str:
    """What is wrong with what a step asks for when it fails; "" for nothing."""
    need = need_in(plan, step.need)
    if step.again is None or not isinstance(need, Requirement | Pinned):
        return ""
    try:
        by = factors(step.again.escalate)
    except ValueError as error:
        return f"escalate {error}"
    why = pointless(by, asked(need.requirement if isinstance(need, Pinned) else need))
    return why and f"escalate {step.again.escalate!r}: {why}"


def problems(plan: Plan, graph: Graph) -> Iterator[str]:
    """Everything wrong with a plan but where its steps can run."""
    if not NAME.fullmatch(plan.name):
        yield f"plan {plan.name!r}: a name has letters, digits, and _ . + @ = -"
    if not graph.tasks:
        yield f"plan {plan.name} has no steps"
    used = Counter(id(task.step) for task in graph.tasks)
    again = {task.name for task in graph.tasks if used[id(task.step)] > 1}
    names = Counter(task.name for task in graph.tasks)
    for name in dict.fromkeys(task.name for task in graph.tasks):
        if name in again:
            yield f"step {name} is used {names[name]} times: make a step for each place"
        elif names[name] > 1:
            yield f"{names[name]} steps are called {name}: names tell them apart"
        if not NAME.fullmatch(str(name)):
            yield f"step {name!r}: a name has letters, digits, and _ . + @ = -"
    for task in dict.fromkeys(graph.tasks):
        yield from _task_problems(task, graph)


def _task_problems(task: Task, graph: Graph) -> Iterator[str]:
    taken: dict[str, None] = {}
    try:
        arguments = [*task.step.args, task.step.kwargs, *getattr(task.step, "items", ())]
        filled(arguments, lambda name: taken.setdefault(name))
    except RecursionError:
        yield f"step {task.name}: its arguments are nested too deep"
        return
    for name in taken:
        if not graph.comes_before(name, task.name):
            yield f"step {task.name}: it takes the result of {name}, which is not a step before it"
    if isinstance(task.step, Map) and not task.step.items:
        yield f"step {task.name}: a Map needs at least one item"
    if isinstance(task.step, Map) and task.step.at_once is not None and task.step.at_once < 1:
        yield f"step {task.name}: at least one job of it has to run at once, not {task.step.at_once}"
    for name, on in task.waits:
        if on == "each" and (name not in graph or graph[name].count != task.count):
            yield f'step {task.name}: on="each" pairs it with a Map of as many items'
    try:
        import cloudpickle

        cloudpickle.dumps((task.step.func, task.step.args, task.step.kwargs, getattr(task.step, "items", None)))
    except Exception as error:
        yield f"step {task.name}: it cannot be sent to a node: {type(error).__name__}: {error}"
