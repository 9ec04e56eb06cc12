"""A flow to a Plan: a job becomes a Step, in a sweep a Map of its cells.  The scheduler holds the dependencies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from launchers.flow.model import Flow, FlowJob
from launchers.flow.on_node import Shell, run_cell
from launchers.flow.schema import JobResources
from launchers.flow.script import render_script
from launchers.jobs.submission import Condition
from launchers.plan.plan import Plan
from launchers.plan.tree import Dag, Map, Pinned, RetryPolicy, Step
from launchers.requirement import Accelerator, Alternative, Requirement, parse
from launchers.slurm.args import time_limit_minutes
from launchers.slurm.gres import read_gres

PASSED_ON = ("partition", "nodelist", "account", "qos", "constraint", "gres", "mail_type", "mail_user")
"""The resources that are passed on unchanged."""
RETRY_DELAY = 60
"""Seconds before a failed job is tried again in its allocation, where the flow does not say."""


@frozen
class FlowLayout:
    """Which steps the jobs of a flow become.

    A `shared` job is one step for all cells.  Every other job is one Map if `mapped`, else a step for each cell.
    `left_out` has the jobs that do not run, each with the run folder that has its values, or None.
    """

    flow: Flow
    shared: frozenset[str]
    mapped: bool
    left_out: Mapping[str, Path | None] = field(factory=dict)

    def steps(self, name: str) -> list[str]:
        """The names of a job's steps."""
        if name in self.shared or self.mapped:
            return [name]
        return [f"{name}-{index}" for index in range(len(self.flow.cells))]

    def step(self, name: str, cell: int) -> tuple[str, int | None]:
        """The step of a job in a cell and, if that is a Map, the number of its item."""
        if name in self.shared:
            return name, None
        return (name, cell) if self.mapped else (f"{name}-{cell}", None)


def lay_out(flow: Flow, left_out: Mapping[str, Path | None] | None = None) -> FlowLayout:
    """Decide which steps the jobs become.

    A job runs once for all cells if it says so (`once`), or if it is the same in all cells and so are all jobs before.
    """
    shared: set[str] = set()
    for name, job in flow.jobs.items():
        same = all(_definition(cell.jobs[name]) == _definition(job) for cell in flow.cells)
        if job.spec.once or (same and all(parent in shared for parent, _ in job.waits)):
            shared.add(name)
    return FlowLayout(flow, frozenset(shared), _can_be_mapped(flow, shared), left_out or {})


def _can_be_mapped(flow: Flow, shared: Collection[str]) -> bool:
    """Whether the cells of every job ask for the same and wait, within their cell, only for success.

    An array has one set of resources, and Slurm's aftercorr, which makes each item wait for its own, is about success
    (docs/slurm-facts.md, Dependencies).
    """
    for name, job in flow.jobs.items():
        if name in shared:
            continue
        if any(job_need(cell.jobs[name]) != job_need(job) for cell in flow.cells):
            return False
        if any(parent not in shared and on not in ("ok", "each") for parent, on in job.waits):
            return False
    return True


def job_identities(flow: Flow) -> dict[str, str]:
    """For each job a hash of its definition in all cells, to tell whether the same job has run before.

    The run folder is not part of it: the flow must have been read without one.
    """
    return {
        name: hashlib.sha256("\n".join(_definition(cell.jobs[name]) for cell in flow.cells).encode()).hexdigest()
        for name in flow.jobs
    }


def _definition(job: FlowJob) -> str:
    """Everything that decides what a job does, as text."""
    parts = [render_script(job), str(job_need(job)), job.spec.inputs, job.spec.outputs, job.waits]
    return json.dumps(parts, default=str)


# -- what a job needs ------------------------------------------------------------------------------------------


def job_need(job: FlowJob) -> Requirement | Pinned:
    """What a job needs: its requirement, or what its amounts say, and the options that are passed on to sbatch."""
    resources = job.resources
    options: dict[str, Any] = {key: value for key in PASSED_ON if (value := getattr(resources, key)) is not None}
    tasks = resources.ntasks_per_node or 1
    if tasks > 1:
        options |= {"ntasks_per_node": tasks, "cpus_per_task": resources.cpus_per_task or 1}
    limit = resources.time_limit
    minutes = None if limit is None else time_limit_minutes(limit if isinstance(limit, int) else str(limit))
    duration = minutes * 60 if minutes else None
    if job.spec.needs is None:
        requirement = _requirement_of(resources, duration)
    else:
        requirement = parse(job.spec.needs)
        if duration:
            timed = (evolve(alternative, duration=duration) for alternative in requirement.alternatives)
            requirement = Requirement(tuple(timed))
    return Pinned(requirement, tuple(options.items())) if options else requirement


