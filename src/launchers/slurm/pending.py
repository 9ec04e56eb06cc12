"""A job that slurmctld knows, read back into the need that it stands for."""

from __future__ import annotations

import re

from attrs import frozen

from launchers.commands import CommandError, Connector
from launchers.gpus.catalogue import identify
from launchers.jobs.state import base
from launchers.quantities.numbers import whole_number
from launchers.requirement import Accelerator, Alternative
from launchers.slurm.environment import ask
from launchers.slurm.gres import read_tres
from launchers.slurm.times import read_limit

TIMEOUT = 20.0
"""Seconds that scontrol may take."""
JOB_ID = re.compile(r"\d+(_\d+)?(\+\d+)?", re.ASCII)
"""A job, an element of an array, or a component of a heterogeneous job."""
_START = re.compile(r"JobId=(\S+)")
_NEXT = re.compile(r"\nJobId=\d+ (?:\w+=\S+ )*JobName=")
_NAME = re.compile(r" JobName=\S*")
_USER = re.compile(r" UserId=\S+\(\d+\) GroupId=\S+\(\d+\) ")
_USER_TEXTS = re.compile(r" (?:Command|SubmitLine|WorkDir|(?:Admin|System)?Comment|Extra|StdErr|StdIn|StdOut)=")


@frozen
class QueuedJob:
    """A job: its state, why it waits, where it may run, and what it asks for, as an alternative of a requirement."""

    id: str
    state: str
    reason: str
    partitions: tuple[str, ...]
    qos: str
    account: str
    need: Alternative


class NoSuchJobError(LookupError):
    """A job that slurmctld does not know."""


def queued_job(connector: Connector, job: str) -> QueuedJob:
    """Ask slurmctld for a job.

    Raises NoSuchJobError for a job that it does not know, and CommandError where it does not answer.
    """
    if not JOB_ID.fullmatch(job):
        raise NoSuchJobError(f"{job!r} is not the id of a job, such as 1234 or 1234_5")
    outcome = ask(connector, ("scontrol", "show", "job", "-o", job), timeout=TIMEOUT)
    if outcome.status and "Invalid job id" not in outcome.stderr:
        raise CommandError(f"job {job}: slurmctld does not answer: {outcome.complaint}")
    if outcome.status or "JobId=" not in outcome.stdout:
        raise NoSuchJobError(
            f"slurmctld does not know job {job} ({outcome.complaint}): there was no such job, or it ended a while ago; "
            f"try: sacct -j {job}"
        )
    try:
        return read_job(outcome.stdout)
    except ValueError as error:
        raise CommandError(f"job {job}: launchers cannot read what scontrol printed: {error}") from None


def read_job(text: str) -> QueuedJob:
    """The first job of ``scontrol show job -o``. Raises ValueError for a text without jobs."""
    pairs = _slurm_pairs(text)
    return QueuedJob(
        id=pairs["JobId"],
        state=base(pairs.get("JobState", "")),
        reason=pairs.get("Reason") or "None",
        partitions=tuple(filter(None, pairs.get("Partition", "").split(","))),
        qos=_set_value(pairs, "QOS"),
        account=_set_value(pairs, "Account"),
        need=_need(pairs),
    )


# -- what Slurm says, without what the user wrote --------------------------------------------------------------


def _slurm_pairs(text: str) -> dict[str, str]:
    """The keys and values that Slurm itself states; the user's texts (name, command, comments, paths) are left out.

    scontrol prints the job's name, then what Slurm knows, then the user's texts, of which StdOut is the last, then what
    the job asks per node and task (docs/slurm-facts.md#what-slurm-prints). A text may hold anything, also line breaks
    and ``NumNodes=9``. So of two equal keys the first counts before the texts, and the last behind them.
    """
    text = text.strip()
    start = _START.match(text)
    if start is None:
        raise ValueError("this is not a job as scontrol prints it")
    following = _NEXT.search(text, start.end())
    record = text[start.end() : following.start() if following else None]
    known, behind = _without_user_texts(record[_end_of_name(record) :])
    pairs = _pairs(behind.split()[1:]) | _pairs(known.split()[::-1])
    reason, ends, _ = known.partition(" Reason=")[2].partition(" Dependency=")
    if ends:  # it is the only value of Slurm's that may hold blanks
        pairs["Reason"] = reason
    return pairs | {"JobId": start[1]}


