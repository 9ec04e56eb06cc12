"""Submit a plan: everything is checked and on disk first, then one submission after another, each of them once.

What makes it once: the journal says "intent" before the scheduler is asked and "submitted" after, and every submission
carries a token in its comment or name.  Where an intent has no end, the token is looked for before it is asked again.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, evolve

from launchers.connector import CommandError, LocalConnector
from launchers.launcher import capacity, last_words
from launchers.local import scheduler
from launchers.local.jobs import LocalJob, write_table
from launchers.plan import script
from launchers.plan.batch import Batch, Element, JobInfo, Submission, Wait, batch
from launchers.plan.escalate import asked, factors, pointless
from launchers.plan.graph import graph_of, problems
from launchers.plan.journal import Cancelled, Intent, Never, Refused, Started, Starting, Submitted
from launchers.plan.model import Map, Pinned, Plan, PlanError, Step, function_name
from launchers.plan.place import Placed, need_in, place
from launchers.plan.progress import progress
from launchers.plan.record import TaskEntry, origin
from launchers.plan.run import Run, elements_of
from launchers.plan.store import Store, create, load, write, write_call
from launchers.plan.units import Unit, units_of
from launchers.requirement import Requirement
from launchers.slurm.states import ENDED

PAUSES = (0.5, 1, 2, 4, 8, 15, 30)
"""Seconds between tries."""
REQUEUES = 3
FORGOTTEN = 60.0
"""Seconds after which a parent may have left slurmctld's memory (MinJobAge): it is looked up before it is named."""


GRACE = 15.0
"""Seconds for which an sbatch whose client was killed may still be on its way: so long its token is looked for."""


class SubmitError(RuntimeError):
    """A submission that the cluster refused: its words, what was asked, and what became of the rest."""


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


def resume(folder: str | Path, *, break_lock: bool = False, on_refusal: str = "cancel") -> Run:
    """Finish a submission whose client was ended; nothing is submitted twice.  Raises RunError, SubmitError."""
    with load(Path(folder)).locked(break_lock=break_lock):
        store = load(Path(folder))  # whoever had it until now may have run something again
        if store.scheduler == "local":
            for attempt in {unit.attempt for unit in store.units}:
                scheduler.check_readable(store.local_folder(attempt))
        carry_on(store, on_refusal=on_refusal)
    return Run(store)


