"""What is wrong with a plan, found before anything is submitted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from launchers.jobs.backend import SubmissionRequest
from launchers.jobs.submission import STEP_NAME, Submission
from launchers.launcher.groups import check_commands, check_scheduler
from launchers.plan.graph import Graph, Task, graph_of
from launchers.plan.place import PlacedPlan, need_in, place_plan
from launchers.plan.tree import Map, Pinned, PlanError, Step, StepTree
from launchers.requirement import Requirement
from launchers.runs.call import fill_results
from launchers.runs.escalate import asked, factors, pointless

NAME_RULE = "a name has letters, digits, and _ . + @ = -"


def check_and_place(plan: StepTree, config: str | Path | None, tags: Iterable[str]) -> PlacedPlan:
    """The plan with its places.  Raises PlanError with everything that is wrong, LauncherNotFoundError."""
    problems = list(plan_problems(plan, graph_of(plan)))
    try:
        placed = place_plan(plan, config=config, tags=tags)
    except PlanError as error:
        raise PlanError([*problems, *error.problems]) if problems else error from None
    problems += _unsupported_conditions(placed)
    problems += _unsupported_failure_waits(placed)
    problems += [f"step {task.name}: {why}" for task in placed.graph.tasks if (why := _escalation(plan, task.step))]
    if problems:
        raise PlanError(problems)
    if placed.group is not None:
        check_commands(placed.group)
    else:
        check_scheduler(placed.backend, f"{placed.backend.title} cannot be reached")
    problems = list(_refused_parameters(plan.name, placed))
    if problems:
        raise PlanError(problems)
    return placed


def _unsupported_conditions(placed: PlacedPlan) -> Iterator[str]:
    """Conditions that the scheduler cannot wait for."""
    unsupported = placed.backend.unsupported_conditions
    for task in placed.graph.tasks:
        for on in sorted({on for _, on in task.waits} & unsupported):
            yield f'step {task.name}: {placed.backend.title} cannot wait for on="{on}"; use "ok", "any" or "failed"'


def _unsupported_failure_waits(placed: PlacedPlan) -> list[str]:
    """Waits for the failure of a Map that is several arrays: Slurm cannot wait for one of them to fail."""
    if placed.backend.waits_for_one_failure:
        return []
    tasks = placed.graph.tasks
    maps = {task.name: task.count for task in tasks if isinstance(task.step, Map)}
    waits = [(task.name, name) for task in tasks for name, on in task.waits if on == "failed" and name in maps]
    most = placed.backend.largest_array() if waits else 0
    return [
        f'step {name}: on="failed" of {parent}, which has more items than an array may have here ({most})'
        for name, parent in waits
        if maps[parent] > most
    ]


def _refused_parameters(name: str, placed: PlacedPlan) -> Iterator[str]:
    """Parameters that submitit does not know, found out before anything is submitted."""
    verdicts: dict[str, str] = {}  # by parameters: a thousand equal steps need one look
    for step, place in placed.places.items():
        key = json.dumps(place.parameters, sort_keys=True, default=str)
        if key not in verdicts:
            submission = Submission(step, "launchers-check", ((step, None),), (), place.parameters)
            verdicts[key] = _refusal(SubmissionRequest(Path(), "", name, submission), placed)
        if verdicts[key]:
            yield f"step {step}: submitit refuses its parameters: {verdicts[key]}"


def _refusal(request: SubmissionRequest, placed: PlacedPlan) -> str:
    try:
        placed.backend.render_script(request)
    except (ValueError, TypeError, NameError) as error:
        return str(error) or type(error).__name__
    return ""


def _escalation(plan: StepTree, step: Step) -> str:
    """What is wrong with what a step asks for when it fails; "" for nothing."""
    need = need_in(plan, step.need)
    if step.retry is None or not isinstance(need, Requirement | Pinned):
        return ""
    try:
        by = factors(step.retry.escalate)
    except ValueError as error:
        return f"escalate {error}"
    why = pointless(by, asked(need.requirement if isinstance(need, Pinned) else need))
    return why and f"escalate {step.retry.escalate!r}: {why}"


def plan_problems(plan: StepTree, graph: Graph) -> Iterator[str]:
    """Everything wrong with a plan but where its steps can run."""
    if not STEP_NAME.fullmatch(plan.name):
        yield f"plan {plan.name!r}: {NAME_RULE}"
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
        if not STEP_NAME.fullmatch(str(name)):
            yield f"step {name!r}: {NAME_RULE}"
    for task in dict.fromkeys(graph.tasks):
        yield from _task_problems(task, graph)


def _task_problems(task: Task, graph: Graph) -> Iterator[str]:
    taken: dict[str, None] = {}
    try:
        arguments = [*task.step.args, task.step.kwargs, *getattr(task.step, "items", ())]
        fill_results(arguments, lambda name: taken.setdefault(name))
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
