"""Submitit's executor for Slurm with a way of our own to sbatch: a token, a timeout, and no answer believed blindly."""

from __future__ import annotations

import shlex
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from submitit import SlurmExecutor
from submitit.core import core, utils

from launchers.commands import CommandError, LocalConnector
from launchers.jobs.backend import RefusedError, SubmissionRequest
from launchers.slurm.jobs import find_token
from launchers.slurm.sbatch import submit
from launchers.slurm.watch import TokenJob

AT_ONCE = 256
"""Elements of an array that run at once where nothing else is said, as submitit has it."""
LOOKS = (0.0, 1.0, 2.0, 4.0)
"""Seconds before each look for a token after an answer of sbatch that names no job."""


class OwnSlurmExecutor(SlurmExecutor):
    """Runs sbatch by `launchers.slurm.sbatch`."""

    @classmethod
    def name(cls) -> str:
        """The name of submitit's own, which is made from the name of its class."""
        return SlurmExecutor.name()

    def write_script(self, command: str) -> Path:
        """Write the sbatch file that runs a command."""
        uid = uuid.uuid4().hex
        path = utils.JobPaths.get_first_id_independent_folder(self.folder) / f".submission_file_{uid}.sh"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(self._make_submission_file_text(command, uid), encoding="utf-8")
        return path

    def run_sbatch(self, script: Path) -> str:
        """The id of the job of an sbatch file.  Raises RefusedError."""
        return submit(LocalConnector(), [str(script)], account=bool(self.parameters.get("account")))


class FunctionExecutor(OwnSlurmExecutor):
    """Submits functions.  The jobs of its first submission carry `token`, those of the next ones ``token.1`` and so on.

    The token is their comment, unless the person gives one, and stands at the end of their name.  The next submissions
    have a folder each, named by their token: an id that is used again leads to no result of another one.

    Submitit finds the function of a job by the job's id, which it writes down when it knows that: a client that is
    killed in between leaves a job that ends without its function.
    """

    job_class = TokenJob

    def __init__(self, folder: Path | str, *, token: str) -> None:
        super().__init__(folder)
        self.token, self.submissions = token, 0

    def _internal_process_submissions(self, delayed_submissions: Sequence[Any]) -> list[core.Job[Any]]:
        """One job or one array, each with its function where submitit looks for it."""
        token = f"{self.token}.{self.submissions}" if self.submissions else self.token
        place = self.folder / token if self.submissions else self.folder
        self.submissions += 1
        folder = utils.JobPaths.get_first_id_independent_folder(place)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pickles = []
        for delayed in delayed_submissions:
            pickles.append(folder / f"{uuid.uuid4().hex}.pkl")
            delayed.set_timeout(self.parameters.get("time", 5), self.max_num_timeout)
            delayed.dump(pickles[-1])
        id, script = self._submit_once(token, place, len(pickles))
        ids = [id] if len(pickles) == 1 else [f"{id}_{index}" for index in range(len(pickles))]
        tasks = range(self._num_tasks())
        jobs: list[core.Job[Any]] = [TokenJob(place, one, tasks, token) for one in ids]
        for job, pickle in zip(jobs, pickles, strict=True):
            job.paths.move_temporary_file(pickle, "submitted_pickle")
        jobs[0].paths.move_temporary_file(script, "submission_file", keep_as_symlink=True)
        return jobs

    def _submit_once(self, token: str, place: Path, count: int) -> tuple[str, Path]:
        """The id of a new job, or array, and its sbatch file.  Raises RefusedError.

        Where sbatch does not say that it took the job, the token says whether it did.
        """
        since, copy = time.time(), type(self)(place, token=token)
        named = {"comment": token, **self.parameters}
        copy.parameters = {**named, "job_name": f"{named.get('job_name', 'submitit')}.{token}"}
        if count > 1:
            copy.parameters["map_count"] = count
        script = copy.write_script(copy._submitit_command_str)
        try:
            return copy.run_sbatch(script), script
        except RefusedError as error:
            job = _find(token, since, error)
            if job is None:
                raise
            return job, script


class TokenExecutor(OwnSlurmExecutor):
    """Submits one submission of a plan; a fresh executor for each, as parameters persist.

    The command is `launchers.runs.node`, which finds the pickle by the submission's name.  Submitit's own finds it
    by the job's id, so a client that is killed between sbatch and writing it would leave a job without its function.
    """

    def __init__(self, request: SubmissionRequest, dependency: str) -> None:
        super().__init__(request.folder.absolute())
        self.run, self.submission = request.run.absolute(), request.submission
        submission = request.submission
        own: dict[str, Any] = {**submission.parameters, "comment": submission.token}
        own["job_name"] = f"{request.plan}.{submission.name}.{submission.token}"
        if dependency:
            own["dependency"] = dependency
            own["additional_parameters"] = {"kill-on-invalid-dep": "yes", **(own.get("additional_parameters") or {})}
        if submission.array:
            own["array_parallelism"] = submission.at_once or AT_ONCE
        self.update_parameters(**own)
        if submission.array:
            self.parameters["map_count"] = len(submission.members)

    def command(self) -> str:
        """What runs on the node."""
        words = (str(self.run), self.submission.name)
        return " ".join([self.python, "-u", "-m", "launchers.runs.node", *map(shlex.quote, words)])

    def _make_submission_file_text(self, command: str, uid: str) -> str:
        """Submitit's file; its signal, 90 seconds before the end, is for what can go on from a checkpoint.

        What cannot would end of it, and so would what srun started in a batch script.
        """
        text = str(super()._make_submission_file_text(command, uid))
        if self.parameters.get("signal_delay_s") and self.parameters.get("use_srun", True):
            return text
        return "".join(line for line in text.splitlines(True) if not line.startswith("#SBATCH --signal="))

    def text(self) -> str:
        """The sbatch file."""
        return self._make_submission_file_text(self.command(), "dry-run")

    def send(self) -> str:
        """Run sbatch; the job's id.  Raises RefusedError."""
        return self.run_sbatch(self.write_script(self.command()))


def _find(token: str, since: float, refusal: RefusedError) -> str | None:
    """The job that carries a token although sbatch did not say so; None where there is none.

    Raises a transient RefusedError where nobody knows.
    """
    problem = ""
    for pause in LOOKS:
        time.sleep(pause)
        try:
            job = find_token(LocalConnector(), token, since)
        except CommandError as error:
            problem = str(error)
            continue
        if job is not None or not refusal.transient:
            return job
        problem = ""
    if problem:
        lines = [
            *refusal.lines,
            f"it cannot be found out whether the job was accepted: {problem}",
            f"its comment is {token}",
        ]
        raise RefusedError(lines, transient=True) from refusal
    return None
