"""Slurm behind the contract of `launchers.jobs.backend`."""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launchers.commands import LocalConnector
from launchers.files.atomic import write_atomically
from launchers.jobs.backend import Backend, Element, JobAnswer, Resources, SubmissionRequest, Wait
from launchers.slurm.args import SlurmArgs
from launchers.slurm.render import render
from launchers.slurm.settings import settings

if TYPE_CHECKING:
    from submitit import Executor

    from launchers.matching import Selection
    from launchers.offer.model import Group, Signal

OUTPUT = re.compile(r"^#SBATCH\s+(?:--(?:output|error)[= ]\s*|-[oe]\s*)(\S+)", re.M)
"""Where a script says that its output goes."""
ACCOUNT = re.compile(r"--account|^#SBATCH[ \t](?:.*[ \t])?-A", re.M)
"""Where a script says its account itself."""
DEFAULT_OUTPUT = "slurm-%A_%a.out"
"""Where the output of an array goes (man sbatch, --output)."""
TASK = '"$SLURM_ARRAY_TASK_ID" "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"'
"""The element of an array and its job, in a script."""
DEFAULT_MAX_ARRAY = 1000
"""The most elements of an array where the cluster cannot be asked: MaxArraySize less one (man slurm.conf)."""
SCRIPT_FOLDER = "cwd"
"""Where the scripts of a run folder run, under it (`SubmissionRequest.script_folder`)."""
BARRIER = {"time": 1, "cpus_per_task": 1, "nodes": 1}
WARNING = 90
"""Seconds before its time limit at which a job that can go on from a checkpoint is told, as submitit has it."""
NO_EARLY_SIGNAL = {"signal_delay_s": 0}
"""No signal before the time limit: submitit's, 90 seconds before, ends what cannot go on from a checkpoint."""


