"""The tree as a graph: tasks, and what each waits for."""

from __future__ import annotations

from functools import cached_property
from reprlib import repr as short_repr

from attrs import frozen

from launchers.jobs.submission import Condition
from launchers.plan.recursion import Calls, evaluate
from launchers.plan.tree import Chain, Dag, Node, Parallel, Step, StepTree


@frozen(eq=False)
class Task:
    """A step in the graph: `waits` are the names of the steps it waits for, with what of each."""

    step: Step
    waits: tuple[tuple[str, Condition], ...]

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
        return self.step.count


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
                bits |= self._bits[name] | before[name]
            before[task.name] = bits
        return before

    def comes_before(self, name: str, later: str) -> bool:
        """Whether a step can start only after another one."""
        return bool(self._bits.get(name, 0) & self._before[later])


def graph_of(plan: StepTree) -> Graph:
    """The graph of a plan as it stands, right or wrong.  Raises TypeError for a node that is none."""
    tasks: list[Task] = []
    evaluate(_walk(plan.root, (), "ok", tasks))
    return Graph(tuple(tasks))


def _walk(node: Node, parents: tuple[str, ...], on: Condition, tasks: list[Task]) -> Calls[tuple[str, ...]]:
    """Add the tasks of a node that comes after `parents`; what comes after it waits for the names returned."""
    if not isinstance(node, Step | Chain | Parallel | Dag):
        raise TypeError(f"a plan is made of Step, Map, Chain, Parallel and Dag, not {short_repr(node)}")
    on = node.on if node.on != "ok" else on
    if isinstance(node, Step):
        tasks.append(Task(node, tuple((name, on) for name in parents)))
        return (node.name,)
    if isinstance(node, Dag):
        return _walk_dag(node, parents, on, tasks)
    if isinstance(node, Chain):
        ends = yield _walk_chain(node, parents, on, tasks)
        return tuple(ends)
    last: dict[str, None] = {}
    for child in node.nodes:
        last.update(dict.fromkeys((yield _walk(child, parents, on, tasks))))
    return tuple(last) if node.nodes else parents


def _walk_dag(node: Dag, parents: tuple[str, ...], on: Condition, tasks: list[Task]) -> tuple[str, ...]:
    """Steps that wait for none of the others wait for `parents`."""
    first = dict.fromkeys(parents, on)
    tasks += [Task(step, tuple((node.after.get(step.name) or first).items())) for step in node.nodes]
    inner = {name for waits in node.after.values() for name in waits}
    return tuple(step.name for step in node.nodes if step.name not in inner) or parents


def _walk_chain(node: Chain, parents: tuple[str, ...], on: Condition, tasks: list[Task]) -> Calls[tuple[str, ...]]:
    for child in node.nodes:
        after = yield _walk(child, parents, on, tasks)
        if after != parents:
            on = "ok"  # an empty part hands on what came before it, and with that how it is waited for
        parents = after
    return parents