def write_unit(store: Store, unit: Unit) -> None:
    """What the node needs to know of a submission, where its logs and results go."""
    folder = store.job_folder(unit.name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    parameters = unit.parameters or {}
    tasks = [] if unit.barrier else [store.task(step) for step in dict.fromkeys(step for step, _ in unit.members)]
    told = {
        "members": unit.members,
        "barrier": unit.barrier,
        "minutes": parameters.get("time") or parameters.get("timeout_min"),
        "requeues": REQUEUES,
        "attempt": unit.attempt,
        "fail_fast": any(task.fail_fast for task in tasks),
        "rivals": {task.name: task.rivals for task in tasks if task.rivals},
        "parents": [asdict(parent) for parent in unit.parents],
    }
    (folder / "unit.json").write_text(json.dumps(told))


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


# -- submitting ------------------------------------------------------------------------------------------------


def carry_on(store: Store, *, on_refusal: str = "cancel") -> None:
    """Submit what is not submitted yet, parents first."""
    if store.scheduler == "local":
        for attempt in sorted({unit.attempt for unit in store.units}):
            store.record(Starting(attempt))
            scheduler.ensure(store.local_folder(attempt))
            store.record(Started(attempt))
        return
    to = batch(store.scheduler)
    events = store.journal()
    ids = store.submitted()
    dropped = {one.unit for one in events if isinstance(one, Never)}
    intended = {one.unit: one.time for one in events if isinstance(one, Intent)}
    resumed = bool(intended) and time.time() - store.created > FORGOTTEN
    left = [unit for unit in store.units if unit.name not in ids and unit.name not in dropped]
    with progress(f"submitting {store.plan}") as tell:
        for number, unit in enumerate(left):
            tell(number, len(left))
            job = _on_its_way(to, store, unit, intended[unit.name]) if unit.name in intended else None
            if job is None:
                waits = _waits(to, store, unit, ids, dropped, resumed)
                if waits is None:
                    dropped.add(unit.name)
                    store.record(Never(unit.name, "what it waits for failed"))
                    continue
                store.record(Intent(unit.name, unit.token))
                job = _sent(to, store, Submission(store.folder, store.plan, unit, waits, store.cwd), ids, on_refusal)
            ids[unit.name] = job
            store.record(Submitted(unit.name, job))


def _on_its_way(to: Batch, store: Store, unit: Unit, since: float) -> str | None:
    """The job of an intent that has no end, once it cannot come any more that it is not there."""
    while True:
        job = to.find_token(LocalConnector(), unit.token, store.created)
        if job is not None or time.time() - since > GRACE:
            return job
        time.sleep(0.5)


def _sent(to: Batch, store: Store, job: Submission, ids: Mapping[str, str], on_refusal: str) -> str:
    """Submit until the scheduler takes the job; the token tells whether an answer that got lost was a yes."""
    from submitit.core.utils import FailedJobError

    for pause in (*PAUSES, None):
        try:
            return to.send(job)
        except FailedJobError as error:
            said = str(error)
            if pause is None or not to.transient(said):
                raise SubmitError(_refused(to, store, job.unit, said, ids, on_refusal)) from error
        time.sleep(pause)
        try:
            found = to.find_token(LocalConnector(), job.unit.token, store.created)
        except CommandError:
            continue  # the scheduler is still away: it is asked again, and then its queue
        if found is not None:
            return found
    raise AssertionError("unreachable: the last try raises")


def _refused(to: Batch, store: Store, unit: Unit, said: str, ids: Mapping[str, str], on_refusal: str) -> str:
    """Write down a refusal, cancel what is queued if asked, and say all that."""
    lines = last_words(said)
    code = to.reason_code(said)
    store.record(Refused(unit.name, lines, code))
    told = [
        f"{to.submit_command} refused {unit.name}: {'; '.join(lines)}" + (f" (reason code: {code})" if code else "")
    ]
    told.append("it was asked: " + json.dumps(unit.parameters, default=str))
    if ids and on_refusal == "cancel":
        to.cancel(LocalConnector(), [(job, None) for job in ids.values()])
        store.record(Cancelled(sorted(ids)))
        told.append(f"the {len(ids)} submissions before it are cancelled")
    elif ids:
        told.append(f"the {len(ids)} submissions before it are left queued: launchers cancel {store.folder}")
    told.append(f"run folder: {store.folder}")
    return "\n".join(told)


def _waits(
    to: Batch, store: Store, unit: Unit, ids: Mapping[str, str], dropped: set[str], resumed: bool
) -> tuple[Wait, ...] | None:
    """What a submission waits for; None when that can never come.

    A parent that may have left slurmctld's memory is looked up: afterok on an id that it does not know is refused or,
    worse, ignored (facts/slurm.md).
    """
    elsewhere = afterok(unit.after)
    if elsewhere is None:
        return None
    waits = [Wait("afterok", one) for one in elsewhere]
    known: Mapping[Element, JobInfo] = {}
    if resumed:
        before = [
            one for one in store.units if one.name in ids and one.name in {parent.unit for parent in unit.parents}
        ]
        known = to.states(LocalConnector(), [ids[one.name] for one in before], elements_of(before, ids))
    members = {one.name: one.members for one in store.units}
    well: dict[str, bool] = {}  # by step, those that have to fail: one of its submissions is enough
    for parent in unit.parents:
        step = members[parent.unit][parent.index or 0][0]
        if parent.unit in dropped or parent.unit not in ids:
            if parent.kind in ("afterok", "aftercorr"):
                return None
            well[step] = False
            continue
        job = ids[parent.unit]
        ended = _ended(
            {key: one.state for key, one in known.items() if key[0] == job and parent.index in (None, key[1])}
        )
        if ended is None:
            waits.append(Wait(parent.kind, (job, parent.index)))
        elif parent.kind in ("afterok", "aftercorr") and not ended:
            return None
        if parent.kind == "afternotok":
            well[step] = well.get(step, True) and ended is True
    return None if any(well.values()) else tuple(waits)


def afterok(folders: Iterable[str | Path]) -> list[Element] | None:
    """The jobs of other runs that have not ended; None when one of these runs has failed already.

    Raises RunError for a folder that is none.
    """
    jobs: list[Element] = []
    for folder in folders:
        run = Run(load(Path(folder)))
        steps = run.status()
        if any(step.failed for step in steps):
            return None
        live = [one for step in steps for one in step.members if not one.ended]
        whole = {unit.name for unit in run.store.units if len(unit.members) == sum(o.unit == unit.name for o in live)}
        ids = run.store.submitted()
        jobs += [(ids[name], None) for name in sorted(whole & set(ids))]
        jobs += [one.element for one in live if one.unit not in whole and one.job]
    return jobs


def _ended(found: Mapping[Any, str]) -> bool | None:
    """Whether all elements succeeded; None while any has not ended, or nothing is known."""
    if not found or any(state not in ENDED for state in found.values()):
        return None
    return all(state == "COMPLETED" for state in found.values())


# -- on this machine -------------------------------------------------------------------------------------------


def local_jobs(store: Store, units: Iterable[Unit], templates: Mapping[str, LocalJob | None]) -> list[LocalJob]:
    """The jobs of this machine's scheduler; their ids are the units' names."""
    kinds = {"afterok": "ok", "aftercorr": "ok", "afterany": "any", "after": "started"}
    units = list(units)
    here = {unit.name for unit in units}
    names = {
        one.name: one.name if one.name in here else str(store.local_folder(one.attempt) / one.name)
        for one in (*store.units, *units)
    }
    steps = {one.name: one.members[0][0] for one in (*store.units, *units)}
    jobs = []
    for unit in units:
        template = templates[unit.name]
        assert template is not None
        folder = store.job_folder(unit.name)
        after = tuple((kinds[one.kind], names[one.unit]) for one in unit.parents if one.kind != "afternotok")
        failing: dict[str, list[str]] = {}
        for one in unit.parents:
            if one.kind == "afternotok":
                failing.setdefault(steps[one.unit], []).append(names[one.unit])
        after += tuple(("notok", "\n".join(some)) for some in failing.values())
        after += tuple(("ok", str(Path(run) / "local")) for run in unit.after)
        if unit.script:
            jobs.append(evolve(script.local_job(store, unit, template), after=after))
            continue
        env = {
            "SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": unit.name, "SUBMITIT_LOCAL_NTASKS": "1",
            "SUBMITIT_LOCAL_JOB_NUM_NODES": "1", "SUBMITIT_LOCAL_NODEID": "0", "SUBMITIT_LOCAL_LOCALID": "0",
            "SUBMITIT_LOCAL_GLOBALID": "0",
        }  # fmt: skip
        tokens = dict(template.tokens)
        if unit.at_once:
            tokens[f"{store.id} {unit.members[0][0]}"] = 1
        jobs.append(
            evolve(
                template,
                tokens=tuple(tokens.items()),
                id=unit.name,
                name=unit.name,
                argv=(sys.executable, "-u", "-m", "launchers.plan.node", str(store.folder), unit.name),
                cwd=store.cwd,
                stdout=str(folder / f"{unit.name}_0_log.out"),
                stderr=str(folder / f"{unit.name}_0_log.err"),
                env=(*template.env, *env.items()),
                after=after,
            )
        )
    return jobs


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
