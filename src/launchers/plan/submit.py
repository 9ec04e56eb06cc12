"""Submit a plan: everything is checked and on disk first, then one submission after another, each of them once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from launchers.jobs.backend import SubmissionRequest, Wait
from launchers.plan.check import check_and_place
from launchers.plan.graph import Task
from launchers.plan.layout import lay_out_submissions
from launchers.plan.place import PlacedPlan, need_in
from launchers.plan.tree import Map, Pinned, StepTree
from launchers.requirement import Requirement
from launchers.runs.call import function_name
from launchers.runs.folder import RunFolder, create_folder
from launchers.runs.record import StepRecord, origin
from launchers.runs.results import write_call
from launchers.runs.run import PlanRun
from launchers.runs.send import submit_pending, write_tickets
from launchers.runs.stored import StoredRun, write_run


def submit(
    plan: StepTree,
    *,
    config: str | Path | None,
    tags: Iterable[str],
    folder: Path,
    on_refusal: str = "cancel",
    jobs: int | None = None,
    into: tuple[RunFolder, str] | None = None,
    command: Sequence[str] = (),
) -> PlanRun:
    """Check, write the run folder, submit everything.  Raises PlanError, LauncherNotFoundError, SubmitError.

    `jobs` bounds how many run at once on this machine; on a cluster that is the scheduler's to say.  `into` is a run
    folder that `create_folder` made, with its id.  `command` is the command line to write down, where this process'
    own has what must not be.
    """
    placed = check_and_place(plan, config, tags)
    run_folder, id = into or create_folder(folder, plan.name)
    run = StoredRun(
        folder=run_folder,
        plan=plan.name,
        id=id,
        scheduler=placed.scheduler,
        group=placed.group.name if placed.group else None,
        submissions=tuple(lay_out_submissions(placed, id)),
        steps=tuple(_step_record(plan, task, placed) for task in placed.graph.tasks),
        created=time.time(),
        jobs=jobs,
        cluster=placed.backend.cluster(),
        **origin(command),
    )
    try:
        _write_calls(run_folder, placed)
        write_tickets(run, run.submissions)
        write_run(run)
    except BaseException:
        shutil.rmtree(run_folder.path, ignore_errors=True)  # nothing of it is submitted, and nothing can be
        raise
    with run_folder.lock():
        submit_pending(run, on_refusal=on_refusal)
    return PlanRun(run)


def _write_calls(folder: RunFolder, placed: PlacedPlan) -> None:
    for task in placed.graph.tasks:
        items = task.step.items if isinstance(task.step, Map) else None
        call = {"func": task.step.func, "args": task.step.args, "kwargs": task.step.kwargs}
        write_call(folder.step_folder(task.name), call, items)


def _step_record(plan: StepTree, task: Task, placed: PlacedPlan) -> StepRecord:
    step, place = task.step, placed.places[task.name]
    need = need_in(plan, step.need)
    options = need.options if isinstance(need, Pinned) else ()
    requirement = need.requirement if isinstance(need, Pinned) else need
    return StepRecord(
        name=step.name,
        waits=task.waits,
        count=step.count,
        place=place.partition,
        seconds=place.seconds,
        function=function_name(step.func),
        need=str(requirement) if isinstance(requirement, Requirement) else None,
        options=options,
        retry=(step.retry.times, step.retry.escalate) if step.retry else None,
        identity=step.identity,
        fail_fast=isinstance(step, Map) and step.fail_fast,
        srun=step.srun,
        rivals=step.rivals,
    )


def dry_run(plan: StepTree, *, config: str | Path | None, tags: Iterable[str]) -> str:
    """What would be sent: the script of each submission, or what would run on this machine."""
    placed = check_and_place(plan, config, tags)
    submissions = lay_out_submissions(placed, "dry-run")
    if placed.backend.sends_attempts_whole:
        where = placed.group.name if placed.group else placed.backend.title
        return "".join(f"{submission.name}: on {where}\n" for submission in submissions)
    texts = []
    for submission in submissions:
        waits = tuple(Wait(parent.kind, (f"<{parent.submission}>", parent.index)) for parent in submission.parents)
        request = SubmissionRequest(Path("runs") / f"{plan.name}-dry-run", "dry-run", plan.name, submission, waits)
        script = placed.backend.render_script(request)
        texts.append(f"# ---- {submission.name}: {', '.join(submission.steps)}\n{script}")
    return "\n".join(texts)
