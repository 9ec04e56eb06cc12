"""submitit-oar's executor, worked around where 1.1.2 is broken; tests/cluster/oar/test_executor.py shows each of these.

- Its submission file is cut into words at every white space: a folder, or SQL, with a space in it falls apart.
- It takes the first number after OAR_JOB_ID= for the job's id, also in what an admission rule says.
- It gives oarsub pipes: when they go away, oarsub deletes the job.
- Jobs of an array are put in the order of their ids as text, 10 before 9.
- With ``%j`` in the folder a job that is submitted again has nowhere to write: its new id has no folder.
- The folder that jobs run in is what $PWD says, which os.chdir leaves as it was, before OAR 2.6.
- Nothing of the submitter's environment comes to the job: not its PATH, not the modules that it imports.
- Arrays and checkpointable functions go through a new OarExecutor, without any of this.
- What oarstat says on stderr comes to the terminal.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shlex
import uuid
from pathlib import Path
from typing import Any

from submitit.core import core, utils
from submitit_oar.oar import OarExecutor, OarInfoWatcher, OarJob, _make_oarsub_string

from launchers.commands import CommandError, LocalConnector
from launchers.jobs.backend import RefusedError
from launchers.oar import jobs as oar_jobs
from launchers.oar.args import environment_prefix, option_words
from launchers.oar.quoting import UnquotableError, folder_problem, label, option_problems
from launchers.oar.states import find_jobs, latest_jobs, of_arrays, submitted_instead_of, with_ids
from launchers.oar.submission import submit

WORDS = {"SUSPENDED": "RUNNING", "PREEMPTED": "FAILED"}
"""States that mean something else to submitit: it takes the one for an end, and waits after the other."""


class QuietWatcher(OarInfoWatcher):  # type: ignore[misc]
    """Asks oarstat as everything else here does: its warnings are nobody's business."""

    def update(self) -> None:
        """Ask about all jobs that have not ended; what was known stays known where OAR does not answer."""
        if not (ids := sorted(self._registered - self._finished)):
            return
        self._num_calls += 1
        try:
            found = find_jobs(LocalConnector(), with_ids(ids))
        except CommandError:
            return
        for job in found:
            state = WORDS.get(job.state, job.state)
            self._info_dict[str(job.id)] = {"JobID": str(job.id), "State": state, "NodeList": job.hosts}
        self._finished.update(id for id in ids if self.is_done(id, mode="cache"))


class TokenJob(OarJob):  # type: ignore[misc]
    """A job whose name ends with its token: an id alone may be somebody else's by now."""

    watcher = QuietWatcher(delay_s=600)
    token = ""
    _resubmitted_job: OarJob[Any] | None

    def cancel(self, check: bool = True) -> None:
        """Delete the job, also one that OAR has submitted again for it.  Raises CommandError if `check`."""
        connector = LocalConnector()
        try:
            for job in find_jobs(connector, with_ids([self.job_id])):
                oar_jobs.delete(connector, [(str(job.array), job.index)], {str(job.array): self.token})
        except CommandError:
            if check:
                raise

    def done(self, force_check: bool = False) -> bool:
        """Whether it has ended; as long as OAR does not answer, only a result says so."""
        try:
            ended = super().done(force_check)
        except CommandError:
            ended = self.paths.result_pickle.exists()
        return bool(ended)

    def _get_resubmitted_job(self) -> OarJob[Any] | None:
        """The job that OAR has submitted again in place of this one.  Raises CommandError."""
        if self._resubmitted_job is None:
            found = find_jobs(LocalConnector(), submitted_instead_of(self.job_id))
            if found and oar_jobs.carries(found[0], self.token):
                self._resubmitted_job = _job(self.paths.folder, str(found[0].id), self.token)
        return self._resubmitted_job

    def _get_logs_string(self, name: str) -> str | None:
        try:
            return super()._get_logs_string(name)  # type: ignore[no-any-return]
        except CommandError:
            return core.Job._get_logs_string(self, name)


