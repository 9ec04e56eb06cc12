"""A submitit executor whose jobs run under the scheduler of this machine."""

from __future__ import annotations

import itertools
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from attrs import evolve
from submitit.core import core, utils
from submitit.local.local import LOCAL_REQUEUE_RETURN_CODE

from launchers.errors import RunError
from launchers.jobs.state import ENDED
from launchers.local import control
from launchers.local.jobs import Capacity, LocalJob, make_private, submitit_variables
from launchers.local.journal import Status, read_statuses

WARNING = 30
"""Seconds before the time limit at which a job is warned, as submitit's own local executor does."""
POLL = 0.05
"""Seconds between two looks at a job that is waited for."""
LOOKS_PER_REVIVAL = 20
"""After so many looks, its scheduler is looked at too: it may have been killed."""


def _current_folder() -> str:
    """The folder in which a function is to run.  Raises RunError where it was removed."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        raise RunError("the current folder was removed, so no job can run in it: cd to another one") from None


class LocalSubmititJob(core.Job[Any]):
    """A submitit job of this machine; its state is in the scheduler's folder, so no process has to be asked."""

    _cancel_at_deletion = False

    def _register_in_watcher(self) -> None:
        """Nothing to register: the journal is read."""

    @property
    def scheduler_folder(self) -> Path:
        """Where the scheduler of this job works; the elements of an array share it."""
        base = str(self.job_id).partition("-")[0]
        return utils.JobPaths.get_first_id_independent_folder(self.paths._folder) / f"{base}.scheduler"

    def status(self) -> Status:
        """What the scheduler knows of the job."""
        return read_statuses(self.scheduler_folder).get(str(self.job_id), Status())

    @property
    def state(self) -> str:
        """The job's state, in Slurm's words."""
        return self.status().state

    def get_info(self, mode: str = "force") -> dict[str, str]:
        """The job's state and reason."""
        status = self.status()
        return {"State": status.state, "Reason": status.reason}

    def done(self, force_check: bool = False) -> bool:
        """Whether the job has ended."""
        return bool(self.paths.result_pickle.exists()) or self.state in ENDED

    def wait(self) -> None:
        """Wait until the job has ended; a scheduler that was killed is started again."""
        for look in itertools.count(1):
            if self.state in ENDED or not self.scheduler_folder.is_dir():
                return
            if look % LOOKS_PER_REVIVAL == 0:
                control.revive_scheduler(self.scheduler_folder)
            time.sleep(POLL)

    def cancel(self, check: bool = True) -> None:
        """Cancel the job, running or waiting."""
        control.cancel_jobs(self.scheduler_folder, [str(self.job_id)])


class LocalExecutor(core.PicklingExecutor):
    """Runs functions on this machine with the resources of `template`; an array is one submission."""

    job_class = LocalSubmititJob

    def __init__(self, folder: str | Path, template: LocalJob, capacity: Capacity) -> None:
        super().__init__(folder)
        self._throttling = 0.0  # nothing here can be overloaded by submitting
        self.template = template
        self.capacity = capacity

    @classmethod
    def name(cls) -> str:
        """The name by which a job finds its environment: submitit's local one."""
        return "local"

    @classmethod
    def affinity(cls) -> int:
        """Never chosen by submitit itself."""
        return 0

    def _internal_process_submissions(self, delayed_submissions: list[utils.DelayedSubmission]) -> list[core.Job[Any]]:
        base = secrets.token_hex(6)
        many = len(delayed_submissions) > 1
        ids = [f"{base}-{index}" if many else base for index in range(len(delayed_submissions))]
        jobs = [self._job(id, delayed) for id, delayed in zip(ids, delayed_submissions, strict=True)]
        independent = utils.JobPaths.get_first_id_independent_folder(self.folder)
        control.submit_jobs(independent / f"{base}.scheduler", self.capacity, jobs)
        return [LocalSubmititJob(self.folder, id) for id in ids]

    def _job(self, id: str, delayed: utils.DelayedSubmission) -> LocalJob:
        paths = utils.JobPaths(self.folder, id, 0)
        make_private(paths.folder)
        limit = self.template.time_limit
        delayed.set_timeout(max(1, limit // 60) if limit else 10**6, self.max_num_timeout)
        delayed.dump(paths.submitted_pickle)
        return evolve(
            self.template,
            id=id,
            argv=(sys.executable, "-u", "-m", "submitit.core._submit", str(self.folder)),
            cwd=_current_folder(),
            stdout=str(paths.stdout),
            stderr=str(paths.stderr),
            env=(*self.template.env, *submitit_variables(id).items()),
            warning=WARNING if limit and limit > 2 * WARNING else 0,
            requeue=LOCAL_REQUEUE_RETURN_CODE,
        )

    # What submitit's base class asks for and this executor has no use for: it submits by itself.
    def _num_tasks(self) -> int:
        return 1

    def _make_submission_file_text(self, command: str, uid: str) -> str:
        raise NotImplementedError("jobs of this machine have no submission file")

    def _make_submission_command(self, submission_file_path: Path) -> list[str]:
        raise NotImplementedError("jobs of this machine have no submission command")

    @staticmethod
    def _get_job_id_from_submission_command(string: bytes | str) -> str:
        raise NotImplementedError("jobs of this machine have no submission command")
