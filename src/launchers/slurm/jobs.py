"""What squeue and sacct know of jobs: one question to each, however many jobs there are."""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import Collection, Iterable, Mapping

from attrs import evolve

from launchers.commands import CommandError, Connector
from launchers.jobs.backend import Element, JobInfo
from launchers.jobs.state import ENDED, base
from launchers.quantities.hosts import expand_hosts
from launchers.slurm.accounting import USAGE_FIELDS, usage_of

TIMEOUT = 60.0
"""Seconds that each command may take."""
FORMAT = {"SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"}
"""Has Slurm's commands print times as seconds of the epoch, and all elements of an array (man sacct, man squeue)."""
SQUEUE_COLUMNS = "%F|%K|%T|%N|%M|%P|%V|%S|%e|%r"
SACCT_FIELDS = "JobID,State,Reason,NodeList,Elapsed,ExitCode,Partition,Submit,Eligible,Start,End"
_RANGES = re.compile(r"\[\d[\d,-]*(:\d+)?(%\d+)?\]")
_UNKNOWN_JOB = re.compile(r"Invalid job id", re.I)
"""What squeue prints for a job that the controller has forgotten."""


def job_infos(
    connector: Connector, ids: Iterable[str], elements: Collection[Element] = (), *, usage: bool = False
) -> dict[Element, JobInfo]:
    """What squeue and sacct know of these jobs and all their elements. A site may lack either command.

    sacct costs the cluster's database more than squeue costs its controller. So it is not asked where squeue knows all
    of `elements` and none has ended. `usage` asks it in any case, also for what the jobs used: that is stored with
    their steps, so it takes longer.
    """
    listed = ",".join(sorted(set(ids)))
    if not listed:
        return {}
    queued = _ask_squeue(connector, listed)
    if queued is not None and not usage and _is_enough(queued, elements):
        return queued
    accounted = _ask_sacct(connector, listed, usage)
    return accounted if queued is None else _combine(queued, accounted, elements)


def find_token(connector: Connector, token: str, since: float) -> str | None:
    """The id of the job that has a token as its comment, or at the end of its name; None where there is no such job.

    `since` (seconds of the epoch) is when it was submitted at the earliest. Raises CommandError where the controller
    does not answer: then it is not known whether there is such a job.
    """
    user = pwd.getpwuid(os.getuid()).pw_name
    outcome = connector.run(("squeue", "-h", "-a", "-t", "all", "-u", user, "-o", "%F|%k|%j"), timeout=TIMEOUT)
    if outcome.status:
        raise CommandError(f"squeue: {outcome.complaint}")
    start = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(since - 60))
    lines = outcome.stdout.splitlines()
    lines += _sacct_lines(connector, ("sacct", "-X", "-n", "-P", "-S", start, "-o", "JobID,Comment,JobName"))
    for line in lines:
        job, comment, name = ([*line.split("|", 2), "", ""])[:3]
        if token in (comment, name) or name.endswith(f".{token}"):
            return job.partition("_")[0]
    return None


def _is_enough(queued: Mapping[Element, JobInfo], elements: Collection[Element]) -> bool:
    ended = any(info.state in ENDED for info in queued.values())
    return bool(elements) and set(elements) <= queued.keys() and not ended


def _combine(
    queued: Mapping[Element, JobInfo], accounted: Mapping[Element, JobInfo], elements: Collection[Element]
) -> dict[Element, JobInfo]:
    """Both answers together (docs/slurm-facts.md#arrays).

    An element that was cancelled before it could start is in neither answer, or sacct still calls it PENDING. squeue
    lists the elements that wait, and sacct those that ran, so a missing element was cancelled.
    """
    jobs = {job for job, _ in accounted}
    infos = {element: info for element, info in accounted.items() if info.state != "PENDING" or element in queued}
    for element in elements:
        if element not in infos and element not in queued and element[0] in jobs:
            infos[element] = JobInfo("CANCELLED", "cancelled before it started")
    for element, info in queued.items():
        infos[element] = _newer(info, infos[element]) if element in infos else info
    return infos


def _newer(queued: JobInfo, accounted: JobInfo) -> JobInfo:
    """The answer of squeue, which is newer, with what only sacct knows."""
    return evolve(
        queued,
        exit=accounted.exit,
        submitted=queued.submitted or accounted.submitted,
        eligible=accounted.eligible,
        started=None if _never_started(queued.state, queued.nodes) else queued.started or accounted.started,
        ended=queued.ended or accounted.ended if queued.state in ENDED else None,
        usage=accounted.usage,
    )


# -- squeue ----------------------------------------------------------------------------------------------------


