"""Submit a plan: everything is checked and on disk first, then one submission after another, each of them once.

What makes it once: the journal says "intent" before sbatch is run and "submitted" after, and every submission carries
a token in its comment and name.  Where an intent has no end, the token is looked for in the queue before sbatch is run
again.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve

from launchers.connector import CommandError, LocalConnector
from launchers.launcher import capacity, need_slurm
from launchers.local import scheduler
from launchers.local.jobs import LocalJob, write_table
from launchers.plan import script
from launchers.plan.graph import graph_of, problems
from launchers.plan.model import Map, Pinned, Plan, PlanError, Step, function_name
from launchers.plan.place import Placed, place
from launchers.plan.progress import progress
from launchers.plan.queue import find_token, states
from launchers.plan.run import Run
from launchers.plan.store import Store, TaskEntry, create, load, write, write_call
from launchers.plan.units import BARRIER, Unit, units_of
from launchers.requirement import Requirement
from launchers.slurm.refusals import refusal_of_sbatch
from launchers.slurm.states import ENDED

TRANSIENT = re.compile(
    r"Socket timed out|Unable to contact slurm controller|Zero Bytes were transmitted|Connection refused|"
    r"Resource temporarily unavailable|Transport endpoint|try again later|Communication connection failure|"
    r"gave no answer within",
    re.I,
)
"""What sbatch says when asking again is worth it; the job may have been accepted all the same (slurm-findings.md)."""
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
    if found:
        raise PlanError(found)
    if placed.on_slurm and placed.group is not None:
        need_slurm(placed.group)
    return placed


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
    most, barrier = array_size(), _barrier(placed)
    store = Store(
        folder=run,
        plan=plan.name,
        id=id,
        scheduler="slurm" if placed.on_slurm else "local",
        group=placed.group.name if placed.group else None,
        units=tuple(units_of(placed, id, most if placed.on_slurm else None, barrier)),
        tasks=tuple(_entry(task.step, task.waits, placed) for task in placed.graph.tasks),
        created=time.time(),
        cwd=str(Path.cwd()),
        command=tuple(command),
    )
    for task in placed.graph.tasks:
        items = task.step.items if isinstance(task.step, Map) else None
        call = {"func": task.step.func, "args": task.step.args, "kwargs": task.step.kwargs}
        write_call(store.step_folder(task.name), call, items)
    for unit in store.units:
        write_unit(store, unit)
    if not placed.on_slurm:
        assert placed.group is not None
        room = capacity(placed.group)
        templates = {unit.name: placed.places[unit.members[0][0]].local for unit in store.units}
        if jobs is not None:
            room = evolve(room, tokens=(*room.tokens, (id, jobs)))
            templates = {name: evolve(one, tokens=(*one.tokens, (id, 1))) for name, one in templates.items() if one}
        write_table(store.local_folder(1), room, local_jobs(store, store.units, templates))
    write(store)
    with store.locked():
        carry_on(store, on_refusal=on_refusal)
    return Run(store)


def resume(folder: str | Path, *, break_lock: bool = False, on_refusal: str = "cancel") -> Run:
    """Finish a submission whose client was ended; nothing is submitted twice.  Raises RunError, SubmitError."""
    store = load(Path(folder))
    with store.locked(break_lock=break_lock):
        carry_on(store, on_refusal=on_refusal)
    return Run(store)


def write_unit(store: Store, unit: Unit) -> None:
    """What the node needs to know of a submission, where its logs and results go."""
    folder = store.job_folder(unit.name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    minutes = (unit.parameters or {}).get("time")
    fail_fast = any(task.fail_fast for task in store.tasks if task.name == unit.members[0][0])
    told = {"members": unit.members, "barrier": unit.barrier, "minutes": minutes, "requeues": REQUEUES}
    told["fail_fast"] = fail_fast
    (folder / "unit.json").write_text(json.dumps({**told, "attempt": unit.attempt}))


def _entry(step: Step, waits: tuple[tuple[str, str], ...], placed: Placed) -> TaskEntry:
    where = placed.places[step.name]
    count = len(step.items) if isinstance(step, Map) else 1
    pinned = step.need if isinstance(step.need, Pinned) else None
    need = pinned.requirement if pinned else step.need
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
    )


# -- submitting ------------------------------------------------------------------------------------------------


def carry_on(store: Store, *, on_refusal: str = "cancel") -> None:
    """Submit what is not submitted yet, parents first."""
    if store.scheduler == "local":
        for attempt in sorted({unit.attempt for unit in store.units}):
            store.record("intent", attempt=attempt)
            scheduler.ensure(store.local_folder(attempt))
            store.record("started", attempt=attempt)
        return
    events = store.journal()
    ids = store.submitted()
    dropped = {one["unit"] for one in events if one["event"] == "never"}
    intended = {one["unit"]: one["time"] for one in events if one["event"] == "intent"}
    resumed = bool(intended) and time.time() - store.created > FORGOTTEN
    left = [unit for unit in store.units if unit.name not in ids and unit.name not in dropped]
    with progress(f"submitting {store.plan}") as tell:
        for number, unit in enumerate(left):
            tell(number, len(left))
            job = _on_its_way(store, unit, intended[unit.name]) if unit.name in intended else None
            if job is None:
                dependency = _dependency(unit, ids, dropped, resumed)
                if dependency is None:
                    dropped.add(unit.name)
                    store.record("never", unit=unit.name, reason="what it waits for failed")
                    continue
                send = _sender(store, unit, dependency)
                store.record("intent", unit=unit.name, token=unit.token)
                job = _sent(store, unit, send, ids, on_refusal)
            ids[unit.name] = job
            store.record("submitted", unit=unit.name, job=job)


def _sender(store: Store, unit: Unit, dependency: str) -> Callable[[], str]:
    """What runs sbatch for a submission."""
    if unit.script:
        return partial(script.send, store, unit, dependency)
    from launchers.plan.executor import TokenExecutor

    return TokenExecutor(store.job_folder(unit.name), store.folder, unit, store.plan, dependency).send


def _on_its_way(store: Store, unit: Unit, since: float) -> str | None:
    """The job of an intent that has no end, once it cannot come any more that it is not there."""
    while True:
        job = find_token(LocalConnector(), unit.token, store.created)
        if job is not None or time.time() - since > GRACE:
            return job
        time.sleep(0.5)


def _sent(store: Store, unit: Unit, send: Callable[[], str], ids: Mapping[str, str], on_refusal: str) -> str:
    """Run sbatch until it takes the job; the token tells whether an answer that got lost was a yes."""
    from submitit.core.utils import FailedJobError

    for pause in (*PAUSES, None):
        try:
            return send()
        except FailedJobError as error:
            said = str(error)
            if pause is None or not TRANSIENT.search(said):
                raise SubmitError(_refused(store, unit, said, ids, on_refusal)) from error
        time.sleep(pause)
        try:
            job = find_token(LocalConnector(), unit.token, store.created)
        except CommandError:
            continue  # the controller is still away: sbatch is asked again, and then the queue
        if job is not None:
            return job
    raise AssertionError("unreachable: the last try raises")


def _refused(store: Store, unit: Unit, said: str, ids: Mapping[str, str], on_refusal: str) -> str:
    """Write down a refusal, cancel what is queued if asked, and say all that."""
    lines = [line.strip() for line in said.strip().splitlines() if line.strip()][-3:]
    code = refusal_of_sbatch(said).code
    store.record("refused", unit=unit.name, said=lines, code=code)
    told = [f"sbatch refused {unit.name}: {'; '.join(lines)}" + (f" (reason code: {code})" if code else "")]
    told.append("it was asked: " + json.dumps(unit.parameters, default=str))
    if ids and on_refusal == "cancel":
        LocalConnector().run(("scancel", *ids.values()))
        store.record("cancelled", units=sorted(ids))
        told.append(f"the {len(ids)} submissions before it are cancelled")
    elif ids:
        told.append(f"the {len(ids)} submissions before it are left queued: launchers cancel {store.folder}")
    told.append(f"run folder: {store.folder}")
    return "\n".join(told)


def _dependency(unit: Unit, ids: Mapping[str, str], dropped: set[str], resumed: bool) -> str | None:
    """The --dependency of a submission; "" for none, None when what it waits for can never come.

    A parent that may have left slurmctld's memory is looked up: afterok on an id that it does not know is refused or,
    worse, ignored (facts/slurm.md).
    """
    kinds: dict[str, list[str]] = {}
    elsewhere = afterok(unit.after)
    if elsewhere is None:
        return None
    if elsewhere:
        kinds["afterok"] = elsewhere
    known = states(LocalConnector(), [ids[one.unit] for one in unit.parents if one.unit in ids]) if resumed else {}
    for parent in unit.parents:
        if parent.unit in dropped or parent.unit not in ids:
            if parent.kind in ("afterok", "aftercorr"):
                return None
            continue
        job = ids[parent.unit]
        ended = _ended(
            {key: one.state for key, one in known.items() if key[0] == job and parent.index in (None, key[1])}
        )
        if ended is None:
            kinds.setdefault(parent.kind, []).append(job if parent.index is None else f"{job}_{parent.index}")
        elif (parent.kind in ("afterok", "aftercorr") and not ended) or (parent.kind == "afternotok" and ended):
            return None
    return ",".join(f"{kind}:{':'.join(jobs)}" for kind, jobs in kinds.items())


def afterok(folders: Iterable[str | Path]) -> list[str] | None:
    """The jobs of other runs that have not ended; None when one of these runs has failed already.

    Raises RunError for a folder that is none.
    """
    jobs: list[str] = []
    for folder in folders:
        run = Run(load(Path(folder)))
        steps = run.status()
        if any(step.failed for step in steps):
            return None
        live = [one for step in steps for one in step.members if not one.ended]
        whole = {unit.name for unit in run.store.units if len(unit.members) == sum(o.unit == unit.name for o in live)}
        ids = run.store.submitted()
        jobs += [ids[name] for name in sorted(whole & set(ids))]
        jobs += [one.job for one in live if one.unit not in whole and one.job]
    return jobs


def _ended(found: Mapping[Any, str]) -> bool | None:
    """Whether all elements succeeded; None while any has not ended, or nothing is known."""
    if not found or any(state not in ENDED for state in found.values()):
        return None
    return all(state == "COMPLETED" for state in found.values())


def array_size() -> int:
    """MaxArraySize of the cluster; Slurm's default where it cannot be asked (man slurm.conf)."""
    try:
        outcome = LocalConnector().run(("scontrol", "show", "config"), timeout=30)
    except CommandError:
        return 1000
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", outcome.stdout, re.M)
    return int(found[1]) - 1 if found else 1000


