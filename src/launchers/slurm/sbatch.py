"""Run sbatch, and believe of its answer only what cannot be anything else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from launchers.commands import CommandError, CommandTimeoutError, Connector, Outcome
from launchers.jobs.backend import RefusedError, last_lines
from launchers.slurm.environment import ask, job_environment
from launchers.slurm.refusals import is_refusal, refusal_of_sbatch
from launchers.slurm.settings import settings

TIMEOUT = 300.0
"""Seconds that sbatch gets: a busy controller answers late, and with a full queue sbatch waits and asks it again."""
KILLED = range(129, 193)
"""What a shell makes of the signal that ended a command; sbatch itself ends with 1 or 255."""
_ID = re.compile(r"(\d+)(?:;(\S+))?", re.ASCII)


def submit(connector: Connector, words: Sequence[str], *, account: bool, cwd: str | None = None) -> str:
    """Run sbatch with these options and this file: the job's id.

    `account` says that the job names an account.  Raises RefusedError: transient where the job may have been accepted
    all the same, so that its token has to be looked for.
    """
    argv = ("sbatch", "--parsable", *words)
    try:
        outcome = connector.run(argv, timeout=TIMEOUT, env=job_environment(account=account), cwd=cwd)
    except CommandError as error:
        raise RefusedError([str(error)], transient=isinstance(error, CommandTimeoutError)) from error
    ids = {(match[1], match[2]) for line in outcome.stdout.splitlines() if (match := _ID.fullmatch(line.strip()))}
    if outcome.status or len(ids) != 1:
        raise _refused(outcome)
    ((job, cluster),) = ids
    here = settings(connector) if cluster else None
    if here is not None and here.cluster not in ("", cluster):
        raise _elsewhere(connector, job, cluster, here.cluster)
    return str(job)


def _refused(outcome: Outcome) -> RefusedError:
    """What sbatch printed, as an error; without one job's id it may be a wrapper's answer, or have lost its end."""
    text = outcome.stderr if outcome.status and outcome.stderr.strip() else f"{outcome.stderr}\n{outcome.stdout}"
    lines = last_lines(text)
    killed = outcome.status < 0 or outcome.status in KILLED
    if outcome.status and not killed and is_refusal(outcome.stderr):
        return RefusedError(lines, refusal_of_sbatch(text).code)
    if not outcome.status:
        lines = ["sbatch ended well, but named no job id, or several", *lines]
    elif outcome.status < 0:
        lines = [f"sbatch was killed by signal {-outcome.status}", *lines]
    return RefusedError(lines or [f"exit status {outcome.status}"], transient=True)


def _elsewhere(connector: Connector, job: str, cluster: str, here: str) -> RefusedError:
    """A job went to another cluster, where nothing would follow it: it is taken back."""
    line = f"the job went to the cluster {cluster}, but the commands here are asked about {here}"
    try:
        outcome = ask(connector, ("scancel", f"--clusters={cluster}", job))
        problem = outcome.complaint if outcome.status else ""
    except CommandError as error:
        problem = str(error)
    left = f"it is still there ({problem}): scancel --clusters={cluster} {job}" if problem else "it is cancelled"
    return RefusedError([f"{line}: {left}", "use no --clusters: set SLURM_CONF to that of the cluster"])
