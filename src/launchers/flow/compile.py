"""A flow as a Plan: a job is a Step, in a sweep a Map of its cells, and the scheduler holds the dependencies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from launchers.flow.model import Flow, Job
from launchers.flow.on_node import Shell, call
from launchers.flow.script import script
from launchers.plan.plan import Plan
from launchers.plan.tree import Again, Dag, Map, On, Pinned, Step
from launchers.requirement import Accelerator, Alternative, Requirement, parse
from launchers.slurm.args import time_limit_minutes
from launchers.slurm.gres import read_gres

PASSED = ("partition", "nodelist", "account", "qos", "constraint", "gres", "mail_type", "mail_user")
"""Resources that are not amounts: they are passed as they stand."""


@frozen
class Layout:
    """How the jobs of a flow become steps.

    `shared` jobs run once for all cells; the others are one Map each if `mapped`, else a step for each cell.  `left`
    are the jobs that are not run, with the run folder that has what they hand on, if any.
    """

    flow: Flow
    shared: frozenset[str]
    mapped: bool
    left: Mapping[str, Path | None] = field(factory=dict)

    def steps(self, name: str) -> list[str]:
        """The names of the steps of a job."""
        if name in self.shared or self.mapped:
            return [name]
        return [f"{name}-{index}" for index in range(len(self.flow.cells))]

    def step(self, name: str, cell: int) -> tuple[str, int | None]:
        """The step of a job in a cell, and which item of it."""
        if name in self.shared:
            return name, None
        return (name, cell) if self.mapped else (f"{name}-{cell}", None)


def layout(flow: Flow, left: Mapping[str, Path | None] | None = None) -> Layout:
    """Jobs that are the same in every cell, after jobs of which that is true, run once; and so do those that say so."""
    shared: set[str] = set()
    for name, job in flow.jobs.items():
        alike = all(_made_of(cell.jobs[name]) == _made_of(job) for cell in flow.cells)
        if job.spec.once or (alike and all(parent in shared for parent, _ in job.waits)):
            shared.add(name)
    return Layout(flow, frozenset(shared), _mapped(flow, shared), left or {})


def _mapped(flow: Flow, shared: Collection[str]) -> bool:
    """Whether every job of a cell asks the same in all cells and waits, within its cell, only for success."""
    for name, job in flow.jobs.items():
        if name in shared:
            continue
        if any(need(cell.jobs[name]) != need(job) for cell in flow.cells):
            return False
        if any(parent not in shared and on not in ("ok", "each") for parent, on in job.waits):
            return False
    return True


def _made_of(job: Job) -> str:
    """What a job is made of, as text."""
    return json.dumps([script(job), str(need(job)), job.spec.inputs, job.spec.outputs, job.waits], default=str)


def identities(flow: Flow) -> dict[str, str]:
    """Per job what it is made of in all its cells, to tell whether it was done before; the run folder is not part."""
    return {
        name: hashlib.sha256("\n".join(_made_of(cell.jobs[name]) for cell in flow.cells).encode()).hexdigest()
        for name in flow.jobs
    }


def need(job: Job) -> Requirement | Pinned | None:
    """What a job needs: its requirement or what its amounts say, with what Slurm is told beside it."""
    asked = job.resources
    tasks = asked.ntasks_per_node or 1
    options: dict[str, Any] = {name: value for name in PASSED if (value := getattr(asked, name)) is not None}
    if tasks > 1:
        options |= {"ntasks_per_node": tasks, "cpus_per_task": asked.cpus_per_task or 1}
    limit = asked.time_limit
    time = time_limit_minutes(limit if isinstance(limit, int) else str(limit)) if limit is not None else None
    if job.spec.needs is not None:
        requirement = parse(job.spec.needs)
        if time:
            requirement = Requirement(tuple(evolve(one, duration=time * 60) for one in requirement.alternatives))
    else:
        devices = asked.gpus_per_node or sum(one.count for one in read_gres(asked.gres or "") if one.name == "gpu")
        one = Alternative(
            duration=time * 60 if time else None,
            cpu_memory=asked.memory_per_node or 0,
            cores=tasks * (asked.cpus_per_task or 1) if tasks > 1 or asked.cpus_per_task or not devices else 0,
            accelerators=(Accelerator("gpu"),) * devices,
            nodes=asked.nodes or 1,
        )
        requirement = Requirement((one,))
    return Pinned(requirement, tuple(options.items())) if options else requirement


def plan_of(laid: Layout, identity: Mapping[str, str]) -> Plan:
    """The plan of a flow whose `run` is known."""
    steps: list[Step] = []
    after: dict[str, dict[str, On]] = {}
    for name in laid.flow.jobs:
        if name in laid.left:
            continue
        for step in _steps(laid, name):
            step.identity = identity[name]
            step.srun = False
            steps.append(step)
            after[step.name] = _after(laid, name, step.name)
    return Plan(laid.flow.name, Dag(*steps, after=after))


def _steps(laid: Layout, name: str) -> list[Step]:
    flow = laid.flow
    spec = flow.jobs[name].spec
    shells = [_shell(laid, name, index) for index in range(len(flow.cells))]
    if name in laid.shared:
        found: list[Step] = [Step(name, need(flow.jobs[name]), shells[0])]
    elif laid.mapped:
        sweep = flow.sweep
        at_once, fail_fast = (sweep.max_parallel or None, bool(sweep.fail_fast)) if sweep else (None, False)
        found = [Map(name, need(flow.jobs[name]), call, shells, at_once=at_once, fail_fast=fail_fast)]
    else:
        found = [
            Step(step, need(cell.jobs[name]), shell)
            for step, cell, shell in zip(laid.steps(name), flow.cells, shells, strict=True)
        ]
        if flow.sweep and flow.sweep.fail_fast:
            for step in found:
                step.rivals = tuple(one.name for one in found if one is not step)
    if spec.escalate:
        for step in found:
            step.again = Again(spec.retry or 1, spec.escalate)
    return found


def _shell(laid: Layout, name: str, cell: int) -> Shell:
    job = laid.flow.cells[cell].jobs[name]
    parents = []
    for parent, _ in job.waits:
        old = laid.left.get(parent)
        if (parent not in laid.left or old is not None) and not (job.spec.once and parent not in laid.shared):
            parents.append((str(old or ""), *laid.step(parent, cell)))
    retry = 0 if job.spec.escalate else job.spec.retry or 0
    delay = 60 if job.spec.retry_delay is None else job.spec.retry_delay
    return Shell(script(job), tuple(parents), retry, delay)


def _after(laid: Layout, name: str, step: str) -> dict[str, On]:
    """What a step of a job waits for: in a sweep the same cell of a job that has cells."""
    found: dict[str, On] = {}
    single = name in laid.shared
    apart = not single and not laid.mapped
    cell = laid.steps(name).index(step) if apart else 0
    if apart and laid.flow.sweep and laid.flow.sweep.max_parallel:
        found |= _turn(laid, name, cell - laid.flow.sweep.max_parallel)
    for parent, on in laid.flow.jobs[name].waits:
        if parent in laid.left:
            continue
        own: On = "ok" if on == "each" else on
        if own == "ok" and laid.mapped and not single and parent not in laid.shared:
            own = "each"
        theirs = [laid.step(parent, cell)[0]] if apart else laid.steps(parent)
        found |= dict.fromkeys(theirs, own)
    return found


def _turn(laid: Layout, name: str, before: int) -> dict[str, On]:
    """What the first jobs of a cell wait for where not all cells may run at once: the end of an earlier cell."""
    own = [one for one in laid.flow.jobs if one not in laid.shared and one not in laid.left]
    if before < 0 or any(parent in own for parent, _ in laid.flow.jobs[name].waits):
        return {}
    return {laid.step(one, before)[0]: "any" for one in own}
