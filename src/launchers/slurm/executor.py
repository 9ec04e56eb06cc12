"""A submitit executor for one submission of a plan: the same sbatch file, with our command and a token."""

from __future__ import annotations

import shlex
from typing import Any

from submitit import SlurmExecutor

from launchers.jobs.backend import SubmissionRequest
from launchers.jobs.logged_executor import LoggedExecutor

AT_ONCE = 256
"""Elements of an array that run at once where nothing else is said, as submitit has it."""


class LoggedSlurmExecutor(LoggedExecutor, SlurmExecutor):
    """Submitit's Slurm executor, with sbatch in the log.

    Not so for an array of functions, for which submitit makes an executor of its own.
    """

    @classmethod
    def name(cls) -> str:
        """The name of submitit's own, which is made from the name of its class."""
        return SlurmExecutor.name()


class TokenExecutor(LoggedSlurmExecutor):
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
        """Run sbatch; the job's id.  Raises submitit's FailedJobError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return str(self._submit_command(self.command()).job_id)