def _job(folder: Path, id: str, token: str) -> TokenJob:
    job = TokenJob(folder=folder, job_id=id, tasks=[0])
    job.token = token
    return job


class PatchedOarExecutor(OarExecutor):  # type: ignore[misc]
    """Submits functions to OAR, one job or an array; the names of its jobs end with a token, that of the first with
    `token`.
    """

    job_class = TokenJob

    def __init__(
        self, folder: Path | str, max_num_timeout: int = 3, python: str | None = None, *, token: str = ""
    ) -> None:
        flat = utils.JobPaths.get_first_id_independent_folder(folder)
        super().__init__(flat, max_num_timeout=max_num_timeout, python=python)
        token = token or f"launchers-{secrets.token_hex(4)}-0"
        self._tokens = itertools.chain([token], (f"{token}-{number}" for number in itertools.count(1)))

    @classmethod
    def name(cls) -> str:
        """The name of submitit-oar's, by which jobs find their environment."""
        return "oar"

    @property
    def _submitit_command_str(self) -> str:
        return f"{shlex.join(environment_prefix(os.environ))} {super()._submitit_command_str}"

    def _options(self, token: str) -> dict[str, str | list[str]]:
        """The options of oarsub, by their names.  Raises UnquotableError."""
        parameters = {**self.parameters, "n": oar_jobs.named(label(self.parameters.get("n") or "submitit"), token)}
        additional = dict(parameters.pop("additional_parameters", None) or {})
        text = _make_oarsub_string(command="", folder=self.folder, **{**parameters, "setup": None})
        words = [line.removeprefix("#OAR ").split(" ", 1) for line in text.splitlines() if line.startswith("#OAR ")]
        options = {flag.lstrip("-"): value for flag, value in words} | additional
        if problem := folder_problem("working folder", options["d"]) or next(option_problems(options), ""):
            raise UnquotableError(problem)
        return options

    def _submit_command(self, command: str) -> TokenJob:
        """One oarsub.  Raises UnquotableError, and FailedJobError, whose cause is a RefusedError."""
        token, uid = next(self._tokens), uuid.uuid4().hex
        script = "; ".join([*(self.parameters.get("setup") or []), "export SUBMITIT_EXECUTOR=oar", command])
        argv = [*option_words(self._options(token)), script]
        log = self.folder / f".oarsub_{uid}.out"
        try:
            id = _submit(argv, log, self.parameters.get("map_count") or 1, token)
        except RefusedError as error:
            raise utils.FailedJobError(str(error)) from error
        job = _job(self.folder, id, token)
        job.paths.submission_file.write_text(f"{shlex.join(['oarsub', *argv])}\n", errors="surrogateescape")
        self._write_job_id(id, uid)
        self._set_job_permissions(job.paths.folder)
        return job

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
        array = executor._submit_command(self._submitit_command_str)
        elements = sorted(latest_jobs(find_jobs(LocalConnector(), of_arrays([array.job_id]))).items())
        found: list[core.Job[Any]] = [_job(self.folder, str(job.id), array.token) for _, job in elements]
        for job, path in zip(found, pickles, strict=True):
            job.paths.move_temporary_file(path, "submitted_pickle")
        return found

    def _copy(self, *, idempotent: bool, count: int) -> PatchedOarExecutor:
        """A copy for one submission, as parameters persist."""
        copy = type(self)(self.folder, self.max_num_timeout, self.python)
        copy._tokens = self._tokens
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


def _submit(argv: list[str], log: Path, count: int, token: str) -> str:
    """The id of a job that is submitted once, its answer lost or not.  Raises RefusedError."""
    try:
        return submit(argv, log, count=count)
    except RefusedError as error:
        if not error.transient:
            raise
        try:
            id = oar_jobs.find_token(LocalConnector(), token)
        except CommandError as failure:
            why = f"whether it took the job is not known: {failure}; its name ends with {token}"
            raise RefusedError([*error.lines, why], error.code, transient=True) from error
        if id is None:
            raise
        return id
