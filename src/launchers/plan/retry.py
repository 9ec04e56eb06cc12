"""Run again what failed and what hung on it, with more resources if asked: a further attempt in the same run folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from attrs import evolve, frozen

from launchers.errors import RunError
from launchers.jobs.submission import Member, Parent, Unit
from launchers.launcher.groups import load_groups
from launchers.local.backend import local_jobs
from launchers.local.capacity import capacity
from launchers.local.jobs import LocalJob, read_table, write_table
from launchers.offer.model import Group
from launchers.plan.place import ANYTHING, Place, find_place
from launchers.plan.tree import Pinned
from launchers.requirement import parse
from launchers.runs.escalate import asked, asked_by_hand, escalated, factors, pointless, times
from launchers.runs.folder import Store, write
from launchers.runs.run import Run
from launchers.runs.send import carry_on, write_unit
from launchers.runs.status import UNSENT, MemberState
from launchers.schedulers import batch


def retry(
    run: Run,
    *,
    escalate: str = "",
    only: Iterable[str] = (),
    config: str | Path | None = None,
    on_refusal: str = "cancel",
) -> list[str]:
    """Submit again every job that ended without success, each waiting for what it waited for; the names of the steps.

    `only` keeps to these steps and what hangs on them.  `escalate` multiplies what they asked last and has the broker
    place them anew in the same group.  Raises RunError when nothing there offers that, when the escalation cannot be
    read, and when none of the steps asks for what it multiplies.
    """
    try:
        by = factors(escalate)
    except ValueError as error:
        raise RunError(f"--escalate {error}") from None
    if by:
        _need_needs(run.store)
    with run.store.locked():
        store = run.reload()
        states = {(one.step, one.number): one for step in run.status() for one in step.members}
        wanted = run.with_descendants(only)
        failed = {
            member
            for member, one in states.items()
            if (not wanted or one.step in wanted) and one.info.state != "COMPLETED" and (one.ended or one.stuck)
        }
        failed = _possible(store, failed, states)
        if not failed:
            return []
        attempt = max(unit.attempt for unit in store.units) + 1
        fresh = _again(store, failed, states, attempt)
        if by and (why := pointless(by, {name for unit in fresh for name in _asked(store, unit)})):
            steps = dict.fromkeys(step for unit in fresh for step, _ in unit.members)
            raise RunError(f"--escalate {escalate!r}: {', '.join(steps)}: {why}")
        if store.scheduler == "local":
            fresh = _local(store, fresh, by, config, attempt)
        elif by:
            fresh = [_larger(store, unit, by, config) for unit in fresh]
        run.cancel_stuck()
        store.units = (*store.units, *fresh)
        for unit in fresh:
            write_unit(store, unit)
        write(store)
        carry_on(store, on_refusal=on_refusal)
    return list(dict.fromkeys(step for step, _ in sorted(failed, key=lambda one: (one[0], one[1] or 0))))


def _need_needs(store: Store) -> None:
    """Raise RunError where nobody but a script of the user's knows what a step asks for."""
    for unit in store.units:
        task = store.task(unit.members[0][0]) if not unit.barrier else None
        if unit.script and task and task.need is None:
            script = store.folder / unit.script
            raise RunError(f"step {task.name}: {script} says itself what it asks for: change that, then retry")


def overdue(run: Run, *, config: str | Path | None = None) -> list[tuple[str, str]]:
    """Submit again the steps that said they want more when they fail (`Again`); their names and what they want."""
    if not any(task.again for task in run.store.tasks):
        return []  # and the scheduler need not be asked
    done = []
    steps = run.status()
    tried: Counter[Member] = Counter(member for unit in run.store.units for member in unit.members)
    for step in steps:
        again = run.store.task(step.name).again
        bad = [one for one in step.members if one.ended and one.info.state not in ("COMPLETED", "CANCELLED")]
        if not again or not bad or not step.ended or max(tried[one.step, one.number] for one in bad) > again[0]:
            continue
        if retry(run, escalate=again[1], only=[step.name], config=config):
            done.append((step.name, again[1]))
    return done