def _ask_squeue(connector: Connector, listed: str) -> dict[Element, JobInfo] | None:
    """The jobs that the controller knows; None where it does not answer."""
    squeue = ("squeue", "-h", "-a", "-r", "-t", "all", "-j", listed, "-o", SQUEUE_COLUMNS)
    try:
        outcome = connector.run(squeue, timeout=TIMEOUT, env=FORMAT)
    except CommandError:
        return None
    if outcome.status and not _UNKNOWN_JOB.search(outcome.complaint):
        return None
    infos: dict[Element, JobInfo] = {}
    for line in outcome.stdout.splitlines():
        cells = line.split("|", SQUEUE_COLUMNS.count("|"))
        if len(cells) == SQUEUE_COLUMNS.count("|") + 1:
            for element in _squeue_elements(job=cells[0], index=cells[1]):
                infos.setdefault(element, _squeue_info(cells))
    return infos


def _squeue_elements(job: str, index: str) -> list[Element]:
    """The elements of one line: one that waits, or all that were cancelled before they could start."""
    if index == "N/A":
        return _elements(job)
    return _elements(f"{job}_{index}" if index.isdigit() else f"{job}_[{index}]")


def _squeue_info(cells: list[str]) -> JobInfo:
    _, _, state, nodes, elapsed, partition, *times, reason = cells
    submitted, started, ended = map(_time, times)
    state = base(state)
    return JobInfo(
        state,
        reason,
        nodes,
        elapsed,
        partition=partition,
        submitted=submitted,
        started=None if _never_started(state, nodes) else started,
        ended=ended if state in ENDED else None,
    )


def _never_started(state: str, nodes: str) -> bool:
    """Whether squeue's start time is only expected, or that of a cancellation (docs/slurm-facts.md#job-states)."""
    return state in ("PENDING", "CONFIGURING") or (state == "CANCELLED" and not nodes)


# -- sacct -----------------------------------------------------------------------------------------------------


def _ask_sacct(connector: Connector, listed: str, usage: bool) -> dict[Element, JobInfo]:
    """The jobs that accounting knows; none where it does not answer."""
    fields, only_jobs = (f"{SACCT_FIELDS},{USAGE_FIELDS}", ()) if usage else (SACCT_FIELDS, ("-X",))
    infos: dict[Element, JobInfo] = {}
    usage_rows: dict[Element, list[list[str]]] = {}
    for line in _sacct_lines(connector, ("sacct", *only_jobs, "-n", "-P", "-j", listed, "-o", fields)):
        cells = line.split("|")
        if len(cells) != fields.count(",") + 1:
            continue
        id, _, step = cells[0].partition(".")
        shared = "[" in id  # a row of several elements is older than the row that one of them has for itself
        for element in _elements(id):
            if not shared or element not in usage_rows:
                usage_rows.setdefault(element, []).append(cells[SACCT_FIELDS.count(",") + 1 :])
            if not step and (not shared or element not in infos):
                infos[element] = _sacct_info(cells)
    if usage:
        return {element: evolve(info, usage=usage_of(*usage_rows[element])) for element, info in infos.items()}
    return infos


def _sacct_info(cells: list[str]) -> JobInfo:
    _, state, reason, nodes, elapsed, exit, partition, *times = cells[: SACCT_FIELDS.count(",") + 1]
    submitted, eligible, started, ended = map(_time, times)
    started = None if nodes == "None assigned" else started  # cancelled before it could start
    return JobInfo(base(state), reason, nodes, elapsed, exit, partition, submitted, eligible, started, ended)


def _sacct_lines(connector: Connector, argv: tuple[str, ...]) -> list[str]:
    """The lines that sacct prints; none where there is no accounting, or it knows none of these jobs."""
    try:
        outcome = connector.run(argv, timeout=TIMEOUT, env=FORMAT)
    except CommandError:
        return []
    return outcome.stdout.splitlines() if outcome.status == 0 else []


def _time(text: str) -> float | None:
    """Seconds of the epoch; None for Unknown, None and N/A, which mean not yet, or never."""
    return float(text) if text.isdigit() else None


def _elements(id: str) -> list[Element]:
    """The elements that an id stands for: ``12``, ``12_3``, ``12_[3-9,12%2]``; none for any other text."""
    job, _, index = id.partition("_")
    if not index:
        return [(job, None)]
    if index.isdigit():
        return [(job, int(index))]
    numbers = expand_hosts(f"_[{index.strip('[]').partition('%')[0]}]") if _RANGES.fullmatch(index) else []
    return [(job, int(number[1:])) for number in numbers]
