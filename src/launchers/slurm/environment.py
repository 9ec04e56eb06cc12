"""What sbatch reads from its environment: it goes before what a file says (man sbatch, INPUT ENVIRONMENT VARIABLES)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from launchers.variables import OF_A_JOB

ACCOUNT = "SBATCH_ACCOUNT"
DECIDED = tuple(
    f"SBATCH_{name}"
    for name in (
        "ARRAY_INX", "BATCH", "CLUSTERS", "CONSTRAINT", "CORE_SPEC", "CPUS_PER_GPU", "ERROR", "EXCLUSIVE", "GPUS",
        "GPUS_PER_NODE", "GPUS_PER_TASK", "GRES", "HINT", "INPUT", "JOB_NAME", "MEM_PER_CPU", "MEM_PER_GPU",
        "MEM_PER_NODE", "NO_REQUEUE", "OPEN_MODE", "OUTPUT", "OVERCOMMIT", "PARTITION", "QOS", "SIGNAL", "SPREAD_JOB",
        "THREADS_PER_CORE", "THREAD_SPEC", "TIMELIMIT", "USE_MIN_NODES", "WAIT",
    )
)  # fmt: skip
"""What the broker, or a script of the user's, has decided.  A reservation or a WCKey is still the environment's."""
SETTINGS = frozenset(
    f"SLURM_{name}"
    for name in (
        "BITSTR_LEN", "CLUSTERS", "CONF", "CONF_SERVER", "DEBUG_FLAGS", "EXIT_ERROR", "EXIT_IMMEDIATE", "JWT",
        "TIME_FORMAT", "UMASK",
    )
)  # fmt: skip
"""How Slurm's commands work.  Everything else that begins with SLURM_ is about a job, in a job: about this one."""


@contextmanager
def without_sbatch_overrides(*, account: bool) -> Iterator[None]:
    """A context in which sbatch does what it is told; `account` says whether that is about the account too.

    A job inherits the environment.  Where this process is in a job itself, the other one must not take its number in
    an array, its tasks or its memory for its own: sbatch replaces only some of these variables (seen on 22.05).
    """
    names = [*DECIDED, *OF_A_JOB, *([ACCOUNT] if account else [])]
    if "SLURM_JOB_ID" in os.environ:
        names += [name for name in os.environ if name.startswith("SLURM_") and name not in SETTINGS]
    aside = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(aside)
