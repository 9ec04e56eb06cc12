"""Where a whole plan goes: one launcher group that has a place for every step, and the place of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from launchers.errors import LauncherNotFoundError
from launchers.jobs.backend import Backend, UnmetOptionError
from launchers.launcher.find import summary
from launchers.launcher.groups import load_groups
from launchers.launcher.launcher import Launcher
from launchers.matching import match
from launchers.matching.words import assumption_text
from launchers.offer.model import Group
from launchers.plan.graph import Graph, graph_of
from launchers.plan.tree import Need, Pinned, PlacementError, PlanError, StepTree, UnreachableError
from launchers.requirement import Requirement
from launchers.runs.record import ANYTHING
from launchers.schedulers import SLURM, backend
from launchers.slurm.args import SlurmArgs
from launchers.slurm.options import count_gpus, parameters_by_hand


@frozen(eq=False)
class StepPlacement:
    """Where one step goes: the parameters of its submission and its time limit in seconds (None: no limit).

    `partition` is for people: the partitions, or the name of the group.
    """

    parameters: Mapping[str, Any]
    seconds: int | None
    gpus: int
    partition: str
    assumed: tuple[str, ...] = field(default=())


@frozen(eq=False)
class PlacedPlan:
    """A plan with a place for each step, all in one group (None: steps that name everything themselves)."""

    graph: Graph
    group: Group | None
    places: Mapping[str, StepPlacement]

    @property
    def scheduler(self) -> str:
        """The name of the scheduler that it goes to."""
        return self.group.scheduler if self.group is not None else SLURM

    @property
    def backend(self) -> Backend:
        """The scheduler that it goes to."""
        return backend(self.scheduler)


def place_plan(plan: StepTree, *, config: str | Path | None = None, tags: Iterable[str] = ()) -> PlacedPlan:
    """Find one group for all steps.  Raises PlanError that names, per group, the steps that stand in the way."""
    graph = graph_of(plan)
    needs = {task.name: need_in(plan, task.step.need) for task in graph.tasks}
    by_hand = {
        name: placement_from_options(need) for name, need in needs.items() if isinstance(need, SlurmArgs | Mapping)
    }
    wanted = {name: need for name, need in needs.items() if isinstance(need, Requirement | Pinned | Launcher)}
    if not wanted:
        return PlacedPlan(graph, None, by_hand)
    group, places = _best_group(_usable_groups(config, tags, takes_options=bool(by_hand)), wanted)
    return PlacedPlan(graph, group, {**by_hand, **places})


def place_if_possible(plan: StepTree, config: str | Path | None) -> PlacedPlan | None:
    """The plan with its places, or None where it has none: `describe` shows what it can."""
    try:
        return place_plan(plan, config=config)
    except (PlanError, LauncherNotFoundError):
        return None


def need_in(plan: StepTree, need: Need) -> Need:
    """The need of a step: its own, the plan's, or one core."""
    return need if need is not None else plan.need if plan.need is not None else ANYTHING


def _usable_groups(config: str | Path | None, tags: Iterable[str], *, takes_options: bool) -> list[Group]:
    """The groups that carry any of the tags and, where options are given by hand, whose scheduler takes them."""
    groups, _ = load_groups(config)
    wanted = {tags} if isinstance(tags, str) else set(tags)
    usable = [
        group
        for group in groups
        if (not wanted or wanted & group.tags) and (not takes_options or backend(group.scheduler).takes_options)
    ]
    if not usable:
        raise PlacementError(["no launcher group has all of these steps: none is configured, or none has these tags"])
    return usable


def _best_group(
    groups: Iterable[Group], needs: Mapping[str, Requirement | Pinned | Launcher]
) -> tuple[Group, dict[str, StepPlacement]]:
    """The group that serves all needs with the earliest alternatives, then by weight, then the first."""
    groups = list(groups)
    refusals: list[str] = []
    candidates: list[tuple[tuple[int, float, int], Group, dict[str, StepPlacement]]] = []
    for position, group in enumerate(groups):
        places, alternatives, missing = _place_in_group(group, needs)
        if missing:
            refusals.append(f"{group.name} has no place for {'; '.join(missing)}")
        else:
            candidates.append(((alternatives, -group.weight, position), group, places))
    if not candidates:
        kind = UnreachableError if all(group.unreachable for group in groups) else PlacementError
        raise kind(["no single launcher group serves all steps:", *(f"  {line}" for line in refusals)])
    _, group, places = min(candidates, key=lambda candidate: candidate[0])
    return group, places


def _place_in_group(
    group: Group, needs: Mapping[str, Requirement | Pinned | Launcher]
) -> tuple[dict[str, StepPlacement], int, list[str]]:
    """The places of all steps in one group, how far down the alternatives they are, and the steps without one."""
    places: dict[str, StepPlacement] = {}
    missing: dict[str, list[str]] = {}
    known: dict[Requirement | Pinned, tuple[StepPlacement | str, int]] = {}
    for name, need in needs.items():
        if isinstance(need, Launcher):
            if need.group.name != group.name:
                missing.setdefault(f"its launcher is {need.group.name}'s", []).append(name)
            else:
                places[name] = placement_of(need)
            continue
        if need not in known:
            known[need] = place_need(need, group)
        outcome, _ = known[need]
        if isinstance(outcome, str):
            missing.setdefault(outcome, []).append(name)
        else:
            places[name] = outcome
    alternatives = sum(alternative for _, alternative in known.values())
    return places, alternatives, [f"{', '.join(names)} ({why})" for why, names in missing.items()]


def place_need(need: Requirement | Pinned, group: Group) -> tuple[StepPlacement | str, int]:
    """The place of a need in a group and how far down its alternatives it is, or why there is none."""
    options = dict(need.options) if isinstance(need, Pinned) else {}
    scheduler = backend(group.scheduler)
    try:
        group = scheduler.narrow(group, options)
    except UnmetOptionError as error:
        return str(error), 0
    answer = match(need.requirement if isinstance(need, Pinned) else need, [group])
    if answer.selection is None:
        return group.unreachable or "; ".join(summary(answer, most=2)), 0
    return placement_of(Launcher(answer, answer.selection), options), len(answer.trials) - 1


def placement_of(launcher: Launcher, options: Mapping[str, Any] | None = None) -> StepPlacement:
    """The place that a launcher stands for, with options of sbatch given by hand."""
    selection = launcher.selection
    resources = launcher.resources
    if options:
        resources = launcher.backend.with_options(resources, options)
    return StepPlacement(
        parameters=resources.submitit(),
        seconds=launcher.backend.time_limit(selection),
        gpus=len(selection.alternative.accelerators) * selection.alternative.nodes,
        partition=",".join(name for name in selection.partitions if name) or launcher.group.name,
        assumed=tuple(map(assumption_text, selection.assumed)),
    )


def placement_from_options(need: SlurmArgs | Mapping[str, Any]) -> StepPlacement:
    """The place of a step whose Slurm options are given: they are passed as they are."""
    parameters: dict[str, Any] = need.submitit() if isinstance(need, SlurmArgs) else parameters_by_hand(need)
    limit = parameters["time"]
    return StepPlacement(
        parameters, limit * 60 if limit else None, count_gpus(parameters), str(parameters.get("partition") or "")
    )
