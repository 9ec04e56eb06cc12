"""Where a whole plan goes: one launcher group that has a place for every step, and the place of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from launchers.errors import LauncherNotFoundError
from launchers.launcher.find import summary
from launchers.launcher.groups import load_groups, narrowed
from launchers.launcher.launcher import Launcher
from launchers.local.jobs import LocalJob
from launchers.matching import match
from launchers.offer.model import Group, Shape
from launchers.plan.graph import Graph, graph_of
from launchers.plan.plan import Plan
from launchers.plan.tree import Need, Pinned, PlacementError, PlanError, UnreachableError
from launchers.quantities.hosts import expand_hosts
from launchers.requirement import Requirement, parse
from launchers.slurm.args import SlurmArgs, time_limit_minutes
from launchers.slurm.features import constraint_matches
from launchers.slurm.gres import read_gres

SLURMS_OWN = ("partition", "nodelist", "qos", "account", "constraint", "gres", "reservation")
"""Options that mean nothing elsewhere."""
ANYTHING = parse("cpu(cores=1)")
"""The need of a step when neither it nor the plan has one."""


@frozen(eq=False)
class Place:
    """Where one step goes: submitit's parameters (None on this machine), its resources here, its time limit.

    `seconds` is None where there is no limit.  `says` is for people: the partition, or the machine.
    """

    parameters: Mapping[str, Any] | None
    local: LocalJob | None
    seconds: int | None
    gpus: int
    says: str
    assumed: tuple[str, ...] = field(default=())


@frozen(eq=False)
class Placed:
    """A plan with a place for each step, all in one group (None: steps that name everything themselves)."""

    graph: Graph
    group: Group | None
    places: Mapping[str, Place]

    @property
    def scheduler(self) -> str:
        """The batch scheduler that it goes to, or "local"."""
        if all(place.parameters is None for place in self.places.values()):
            return "local"
        return self.group.scheduler if self.group is not None else "slurm"


def place(plan: Plan, *, config: str | Path | None = None, tags: Iterable[str] = ()) -> Placed:
    """Find one group for all steps.  Raises PlanError that names, per group, the steps that stand in the way."""
    graph = graph_of(plan)
    needs = {task.name: need_in(plan, task.step.need) for task in graph.tasks}
    ask = {name: need for name, need in needs.items() if isinstance(need, Requirement | Pinned | Launcher)}
    fixed = {name: need for name, need in needs.items() if name not in ask}
    if not ask:
        return Placed(graph, None, {name: stated(need) for name, need in fixed.items()})
    groups, _ = load_groups(config)
    wanted = {tags} if isinstance(tags, str) else set(tags)
    usable = [one for one in groups if not wanted or wanted & one.tags]
    if fixed:
        usable = [one for one in usable if one.scheduler == "slurm"]
    if not usable:
        raise PlacementError(["no launcher group has all of these steps: none is configured, or none has these tags"])
    refusals: list[str] = []
    found: list[tuple[tuple[int, float, int], Group, dict[str, Place]]] = []
    for position, group in enumerate(usable):
        places, alternatives, missing = _in_group(group, ask)
        if missing:
            refusals.append(f"{group.name} has no place for {'; '.join(missing)}")
        else:
            found.append(((alternatives, -group.weight, position), group, places))
    if not found:
        kind = UnreachableError if all(one.unreachable for one in usable) else PlacementError
        raise kind(["no single launcher group serves all steps:", *(f"  {line}" for line in refusals)])
    _, group, places = min(found, key=lambda one: one[0])
    return Placed(graph, group, {**{name: stated(need) for name, need in fixed.items()}, **places})


def placed_or_not(plan: Plan, config: str | Path | None) -> Placed | None:
    """The plan with its places, or None where it has none: `describe` shows what it can."""
    try:
        return place(plan, config=config)
    except (PlanError, LauncherNotFoundError):
        return None


def need_in(plan: Plan, need: Need) -> Need:
    """The need of a step: its own, the plan's, or one core."""
    return need if need is not None else plan.need if plan.need is not None else ANYTHING


def find_place(need: Requirement | Pinned, group: Group) -> tuple[Place | str, int]:
    """The place of a need in a group and how far down its alternatives it is, or why there is none."""
    pinned = dict(need.options) if isinstance(need, Pinned) else {}
    if group.scheduler == "slurm":
        allowed = _allowed(group, pinned) if not group.unreachable else group
        if isinstance(allowed, str):
            return allowed, 0
        group = allowed
    elif only := [name for name in SLURMS_OWN if pinned.get(name)]:
        return f"it names a {only[0]}, which only Slurm has", 0
    answer = match(need.requirement if isinstance(need, Pinned) else need, [group])
    if answer.selection is None:
        return group.unreachable or "; ".join(summary(answer, most=2)), 0
    launcher = Launcher(answer, answer.selection)
    place = _chosen(launcher)
    if pinned and launcher.slurm_args is not None:
        place = evolve(place, parameters=_with(launcher.slurm_args, pinned).submitit())
    return place, len(answer.trials) - 1