def _requirement_of(resources: JobResources, duration: int | None) -> Requirement:
    """The requirement that the amounts make; `duration` is in seconds.

    A job that asks for GPUs and for no CPUs gets the CPUs that the cluster gives with the GPUs.
    """
    tasks = resources.ntasks_per_node or 1
    gpus = resources.gpus_per_node or sum(gres.count for gres in read_gres(resources.gres or "") if gres.name == "gpu")
    states_cores = tasks > 1 or resources.cpus_per_task or not gpus
    alternative = Alternative(
        duration=duration,
        cpu_memory=resources.memory_per_node or 0,
        cores=tasks * (resources.cpus_per_task or 1) if states_cores else 0,
        accelerators=(Accelerator("gpu"),) * gpus,
        nodes=resources.nodes or 1,
    )
    return Requirement((alternative,))


# -- steps -----------------------------------------------------------------------------------------------------


def compile_plan(layout: FlowLayout, identities: Mapping[str, str]) -> Plan:
    """The plan of the jobs that run; `identities` are those of `job_identities`."""
    steps: list[Step] = []
    after: dict[str, dict[str, Condition]] = {}
    for name in layout.flow.jobs:
        if name in layout.left_out:
            continue
        for step in _steps_of(layout, name):
            step.identity = identities[name]
            step.srun = False
            steps.append(step)
            after[step.name] = _waits_of(layout, name, step.name)
    return Plan(layout.flow.name, Dag(*steps, after=after))


def _steps_of(layout: FlowLayout, name: str) -> list[Step]:
    """The steps of a job."""
    flow = layout.flow
    job = flow.jobs[name]
    shells = [_shell(layout, name, index) for index in range(len(flow.cells))]
    fail_fast = bool(flow.sweep and flow.sweep.fail_fast)
    if name in layout.shared:
        steps = [Step(name, job_need(job), shells[0])]
    elif layout.mapped:
        at_once = (flow.sweep.max_parallel if flow.sweep else None) or None
        steps = [Map(name, job_need(job), run_cell, shells, at_once=at_once, fail_fast=fail_fast)]
    else:
        needs = [job_need(cell.jobs[name]) for cell in flow.cells]
        steps = [Step(*parts) for parts in zip(layout.steps(name), needs, shells, strict=True)]
        for step in steps if fail_fast else ():
            step.rivals = tuple(other.name for other in steps if other is not step)
    if job.spec.escalate:
        for step in steps:
            step.retry = RetryPolicy(job.spec.retry or 1, job.spec.escalate)
    return steps


def _shell(layout: FlowLayout, name: str, cell: int) -> Shell:
    """What runs on the node for a job in a cell.  A job that escalates is tried again by a new submission instead."""
    job = layout.flow.cells[cell].jobs[name]
    parents = []
    for parent, _ in job.waits:
        earlier = layout.left_out.get(parent)
        has_values = parent not in layout.left_out or earlier is not None
        is_of_many = job.spec.once and parent not in layout.shared  # the values of which cell?
        if has_values and not is_of_many:
            parents.append((str(earlier or ""), *layout.step(parent, cell)))
    return Shell(
        render_script(job),
        tuple(parents),
        retry=0 if job.spec.escalate else job.spec.retry or 0,
        delay=RETRY_DELAY if job.spec.retry_delay is None else job.spec.retry_delay,
    )


def _waits_of(layout: FlowLayout, name: str, step: str) -> dict[str, Condition]:
    """What a step of a job waits for; in a sweep, the step of the same cell, of jobs that have one for each cell."""
    waits: dict[str, Condition] = {}
    is_shared = name in layout.shared
    is_of_one_cell = not is_shared and not layout.mapped
    cell = layout.steps(name).index(step) if is_of_one_cell else 0
    if is_of_one_cell:
        waits |= _turn_of(layout, name, cell)
    for parent, on in layout.flow.jobs[name].waits:
        if parent in layout.left_out:
            continue
        if on in ("ok", "each"):
            on = "each" if layout.mapped and not is_shared and parent not in layout.shared else "ok"
        steps = [layout.step(parent, cell)[0]] if is_of_one_cell else layout.steps(parent)
        waits |= dict.fromkeys(steps, on)
    return waits


def _turn_of(layout: FlowLayout, name: str, cell: int) -> dict[str, Condition]:
    """What a cell that is no array item waits for so that at most `max_parallel` cells run at once.

    The first jobs of a cell wait for all jobs of the cell that is `max_parallel` before it to end.
    """
    sweep = layout.flow.sweep
    if not sweep or not sweep.max_parallel or cell < sweep.max_parallel:
        return {}
    of_cells = [job for job in layout.flow.jobs if job not in layout.shared and job not in layout.left_out]
    if any(parent in of_cells for parent, _ in layout.flow.jobs[name].waits):
        return {}
    return {layout.step(job, cell - sweep.max_parallel)[0]: "any" for job in of_cells}
