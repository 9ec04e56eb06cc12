"""Plans on OAR: one oarsub a submission, one oarstat however many jobs there are, ids by name.

OAR's dependencies (-a) fire however the parent ended, so the node checks (plan/node.py); a parent that does not exist
is waited for for ever, so each is looked up first.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from launchers.commands import CommandError, Connector, LocalConnector
from launchers.jobs.backend import Element, JobInfo, Submission
from launchers.jobs.reach import need_commands
from launchers.jobs.state import ENDED
from launchers.jobs.submission import PARENT_FAILED
from launchers.oar.args import environment_prefix, option_words
from launchers.oar.refusals import refusal_of_oarsub, without_noise
from launchers.oar.states import OarJob, arrays_condition, find_jobs, latest_jobs
from launchers.offer.model import Group

submit_command = "oarsub"
cannot = frozenset({"started"})
bounds_arrays = False
TIMEOUT = 60.0
NAME = 100
"""The most letters of a job's name: the database refuses more."""
FILE = re.compile(r"[a-zA-Z0-9_./%\\ -]+", re.ASCII)
"""The names that oarsub takes for a job's output: what OAR and the shell say there, as a step has files of its own."""
SCRIPT_OUTPUT = "oar-%A_%a.out"
"""Where a script of the run folder writes, in sbatch's words: OAR's own names know nothing of arrays."""
WARNING = 90
"""Seconds before its walltime at which a job that can go on from a checkpoint is told, as submitit has it on Slurm."""
TRANSIENT = re.compile(
    r"could not connect|connection to server|server closed the connection|too many (clients|connections)|"
    r"Cannot connect|deadlock detected|Lost connection",
    re.I,
)
"""What oarsub says when asking again is worth it.  With the server away it says that the job is killed, with status 9:
the job is there all the same, and runs when the server is back, so its token is found (OAR 2.5.9)."""


def reach(group: Group) -> None:
    """See Batch."""
    need_commands(group)


def array_size() -> int:
    """OAR has no limit of its own; every job is a row of several tables, so arrays are kept small."""
    return 1000


def barrier(first: Mapping[str, Any]) -> dict[str, Any] | None:
    """The resources that every OAR gives who asks for none."""
    types = [one for one in first["additional_parameters"].get("t", ()) if one == "besteffort"]
    options = {"l": "walltime=0:1:0", **({"t": types} if types else {})}
    return {"queue": first.get("queue"), "timeout_min": 1, "additional_parameters": options}


