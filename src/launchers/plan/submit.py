"""Submit a plan: everything is checked and on disk first, then one submission after another, each of them once.

What makes it once: the journal says "intent" before the scheduler is asked and "submitted" after, and every submission
carries a token in its comment or name.  Where an intent has no end, the token is looked for before it is asked again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import evolve

from launchers.jobs.backend import Submission, Wait
from launchers.jobs.submission import Unit
from launchers.local.backend import local_jobs
from launchers.local.capacity import capacity
from launchers.local.jobs import write_table
from launchers.plan.check import checked
from launchers.plan.layout import units_of
from launchers.plan.place import Placed
from launchers.plan.plan import Plan
from launchers.plan.tree import Map, Pinned, Step
from launchers.requirement import Requirement
from launchers.runs.call import function_name
from launchers.runs.folder import Store, create, write
from launchers.runs.record import TaskEntry, origin
from launchers.runs.results import write_call
from launchers.runs.run import Run
from launchers.runs.send import carry_on, write_unit
from launchers.schedulers import batch


def submit(
    plan: Plan,
    *,
    config: str | Path | None,
    tags: Iterable[str],
    folder: Path,
    on_refusal: str = "cancel",
    jobs: int | None = None,
    into: tuple[Path, str] | None = None,
    command: Sequence[str] = (),
) -> Run:
    """Check, write the run folder, submit everything; raises PlanError, SubmitError.

    `jobs` bounds how many run at once on this machine; on a cluster that is the scheduler's to say.  `into` is a run
    folder that `create` made, with its id.  `command` is the command line to write down, where this process' own has
    what must not be.
    """
    placed = checked(plan, config, tags)
    run, id = into or create(folder, plan.name)
    store = Store(
        folder=run,
        plan=plan.name,
        id=id,
        scheduler=placed.scheduler,
        group=placed.group.name if placed.group else None,
        units=tuple(_units(placed, id)),
        tasks=tuple(_entry(plan, task.step, task.waits, placed) for task in placed.graph.tasks),
        created=time.time(),
        **origin(command),
    )
    for task in placed.graph.tasks:
        items = task.step.items if isinstance(task.step, Map) else None
        call = {"func": task.step.func, "args": task.step.args, "kwargs": task.step.kwargs}
        write_call(store.step_folder(task.name), call, items)
    for unit in store.units:
        write_unit(store, unit)
    if placed.scheduler == "local":
        assert placed.group is not None
        room = capacity(placed.group)
        templates = {unit.name: placed.places[unit.members[0][0]].local for unit in store.units}
        if jobs is not None:
            room = evolve(room, tokens=(*room.tokens, (id, jobs)))
            templates = {name: evolve(one, tokens=(*one.tokens, (id, 1))) for name, one in templates.items() if one}
        bounded = {unit.members[0][0]: unit.at_once for unit in store.units if unit.at_once}
        room = evolve(room, tokens=(*room.tokens, *((f"{id} {step}", most) for step, most in bounded.items())))
        write_table(store.local_folder(1), room, local_jobs(store, store.units, templates))
    write(store)
    with store.locked():
        carry_on(store, on_refusal=on_refusal)
    return Run(store)


def _units(placed: Placed, run: str) -> list[Unit]:
    """The submissions of a plan, as its scheduler takes them."""
    if placed.scheduler == "local":
        return units_of(placed, run)
    to = batch(placed.scheduler)
    first = next(one.parameters for one in placed.places.values() if one.parameters is not None)
    units = units_of(placed, run, to.array_size(), to.barrier(first), bounds_arrays=to.bounds_arrays)
    again = {task.name for task in placed.graph.tasks if hasattr(task.step.func, "checkpoint")}
    return [
        evolve(unit, parameters=to.checkpointing(unit.parameters))
        if unit.parameters is not None and again & {step for step, _ in unit.members}
        else unit
        for unit in units
    ]


def _entry(plan: Plan, step: Step, waits: tuple[tuple[str, str], ...], placed: Placed) -> TaskEntry:
    where = placed.places[step.name]
    count = len(step.items) if isinstance(step, Map) else 1
    need = step.need if step.need is not None else plan.need
    pinned = need if isinstance(need, Pinned) else None
    need = pinned.requirement if pinned else need
    return TaskEntry(
        name=step.name,
        waits=waits,
        count=count,
        says=where.says,
        seconds=where.seconds,
        runs=function_name(step.func),
        need=str(need) if isinstance(need, Requirement) else None,
        options=pinned.options if pinned else (),
        again=(step.again.times, step.again.escalate) if step.again else None,
        identity=step.identity,
        fail_fast=isinstance(step, Map) and step.fail_fast,
        srun=step.srun,
        rivals=step.rivals,
    )


# -- looking before --------------------------------------------------------------------------------------------


def dry_run(plan: Plan, *, config: str | Path | None, tags: Iterable[str]) -> str:
    """What would be sent: the sbatch file of each submission, or what would run on this machine."""
    placed = checked(plan, config, tags)
    units = _units(placed, "dry-run")
    if placed.scheduler == "local":
        return "".join(f"{unit.name}: on {placed.group.name if placed.group else 'this machine'}\n" for unit in units)
    to = batch(placed.scheduler)
    texts = []
    for unit in units:
        waits = tuple(Wait(one.kind, (f"<{one.unit}>", one.index)) for one in unit.parents)
        job = Submission(Path("runs") / f"{plan.name}-dry-run", plan.name, unit, waits)
        steps = ", ".join(dict.fromkeys(step for step, _ in unit.members))
        texts.append(f"# ---- {unit.name}: {steps}\n{to.text(job)}")
    return "\n".join(texts)
