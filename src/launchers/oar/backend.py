"""Plans on OAR: one oarsub a submission, one oarstat however many jobs there are, ids by name.

OAR's dependencies (-a) fire however the parent ended, so the node checks (runs/node.py); a parent that does not exist
is waited for for ever, so each is looked up first.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launchers.commands import CommandError, Connector, LocalConnector
from launchers.errors import UNREACHABLE, LauncherNotFoundError
from launchers.jobs.backend import (
    Backend,
    Element,
    JobAnswer,
    JobInfo,
    RefusedError,
    Resources,
    SubmissionRequest,
    last_lines,
)
from launchers.jobs.state import ENDED
from launchers.jobs.submission import PARENT_FAILED
from launchers.oar.args import OarArgs, environment_prefix, option_words
from launchers.oar.refusals import is_transient, refusal_of_oarsub, without_noise
from launchers.oar.render import render
from launchers.oar.states import OarJob, arrays_condition, find_jobs, latest_jobs

if TYPE_CHECKING:
    from submitit import Executor

    from launchers.matching import Selection

TIMEOUT = 60.0
LONGEST_NAME = 100
"""The most letters of a job's name: the database refuses more."""
FILE = re.compile(r"[a-zA-Z0-9_./%\\ -]+", re.ASCII)
"""The names that oarsub takes for a job's output: what OAR and the shell say there, as a step has files of its own."""
SCRIPT_OUTPUT = "oar-%A_%a.out"
"""Where a script of the run folder writes, in sbatch's words: OAR's own names know nothing of arrays."""
WARNING = 90
"""Seconds before its walltime at which a job that can go on from a checkpoint is told, as submitit has it on Slurm."""


