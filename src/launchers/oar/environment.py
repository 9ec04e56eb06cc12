"""How a submitit job of a plan learns its own id on OAR.

submitit-oar identifies a job by its id. Here a job is identified by the array and the index that it was submitted with,
which stay the same when OAR submits it again (docs/oar-facts.md#jobs-that-are-submitted-again). So such a job finds its
checkpoint, and writes its result where others look for it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from submitit.core.job_environment import JobEnvironment

from launchers.oar.states import RESUBMIT


class LaunchersOarJobEnvironment(JobEnvironment):
    """Selected by SUBMITIT_EXECUTOR=launchersoar, through the entry point in pyproject.toml."""

    _env = {  # noqa: RUF012 - submitit's base class has it so
        "job_id": "OAR_JOB_ID",
        "array_job_id": "OAR_ARRAY_ID",
        "num_tasks": "",
        "node": "",
        "global_rank": "",
        "local_rank": "",
    }

    @property
    def array_task_id(self) -> str | None:
        """The index of the element, from 0; OAR counts from 1."""
        index = os.environ.get("OAR_ARRAY_INDEX")
        return None if index is None else str(int(index) - 1)

    @property
    def hostnames(self) -> list[str]:
        """The hosts of the job; OAR lists a host once for each of its resources."""
        path = os.environ.get("OAR_NODEFILE")
        return sorted(set(Path(path).read_text().split())) if path else [self.hostname]

    @property
    def num_nodes(self) -> int:
        """The number of hosts of the job."""
        return len(self.hostnames)

    def _requeue(self, countdown: int) -> None:
        """End with the status for which OAR submits an idempotent job again, if it has run for a minute."""
        sys.exit(RESUBMIT)
