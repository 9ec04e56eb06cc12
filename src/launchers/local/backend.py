"""Plans on this machine: a table of jobs in the run folder, and a scheduler process of ours that works on it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve

from launchers.files.atomic import write_atomically
from launchers.jobs.backend import Backend, Element, JobAnswer, JobInfo, Resources, SubmissionRequest
from launchers.jobs.state import ENDED
from launchers.jobs.usage import Usage
from launchers.local import control
from launchers.local.args import LocalArgs, empty_job, read_args, render
from launchers.local.jobs import LocalJob, read_table, submitit_variables, write_table
from launchers.local.journal import PENDING, RUNNING, Status, read_statuses
from launchers.local.ledger import ledger_folders

if TYPE_CHECKING:
    from submitit import Executor

    from launchers.matching import Selection

SRUN = r"""#!/bin/sh
# Stands for srun where there is no Slurm: run the command behind the options, once.
while [ $# -gt 0 ]; do
    case $1 in
        -[ABCcDdeGiJKLMmNnopqrSTtWwx]) shift; [ $# -gt 0 ] && shift ;;
        -*) shift ;;
        *) break ;;
    esac
done
exec "$@"
"""
AFTER = {"afterok": "ok", "aftercorr": "ok", "afterany": "any", "after": "started"}
"""The types of dependency in the words of the table; afternotok is told apart step by step."""


class LocalBackend(Backend):
    """This machine's own scheduler.  See `launchers.jobs.backend.Backend` for the contract.

    The id of a job is ``ATTEMPT/SUBMISSION``, its place under the folder `local` of the run.
    """

    title = "this machine"
    submit_command = "launchers"
    supports_arrays = False
    sends_attempts_whole = True
    forgets_jobs = False
    grace = 0.0
    poll_interval = 0.1

    def render(self, selection: Selection) -> LocalArgs:
        """The resources of one job."""
        return render(selection)

    def time_limit(self, selection: Selection) -> int | None:
        """The duration that was asked for, to the second."""
        return selection.alternative.duration

    def executor(
        self, folder: Path, resources: Resources, *, name: str = "", token: str = "", early_signal: bool = True
    ) -> Executor:
        """A submitit executor whose jobs run under this machine's scheduler."""
        from launchers.local.executor import LocalExecutor

        assert isinstance(resources, LocalArgs)
        template = evolve(empty_job(resources), name=name)
        return LocalExecutor(folder, template, resources.capacity)

    def submit_function(
        self, executor: Executor, resources: Resources, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Submit a call; raises ValueError for what could never run here."""
        return executor.submit(function, *args, **kwargs)

    def largest_array(self) -> int:
        """One: every job is a submission of its own."""
        return 1

    def render_script(self, request: SubmissionRequest) -> str:
        """Nothing: a job of this machine has no script."""
        return ""

    def prepare(self, requests: Sequence[SubmissionRequest]) -> None:
        """Write the table of an attempt.  Raises LedgerError where no job could start."""
        ledger_folders()
        first = requests[0]
        capacity = read_args(first.submission.parameters).capacity
        tokens = dict(capacity.tokens)
        if first.jobs is not None:
            tokens[first.run_id] = first.jobs
        for request in requests:
            if request.submission.at_once:
                tokens[_token(request)] = request.submission.at_once
        if first.submission.script:
            commands = _commands(first)
            commands.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(commands / "srun", SRUN, mode=0o700)
        here = {request.submission.name for request in requests}
        jobs = [_job(request, here) for request in requests]
        write_table(_folder(first), evolve(capacity, tokens=tuple(tokens.items())), jobs)

    def send(self, requests: Sequence[SubmissionRequest]) -> list[str]:
        """Start the scheduler of an attempt, unless it is there."""
        control.start_scheduler(_folder(requests[0]))
        return [f"{request.submission.attempt}/{request.submission.name}" for request in requests]

    def revive(self, run: Path, jobs: Iterable[str]) -> str:
        """Start schedulers again that have ended before their jobs, one that dies at once later and later.

        It costs little where nothing has to be done: whoever waits calls it before each look.  Raises RunError where
        files are missing or cannot be read, and where a scheduler has died at once too often.
        """
        troubles = ""
        for folder in _folders(run, jobs):
            control.revive_scheduler(folder)
            trouble, is_alone = control.why_nothing_moves(folder, run)
            troubles = troubles or ("" if is_alone else trouble)  # one that was alone has just been started
        return troubles

    def find_token(self, token: str, since: float) -> str | None:
        """None: to send an attempt again does no harm, so nothing needs to be found."""
        return None

    def states(
        self, run: Path, jobs: Mapping[str, str], elements: Collection[Element] = (), *, usage: bool = False
    ) -> JobAnswer:
        """What the journals of the schedulers say.  Raises RunError where they cannot be read.

        It starts nothing: where a scheduler has gone, the reason of its jobs says so (see `revive`).
        """
        numbers = dict(elements)
        infos: dict[Element, JobInfo] = {}
        for folder in _folders(run, jobs):
            statuses = read_statuses(folder)
            names = [job.partition("/")[2] for job in jobs if job.startswith(f"{folder.name}/")]
            trouble, is_alone = "", False
            if any(statuses.get(name, Status()).state not in ENDED for name in names):
                trouble, is_alone = control.why_nothing_moves(folder, run)
            if is_alone:
                control.check_readable(folder)
            table = read_table(folder)[1] if usage else {}
            for name in names:
                id = f"{folder.name}/{name}"
                info = _info(name, statuses.get(name, Status()), table.get(name))
                if info.state == PENDING or (info.state == RUNNING and is_alone):
                    info = evolve(info, reason=trouble or info.reason)
                infos[id, numbers.get(id)] = info
        return JobAnswer(infos)

    def cancel(self, run: Path, elements: Iterable[Element], tokens: Mapping[str, str]) -> None:
        """Cancel jobs, attempt by attempt."""
        jobs = [job for job, _ in elements]
        for folder in _folders(run, jobs):
            control.cancel_jobs(folder, [job.partition("/")[2] for job in jobs if job.startswith(f"{folder.name}/")])

    def output_patterns(self, request: SubmissionRequest, script: str) -> list[str]:
        """One file for each item, with the attempt behind its number after the first."""
        return [_log_name(request, "%a")]


def _folder(request: SubmissionRequest) -> Path:
    return request.run / "local" / str(request.submission.attempt)


def _folders(run: Path, jobs: Iterable[str]) -> list[Path]:
    """The folders of the attempts that have these jobs, earlier attempts first."""
    attempts = {int(job.partition("/")[0]) for job in jobs}
    return [run / "local" / str(attempt) for attempt in sorted(attempts)]


def _token(request: SubmissionRequest) -> str:
    """The name of what bounds how many jobs of a step run at once."""
    return f"{request.run_id} {request.submission.members[0][0]}"


def _job(request: SubmissionRequest, here: Collection[str]) -> LocalJob:
    """A submission as a row of the table of its attempt, which has the submissions `here`."""
    template = empty_job(read_args(request.submission.parameters))
    tokens = dict(template.tokens)
    if request.jobs is not None:
        tokens[request.run_id] = 1
    if request.submission.at_once:
        tokens[_token(request)] = 1
    name = request.submission.name
    job = evolve(template, id=name, name=name, tokens=tuple(tokens.items()), after=_after(request, here))
    return _script_job(request, job) if request.submission.script else _step_job(request, job)


def _after(request: SubmissionRequest, here: Collection[str]) -> tuple[tuple[str, str], ...]:
    """What a job waits for: jobs of its attempt by name, those of earlier ones and other runs by path.

    Steps that have to fail are waited for one by one: of the jobs of each, one failure is enough.
    """
    after: list[tuple[str, str]] = []
    failing: dict[str, list[str]] = {}
    for parent in request.submission.parents:
        before = request.submissions[parent.submission]
        where = before.name if before.name in here else str(request.run / "local" / f"{before.attempt}" / before.name)
        if parent.kind == "afternotok":
            failing.setdefault(before.members[0][0], []).append(where)
        else:
            after.append((AFTER[parent.kind], where))
    after += [("notok", "\n".join(names)) for names in failing.values()]
    after += [("ok", str(Path(run) / "local")) for run in request.submission.after]
    return tuple(after)


def _step_job(request: SubmissionRequest, job: LocalJob) -> LocalJob:
    """A job that calls the function of its step, as submitit's local jobs do."""
    name, folder = request.submission.name, request.folder
    return evolve(
        job,
        argv=(sys.executable, "-u", "-m", "launchers.runs.node", str(request.run), name),
        cwd=request.cwd,
        stdout=str(folder / f"{name}_0_log.out"),
        stderr=str(folder / f"{name}_0_log.err"),
        env=tuple(submitit_variables(name).items()),
    )


def _script_job(request: SubmissionRequest, job: LocalJob) -> LocalJob:
    """A job that runs a script of the run folder, with Slurm's variables and an srun that needs no Slurm."""
    submission = request.submission
    ((_, number),) = submission.members
    id = f"{request.run_id}_{number}"
    env = {
        "PATH": f"{_commands(request)}:{os.environ.get('PATH', os.defpath)}",
        "SLURM_ARRAY_TASK_ID": str(number),
        "SLURM_ARRAY_TASK_COUNT": str(request.count),
        "SLURM_ARRAY_TASK_MIN": "0",
        "SLURM_ARRAY_TASK_MAX": str(request.count - 1),
        "SLURM_ARRAY_JOB_ID": request.run_id,
        "SLURM_JOB_ID": id,
        "SLURM_JOB_NAME": request.plan,
        "SLURM_CPUS_PER_TASK": str(job.cores),
        "SLURM_SUBMIT_DIR": str(request.script_folder),
    }
    log = str(request.script_folder / _log_name(request, str(number)))
    argv = (*request.gate, str(number), id, str(request.script))
    cwd = str(request.script_folder)
    return evolve(job, argv=argv, cwd=cwd, stdout=log, stderr=log, env=tuple(env.items()))


def _commands(request: SubmissionRequest) -> Path:
    """The folder of the commands of Slurm that a script finds here."""
    return _folder(request) / "bin"


def _log_name(request: SubmissionRequest, item: str) -> str:
    attempt = request.submission.attempt
    return f"slurm-{request.run_id}_{item}{'' if attempt == 1 else f'~{attempt}'}.out"


def _info(name: str, status: Status, job: LocalJob | None) -> JobInfo:
    seconds = _seconds(status)
    ended = status.ended
    if ended is not None and status.started is not None and status.seconds is not None:
        ended = status.started + status.seconds  # the clock may have been set in the meantime
    return JobInfo(
        state=status.state,
        reason=status.reason,
        elapsed="" if seconds is None else f"{seconds:.0f} s",
        exit="" if status.exit is None else str(status.exit),
        started=status.started,
        ended=ended,
        usage=_usage(job, status) if job else None,
        job=name,
    )


def _seconds(status: Status) -> float | None:
    """For how long a job has run: measured, or as nearly as the clock can tell."""
    if status.started is None or status.seconds is not None:
        return status.seconds
    if status.process is not None and status.process.is_of_here():
        return status.process.age()
    return max(0.0, (status.ended or time.time()) - status.started)


def _usage(job: LocalJob, status: Status) -> Usage:
    return Usage(
        cores=job.cores,
        memory=job.memory or None,
        gpus=len(job.wanted),
        limit=job.time_limit,
        reserved=job.cores,
        peak=status.memory,
        cpu=status.cpu,
    )