class OarBackend(Backend):
    """OAR.  See `launchers.jobs.backend.Backend` for the contract."""

    title = "OAR"
    submit_command = "oarsub"
    commands = ("oarsub", "oarstat")
    unsupported_conditions = frozenset({"started"})
    supports_array_limit = False

    def render(self, selection: Selection) -> OarArgs:
        """The arguments of oarsub for a selection."""
        return render(selection)

    # -- functions, one by one

    def executor(
        self, folder: Path, resources: Resources, *, name: str = "", token: str = "", early_signal: bool = True
    ) -> Executor:
        """The executor of submitit-oar.  Raises LauncherNotFoundError where that is not installed."""
        try:
            from launchers.oar.executor import PatchedOarExecutor
        except ImportError as error:
            message = (
                f"functions go to OAR through submitit-oar, which is not installed ({error}): "
                "pip install 'launchers[oar]'"
            )
            raise LauncherNotFoundError(message, UNREACHABLE) from error
        executor = PatchedOarExecutor(folder)
        executor.update_parameters(**{**resources.submitit(), **({"n": name} if name else {})})
        return executor

    def submit_function(
        self, executor: Executor, resources: Resources, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Submit a call by oarsub."""
        from submitit.core.utils import FailedJobError

        try:
            return executor.submit(function, *args, **kwargs)
        except FailedJobError as error:
            raise _refused(without_noise(str(error))) from error

    # -- plans

    def largest_array(self) -> int:
        """OAR has no limit of its own; every job is a row of several tables, so arrays are kept small."""
        return 1000

    def barrier_parameters(self, first: Mapping[str, Any]) -> dict[str, Any] | None:
        """The resources that every OAR gives who asks for none."""
        types = [kind for kind in first["additional_parameters"].get("t", ()) if kind == "besteffort"]
        options = {"l": "walltime=0:1:0", **({"t": types} if types else {})}
        return {"queue": first.get("queue"), "timeout_min": 1, "additional_parameters": options}

    def checkpoint_parameters(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """OAR submits again by itself only what is idempotent, and tells only jobs that ask for it."""
        options = dict(parameters["additional_parameters"])
        options["t"] = list(dict.fromkeys([*options.get("t", ()), "idempotent"]))
        return {**parameters, "additional_parameters": {**options, "checkpoint": str(WARNING), "signal": "12"}}

    def render_script(self, request: SubmissionRequest) -> str:
        """The options, as ``oarsub -S`` reads them, and the command."""
        arguments = _flags(request, [f"{wait.kind}:{wait.on[0]}" for wait in request.waits])
        lines = [f"#OAR {flag} {value}" for flag, value in zip(arguments[::2], arguments[1::2], strict=True)]
        return "\n".join(["#!/bin/sh", *lines, _command(request), ""])

    def send(self, requests: Sequence[SubmissionRequest]) -> list[str]:
        """Run oarsub once.  Raises RefusedError, also for a parent that does not exist."""
        (request,) = requests
        if request.submission.script:
            return [_send_script(request)]
        for folder in (request.folder, request.run / "oar"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [_oarsub([*_flags(request, _parents(request)), _command(request)])]

    def find_token(self, token: str, since: float) -> str | None:
        """The id of the job that carries a token in its name."""
        found = find_jobs(LocalConnector(), f"job_name LIKE '%.{token}'")
        return str(found[0].array) if found else None

    def states(
        self, run: Path, jobs: Mapping[str, str], elements: Collection[Element] = (), *, usage: bool = False
    ) -> JobAnswer:
        """What oarstat knows; nothing where OAR does not answer.  OAR does not tell what a job used."""
        return JobAnswer(job_infos(LocalConnector(), jobs))

    def cancel(self, run: Path, elements: Iterable[Element], tokens: Mapping[str, str]) -> None:
        """One oardel for all of them, under the ids that the jobs have now."""
        wanted = set(elements)
        known = latest_jobs(find_jobs(LocalConnector(), arrays_condition(job for job, _ in wanted)))
        ids = [
            str(job.id)
            for (array, index), job in known.items()
            if job.state not in ENDED and ({(str(array), None), (str(array), index)} & wanted)
        ]
        if ids:
            LocalConnector().run(("oardel", *ids), timeout=TIMEOUT)

    def output_patterns(self, request: SubmissionRequest, script: str) -> list[str]:
        """The files of a script of ours."""
        return [SCRIPT_OUTPUT]


def _refused(text: str) -> RefusedError:
    """What oarsub printed, as an error."""
    return RefusedError(last_lines(text), refusal_of_oarsub(text), transient=is_transient(text))


def _unreachable(error: CommandError) -> RefusedError:
    """A command of OAR that gave no answer."""
    return RefusedError([f"Cannot connect: {error}"], transient=True)


def _send_script(request: SubmissionRequest) -> str:
    """Submit a file of the run folder, from `cwd`.

    oarsub reads files through a shell, so it is told no names but ours.
    """
    cwd = str((request.run / "cwd").absolute())
    options: dict[str, str | list[str]] = {"n": _name(request), "a": _parents(request), "d": cwd}
    tasks = "".join(f"{number}\n" for _, number in request.submission.members)
    if tasks != (request.run / "oar" / "tasks").read_text():  # only some of those that the file names
        some = request.run / "oar" / f"tasks.{request.submission.name}"
        some.write_text(tasks)
        options["array-param-file"] = f"../oar/{some.name}"
    return _oarsub(["-S", *option_words(options), f"../{request.submission.script}"], cwd)


def _oarsub(argv: Sequence[str], cwd: str | None = None) -> str:
    """The id of what is submitted, of an array its first job's; raises RefusedError."""
    try:
        outcome = LocalConnector().run(("oarsub", *argv), timeout=TIMEOUT, cwd=cwd)
    except CommandError as error:
        raise _unreachable(error) from error
    found = re.search(r"^OAR_JOB_ID=([0-9]+)$", outcome.stdout, re.M)
    if outcome.status or not found:
        raise _refused(
            without_noise(outcome.stderr).strip() or outcome.stdout.strip() or f"exit status {outcome.status}"
        )
    return found[1]


def _parents(request: SubmissionRequest) -> list[str]:
    """The ids that the jobs waited for have now."""
    if not request.waits:
        return []
    try:
        known = latest_jobs(find_jobs(LocalConnector(), arrays_condition(wait.on[0] for wait in request.waits)))
    except CommandError as error:
        raise _unreachable(error) from error
    found: dict[str, None] = {}
    for wait in request.waits:
        array, index = wait.on
        mine = [one for (of, at), one in known.items() if of == int(array) and index in (None, at)]
        if not mine:
            raise RefusedError([f"it waits for job {array}, which OAR does not know: it would wait for ever"])
        found.update(dict.fromkeys(str(one.id) for one in mine))
    return list(found)


def _name(request: SubmissionRequest) -> str:
    """What the job is called, by which it is found."""
    token = request.submission.token
    return f"{request.plan}.{request.submission.name}"[: LONGEST_NAME - len(token) - 1] + f".{token}"


def _flags(request: SubmissionRequest, parents: Sequence[str]) -> list[str]:
    submission, own = request.submission, str(request.run.absolute() / "oar" / "%jobid%")
    told = dict(submission.parameters)
    options: dict[str, str | list[str]] = dict(told.get("additional_parameters") or {})
    if told.get("queue"):
        options["q"] = told["queue"]
    options |= {"n": _name(request), "a": list(parents)}
    options["d"] = request.cwd  # else oarsub believes $PWD, which os.chdir leaves as it was
    if not FILE.fullmatch(own):
        own = "/dev/null"
    options |= {"O": own, "E": own}
    if submission.array:
        options["array"] = str(len(submission.members))
    return option_words({key: value for key, value in options.items() if value})


def _command(request: SubmissionRequest) -> str:
    """What runs on the node, for its user's shell."""
    python = (sys.executable, "-u", "-m", "launchers.runs.node", str(request.run.absolute()), request.submission.name)
    return shlex.join([*environment_prefix(os.environ), "SUBMITIT_EXECUTOR=launchersoar", *python])


# -- asking ----------------------------------------------------------------------------------------------------


def job_infos(connector: Connector, ids: Iterable[str]) -> dict[Element, JobInfo]:
    """What oarstat knows of these jobs and all their elements; nothing where OAR does not answer."""
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
