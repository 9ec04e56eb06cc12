"""What a job asked and what it used, from accounting (man sacct)."""

from __future__ import annotations

import re

from launchers.jobs.usage import Usage
from launchers.slurm.gres import read_tres

USAGE_FIELDS = "TimelimitRaw,ReqTRES,AllocTRES,TotalCPU,MaxRSS,NTasks,NNodes,TRESUsageInTot"
"""The fields that `usage_of` reads, of the job and of each of its steps."""
_CPU = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)", re.ASCII)


def usage_of(job: list[str], *steps: list[str]) -> Usage:
    """The usage of a job from its own row of `USAGE` and those of its steps.

    A job shorter than the sampling interval (JobAcctGatherFrequency, 30 s unless set) has no MaxRSS at all.
    """
    limit, asked, given, cpu, _, _, nodes, _ = job
    count = int(nodes) if nodes.isdigit() and int(nodes) else 1
    got = dict(read_tres(given))
    tres = {**got, **dict(read_tres(asked))}
    peaks = [peak for step in steps if (peak := _peak(step)) is not None]
    return Usage(
        nodes=count,
        cores=_each(tres.get("cpu"), count),
        memory=_each(tres.get("mem"), count),
        gpus=_each(tres.get("gres/gpu"), count) or 0,
        limit=int(limit) * 60 if limit.isdigit() else None,
        reserved=got.get("cpu"),
        peak=sum(peaks) if any(peaks) else None,  # the batch step runs beside those that it starts
        cpu=_seconds(cpu),
    )


def _each(total: int | None, nodes: int) -> int | None:
    return None if total is None else -(-total // nodes)


def _peak(step: list[str]) -> int | None:
    """The most memory a step can have had on one node.

    MaxRSS is of its largest task and TRESUsageInTot the sum over all tasks of their highest (man sacct), so both what
    the tasks of one node may have had if all were as large as the largest, and the sum, are bounds: the lower one.
    """
    *_, largest, tasks, nodes, used = step
    rss = _bytes(largest)
    if rss is None:
        return None
    count = int(nodes) if nodes.isdigit() and int(nodes) else 1
    bound = rss * -(-int(tasks) // count) if tasks.isdigit() and int(tasks) else rss
    total = re.search(r"(?:^|,)mem=([^,]+)", used)
    return min(bound, (_bytes(total[1]) if total else None) or bound)


def _bytes(text: str) -> int | None:
    """Bytes of a size as sacct prints it, such as ``163104K``."""
    found = _SIZE.fullmatch(text)
    return int(float(found[1]) * 1024 ** " KMGTP".index(found[2] or " ")) if found else None


def _seconds(text: str) -> float | None:
    """Seconds of ``[days-][hours:]minutes:seconds.milliseconds``."""
    found = _CPU.fullmatch(text)
    if not found:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds
