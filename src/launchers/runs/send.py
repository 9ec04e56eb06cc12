"""Submit what a run has not submitted yet, each submission once.

What makes it once: the journal says "intent" before the scheduler is asked and "submitted" after, and every submission
carries a token in its comment or name.  Where an intent has no end, the token is looked for before it is asked again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import asdict

from launchers.commands import CommandError, LocalConnector
from launchers.jobs.backend import Batch, Element, JobInfo, Submission, Wait
from launchers.jobs.reach import last_words
from launchers.jobs.state import ENDED
from launchers.jobs.submission import Unit
from launchers.local import scheduler
from launchers.runs.folder import Store, load
from launchers.runs.journal import Cancelled, Intent, Never, Refused, Started, Starting, Submitted
from launchers.runs.progress import progress
from launchers.runs.run import Run
from launchers.runs.status import elements_of
from launchers.schedulers import batch

PAUSES = (0.5, 1, 2, 4, 8, 15, 30)
"""Seconds between tries."""


REQUEUES = 3


FORGOTTEN = 60.0
"""Seconds after which a parent may have left slurmctld's memory (MinJobAge): it is looked up before it is named."""


GRACE = 15.0
"""Seconds for which an sbatch whose client was killed may still be on its way: so long its token is looked for."""


class SubmitError(RuntimeError):
    """A submission that the cluster refused: its words, what was asked, and what became of the rest."""


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
