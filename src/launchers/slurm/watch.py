"""Submitit's jobs on Slurm, asked about and cancelled as everything here is: by token, in time, with a word on failure.

Submitit's own watcher runs sacct without a timeout, takes any job with the id for its own, and waits by the clock of
the wall.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

from launchers.commands import CommandError, LocalConnector
from launchers.jobs.backend import Element
from launchers.jobs.state import ENDED, LOST, UNKNOWN
from launchers.slurm.cancel import cancel
from launchers.slurm.jobs import job_infos

LOST_AFTER = 120.0
"""Seconds for which Slurm has to know nothing of a job before it is lost."""
SHORTEST_DELAY = 2.0
MISSING_DELAY = 30.0
"""Seconds between two questions at most, while Slurm does not know a job."""
_LOG = logging.getLogger(__name__)


class TokenWatcher(SlurmInfoWatcher):
    """Knows the states of all jobs of this process that functions were submitted as."""

    def __init__(self, delay_s: int = 600) -> None:
        super().__init__(delay_s)
        self._tokens: dict[str, str] = {}
        self._missing_since: dict[str, float] = {}
        self._asked = float("-inf")

    def register(self, job_id: str, token: str) -> None:
        """Watch a job.  The tasks of a job are jobs to submitit, and have no token of their own."""
        if token:
            self._tokens[job_id.partition("_")[0]] = token
        self.register_job(job_id)

    def register_job(self, job_id: str) -> None:
        """Watch a job, and ask at the next question."""
        self._registered.add(job_id)
        self._start_time = time.monotonic()
        self._asked = float("-inf")

    def get_state(self, job_id: str, mode: str = "standard") -> str:
        """The state of a job; UNKNOWN while Slurm cannot be asked."""
        return str(self.get_info(job_id, mode=mode).get("State") or UNKNOWN)

    def is_done(self, job_id: str, mode: str = "standard") -> bool:
        """Whether a job has ended, or is lost."""
        return self.get_state(job_id, mode=mode) in ENDED

    def update_if_long_enough(self, mode: str) -> None:
        """Ask, unless that was done a moment ago: at first every two seconds, for old jobs less often."""
        now = time.monotonic()
        longest = MISSING_DELAY if self._missing_since else self._delay_s
        delay = min(longest, max(SHORTEST_DELAY, (now - self._start_time) / 2))
        if mode == "force" or (mode == "standard" and now - self._asked > delay):
            self.update()

    def update(self) -> None:
        """One question about all jobs that have not ended."""
        elements = {element_of(job_id): job_id for job_id in self._registered - self._finished}
        jobs = {job: self._tokens.get(job, "") for job, _ in elements}
        answer = job_infos(LocalConnector(), jobs, elements)
        self._num_calls += 1
        self._asked = now = time.monotonic()
        if answer.problem:
            _LOG.warning("Slurm cannot be asked about jobs: %s", answer.problem)
        for element, job_id in elements.items():
            info = answer.infos.get(element)
            if info is not None:
                self._missing_since.pop(job_id, None)
                self._tell(job_id, info.state, info.reason, info.nodes)
            elif not answer.problem and now - self._missing_since.setdefault(job_id, now) > LOST_AFTER:
                self._tell(job_id, LOST, "Slurm does not know it (any more)", "")

    def _tell(self, job_id: str, state: str, reason: str, nodes: str) -> None:
        self._info_dict[job_id] = {"JobID": job_id, "State": state, "Reason": reason, "NodeList": nodes}
        if state in ENDED:
            self._finished.add(job_id)
            self._missing_since.pop(job_id, None)


class TokenJob(SlurmJob[Any]):
    """A submitit job, or an element of an array, that carries `token`."""

    watcher = TokenWatcher()

    def __init__(self, folder: Path | str, job_id: str, tasks: Sequence[int] = (0,), token: str = "") -> None:
        self.token = token
        super().__init__(folder, job_id, tasks)

    def _register_in_watcher(self) -> None:
        if not self._tasks[0]:
            self.watcher.register(self.job_id, self.token)

    def cancel(self, check: bool = True) -> None:
        """Cancel the job; with `check` raises CommandError in scancel's words where that fails."""
        element = element_of(self.job_id)
        try:
            cancel(LocalConnector(), [element], {element[0]: self.token})
        except CommandError:
            if check:
                raise


def element_of(job_id: str) -> Element:
    """The element that submitit's id of a job names: ``12`` or ``12_3``."""
    job, _, index = job_id.partition("_")
    return job, int(index) if index else None
