"""How a submitit job of a plan finds out about itself on OAR.

Unlike submitit-oar's, a job is known by what it was submitted as, array and index: so one that OAR submits again under
a new id, of an array too, finds its checkpoint and writes its result where they are looked for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from submitit.core.job_environment import JobEnvironment

from launchers.oar.states import RESUBMIT


class LaunchersOarJobEnvironment(JobEnvironment):
    """Named by SUBMITIT_EXECUTOR=launchersoar; found through the entry point in pyproject.toml."""

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
        """The element, from 0 as elsewhere; OAR counts from 1."""
        index = os.environ.get("OAR_ARRAY_INDEX")
        return None if index is None else str(int(index) - 1)

    @property
    def hostnames(self) -> list[str]:
        """The hosts of the job; OAR lists one per resource."""
        path = os.environ.get("OAR_NODEFILE")
        return sorted(set(Path(path).read_text().split())) if path else [self.hostname]

    @property
    def num_nodes(self) -> int:
        """How many hosts the job has."""
        return len(self.hostnames)

    def _requeue(self, countdown: int) -> None:
        """End so that OAR submits the job again: it must be idempotent and have run for a minute."""
        sys.exit(RESUBMIT)