def _allowed(group: Group, pinned: Mapping[str, Any]) -> Group | str:
    """The group with the nodes that the options leave, or which option leaves none."""
    names = [one.name for one in group.partitions]
    named = str(pinned["partition"]).split(",") if pinned.get("partition") else names
    if unknown := [name for name in named if name not in names]:
        return f"it has no partition {', '.join(unknown)}"
    group = narrowed(group, named, *(str(pinned.get(name) or "") for name in ("qos", "account")))
    types = {one.type for one in read_gres(str(pinned.get("gres") or "")) if one.name == "gpu" and one.type}
    hosts = set(expand_hosts(str(pinned.get("nodelist") or "")))
    constraint = str(pinned.get("constraint") or "")
    has: dict[str, Callable[[Shape], bool]] = {
        "gres": lambda shape: types <= {device.type for device in shape.devices},
        "nodelist": lambda shape: not hosts or not shape.hosts or bool(hosts & set(expand_hosts(shape.hosts))),
        "constraint": lambda shape: constraint_matches(constraint, shape.features),
    }
    for name, holds in has.items():
        if pinned.get(name):
            kept = [evolve(one, shapes=tuple(filter(holds, one.shapes))) for one in group.partitions]
            group = evolve(group, partitions=tuple(one for one in kept if one.shapes))
            if not group.partitions:
                return f"it has no node with {name}={pinned[name]} there"
    return group


def _with(args: SlurmArgs, pinned: Mapping[str, Any]) -> SlurmArgs:
    """What the broker found, with the options that were given; its partitions are among those that were."""
    own = {name: value for name, value in pinned.items() if name != "partition"}
    if any(one.name == "gpu" for one in read_gres(str(own.get("gres") or ""))):
        own["gpus_per_node"] = 0  # it says that
    if args.constraint and own.get("constraint"):
        own["constraint"] = f"({args.constraint})&({own['constraint']})"
    return evolve(args, **own)


def _in_group(
    group: Group, needs: Mapping[str, Requirement | Pinned | Launcher]
) -> tuple[dict[str, Place], int, list[str]]:
    """The places of all steps in one group, how far down the alternatives they are, and the steps without one."""
    places: dict[str, Place] = {}
    missing: dict[str, list[str]] = {}
    known: dict[Requirement | Pinned, Place | str] = {}
    worst = 0
    for name, need in needs.items():
        if isinstance(need, Launcher):
            if need.group.name != group.name:
                missing.setdefault(f"its launcher is {need.group.name}'s", []).append(name)
            else:
                places[name] = _chosen(need)
            continue
        if need not in known:
            known[need], down = find_place(need, group)
            worst += down
        found = known[need]
        if isinstance(found, str):
            missing.setdefault(found, []).append(name)
        else:
            places[name] = found
    return places, worst, [f"{', '.join(names)} ({why})" for why, names in missing.items()]


def _chosen(launcher: Launcher) -> Place:
    selection = launcher.selection
    gpus = len(selection.alternative.accelerators) * selection.alternative.nodes
    parameters = launcher.parameters()
    if parameters is None:
        job = launcher.local_job()
        return Place(None, job, job.time_limit, gpus, launcher.group.name, selection.assumed)
    seconds = selection.ask.time
    says = ",".join(name for name in selection.partitions if name) or launcher.group.name
    return Place(parameters, None, seconds, gpus, says, selection.assumed)


def stated(need: Need) -> Place:
    """A step whose Slurm options are given: they are passed as they are."""
    if isinstance(need, SlurmArgs):
        return Place(
            need.submitit(), None, _seconds(need.time), _gpus(need.gpus_per_node, need.nodes), need.partition or ""
        )
    assert isinstance(need, Mapping)
    parameters = {key.removeprefix("slurm_"): value for key, value in need.items()}
    time = parameters.pop("timeout_min", parameters.pop("time", None))
    limit = time_limit_minutes(time)
    parameters["time"] = limit
    for theirs, ours in (("name", "job_name"), ("tasks_per_node", "ntasks_per_node")):
        if theirs in parameters:
            parameters[ours] = parameters.pop(theirs)
    if "mem_gb" in parameters:
        parameters["mem"] = f"{int(-(-float(parameters.pop('mem_gb')) * 1024 // 1))}M"
    additional = dict(parameters.get("additional_parameters") or {})
    for key in ("cpus_per_gpu",):
        if key in additional:
            additional["cpus-per-gpu"] = additional.pop(key)
    if additional:
        parameters["additional_parameters"] = additional
    gpus = _gpus(parameters.get("gpus_per_node", 0), int(parameters.get("nodes", 1)))
    return Place(parameters, None, _seconds(limit), gpus, str(parameters.get("partition", "")))


def _seconds(limit: int | None) -> int | None:
    return limit * 60 if limit else None


def _gpus(text: object, nodes: int) -> int:
    """GPUs in all of ``--gpus-per-node``: a number, or ``type:number`` with commas."""
    total = 0
    for part in str(text or "").split(","):
        number = part.rpartition(":")[2]
        total += int(number) if number.isdigit() else 0
    return total * nodes
