"""The environment of Slurm's commands (docs/slurm-facts.md#environment): what would change a question or a job.

A command gets the environment of this process, as the user's SLURM_CONF must reach it.  What is here takes names out of
it, as `launchers.commands` has it: None for a name that the command must not see.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from launchers.commands import Connector, Outcome
from launchers.variables import OF_A_JOB

TIMEOUT = 60.0
"""Seconds that a question may take."""
SECONDS = "%s"
"""The SLURM_TIME_FORMAT that prints times as seconds of the epoch (man sacct, man squeue)."""
ELSEWHERE = ("SLURM_CLUSTERS", "SBATCH_CLUSTERS")
"""Variables that lead a command to another cluster."""
QUESTION_PREFIXES = ("SQUEUE_", "SACCT_", "SCANCEL_", "SCONTROL_", "SINFO_", "SACCTMGR_", "SDIAG_")
"""How the variables begin that filter, sort or format what these commands print, or limit what they act on."""
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
        "BITSTR_LEN", "CONF", "CONF_SERVER", "DEBUG_FLAGS", "EXIT_ERROR", "EXIT_IMMEDIATE", "JWT", "TIME_FORMAT",
        "UMASK",
    )
)  # fmt: skip
"""Variables that say how Slurm's commands work. In a job, any other SLURM_ variable is about that job."""


def ask(
    connector: Connector, argv: tuple[str, ...], *, timeout: float = TIMEOUT, time_format: str | None = None
) -> Outcome:
    """Run a command that asks Slurm, or cancels: on the cluster of SLURM_CONF, and about nothing but what it names.

    `time_format` is the SLURM_TIME_FORMAT of what it prints (None: Slurm's own).  Raises CommandError.
    """
    return connector.run(argv, timeout=timeout, env=question_environment(time_format))


def question_environment(time_format: str | None = None) -> dict[str, str | None]:
    """What changes in the environment of a command that asks Slurm; it prints all elements of an array."""
    names = (name for name in os.environ if name in ELSEWHERE or name.startswith(QUESTION_PREFIXES))
    return {**dict.fromkeys(names), "SLURM_TIME_FORMAT": time_format, "SLURM_BITSTR_LEN": "0"}


def job_environment(*, account: bool) -> Mapping[str, str | None]:
    """What changes in the environment of a command that submits: no variable overrides the job that is asked for.

    `account=False` leaves SBATCH_ACCOUNT in place, for a job that names no account itself. Where this process is a job,
    its own SLURM_ variables are hidden too: sbatch replaces only some of them, and the new job would take the number of
    this job in its array, its tasks or its memory for its own.
    """
    names = [*OVERRIDES, *OF_A_JOB, *ELSEWHERE, *([ACCOUNT] if account else [])]
    if "SLURM_JOB_ID" in os.environ:
        names += [name for name in os.environ if name.startswith("SLURM_") and name not in CLIENT_SETTINGS]
    return dict.fromkeys(names)


def user() -> str:
    """The name of this process's user as Slurm's commands take it: the number where the user has no name here."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