def checkpointing(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """OAR submits again by itself only what is idempotent, and tells only jobs that ask for it."""
    options = dict(parameters["additional_parameters"])
    options["t"] = list(dict.fromkeys([*options.get("t", ()), "idempotent"]))
    return {**parameters, "additional_parameters": {**options, "checkpoint": str(WARNING), "signal": "12"}}


# -- submitting ------------------------------------------------------------------------------------------------


def text(job: Submission) -> str:
    """The options, as ``oarsub -S`` reads them, and the command."""
    words = _flags(job, [f"{wait.kind}:{wait.on[0]}" for wait in job.waits])
    lines = [f"#OAR {flag} {value}" for flag, value in zip(words[::2], words[1::2], strict=True)]
    return "\n".join(["#!/bin/sh", *lines, _command(job), ""])


def send(job: Submission) -> str:
    """See Batch.  Raises FailedJobError also for a parent that does not exist."""
    if job.unit.script:
        return _send_script(job)
    for folder in (job.folder, job.run / "oar"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _oarsub([*_flags(job, _parents(job)), _command(job)])


def _send_script(job: Submission) -> str:
    """Submit a file of the run folder, from `cwd`.

    oarsub reads files through a shell, so it is told no names but ours.
    """
    cwd = str((job.run / "cwd").absolute())
    options: dict[str, str | list[str]] = {"n": _name(job), "a": _parents(job), "d": cwd}
    tasks = "".join(f"{number}\n" for _, number in job.unit.members)
    if tasks != (job.run / "oar" / "tasks").read_text():  # only some of those that the file names
        some = job.run / "oar" / f"tasks.{job.unit.name}"
        some.write_text(tasks)
        options["array-param-file"] = f"../oar/{some.name}"
    return _oarsub(["-S", *option_words(options), f"../{job.unit.script}"], cwd)


def _oarsub(argv: Sequence[str], cwd: str | None = None) -> str:
    """The id of what is submitted, of an array its first job's; raises FailedJobError."""
    from submitit.core.utils import FailedJobError

    try:
        outcome = LocalConnector().run(("oarsub", *argv), timeout=TIMEOUT, cwd=cwd)
    except CommandError as error:
        raise FailedJobError(f"Cannot connect: {error}") from error
    found = re.search(r"^OAR_JOB_ID=([0-9]+)$", outcome.stdout, re.M)
    if outcome.status or not found:
        raise FailedJobError(
            without_noise(outcome.stderr).strip() or outcome.stdout.strip() or f"exit status {outcome.status}"
        )
    return found[1]


def _parents(job: Submission) -> list[str]:
    """The ids that the jobs waited for have now."""
    from submitit.core.utils import FailedJobError

    if not job.waits:
        return []
    try:
        known = latest_jobs(find_jobs(LocalConnector(), arrays_condition(wait.on[0] for wait in job.waits)))
    except CommandError as error:
        raise FailedJobError(f"Cannot connect: {error}") from error
    found: dict[str, None] = {}
    for wait in job.waits:
        array, index = wait.on
        mine = [one for (of, at), one in known.items() if of == int(array) and index in (None, at)]
        if not mine:
            raise FailedJobError(f"it waits for job {array}, which OAR does not know: it would wait for ever")
        found.update(dict.fromkeys(str(one.id) for one in mine))
    return list(found)


def _name(job: Submission) -> str:
    """What the job is called, by which it is found."""
    token = job.unit.token
    return f"{job.plan}.{job.unit.name}"[: NAME - len(token) - 1] + f".{token}"


def _flags(job: Submission, parents: Sequence[str]) -> list[str]:
    unit, own = job.unit, str(job.run.absolute() / "oar" / "%jobid%")
    told = dict(unit.parameters or {})
    options: dict[str, str | list[str]] = dict(told.get("additional_parameters") or {})
    if told.get("queue"):
        options["q"] = told["queue"]
    options |= {"n": _name(job), "a": list(parents)}
    options["d"] = job.cwd  # else oarsub believes $PWD, which os.chdir leaves as it was
    if not FILE.fullmatch(own):
        own = "/dev/null"
    options |= {"O": own, "E": own}
    if unit.array:
        options["array"] = str(len(unit.members))
    return option_words({key: value for key, value in options.items() if value})


def _command(job: Submission) -> str:
    """What runs on the node, for its user's shell."""
    python = (sys.executable, "-u", "-m", "launchers.runs.node", str(job.run.absolute()), job.unit.name)
    return shlex.join([*environment_prefix(os.environ), "SUBMITIT_EXECUTOR=launchersoar", *python])


def outputs(script: str) -> list[str]:
    """See Batch."""
    return [SCRIPT_OUTPUT]


def transient(said: str) -> bool:
    """See Batch."""
    return TRANSIENT.search(said) is not None


def reason_code(said: str) -> str:
    """See Batch."""
    return refusal_of_oarsub(said)


def cancel(connector: Connector, elements: Iterable[Element]) -> None:
    """See Batch; the ids are those that the jobs have now."""
    wanted = set(elements)
    known = latest_jobs(find_jobs(connector, arrays_condition(job for job, _ in wanted)))
    ids = [
        str(one.id)
        for (array, index), one in known.items()
        if one.state not in ENDED and ({(str(array), None), (str(array), index)} & wanted)
    ]
    if ids:
        connector.run(("oardel", *ids), timeout=TIMEOUT)


# -- asking ----------------------------------------------------------------------------------------------------


def states(
    connector: Connector, ids: Iterable[str], elements: Collection[Element] = (), *, usage: bool = False
) -> dict[Element, JobInfo]:
    """See Batch; nothing where OAR does not answer.  OAR does not tell what a job used."""
    wanted = set(ids)
    try:
        known = latest_jobs(find_jobs(connector, arrays_condition(wanted))) if wanted else {}
    except CommandError:
        return {}  # the run folder says what is known then
    found: dict[Element, JobInfo] = {}
    alone = {array for array, index in known} - {array for array, index in known if index}
    for (array, index), job in known.items():
        found[str(array), None if array in alone else index] = _info(job)
        if array in alone:  # an array of one is asked about as either
            found[str(array), index] = _info(job)
    return found


def _info(job: OarJob) -> JobInfo:
    state, reason = job.state, job.reason
    if job.exit == PARENT_FAILED:
        state, reason = "CANCELLED", "parent failed"
    seconds = (job.stop or time.time()) - job.start if job.start else None
    return JobInfo(
        state=state,
        reason=reason,
        nodes=",".join(job.hosts),
        elapsed="" if seconds is None else f"{seconds:.0f} s",
        exit="" if job.exit is None else str(job.exit),
        partition=job.queue,
        submitted=job.submitted or None,
        started=job.start or None,
        ended=job.stop or None,
        job=str(job.id),
    )


def find_token(connector: Connector, token: str, since: float) -> str | None:
    """See Batch."""
    found = find_jobs(connector, f"job_name LIKE '%.{token}'")
    return str(found[0].array) if found else None