def _again(store: Store, failed: set[Member], states: Mapping[Member, MemberState], attempt: int) -> list[Unit]:
    """A submission of the failed members of each submission, parents first, waiting for what is run again too."""
    order = {task.name: number for number, task in enumerate(store.tasks)}
    where = {member: unit for member, (unit, _) in store.latest().items()}
    old = [unit for unit in store.units if any(one in failed and where.get(one) is unit for one in unit.members)]
    old.sort(key=lambda unit: min(order[step] for step, _ in unit.members))
    fresh: dict[str, Unit] = {}
    taken: set[str] = set()
    for unit in old:
        members = tuple(one for one in unit.members if one in failed and where[one] is unit)
        name = f"{unit.name.partition('~')[0]}~{attempt}"
        if name in taken:  # of one array, but tried again apart
            name += f".{len(fresh)}"
        taken.add(name)
        token = f"launchers-{store.id}-{len(store.units) + len(fresh)}"
        fresh[unit.name] = evolve(unit, name=name, token=token, members=members, attempt=attempt)
    units = {unit.name: unit for unit in (*store.units, *fresh.values())}
    again = _Again(failed, states, where, fresh, units)
    return [
        evolve(unit, parents=tuple(new for parent in unit.parents for new in _still(again, parent, unit.members)))
        for unit in fresh.values()
    ]


@frozen
class _Again:
    """What is run again: `states` of all jobs, `where` they were last, the new submissions by the old ones' names."""

    failed: set[Member]
    states: Mapping[Member, MemberState]
    where: Mapping[Member, Unit]
    fresh: Mapping[str, Unit]
    units: Mapping[str, Unit]

    def now(self, one: Member) -> Unit:
        """The submission that a job is or will be in."""
        unit = self.where[one]
        return self.fresh[unit.name] if one in self.failed else unit


def _still(again: _Again, old: Parent, waiting: Sequence[Member]) -> Iterable[Parent]:
    """What is left to wait for of an old parent: its new attempt if it is run again, itself while it has not ended."""
    step = waiting[0][0]
    parents = [old]
    while parents:
        parent = parents.pop()
        unit = again.units[parent.unit]
        if unit.barrier:
            parents += reversed(unit.parents)  # what it stood for
        elif parent.unit not in again.fresh and unit.members[0][0] == step:  # the array of this Map before that one
            parents += [one for one in reversed(unit.parents) if again.units[one.unit].members[0][0] == step]
        else:
            yield from _left_of(again, parent, waiting)


def _left_of(again: _Again, old: Parent, waiting: Sequence[Member]) -> Iterable[Parent]:
    left: dict[str, list[Member]] = {}
    for one in _awaited(again.units[old.unit], old, waiting):
        if one in again.failed or not _come(again.states[one], old.kind):
            left.setdefault(again.now(one).name, []).append(one)
    for name, some in left.items():
        members = again.units[name].members
        pairs = old.kind == "aftercorr" and len(members) > 1 and _items(members) == _items(waiting)
        kind = "afterok" if old.kind == "aftercorr" and not pairs else old.kind
        if set(some) == set(members):
            yield Parent(name, kind)
        else:
            yield from (Parent(name, kind, members.index(one)) for one in some)


def _items(members: Iterable[Member]) -> list[int | None]:
    return [number for _, number in members]


def _awaited(unit: Unit, parent: Parent, waiting: Sequence[Member]) -> list[Member]:
    """The jobs of a submission that some of those behind it wait for."""
    if parent.index is not None:
        return [unit.members[parent.index]]
    if parent.kind != "aftercorr":
        return list(unit.members)
    items = set(_items(waiting))
    return [one for one in unit.members if one[1] in items]


def _come(one: MemberState, kind: str) -> bool:
    """Whether a job needs not be waited for any more."""
    return one.ended or (kind == "after" and one.info.state not in ("PENDING", UNSENT))


