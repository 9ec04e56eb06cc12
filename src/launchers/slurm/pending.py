"""A job as slurmctld knows it, read back into the need that it stands for."""

from __future__ import annotations

import re

from attrs import frozen

from launchers.commands import CommandError, Connector
from launchers.gpus.catalogue import identify
from launchers.jobs.state import base
from launchers.requirement import Accelerator, Alternative
from launchers.slurm.gres import read_tres
from launchers.slurm.times import read_limit


@frozen
class QueuedJob:
    """A job: its state, why it waits, where it may go, and what it asks as an alternative of a requirement."""

    id: str
    state: str
    reason: str
    partitions: tuple[str, ...]
    qos: str
    account: str
    need: Alternative


class NoSuchJobError(LookupError):
    """A job that slurmctld does not know."""


ID = re.compile(r"\d+(_\d+)?(\+\d+)?", re.ASCII)
"""A job, an element of an array, a component of a heterogeneous job."""


def queued_job(connector: Connector, job: str) -> QueuedJob:
    """Ask slurmctld for a job; raises NoSuchJobError, and CommandError where it cannot be asked."""
    if not ID.fullmatch(job):
        raise NoSuchJobError(f"{job!r} is not the id of a job, such as 1234 or 1234_5")
    outcome = connector.run(("scontrol", "show", "job", "-o", job), timeout=20)
    if outcome.status and "Invalid job id" not in outcome.stderr:
        raise CommandError(f"job {job}: slurmctld cannot be asked: {outcome.complaint}")
    if outcome.status or "JobId=" not in outcome.stdout:
        raise NoSuchJobError(
            f"slurmctld does not know job {job} ({outcome.complaint}): it never was, or it ended a while ago; "
            f"try: sacct -j {job}"
        )
    try:
        return read_job(outcome.stdout)
    except ValueError as error:
        raise CommandError(f"job {job}: scontrol printed something that launchers cannot read: {error}") from None


def read_job(text: str) -> QueuedJob:
    """The first job of ``scontrol show job -o``; raises ValueError where that is none."""
    facts = _facts(text)
    return QueuedJob(
        id=facts["JobId"],
        state=base(facts.get("JobState", "")),
        reason=facts.get("Reason") or "None",
        partitions=tuple(filter(None, facts.get("Partition", "").split(","))),
        qos=_said(facts.get("QOS")),
        account=_said(facts.get("Account")),
        need=_need(facts),
    )


_RECORD = re.compile(r"\s*JobId=(\S+)(.*?)(?=\nJobId=\d+ (?:\w+=\S+ )*JobName=|\s*\Z)", re.DOTALL)
_NAME = re.compile(r" JobName=\S*")
_USER = re.compile(r" UserId=\S+\(\d+\) GroupId=\S+\(\d+\) ")
_TEXTS = re.compile(r" (?:Command|SubmitLine|WorkDir|(?:Admin|System)?Comment|Extra|StdErr|StdIn|StdOut)=")
_REASON = re.compile(r" Reason=(.*?) Dependency=", re.DOTALL)


def _facts(text: str) -> dict[str, str]:
    """What Slurm says of a job, without what its user wrote: name, command line, comments, paths.

    Slurm prints the name, then what it knows, then the user's other texts, of which StdOut is the last, and then what
    is asked for each job, node and task; 22.05, 24.11 and 26.05 have the same order.  A text may hold anything, also
    ``NumNodes=9`` and line breaks.  Before the texts the first of two equal keys is Slurm's, behind them the last.
    """
    job = _RECORD.match(text)
    if job is None:
        raise ValueError("not a job as scontrol prints it")
    id, record = job.groups()
    known = record[_end_of_name(record) :]
    texts = _TEXTS.search(known)
    asked = known[texts.start() :].rpartition(" StdOut=")[2].split()[1:] if texts else []
    known = known[: texts.start()] if texts else known
    facts = {key: value for key, equals, value in (word.partition("=") for word in asked) if equals}
    facts |= {key: value for key, equals, value in (word.partition("=") for word in reversed(known.split())) if equals}
    if reason := _REASON.search(known):  # the only value of Slurm's that may hold blanks
        facts["Reason"] = reason[1]
    return facts | {"JobId": id}


def _end_of_name(record: str) -> int:
    """Where a job's name ends: before its user, which comes last before the other texts."""
    texts = _TEXTS.search(record)
    users = list(_USER.finditer(record, 0, texts.start() if texts else len(record))) or list(_USER.finditer(record))[:1]
    name = _NAME.search(record)
    return users[-1].start() if users else name.end() if name else 0


def _said(text: str | None) -> str:
    return "" if text in (None, "(null)", "N/A") else str(text)


def _need(pairs: dict[str, str]) -> Alternative:
    nodes = max(1, int(pairs.get("NumNodes", "1").split("-")[0] or 1))
    cpus = int(pairs.get("NumCPUs", "1").split("-")[0] or 1)
    limit = pairs.get("TimeLimit", "")
    memory = pairs.get("MinMemoryNode", "0")
    size = dict(read_tres(f"mem={memory}")).get("mem", 0) if memory[:1].isdigit() else 0
    if per_cpu := pairs.get("MinMemoryCPU"):
        size = dict(read_tres(f"mem={per_cpu}")).get("mem", 0) * (cpus // nodes)
    return Alternative(
        duration=read_limit(limit) if limit[:1].isdigit() else None,
        cpu_memory=size,
        cores=-(-cpus // nodes),
        accelerators=tuple(_gpus(pairs, nodes)),
        nodes=nodes,
    )


def _gpus(pairs: dict[str, str], nodes: int) -> list[Accelerator]:
    """The GPUs per node: ``TresPerNode=gres:gpu:a100:2``, ``gres/gpu:2``, or TresPerJob for the whole job."""
    found: list[Accelerator] = []
    for key, share in (("TresPerNode", 1), ("TresPerJob", nodes)):
        for item in filter(None, _said(pairs.get(key)).split(",")):
            parts = item.replace("gres/", "gres:").removeprefix("gres:").split(":")
            if parts[0] != "gpu":
                continue
            count = int(parts[-1]) if parts[-1].isdigit() else 1
            kind = parts[1] if len(parts) > 1 and not parts[1].isdigit() else None
            card = identify(kind) if kind else None
            one = Accelerator("gpu", model=card.model if card else None)
            found += [one] * -(-count // share)
    return found
