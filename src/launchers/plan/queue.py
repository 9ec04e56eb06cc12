"""What Slurm knows of a run's jobs: one squeue and one sacct however many there are; ids by token."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterable

from attrs import frozen

from launchers.connector import CommandError, Connector
from launchers.slurm.states import base

TIMEOUT = 60.0
Element = tuple[str, int | None]
"""A job id and, of an array, the element."""


@frozen
class JobInfo:
    """What is known of one job: state in Slurm's words, reason or exit code, nodes, elapsed and limit as printed."""

    state: str
    reason: str = ""
    nodes: str = ""
    elapsed: str = ""
    exit: str = ""
    partition: str = ""


def states(connector: Connector, ids: Iterable[str]) -> dict[Element, JobInfo]:
    """What squeue and sacct know of these jobs and all their elements; either may not exist."""
    listed = ",".join(sorted(set(ids)))
    if not listed:
        return {}
    found: dict[Element, JobInfo] = {}
    sacct = ("sacct", "-X", "-n", "-P", "-j", listed, "-o", "JobID,State,Reason,NodeList,Elapsed,ExitCode,Partition")
    for line in _lines(connector, sacct):
        parts = line.split("|")
        element = _element(parts[0])
        if len(parts) == 7 and element is not None:
            found[element] = JobInfo(base(parts[1]), parts[2], parts[3], parts[4], parts[5], parts[6])
    squeue = ("squeue", "-h", "-a", "-r", "-t", "all", "-j", listed, "-o", "%F|%K|%T|%N|%M|%P|%r")
    for line in _lines(connector, squeue):
        parts = line.split("|", 6)
        if len(parts) != 7:
            continue
        index = int(parts[1]) if parts[1].isdigit() else None
        known = found.get((parts[0], index))
        exit = known.exit if known else ""
        found[parts[0], index] = JobInfo(base(parts[2]), parts[6], parts[3], parts[4], exit, parts[5])
    return found


def _element(text: str) -> Element | None:
    job, _, index = text.partition("_")
    if not index:
        return job, None
    return (job, int(index)) if index.isdigit() else None  # 12_[3-9]: those that wait are squeue's to list


def _lines(connector: Connector, argv: tuple[str, ...]) -> list[str]:
    """What a command prints; nothing where there is no such command or it knows nothing of these jobs."""
    try:
        outcome = connector.run(argv, timeout=TIMEOUT)
    except CommandError:
        return []  # no sacct, or a controller that does not answer now: the other one is asked as well
    return outcome.stdout.splitlines() if outcome.status == 0 else []


def find_token(connector: Connector, token: str, since: float) -> str | None:
    """The id of the job that carries a token in its comment or name; None when no scheduler knows it.

    Raises CommandError when the controller cannot be asked: then nobody knows.
    """
    user = pwd.getpwuid(os.getuid()).pw_name
    outcome = connector.run(("squeue", "-h", "-a", "-t", "all", "-u", user, "-o", "%F|%k|%j"), timeout=TIMEOUT)
    if outcome.status:
        raise CommandError(f"squeue: {outcome.complaint}")
    start = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(since - 60))
    lines = outcome.stdout.splitlines()
    lines += _lines(connector, ("sacct", "-X", "-n", "-P", "-S", start, "-o", "JobID,Comment,JobName"))
    for line in lines:
        job, comment, name = ([*line.split("|", 2), "", ""])[:3]
        if token in (comment, name) or name.endswith(f".{token}"):
            return job.partition("_")[0]
    return None
