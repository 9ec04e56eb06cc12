"""What squeue and sacct know of jobs: one question to each, however many jobs there are.

An id is used again: by a controller that lost its state, and by every other cluster.  So each question asks for what
carries the token of a job as well, and only jobs that carry theirs count.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import define, evolve, field, frozen

from launchers.commands import CommandError, CommandNotFoundError, Connector
from launchers.jobs.backend import Element, JobAnswer, JobInfo
from launchers.jobs.state import ENDED, base
from launchers.quantities.hosts import expand_hosts
from launchers.slurm.accounting import USAGE_FIELDS, usage_of
from launchers.slurm.environment import SECONDS, ask, user
from launchers.slurm.settings import settings

CHUNK = 5000
"""Ids in one question: Linux takes 128 KiB as one word of a command."""
SEPARATOR = f"|{secrets.token_hex(4)}|"
"""What ends each field that is asked for: names, comments and folders of jobs may hold anything else."""
SQUEUE_COLUMNS = ("%F", "%K", "%T", "%N", "%M", "%P", "%V", "%S", "%e", "%r", "%Z", "%k", "%j")
SACCT_FIELDS = (
    *("JobID", "State", "Reason", "NodeList", "Elapsed", "ExitCode", "Partition", "Submit", "Eligible", "Start", "End"),
    *("WorkDir", "Comment", "JobName"),
)
IDENTITY = 3
"""The last fields of both say whose a job is: its folder, comment and name."""
CLOCKS_APART = 86400.0
"""Seconds by which the clocks of this machine and of the cluster may differ, or be set."""
BEFORE_START = "cancelled before it started"
_RANGES = re.compile(r"\[\d[\d,-]*(:\d+)?(%\d+)?\]", re.ASCII)
_AGENT_QUEUE = re.compile(r"^DBD Agent queue size:\s*(\d+)", re.M | re.ASCII)


def job_infos(
    connector: Connector,
    jobs: Mapping[str, str],
    elements: Collection[Element] = (),
    *,
    usage: bool = False,
    folder: Path | None = None,
) -> JobAnswer:
    """What squeue and sacct know of these jobs, by id with their tokens, and all their elements.

    `folder` is where scripts run that have no token where accounting stores no comments: it counts in its place.

    sacct costs the cluster's database more than squeue costs its controller. So it is not asked where squeue knows all
    of `elements` and none has ended. `usage` asks it in any case, also for what the jobs used: that is stored with
    their steps, so it takes longer.
    """
    if not jobs:
        return JobAnswer()
    queued = ask_squeue(connector, jobs, folder)
    if not queued.problem and not usage and _is_enough(queued.infos, elements):
        return queued
    missing = any(index is not None and (job, index) not in queued.infos for job, index in elements)
    is_settled = missing and not queued.problem and _accounting_is_settled(connector)
    accounted = _ask_sacct(connector, _Identity.of(jobs, folder), usage)
    infos = _combine(queued, accounted, elements, is_settled=is_settled)
    complete = set(elements) <= infos.keys() if elements else jobs.keys() <= {job for job, _ in infos}
    problems = (queued.problem, "" if complete else accounted.problem)
    return JobAnswer(infos, "; ".join(filter(None, problems)))


def find_token(connector: Connector, token: str, since: float) -> str | None:
    """The id of the job that has a token as its comment, or at the end of its name; None where there is no such job.

    `since` (seconds of the epoch) is when it was submitted at the earliest. Raises CommandError where Slurm cannot be
    asked: then it is not known whether there is such a job.
    """
    who = user()
    columns = "".join(column + SEPARATOR for column in ("%F", "%T", "%N", "%k", "%j"))
    outcome = ask(connector, ("squeue", "-h", "-a", "-t", "all", "-u", who, "-o", columns))
    if outcome.status:
        raise CommandError(f"squeue: {outcome.complaint}")
    start = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(max(0.0, since - CLOCKS_APART)))
    records = _records(outcome.stdout, 5)
    if not any(_carries(token, comment, name) for *_, comment, name in records):
        fields = ("JobID", "State", "NodeList", "Comment", "JobName")
        records = _records(_run_sacct(connector, ("-X", "-u", who, "-S", start), fields), 5)
    found = (
        job
        for job, state, nodes, comment, name in records
        if _carries(token, comment, name) and not _was_refused(state, nodes)
    )
    return next((job.partition("_")[0] for job in found), None)


def _was_refused(state: str, nodes: str) -> bool:
    """Whether the controller made a job only to let it fail at once, as no node fits it; sbatch calls that a refusal.

    docs/slurm-facts.md#refusals-and-reasons: "Requested node configuration is not available" leaves such a job.
    """
    return base(state) == "FAILED" and nodes in ("", "None assigned", "(null)")


def _carries(token: str, comment: str, name: str) -> bool:
    return token != "" and (token in (comment, name) or name.endswith(f".{token}"))


@frozen
class _Identity:
    """By what jobs are known: the token of each, and the folders in which their scripts run."""

    tokens: Mapping[str, str]
    folders: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tokens: Mapping[str, str], folder: Path | None) -> _Identity:
        return cls(tokens, frozenset({str(folder), os.path.realpath(folder)}) if folder else frozenset())

    def counts(self, job: str, cells: Sequence[str]) -> bool:
        """Whether a job is the one that was submitted under this id, by the last fields of what is said of it."""
        if job not in self.tokens:
            return False
        token, (folder, comment, name) = self.tokens[job], cells[-IDENTITY:]
        has_other = token != "" and comment not in ("", "(null)")
        return _carries(token, comment, name) or (folder in self.folders and not has_other)


def _is_enough(queued: Mapping[Element, JobInfo], elements: Collection[Element]) -> bool:
    ended = any(info.state in ENDED for info in queued.values())
    return bool(elements) and set(elements) <= queued.keys() and not ended


def _records(text: str, width: int) -> list[list[str]]:
    """The records in an output each of whose fields ends with SEPARATOR, whatever was printed before or after them."""
    *fields, _ = text.split(SEPARATOR)
    rows = [fields[start : start + width] for start in range(0, len(fields) - width + 1, width)]
    return [[first.rpartition("\n")[2], *rest] for first, *rest in rows]


def _chunks(ids: Collection[str]) -> Iterator[list[str]]:
    listed = sorted(ids)
    return (listed[start : start + CHUNK] for start in range(0, len(listed), CHUNK))


# -- both answers together -------------------------------------------------------------------------------------


@define
class _Accounted:
    """What sacct knows: `own` rows of one element each, and rows that elements share until they start.

    `unfinished` are the jobs of which some row has not ended.
    """

    own: dict[Element, JobInfo] = field(factory=dict)
    shared: dict[Element, JobInfo] = field(factory=dict)
    unfinished: set[str] = field(factory=set)
    problem: str = ""


def _combine(
    queued: JobAnswer, accounted: _Accounted, elements: Collection[Element], *, is_settled: bool
) -> dict[Element, JobInfo]:
    """Both answers together (docs/slurm-facts.md#arrays).

    What has not ended is in the queue: what sacct says of a job that the controller has forgotten is old.  Where
    accounting has all that ended (`is_settled`), elements that neither knows by themselves were cancelled.
    """
    infos = dict(queued.infos)
    for element, info in infos.items():
        known = accounted.own.get(element) or accounted.shared.get(element)
        infos[element] = _newer(info, known) if known else info
    for element, info in accounted.own.items():
        if element not in infos and (info.state in ENDED or queued.problem):
            infos[element] = info
    if queued.problem:
        waiting = {element: info for element, info in accounted.shared.items() if info.state not in ENDED}
        return {**waiting, **infos}
    if is_settled and not accounted.problem:
        absent = {element for element in {*elements, *accounted.shared} - infos.keys() if element[1] is not None}
        infos |= _cancelled_before_start(absent, {job for job, _ in queued.infos}, accounted)
    return infos


def _cancelled_before_start(
    absent: Collection[Element], in_queue: Collection[str], accounted: _Accounted
) -> dict[Element, JobInfo]:
    """The elements that were cancelled before they could start, which are in no answer by themselves.

    It takes that the controller still has their array, or that accounting saw the end of it.
    """
    over = {job for job, _ in (*accounted.own, *accounted.shared)} - accounted.unfinished
    infos = {}
    for element in absent:
        if element[0] in in_queue or element[0] in over:
            shared = accounted.shared.get(element)
            infos[element] = shared if shared and shared.state in ENDED else JobInfo("CANCELLED", BEFORE_START)
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


def _accounting_is_settled(connector: Connector) -> bool:
    """Whether slurmctld has told slurmdbd of all that has ended (man sdiag, DBD Agent queue size).

    Asked between squeue and sacct, it says that what ended and is forgotten has a row in accounting.
    """
    try:
        outcome = ask(connector, ("sdiag",))
    except CommandError:
        return False
    waiting = _AGENT_QUEUE.search(outcome.stdout)
    return outcome.status == 0 and waiting is not None and int(waiting[1]) == 0


# -- squeue ----------------------------------------------------------------------------------------------------


def ask_squeue(connector: Connector, jobs: Mapping[str, str], folder: Path | None = None) -> JobAnswer:
    """The jobs that the controller knows, and that carry their token."""
    identity = _Identity.of(jobs, folder)
    infos: dict[Element, JobInfo] = {}
    together: dict[Element, JobInfo] = {}  # elements that were cancelled before they could start have one line
    try:
        for ids in _chunks(jobs):
            for cells in _records(_run_squeue(connector, ids), len(SQUEUE_COLUMNS)):
                if identity.counts(cells[0], cells):
                    elements = _squeue_elements(job=cells[0], index=cells[1])
                    into = infos if len(elements) == 1 else together
                    into.update(dict.fromkeys(elements, _squeue_info(cells)))
    except CommandError as error:
        return JobAnswer({**together, **infos}, str(error))
    return JobAnswer({**together, **infos})


def _run_squeue(connector: Connector, ids: list[str]) -> str:
    """What squeue prints of jobs.  Raises CommandError.

    Asked for one job it fails where the controller has forgotten that. Asked for several it does not: so a failure is
    one where it fails for the same job, named twice (22.05).
    """
    columns = "".join(column + SEPARATOR for column in SQUEUE_COLUMNS)
    for listed in (ids, ids * 2) if len(ids) == 1 else (ids,):
        argv = ("squeue", "-h", "-a", "-r", "-t", "all", "-j", ",".join(listed), "-o", columns)
        outcome = ask(connector, argv, time_format=SECONDS)
        if outcome.status == 0:
            return outcome.stdout
    raise CommandError(f"squeue: {outcome.complaint}")


def _squeue_elements(job: str, index: str) -> list[Element]:
    """The elements of one line: one that waits, or all that were cancelled before they could start."""
    if index == "N/A":
        return _elements(job)
    return _elements(f"{job}_{index}" if index.isdigit() else f"{job}_[{index}]")


def _squeue_info(cells: list[str]) -> JobInfo:
    _, _, state, nodes, elapsed, partition, *times, reason = cells[:-IDENTITY]
    submitted, started, ended = map(_time, times)
    state = base(state)
    return JobInfo(
        state,
        reason if state in ENDED | {"PENDING"} else "",  # Slurm keeps what a job waited for after it has started
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


def _ask_sacct(connector: Connector, identity: _Identity, usage: bool) -> _Accounted:
    """The jobs that accounting knows, and that carry their token; of several records of one, the latest.

    With -D it tells of all jobs that had an id, and of all times that a job was queued again.
    """
    extra, only_jobs = (USAGE_FIELDS.split(","), ()) if usage else ([], ("-X",))
    fields = (SACCT_FIELDS[0], *extra, *SACCT_FIELDS[1:])
    accounted = _Accounted()
    try:
        for ids in _chunks(identity.tokens):
            text = _run_sacct(connector, (*only_jobs, "-D", "-j", ",".join(ids)), fields)
            _add_rows(accounted, _records(text, len(fields)), identity, len(extra))
    except CommandError as error:
        accounted.problem = str(error)
    return accounted


def _add_rows(accounted: _Accounted, rows: list[list[str]], identity: _Identity, extra: int) -> None:
    """Sort rows of jobs, each of which has those of its steps behind it; `extra` is how many fields say usage."""
    steps: list[list[str]] = []
    for cells in reversed(rows):
        id, usage, rest = cells[0], cells[1 : extra + 1], cells[extra + 1 :]
        if "." in id:
            steps.insert(0, usage)
            continue
        job = id.partition("_")[0]
        if identity.counts(job, rest):
            info = _sacct_info(rest[:-IDENTITY])
            info = evolve(info, usage=usage_of(usage, *steps)) if extra else info
            if info.state not in ENDED:
                accounted.unfinished.add(job)
            into = accounted.shared if "[" in id else accounted.own
            for element in _elements(id):
                if element not in into or (info.submitted or 0) > (into[element].submitted or 0):
                    into[element] = info
        steps = []


def _sacct_info(cells: list[str]) -> JobInfo:
    state, reason, nodes, elapsed, exit, partition, *times = cells
    submitted, eligible, started, ended = map(_time, times)
    started = None if nodes == "None assigned" else started  # cancelled before it could start
    return JobInfo(base(state), reason, nodes, elapsed, exit, partition, submitted, eligible, started, ended)


def _run_sacct(connector: Connector, options: Sequence[str], fields: Sequence[str]) -> str:
    """What sacct prints; "" where there is no accounting.  Raises CommandError where it does not answer."""
    argv = ("sacct", *options, "-n", "-p", f"--delimiter={SEPARATOR}", "-o", ",".join(fields))
    try:
        outcome = ask(connector, argv, time_format=SECONDS)
        problem = f"sacct: {outcome.complaint}" if outcome.status else ""
    except CommandNotFoundError:
        return ""
    except CommandError as error:
        problem = str(error)
    if not problem:
        return outcome.stdout
    here = settings(connector)
    if here is not None and not here.accounting:
        return ""
    raise CommandError(problem)


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
