"""The environment variables that override a job's sbatch file (docs/slurm-facts.md#environment)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from launchers.variables import OF_A_JOB

ACCOUNT = "SBATCH_ACCOUNT"
OVERRIDES = tuple(
    f"SBATCH_{name}"
    for name in (
        "ARRAY_INX", "BATCH", "CLUSTERS", "CONSTRAINT", "CORE_SPEC", "CPUS_PER_GPU", "ERROR", "EXCLUSIVE", "GPUS",
        "GPUS_PER_NODE", "GPUS_PER_TASK", "GRES", "HINT", "INPUT", "JOB_NAME", "MEM_PER_CPU", "MEM_PER_GPU",
        "MEM_PER_NODE", "NO_REQUEUE", "OPEN_MODE", "OUTPUT", "OVERCOMMIT", "PARTITION", "QOS", "SIGNAL", "SPREAD_JOB",
        "THREADS_PER_CORE", "THREAD_SPEC", "TIMELIMIT", "USE_MIN_NODES", "WAIT",
    )
)  # fmt: skip
"""Variables that would change what launchers, or the user's script, asks for. A reservation or a WCKey may still come
from the environment."""
CLIENT_SETTINGS = frozenset(
    f"SLURM_{name}"
    for name in (
        "BITSTR_LEN", "CLUSTERS", "CONF", "CONF_SERVER", "DEBUG_FLAGS", "EXIT_ERROR", "EXIT_IMMEDIATE", "JWT",
        "TIME_FORMAT", "UMASK",
    )
)  # fmt: skip
"""Variables that say how Slurm's commands work. In a job, any other SLURM_ variable is about that job."""


@contextmanager
def without_sbatch_overrides(*, account: bool) -> Iterator[None]:
    """A context in which no variable of this process overrides a job that is submitted.

    `account=False` leaves SBATCH_ACCOUNT in place, for a job that names no account itself. Where this process is a job,
    its own SLURM_ variables are hidden too: sbatch replaces only some of them, and the new job would take the number of
    this job in its array, its tasks or its memory for its own.
    """
    names = [*OVERRIDES, *OF_A_JOB, *([ACCOUNT] if account else [])]
    if "SLURM_JOB_ID" in os.environ:
        names += [name for name in os.environ if name.startswith("SLURM_") and name not in CLIENT_SETTINGS]
    hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
