"""A plan for people: the tree with times and places, and the graph as mermaid, dot or svg."""

from __future__ import annotations

from collections.abc import Mapping

from launchers.drawing import Box, svg
from launchers.plan.graph import Graph, graph_of
from launchers.plan.place import PlacedPlan, StepPlacement, need_in, placement_from_options
from launchers.plan.recursion import Calls, evaluate
from launchers.plan.tree import Chain, Dag, Map, Node, Parallel, Pinned, Step, StepTree
from launchers.quantities.words import format_clock, format_time_limit
from launchers.requirement import Requirement
from launchers.slurm.args import SlurmArgs

DEFAULT_SECONDS = 0
"""What a step counts that has no time limit: nothing, rather than a guess."""


def seconds_of(plan: StepTree, step: Step, placed: PlacedPlan | None) -> int:
    """The time limit of a step, in seconds; 0 where it has none."""
    if placed is not None:
        return placed.places[step.name].seconds or DEFAULT_SECONDS
    need = need_in(plan, step.need)
    if isinstance(need, Pinned):
        need = need.requirement
    if isinstance(need, Requirement):
        return need.alternatives[0].duration or DEFAULT_SECONDS
    if isinstance(need, SlurmArgs | Mapping):
        return placement_from_options(need).seconds or DEFAULT_SECONDS
    return (need.backend.time_limit(need.selection) if need else None) or DEFAULT_SECONDS


def describe_plan(plan: StepTree, placed: PlacedPlan | None) -> str:
    """The tree, the best time it can take, and with places the GPU-hours and the critical path."""
    graph = graph_of(plan)
    times = {task.name: seconds_of(plan, task.step, placed) for task in graph.tasks}
    path = critical_path(graph, times)
    lines = [f"Plan: {plan.name}"]
    duration = evaluate(_tree(plan.root, "", True, times, placed, set(path) if placed else set(), lines))
    lines.append(f"Time Estimate (not taking queuing into account): {format_clock(duration)}")
    if placed is not None:
        hours = sum(placed.places[t.name].gpus * t.count * times[t.name] for t in graph.tasks) / 3600
        lines.append(f"GPU-hours at most: {hours:g}")
        lines.append(f"Critical path (*): {' > '.join(path)}")
        lines += [f"Launcher: {placed.group.name}"] if placed.group else []
        assumed = dict.fromkeys(text for place in placed.places.values() for text in place.assumed)
        lines += [f"Assumed: {text}" for text in assumed]
    return "\n".join(lines)


def _tree(
    node: Node,
    indent: str,
    last: bool,
    times: dict[str, int],
    placed: PlacedPlan | None,
    path: set[str],
    lines: list[str],
) -> Calls[int]:
    """Write a node and what is below it; the best time that it can take."""
    branch, below = ("└── ", "    ") if last else ("├── ", "│   ")
    if isinstance(node, Step):
        many = f" x {len(node.items)}" if isinstance(node, Map) else ""
        mark = "*" if node.name in path else ""
        where = f"  {_where(placed.places[node.name])}" if placed else ""
        lines.append(
            f"{indent}{branch}● {node.name}{many}{mark} [{format_time_limit(times[node.name])}]{_on(node)}{where}"
        )
        return times[node.name]
    assert isinstance(node, Chain | Parallel | Dag)
    position = len(lines)
    lines.append("")
    parts = []
    for index, child in enumerate(node.nodes):
        end = index == len(node.nodes) - 1
        parts.append((yield _tree(child, indent + below, end, times, placed, path, lines)))
    if isinstance(node, Dag):
        parts = [times[name] for name in critical_path(graph_of(StepTree("", node)), times)]
    duration = max(parts, default=0) if isinstance(node, Parallel) else sum(parts)
    what = {Chain: "▼ Chain", Parallel: "⇉ Parallel", Dag: "◇ Dag"}[type(node)]
    lines[position] = f"{indent}{branch}{what} [{format_clock(duration)}]{_on(node)}"
    return duration


def _on(node: Node) -> str:
    return "" if node.on == "ok" else f" on={node.on}"


def _where(place: StepPlacement) -> str:
    gpus = f" {place.gpus} GPU{'s' * (place.gpus != 1)}" if place.gpus else ""
    return f"{place.partition}{gpus}".strip()


def critical_path(graph: Graph, times: dict[str, int]) -> list[str]:
    """The steps whose times add up to the longest way through."""
    total: dict[str, int] = {}
    before: dict[str, str | None] = {}
    for task in graph.tasks:
        slowest = max(task.parents, key=lambda name: total[name], default=None)
        before[task.name] = slowest
        total[task.name] = times[task.name] + (total[slowest] if slowest else 0)
    path: list[str] = []
    name = max(total, key=lambda step: total[step], default=None)
    while name:
        path.append(name)
        name = before[name]
    return path[::-1]


# -- as a graph ------------------------------------------------------------------------------------------------


def draw_plan(plan: StepTree, form: str) -> str:
    """The DAG as mermaid, dot or svg text; ValueError for another form."""
    graph = graph_of(plan)
    if form == "mermaid":
        return _mermaid(graph)
    if form == "dot":
        return _dot(plan.name, graph)
    if form == "svg":
        return _svg(graph)
    raise ValueError(f"a graph is mermaid, dot or svg, not {form!r}")


def _label(graph: Graph, name: str) -> str:
    count = graph[name].count
    return f"{name} x {count}" if count > 1 else name


def _mermaid(graph: Graph) -> str:
    number = {task.name: f"s{index}" for index, task in enumerate(graph.tasks)}
    lines = ["flowchart TD"]
    lines += [f'    {number[task.name]}["{_label(graph, task.name)}"]' for task in graph.tasks]
    for task in graph.tasks:
        for parent, on in task.waits:
            arrow = "-->" if on == "ok" else f"-->|{on}|"
            lines.append(f"    {number[parent]} {arrow} {number[task.name]}")
    return "\n".join(lines) + "\n"


def _dot(name: str, graph: Graph) -> str:
    lines = [f'digraph "{name}" {{', "    node [shape=box];"]
    lines += [f'    "{task.name}" [label="{_label(graph, task.name)}"];' for task in graph.tasks]
    for task in graph.tasks:
        for parent, on in task.waits:
            label = "" if on == "ok" else f' [label="{on}"]'
            lines.append(f'    "{parent}" -> "{task.name}"{label};')
    return "\n".join([*lines, "}"]) + "\n"


def _svg(graph: Graph) -> str:
    return svg([Box(task.name, task.waits, _label(graph, task.name)) for task in graph.tasks])
