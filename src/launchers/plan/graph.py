"""The tree as a graph: tasks and what each waits for; everything wrong with it is found here, at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from attrs import frozen

from launchers.plan.model import Chain, Dag, Map, Node, On, Parallel, Plan, Step, filled
from launchers.plan.recursion import Calls, evaluate

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=-]*", re.ASCII)
"""Step names become folder names and parts of job names."""


@frozen(eq=False)
class Task:
    """A step in the graph: `waits` are the names of the steps it waits for, with what of each."""

    step: Step
    waits: tuple[tuple[str, On], ...]

    @property
    def parents(self) -> tuple[str, ...]:
        """The names of the steps it waits for."""
        return tuple(name for name, _ in self.waits)

    @property
    def name(self) -> str:
        """The step's name."""
        return self.step.name

    @property
    def count(self) -> int:
        """How many jobs it is."""
        return len(self.step.items) if isinstance(self.step, Map) else 1


@frozen(eq=False)
class Graph:
    """The tasks of a plan, parents before children."""

    tasks: tuple[Task, ...]

    @cached_property
    def _by_name(self) -> dict[str, Task]:
        return {task.name: task for task in self.tasks}

    def __getitem__(self, name: str) -> Task:
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @cached_property
    def _bits(self) -> dict[str, int]:
        """A bit for each step: 10,000 steps have up to 50,000,000 pairs of which one comes before the other."""
        return {task.name: 1 << number for number, task in enumerate(self.tasks)}

    @cached_property
    def _before(self) -> dict[str, int]:
        """The bits of all steps that come before each."""
        before: dict[str, int] = {}
        for task in self.tasks:  # parents come first
            bits = 0
            for name in task.parents:
                bits |= self._bits.get(name, 0) | before.get(name, 0)
            before[task.name] = bits
        return before

    def comes_before(self, name: str, later: str) -> bool:
        """Whether a step can start only after another one."""
        return bool(self._bits.get(name, 0) & self._before[later])


def graph_of(plan: Plan) -> Graph:
    """The graph of a plan as it stands, right or wrong."""
    tasks: list[Task] = []
    evaluate(_walk(plan.root, (), "ok", tasks))
    return Graph(tuple(tasks))


def _walk(node: Node, parents: tuple[str, ...], on: On, tasks: list[Task]) -> Calls[tuple[str, ...]]:
    """Add the tasks of a node that comes after `parents`; what comes after it waits for the names returned."""
    on = node.on if node.on != "ok" else on
    if isinstance(node, Step):
        tasks.append(Task(node, tuple((name, on) for name in parents)))
        return (node.name,)
    if isinstance(node, Dag):
        first = dict.fromkeys(parents, on)
        tasks += [Task(step, tuple((node.after.get(step.name) or first).items())) for step in node.nodes]
        inner = {name for waits in node.after.values() for name in waits}
        return tuple(step.name for step in node.nodes if step.name not in inner) or parents
    if isinstance(node, Chain):
        for child in node.nodes:
            after = yield _walk(child, parents, on, tasks)
            if after != parents:
                on = "ok"  # an empty part hands on what came before it, and with that how it is waited for
            parents = after
        return parents
    if isinstance(node, Parallel):
        ends: dict[str, None] = {}
        for child in node.nodes:
            ends.update(dict.fromkeys((yield _walk(child, parents, on, tasks))))
        return tuple(ends) if node.nodes else parents
    raise TypeError(f"a plan is made of Step, Map, Chain, Parallel and Dag, not {node!r}")


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
