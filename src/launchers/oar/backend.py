"""Plans on OAR: one oarsub a submission, one oarstat however many jobs there are, ids by name.

OAR's dependencies (-a) fire however the parent ended, so the node checks (runs/node.py); a parent that does not exist
is waited for for ever, so each is looked up first.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launchers.commands import CommandError, LocalConnector
from launchers.errors import NOTHING_MATCHES, UNREACHABLE, LauncherNotFoundError, RunError
from launchers.files.atomic import write_atomically
from launchers.jobs.backend import Backend, Element, JobAnswer, RefusedError, Resources, SubmissionRequest
from launchers.oar import jobs as oar_jobs
from launchers.oar.args import OarArgs, environment_prefix, option_words
from launchers.oar.quoting import UnquotableError, folder_problem, label, option_problems, takes_output
from launchers.oar.render import render
from launchers.oar.states import find_jobs, latest_jobs, of_arrays
from launchers.oar.submission import submit

if TYPE_CHECKING:
    from submitit import Executor

    from launchers.matching import Selection

OURS = re.compile(r"\.launchers-[0-9a-z]+-[0-9]+$", re.ASCII)
"""The end of the name of a job of a run: an id alone may be somebody else's job by now."""
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
        """The executor of submitit-oar.

        Raises LauncherNotFoundError where that is not installed, and for a folder that OAR cannot quote.
        """
        try:
            from launchers.oar.executor import PatchedOarExecutor
        except ImportError as error:
            message = (
                f"functions go to OAR through submitit-oar, which is not installed ({error}): "
                "pip install 'launchers[oar]'"
            )
            raise LauncherNotFoundError(message, UNREACHABLE) from error
        executor = PatchedOarExecutor(folder, token=token)
        problems = (*_folder_problems(executor.folder.absolute(), str(Path.cwd())), _output_problem(executor.folder))
        if problem := next(filter(None, problems), ""):
            raise LauncherNotFoundError(problem, NOTHING_MATCHES)
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
            raise error.__cause__ or error from None
        except UnquotableError as error:
            raise RefusedError([str(error)]) from error

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
        for problem in option_problems(_additional(request)):
            raise ValueError(problem)
        arguments = _flags(request, [f"{wait.kind}:{wait.on[0]}" for wait in request.waits])
        lines = [f"#OAR {flag} {value}" for flag, value in zip(arguments[::2], arguments[1::2], strict=True)]
        return "\n".join(["#!/bin/sh", *lines, _command(request), ""])

    def prepare(self, requests: Sequence[SubmissionRequest]) -> None:
        """Refuse what OAR cannot quote, before anything is sent.  Raises RunError."""
        for problem in (problem for request in requests for problem in _problems(request)):
            raise RunError(problem)

    def send(self, requests: Sequence[SubmissionRequest]) -> list[str]:
        """Run oarsub once.  Raises RefusedError, also for a parent that does not exist."""
        (request,) = requests
        for problem in _problems(request):
            raise RefusedError([problem])
        submission = request.submission
        for folder in (request.run / "oar", *(() if submission.script else (request.folder,))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        argv, cwd = _script_words(request) if submission.script else (_words(request), None)
        return [
            submit(
                argv,
                request.run / "oar" / f"oarsub.{submission.name}.out",
                count=len(submission.members),
                cwd=cwd,
                find=lambda: _find(submission.token),
            )
        ]

    def find_token(self, token: str, since: float) -> str | None:
        """The id of the job that carries a token in its name."""
        return oar_jobs.find_token(LocalConnector(), token)

    def states(
        self, run: Path, jobs: Mapping[str, str], elements: Collection[Element] = (), *, usage: bool = False
    ) -> JobAnswer:
        """What oarstat knows.  OAR does not tell what a job used."""
        return oar_jobs.job_answer(LocalConnector(), jobs)

    def cancel(self, run: Path, elements: Iterable[Element], tokens: Mapping[str, str]) -> None:
        """One oardel for all of them, under the ids that the jobs have now."""
        oar_jobs.delete(LocalConnector(), elements, tokens)

    def output_patterns(self, request: SubmissionRequest, script: str) -> list[str]:
        """The files of a script of ours."""
        return [SCRIPT_OUTPUT]


def _additional(request: SubmissionRequest) -> dict[str, str | list[str]]:
    """The options of oarsub that a step has, by their names."""
    return dict(request.submission.parameters.get("additional_parameters") or {})


def _problems(request: SubmissionRequest) -> Iterator[str]:
    """Why OAR cannot take a submission, and what to do."""
    yield from _folder_problems(request.run.absolute(), "" if request.submission.script else request.cwd)
    yield from option_problems(_additional(request))


def _folder_problems(run: Path, cwd: str) -> Iterator[str]:
    """Why jobs cannot have their files in one folder and work in another one."""
    yield from filter(None, (folder_problem("run folder", run), folder_problem("working folder", cwd)))


def _output_problem(folder: Path) -> str:
    """Why a function cannot have its output in a folder."""
    if takes_output(folder.absolute()):
        return ""
    return (
        f"the folder {folder.absolute()} has a character in it that oarsub does not take in the names of output files: "
        "use one of letters, digits, blanks and _ . / -"
    )


def _unreachable(error: CommandError) -> RefusedError:
    """A command of OAR that gave no answer."""
    return RefusedError([f"cannot ask OAR: {error}"], transient=True)


def _find(token: str) -> str | None:
    """The job that carries a token, before it is submitted again.  Raises RefusedError."""
    try:
        return oar_jobs.find_token(LocalConnector(), token)
    except CommandError as error:
        raise _unreachable(error) from error


def _script_words(request: SubmissionRequest) -> tuple[list[str], str]:
    """The arguments of oarsub for a file of the run folder, and the folder where it is submitted.

    Each of its jobs is told the task, and where its name is to be taken: the folder and the number there.
    oarsub reads files through a shell, so it is told no names but ours.
    """
    cwd = str(request.script_folder.absolute())
    options: dict[str, str | list[str]] = {"n": _name(request), "a": _parents(request), "d": cwd}
    tasks = request.run / "oar" / f"tasks.{request.submission.name}"
    folder = os.path.relpath(request.folder, request.script_folder)
    lines = (f"{number} {folder} {position}\n" for position, (_, number) in enumerate(request.submission.members))
    write_atomically(tasks, "".join(lines))
    options["array-param-file"] = f"../oar/{tasks.name}"
    return ["-S", *option_words(options), f"../{request.submission.script}"], cwd


def _parents(request: SubmissionRequest) -> list[str]:
    """The ids that the jobs waited for have now."""
    if not request.waits:
        return []
    try:
        known = latest_jobs(find_jobs(LocalConnector(), of_arrays(wait.on[0] for wait in request.waits)))
    except CommandError as error:
        raise _unreachable(error) from error
    found: dict[str, None] = {}
    for wait in request.waits:
        array, index = wait.on
        mine = [
            job for (of, at), job in known.items() if of == int(array) and index in (None, at) and OURS.search(job.name)
        ]
        if not mine:
            raise RefusedError([f"it waits for job {array}, which OAR does not know: it would wait for ever"])
        found.update(dict.fromkeys(str(job.id) for job in mine))
    return list(found)


def _name(request: SubmissionRequest) -> str:
    """What the job is called, by which it is found."""
    name = label(f"{request.plan}.{request.submission.name}")
    return oar_jobs.named(name, request.submission.token)


def _words(request: SubmissionRequest) -> list[str]:
    """The arguments of oarsub for a step."""
    return [*_flags(request, _parents(request)), _command(request)]


def _flags(request: SubmissionRequest, parents: Sequence[str]) -> list[str]:
    submission, output = request.submission, request.run.absolute() / "oar"
    options = _additional(request)
    if queue := submission.parameters.get("queue"):
        options["q"] = queue
    options |= {"n": _name(request), "a": list(parents)}
    options["d"] = request.cwd  # else oarsub believes $PWD, which os.chdir leaves as it was
    own = str(output / "%jobid%") if takes_output(output) else "/dev/null"  # for what OAR and the shell say
    options |= {"O": own, "E": own}
    if submission.array:
        options["array"] = str(len(submission.members))
    return option_words({key: value for key, value in options.items() if value})


def _command(request: SubmissionRequest) -> str:
    """What runs on the node, for its user's shell."""
    python = (sys.executable, "-u", "-m", "launchers.runs.node", str(request.run.absolute()), request.submission.name)
    return shlex.join([*environment_prefix(os.environ), "SUBMITIT_EXECUTOR=launchersoar", *python])
