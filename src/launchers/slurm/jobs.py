"""What squeue and sacct know of jobs: one question to each, however many jobs there are."""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import Collection, Iterable

from attrs import evolve

from launchers.commands import CommandError, Connector
from launchers.jobs.backend import Element, JobInfo
from launchers.jobs.state import ENDED, base
from launchers.quantities.hosts import expand_hosts
from launchers.slurm.accounting import USAGE_FIELDS, usage_of

TIMEOUT = 60.0
"""Seconds that a command gets."""
FORMAT = {"SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"}
"""Has Slurm's commands print times that need no time zone, and all elements of an array (man sacct, man squeue)."""
RANGES = re.compile(r"\[\d[\d,-]*(:\d+)?(%\d+)?\]")
UNKNOWN_JOB = re.compile(r"Invalid job id", re.I)
"""What squeue says of a job that the controller has forgotten."""
JOB = "JobID,State,Reason,NodeList,Elapsed,ExitCode,Partition,Submit,Eligible,Start,End"


def job_infos(
    connector: Connector, ids: Iterable[str], elements: Collection[Element] = (), *, usage: bool = False
) -> dict[Element, JobInfo]:
    """What squeue and sacct know of these jobs and all their elements; either may not exist.

    sacct costs the cluster's database more than squeue costs its controller: where squeue knows all of `elements`, and
    none has ended, it is not asked.  `usage` asks it also for what they used, which is of their steps and takes the
    database longer.

    An element that is cancelled before it could start is in neither (22.05): where squeue lists its array's elements
    that wait, and sacct those that ran, the one that is missing is CANCELLED.
    """
    listed = ",".join(sorted(set(ids)))
    if not listed:
        return {}
    queued = _queued(connector, listed)
    known = queued or {}
    whole = bool(elements) and set(elements) <= set(known)
    if whole and not usage and not any(one.state in ENDED for one in known.values()):
        return known
    found = _accounted(connector, listed, usage)
    accounted = {job for job, _ in found}
    if queued is not None:  # sacct goes on naming elements that wait after they were cancelled
        found = {element: info for element, info in found.items() if info.state != "PENDING" or element in queued}
        for element in elements:
            if element not in found and element not in queued and element[0] in accounted:
                found[element] = JobInfo("CANCELLED", "cancelled before it started")
    for element, info in known.items():
        found[element] = _both(info, found[element]) if element in found else info
    return found


def _queued(connector: Connector, listed: str) -> dict[Element, JobInfo] | None:
    """What squeue knows; None where the controller does not answer."""
    found: dict[Element, JobInfo] = {}
    squeue = ("squeue", "-h", "-a", "-r", "-t", "all", "-j", listed, "-o", "%F|%K|%T|%N|%M|%P|%V|%S|%e|%r")
    try:
        outcome = connector.run(squeue, timeout=TIMEOUT, env=FORMAT)
    except CommandError:
        return None
    if outcome.status and not UNKNOWN_JOB.search(outcome.complaint):
        return None
    for line in outcome.stdout.splitlines():
        parts = line.split("|", 9)
        if len(parts) != 10:
            continue
        state, nodes = base(parts[2]), parts[3]
        submitted, started, ended = map(_time, parts[6:9])
        info = JobInfo(
            state,
            parts[9],
            nodes,
            parts[4],
            partition=parts[5],
            submitted=submitted,
            started=None if _never_started(state, nodes) else started,
            ended=ended if state in ENDED else None,
        )
        # those that wait have a line each, those that were cancelled before they could start have one together
        text = parts[0] if parts[1] == "N/A" else f"{parts[0]}_{parts[1] if parts[1].isdigit() else f'[{parts[1]}]'}"
        for element in _elements(text):
            found.setdefault(element, info)
    return found


def _never_started(state: str, nodes: str) -> bool:
    """While a job waits squeue's %S is what backfill expects; cancelled before it could start, it is when that was."""
    return state in ("PENDING", "CONFIGURING") or (state == "CANCELLED" and not nodes)


def _both(queued: JobInfo, accounted: JobInfo) -> JobInfo:
    """What squeue says is newer; sacct adds what squeue does not say."""
    return evolve(
        queued,
        exit=accounted.exit,
        submitted=queued.submitted or accounted.submitted,
        eligible=accounted.eligible,
        started=None if _never_started(queued.state, queued.nodes) else queued.started or accounted.started,
        ended=queued.ended or accounted.ended if queued.state in ENDED else None,
        usage=accounted.usage,
    )


def _accounted(connector: Connector, listed: str, usage: bool) -> dict[Element, JobInfo]:
    """What sacct knows."""
    fields, only = (f"{JOB},{USAGE_FIELDS}", ()) if usage else (JOB, ("-X",))
    found: dict[Element, JobInfo] = {}
    rows: dict[Element, list[list[str]]] = {}
    for line in _lines(connector, ("sacct", *only, "-n", "-P", "-j", listed, "-o", fields)):
        parts = line.split("|")
        id, _, step = parts[0].partition(".")
        if len(parts) != fields.count(",") + 1:
            continue
        elements = _elements(id)
        together = "[" in id  # older than the line that one of them has for itself
        for element in elements:
            if not together or element not in rows:
                rows.setdefault(element, []).append(parts[11:])
        if not step:
            _, state, reason, nodes, elapsed, exit, partition, *times = parts[:11]
            submitted, eligible, started, ended = map(_time, times)
            started = None if nodes == "None assigned" else started  # cancelled before it could
            info = JobInfo(base(state), reason, nodes, elapsed, exit, partition, submitted, eligible, started, ended)
            found.update({element: info for element in elements if not together or element not in found})
    if usage:
        return {element: evolve(info, usage=usage_of(*rows[element])) for element, info in found.items()}
    return found


def _time(text: str) -> float | None:
    return float(text) if text.isdigit() else None  # Unknown, None, N/A: not yet, or never


def _elements(text: str) -> list[Element]:
    """The elements that an id stands for: ``12``, ``12_3``, ``12_[3-9,12%2]``; none of what is none."""
    job, _, index = text.partition("_")
    if not index:
        return [(job, None)]
    if index.isdigit():
        return [(job, int(index))]
    numbers = expand_hosts(f"_[{index.strip('[]').partition('%')[0]}]") if RANGES.fullmatch(index) else []
    return [(job, int(number[1:])) for number in numbers]


def _lines(connector: Connector, argv: tuple[str, ...]) -> list[str]:
    """What a command prints; nothing where there is no such command or it knows nothing of these jobs."""
    try:
        outcome = connector.run(argv, timeout=TIMEOUT, env=FORMAT)
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
