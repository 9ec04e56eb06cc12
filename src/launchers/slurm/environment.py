"""What sbatch reads from its environment: it goes before what a file says (man sbatch, INPUT ENVIRONMENT VARIABLES)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def as_decided(*, account: bool) -> Iterator[None]:
    """A context in which sbatch does what it is told; `account` says whether that is about the account too."""
    names = (*DECIDED, ACCOUNT) if account else DECIDED
    aside = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(aside)