class SlurmBackend(Backend):
    """Slurm.  See `launchers.jobs.backend.Backend` for the contract."""

    title = "Slurm"
    submit_command = "sbatch"
    commands = ("sbatch", "srun")
    takes_options = True
    waits_for_one_failure = False
    proves_success = False

    def cluster(self) -> str:
        """ClusterName of slurm.conf."""
        here = settings(LocalConnector())
        return here.cluster if here else ""

    def forget_after(self) -> float:
        """MinJobAge of slurm.conf; 0 where it cannot be asked, as a job may be forgotten at once."""
        here = settings(LocalConnector())
        return here.min_job_age if here else 0.0

    def render(self, selection: Selection) -> SlurmArgs:
        """The arguments of sbatch for a selection."""
        return render(selection)

    def signals(self) -> Mapping[str, Signal] | str:
        """What sinfo and squeue say of the partitions."""
        from launchers.slurm.live import live_signals

        return live_signals(LocalConnector())

    def narrow(self, group: Group, options: Mapping[str, Any]) -> Group:
        """The group with the nodes that options of sbatch leave; a group that cannot be asked is left as it is."""
        from launchers.slurm import options as slurm_options

        return group if group.unreachable else slurm_options.narrow(group, options)

    def with_options(self, resources: Resources, options: Mapping[str, Any]) -> Resources:
        """The arguments of sbatch with options given by hand."""
        from launchers.slurm import options as slurm_options

        assert isinstance(resources, SlurmArgs)
        return slurm_options.with_options(resources, options)

    # -- functions, one by one

    def executor(
        self, folder: Path, resources: Resources, *, name: str = "", token: str = "", early_signal: bool = True
    ) -> Executor:
        """Submitit's Slurm executor; a token is made up where none is given."""
        from launchers.slurm.executor import FunctionExecutor

        executor = FunctionExecutor(folder, token=token or f"launchers-{secrets.token_hex(4)}")
        parameters = {**resources.submitit(), **({"job_name": name} if name else {})}
        executor.update_parameters(**{**parameters, **({} if early_signal else NO_EARLY_SIGNAL)})
        return executor

    def submit_function(
        self, executor: Executor, resources: Resources, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Submit a call by sbatch, which reads nothing that was decided from its environment."""
        return executor.submit(function, *args, **kwargs)

    # -- plans

    def largest_array(self) -> int:
        """MaxArraySize of the cluster less one; Slurm's default where it cannot be asked (man slurm.conf)."""
        here = settings(LocalConnector())
        return here.max_array - 1 if here and here.max_array else DEFAULT_MAX_ARRAY

    def barrier_parameters(self, first: Mapping[str, Any]) -> dict[str, Any] | None:
        """One core for a minute; none where a QoS is named, which may have a minimum that this does not reach."""
        kept = {key: first[key] for key in ("partition", "account", "qos") if first.get(key)}
        return None if "qos" in kept else {**BARRIER, **kept}

    def checkpoint_parameters(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """A signal before the time limit; a job that cannot go on would only lose that time."""
        return {"signal_delay_s": WARNING, **parameters}

    def render_script(self, request: SubmissionRequest) -> str:
        """The sbatch file."""
        from launchers.slurm.executor import TokenExecutor

        return TokenExecutor(request, dependency(request.waits)).text()

    def send(self, requests: Sequence[SubmissionRequest]) -> list[str]:
        """Run sbatch once.  Raises RefusedError."""
        from launchers.slurm.executor import TokenExecutor

        (request,) = requests
        if request.submission.script:
            return [_send_script(request)]
        return [TokenExecutor(request, dependency(request.waits)).send()]

    def find_token(self, token: str, since: float) -> str | None:
        """The id of the job that carries a token in its comment or name."""
        from launchers.slurm import jobs as slurm_jobs

        return slurm_jobs.find_token(LocalConnector(), token, since)

    def states(
        self, run: Path, jobs: Mapping[str, str], elements: Collection[Element] = (), *, usage: bool = False
    ) -> JobAnswer:
        """What squeue and sacct know."""
        from launchers.slurm import jobs as slurm_jobs

        return slurm_jobs.job_infos(LocalConnector(), jobs, elements, usage=usage, folder=run / SCRIPT_FOLDER)

    def cancel(self, run: Path, elements: Iterable[Element], tokens: Mapping[str, str]) -> None:
        """Those that the controller knows by their tokens, and that have not ended."""
        from launchers.slurm import cancel as slurm_cancel

        slurm_cancel.cancel(LocalConnector(), elements, tokens, run / SCRIPT_FOLDER)

    def output_patterns(self, request: SubmissionRequest, script: str) -> list[str]:
        """What the script says of its output, or sbatch's own."""
        return [pattern.strip("\"'") for pattern in OUTPUT.findall(script)] or [DEFAULT_OUTPUT]


def _send_script(request: SubmissionRequest) -> str:
    """Run sbatch on a file of the run folder, whose options the command line overrides: the job's id.

    Raises RefusedError.
    """
    from launchers.slurm.sbatch import submit

    submission = request.submission
    script = request.script.read_bytes()
    path = request.folder / request.script.name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, _gated(request, script))
    # an empty dependency is given as well: the file may name one that was met long ago
    words = [f"--comment={submission.token}", f"--dependency={dependency(request.waits)}"]
    words += _overriding(submission.parameters)
    if submission.attempt > 1:
        items = ",".join(str(number) for _, number in submission.members)
        words.append(f"--array={items}" + (f"%{submission.at_once}" if submission.at_once else ""))
    account = ACCOUNT.search(script.decode(errors="replace")) is not None
    return submit(LocalConnector(), [*words, str(path)], account=account, cwd=str(request.script_folder))


def _gated(request: SubmissionRequest, script: bytes) -> bytes:
    """A script that asks for what another one asks for, takes the name of its task, and runs the other one.

    sbatch reads options up to the first line that is neither blank nor a comment (man sbatch).
    """
    lines = script.split(b"\n")[1:]  # the first says what runs it
    options = takewhile(lambda line: line.lstrip()[:1] in (b"", b"#"), lines)
    command = f"exec {shlex.join(request.gate)} {TASK} {shlex.quote(str(request.script))}"
    return b"\n".join([b"#!/bin/sh", *options, os.fsencode(command), b""])


def _overriding(parameters: Mapping[str, Any]) -> list[str]:
    """Options that override the file's: a retry that asks for more has some."""
    merged = dict(parameters)
    merged |= dict(merged.pop("additional_parameters", None) or {})
    named = {key.replace("_", "-"): value for key, value in merged.items() if value not in (None, False)}
    return [f"--{key}" if value is True else f"--{key}={value}" for key, value in named.items()]


def dependency(waits: Iterable[Wait]) -> str:
    """The value of ``--dependency``."""
    kinds: dict[str, list[str]] = {}
    for wait in waits:
        kinds.setdefault(wait.kind, []).append(_id(wait.on))
    return ",".join(f"{kind}:{':'.join(ids)}" for kind, ids in kinds.items())


def _id(element: Element) -> str:
    job, index = element
    return job if index is None else f"{job}_{index}"
