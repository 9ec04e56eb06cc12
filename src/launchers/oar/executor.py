"""submitit-oar's executor, worked around where 1.1.2 is broken; tests/cluster/oar/test_executor.py shows each of these.

- Its submission file is cut into words at every white space: a folder, or SQL, with a space in it falls apart.
- Jobs of an array are put in the order of their ids as text, 10 before 9.
- With ``%j`` in the folder a job that is submitted again has nowhere to write: its new id has no folder.
- The folder that jobs run in is what $PWD says, which os.chdir leaves as it was, before OAR 2.6.
- Nothing of the submitter's environment comes to the job: not its PATH, not the modules that it imports.
- Arrays and checkpointable functions go through a new OarExecutor, without any of this.
"""

from __future__ import annotations

import os
import shlex
import uuid
from pathlib import Path
from typing import Any

from submitit.core import core, utils
from submitit_oar.oar import OarExecutor, OarJob, _make_oarsub_string

from launchers.commands import LocalConnector
from launchers.jobs.logged_executor import LoggedExecutor
from launchers.oar.args import environment_prefix
from launchers.oar.states import arrays_condition, find_jobs, latest_jobs


class PatchedOarExecutor(LoggedExecutor, OarExecutor):  # type: ignore[misc]
    """Submits functions to OAR, one job or an array."""

    def __init__(self, folder: Path | str, max_num_timeout: int = 3, python: str | None = None) -> None:
        flat = utils.JobPaths.get_first_id_independent_folder(folder)
        super().__init__(flat, max_num_timeout=max_num_timeout, python=python)  # type: ignore[call-arg]

    @classmethod
    def name(cls) -> str:
        """The name of submitit-oar's, by which jobs find their environment."""
        return "oar"

    @property
    def _submitit_command_str(self) -> str:
        return f"{shlex.join(environment_prefix(os.environ))} {super()._submitit_command_str}"

    def _make_submission_file_text(self, command: str, uid: str) -> str:
        """One option a line, its value as it is: what ``oarsub -S`` reads."""
        additional = dict(self.parameters.get("additional_parameters") or {})
        listed = {key: value for key, value in additional.items() if isinstance(value, list)}
        single = {key: value for key, value in additional.items() if key not in listed}
        text = str(
            _make_oarsub_string(
                command=command, folder=self.folder, **{**self.parameters, "additional_parameters": single}
            )
        )
        lines = [
            f"#OAR {'-' if len(key) == 1 else '--'}{key} {one}" for key, values in listed.items() for one in values
        ]
        return text.replace("# Parameters\n", "\n".join(["# Parameters", *lines]) + "\n", 1)

    def _make_submission_command(self, submission_file_path: Path) -> list[str]:
        lines = submission_file_path.read_text().splitlines()
        options = [line[5:].split(" ", 1) for line in lines if line.startswith("#OAR ")]
        commands = [line.strip() for line in lines if line and not line.startswith("#")]
        self.argv = ["oarsub", *(word for option in options for word in option), "; ".join(commands)]
        return self.argv

    def _internal_process_submissions(self, delayed_submissions: list[utils.DelayedSubmission]) -> list[core.Job[Any]]:
        """One oarsub; OAR submits again by itself only what is idempotent, so checkpointable functions are."""
        again = [hasattr(delayed.function, "checkpoint") for delayed in delayed_submissions]
        if any(again) and not all(again):
            raise ValueError("an array on OAR has only checkpointable functions, or none: submit them apart")
        executor = self._copy(idempotent=all(again), count=len(again))
        if len(again) == 1:
            return list(core.PicklingExecutor._internal_process_submissions(executor, delayed_submissions))
        self.folder.mkdir(parents=True, exist_ok=True)
        pickles = []
        for delayed in delayed_submissions:
            path = self.folder / f"{uuid.uuid4().hex}.pkl"
            delayed.set_timeout(self.parameters.get("timeout_min") or 5, self.max_num_timeout)
            delayed.dump(path)
            pickles.append(path)
        array = executor._submit_command(self._submitit_command_str).job_id
        elements = sorted(latest_jobs(find_jobs(LocalConnector(), arrays_condition([array]))).items())
        found = [OarJob(folder=self.folder, job_id=str(job.id), tasks=[0]) for _, job in elements]
        for job, path in zip(found, pickles, strict=True):
            job.paths.move_temporary_file(path, "submitted_pickle")
        return found

    def _copy(self, *, idempotent: bool, count: int) -> PatchedOarExecutor:
        """A copy for one submission, as parameters persist."""
        copy = type(self)(self.folder, self.max_num_timeout, self.python)
        copy.parameters = dict(self.parameters)
        additional = dict(copy.parameters.get("additional_parameters") or {})
        types = additional.get("t", [])
        types = [types] if isinstance(types, str) else list(types)
        if idempotent and "idempotent" not in types:
            additional["t"] = [*types, "idempotent"]
        additional.setdefault("d", str(Path.cwd()))
        copy.parameters["additional_parameters"] = additional
        if count > 1:
            copy.parameters["map_count"] = count
        return copy