def _possible(store: Store, failed: set[Member], states: Mapping[Member, MemberState]) -> set[Member]:
    """Those of the failed jobs that can start if all of them are run again.

    What waits for the success of a job that has none, and is not run again itself, would wait for ever; so would what
    waits for the failure of a step that succeeded.
    """
    possible = set(failed)
    by_name = {unit.name: unit for unit in store.units}
    where = store.latest()

    def awaited(member: Member, parents: Iterable[Parent]) -> Iterable[tuple[str, Member]]:
        for parent in parents:
            unit = by_name[parent.unit]
            if unit.barrier:
                yield from awaited(member, unit.parents)
            else:
                yield from ((parent.kind, one) for one in _awaited(unit, parent, [member]))

    def never(member: Member, parents: Iterable[Parent]) -> bool:
        well: dict[str, bool] = {}  # by step, those that have to fail: whether all of it has succeeded
        for kind, one in awaited(member, parents):
            if kind in ("afterok", "aftercorr") and one not in possible and states[one].gone:
                return True
            if kind == "afternotok":
                well[one[0]] = well.get(one[0], True) and states[one].info.state == "COMPLETED"
        return any(well.values())

    by_step: dict[str, list[Member]] = {}
    for one in failed:
        by_step.setdefault(one[0], []).append(one)
    for task in store.tasks:  # parents come first
        mine = by_step.get(task.name, [])
        possible.difference_update([one for one in mine if never(one, where[one][0].parents)])
    return possible


def _asked(store: Store, unit: Unit) -> set[str]:
    """The names of the amounts that a submission asks for."""
    need = unit.need or store.task(unit.members[0][0]).need
    if need is None and unit.parameters is not None:
        return asked_by_hand(unit.parameters)
    return asked(parse(need) if need else ANYTHING)


def _placed(store: Store, unit: Unit, by: Mapping[str, float], config: str | Path | None) -> tuple[Unit, Group, Place]:
    """The submission placed anew in the run's group, with larger amounts than it has; raises RunError."""
    task = store.task(unit.members[0][0])
    text = unit.need or task.need
    need = escalated(parse(text) if text else ANYTHING, by)
    groups, _ = load_groups(config)
    for group in groups:
        if group.name == store.group:
            found, _ = find_place(Pinned(need, task.options) if task.options else need, group)
            if isinstance(found, Place):
                return evolve(unit, need=str(need), seconds=found.seconds), group, found
            raise RunError(f"step {task.name}: nothing in {store.group} offers {need}: {found}")
    raise RunError(f"step {task.name}: the launcher group {store.group} of this run is not configured any more")


def _larger(store: Store, unit: Unit, by: Mapping[str, float], config: str | Path | None) -> Unit:
    """The submission with larger amounts: placed anew, or multiplied where they were given by hand."""
    task = store.task(unit.members[0][0])
    if task.need is not None:
        unit, _, found = _placed(store, unit, by, config)
        parameters = found.parameters
        assert parameters is not None
        before = unit.parameters or {}
        if "signal_delay_s" in before or "checkpoint" in (before.get("additional_parameters") or {}):
            parameters = batch(store.scheduler).checkpointing(parameters)
        return evolve(unit, parameters={**parameters, **({} if task.srun else {"use_srun": False})})
    larger = dict(unit.parameters or {})
    seconds = unit.seconds
    if larger.get("time") and "duration" in by:
        larger["time"] = times(larger["time"], by["duration"])
        seconds = larger["time"] * 60
    if larger.get("cpus_per_task") and "cores" in by:
        larger["cpus_per_task"] = times(larger["cpus_per_task"], by["cores"])
    extra = dict(larger.get("additional_parameters") or {})
    for place in (larger, extra):
        if place.get("mem") and "mem" in by:
            place["mem"] = f"{times(int(str(place['mem']).rstrip('M')), by['mem'])}M"
    larger |= {"additional_parameters": extra} if extra else {}
    return evolve(unit, parameters=larger, seconds=seconds)


def _local(
    store: Store, fresh: Sequence[Unit], by: Mapping[str, float], config: str | Path | None, attempt: int
) -> list[Unit]:
    """Write the table of a further attempt for this machine's scheduler; its submissions with what they ask for."""
    room, _ = read_table(store.local_folder(1))
    before = store.local_jobs()
    old = {member: unit for unit in store.units for member in unit.members}
    templates: dict[str, LocalJob | None] = {}
    units = []
    for unit in fresh:
        template = before[old[unit.members[0]].name]
        if by:
            unit, group, found = _placed(store, unit, by, config)
            assert found.local is not None
            bound = [one for one in template.tokens if one[0] == store.id]  # what was submitted with jobs=N
            room = evolve(capacity(group), tokens=room.tokens)
            template = evolve(found.local, tokens=(*found.local.tokens, *bound))
        templates[unit.name] = template
        units.append(unit)
    write_table(store.local_folder(attempt), room, local_jobs(store, units, templates))
    return units