def _without_user_texts(record: str) -> tuple[str, str]:
    """What stands before the user's texts, and what stands behind them, which begins with the rest of StdOut."""
    texts = _USER_TEXTS.search(record)
    if texts is None:
        return record, ""
    return record[: texts.start()], record[texts.start() :].rpartition(" StdOut=")[2]


def _end_of_name(record: str) -> int:
    """Where the job's name ends: before its user, the last thing that looks like a user before the other texts."""
    texts = _USER_TEXTS.search(record)
    users = list(_USER.finditer(record, 0, texts.start() if texts else len(record))) or list(_USER.finditer(record))[:1]
    if users:
        return users[-1].start()
    name = _NAME.search(record)
    return name.end() if name else 0


def _pairs(words: list[str]) -> dict[str, str]:
    return {key: value for key, equals, value in (word.partition("=") for word in words) if equals}


def _set_value(pairs: dict[str, str], key: str) -> str:
    """A value; "" where it is not set."""
    value = pairs.get(key, "")
    return "" if value in ("(null)", "N/A") else value


# -- what the job asks for -------------------------------------------------------------------------------------


def _need(pairs: dict[str, str]) -> Alternative:
    nodes = max(1, _least(pairs.get("NumNodes", "1")))
    cpus = _least(pairs.get("NumCPUs", "1"))
    limit = pairs.get("TimeLimit", "")
    return Alternative(
        duration=read_limit(limit) if limit[:1].isdigit() else None,
        cpu_memory=_memory_per_node(pairs, cpus // nodes),
        cores=-(-cpus // nodes),
        accelerators=tuple(_gpus_per_node(pairs, nodes)),
        nodes=nodes,
    )


def _least(text: str) -> int:
    """The least of a range such as ``2-4``; 1 where it is empty."""
    return int(text.split("-")[0] or 1)


def _memory_per_node(pairs: dict[str, str], cpus_per_node: int) -> int:
    """The memory per node in bytes; 0 where the job asks for none."""
    if per_cpu := pairs.get("MinMemoryCPU"):
        return _bytes(per_cpu) * cpus_per_node
    per_node = pairs.get("MinMemoryNode", "0")
    return _bytes(per_node) if per_node[:1].isdigit() else 0


def _bytes(size: str) -> int:
    return dict(read_tres(f"mem={size}")).get("mem", 0)


def _gpus_per_node(pairs: dict[str, str], nodes: int) -> list[Accelerator]:
    """The GPUs of ``TresPerNode=gres:gpu:a100:2``, and of TresPerJob, which the nodes share."""
    gpus: list[Accelerator] = []
    for key, share in (("TresPerNode", 1), ("TresPerJob", nodes)):
        for item in filter(None, _set_value(pairs, key).split(",")):
            gpus += _gpus(item, share)
    return gpus


def _gpus(item: str, share: int) -> list[Accelerator]:
    """The GPUs per node of one item; 22.05 prints ``gres:gpu:2``, newer versions ``gres/gpu:2``."""
    name, *rest = item.replace("gres/", "gres:").removeprefix("gres:").split(":")
    if name != "gpu":
        return []
    count = whole_number(rest[-1]) if rest else None
    type = rest[0] if rest and whole_number(rest[0]) is None else None
    card = identify(type) if type else None
    return [Accelerator("gpu", model=card.model if card else None)] * -(-(1 if count is None else count) // share)