def _barrier(placed: Placed) -> dict[str, Any] | None:
    """The parameters of a barrier job: the smallest thing there is, where the plan's first step may run."""
    if not placed.on_slurm:
        return None
    first = next(one.parameters for one in placed.places.values() if one.parameters is not None)
    kept = {key: first[key] for key in ("partition", "account", "qos") if first.get(key)}
    return None if "qos" in kept else {**BARRIER, **kept}


# -- on this machine -------------------------------------------------------------------------------------------


def local_jobs(store: Store, units: Iterable[Unit], templates: Mapping[str, LocalJob | None]) -> list[LocalJob]:
    """The jobs of this machine's scheduler; their ids are the units' names."""
    kinds = {"afterok": "ok", "aftercorr": "ok", "afterany": "any", "afternotok": "notok", "after": "started"}
    jobs = []
    for unit in units:
        template = templates[unit.name]
        assert template is not None
        folder = store.job_folder(unit.name)
        after = tuple((kinds[one.kind], one.unit) for one in unit.parents)
        after += tuple(("ok", str(Path(run) / "local")) for run in unit.after)
        if unit.script:
            jobs.append(evolve(script.local_job(store, unit, template), after=after))
            continue
        env = {
            "SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": unit.name, "SUBMITIT_LOCAL_NTASKS": "1",
            "SUBMITIT_LOCAL_JOB_NUM_NODES": "1", "SUBMITIT_LOCAL_NODEID": "0", "SUBMITIT_LOCAL_LOCALID": "0",
            "SUBMITIT_LOCAL_GLOBALID": "0",
        }  # fmt: skip
        jobs.append(
            evolve(
                template,
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
    units = units_of(placed, "dry-run", array_size() if placed.on_slurm else None, _barrier(placed))
    if not placed.on_slurm:
        return "".join(f"{unit.name}: on {placed.group.name if placed.group else 'this machine'}\n" for unit in units)
    from launchers.plan.executor import TokenExecutor

    texts = []
    for unit in units:
        waits = ",".join(
            f"{one.kind}:<{one.unit}{'' if one.index is None else f'_{one.index}'}>" for one in unit.parents
        )
        folder = Path("runs") / f"{plan.name}-dry-run"
        executor = TokenExecutor(folder / "jobs" / unit.name, folder, unit, plan.name, waits)
        texts.append(
            f"# ---- {unit.name}: {', '.join(dict.fromkeys(step for step, _ in unit.members))}\n{executor.text()}"
        )
    return "\n".join(texts)
