"""What a job asked for and what it used, from accounting (man sacct; docs/slurm-facts.md#accounting)."""

from __future__ import annotations

import re

from launchers.jobs.usage import Usage
from launchers.quantities.numbers import whole_number
from launchers.slurm.gres import read_tres

USAGE_FIELDS = "TimelimitRaw,ReqTRES,AllocTRES,TotalCPU,MaxRSS,NTasks,NNodes,TRESUsageInTot"
"""The fields of sacct that `usage_of` reads, of the job and of each of its steps."""
_CPU_TIME = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)", re.ASCII)


def usage_of(job: list[str], *steps: list[str]) -> Usage:
    """The usage of a job, from the row with its `USAGE_FIELDS` and the rows of its steps.

    A job that is shorter than the sampling interval (30 s by default) has no MaxRSS, so its peak is None.
    """
    limit, requested, allocated, cpu_time, _, _, nodes, _ = job
    count = _count_or_one(nodes)
    allocation = dict(read_tres(allocated))
    request = {**allocation, **dict(read_tres(requested))}
    peaks = [peak for step in steps if (peak := _peak_per_node(step)) is not None]
    return Usage(
        nodes=count,
        cores=_per_node(request.get("cpu"), count),
        memory=_per_node(request.get("mem"), count),
        gpus=_per_node(request.get("gres/gpu"), count) or 0,
        limit=None if (minutes := whole_number(limit)) is None else minutes * 60,
        reserved=allocation.get("cpu"),
        peak=sum(peaks) if any(peaks) else None,  # the batch step runs beside the steps that it starts
        cpu=_seconds(cpu_time),
    )


def _per_node(total: int | None, nodes: int) -> int | None:
    return None if total is None else -(-total // nodes)


def _peak_per_node(step: list[str]) -> int | None:
    """The most memory, in bytes, that a step can have had on one node; None where nobody measured it.

    MaxRSS is the memory of the largest task, TRESUsageInTot the sum of the peaks of all tasks. The tasks of one node
    had at most MaxRSS each, and together at most that sum: the lower of the two bounds counts.
    """
    *_, max_rss, tasks, nodes, usage = step
    largest = _bytes(max_rss)
    if largest is None:
        return None
    tasks_per_node = -(-_count_or_one(tasks) // _count_or_one(nodes))
    bound = largest * tasks_per_node
    total = re.search(r"(?:^|,)mem=([^,]+)", usage)
    return min(bound, (_bytes(total[1]) if total else None) or bound)


def _count_or_one(text: str) -> int:
    """A count; 1 where sacct prints nothing or 0."""
    return whole_number(text) or 1


def _bytes(text: str) -> int | None:
    """The bytes of a size such as ``163104K``."""
    size = _SIZE.fullmatch(text)
    return int(float(size[1]) * 1024 ** " KMGTP".index(size[2] or " ")) if size else None


def _seconds(text: str) -> float | None:
    """The seconds of ``[days-][hours:]minutes:seconds.milliseconds``."""
    time = _CPU_TIME.fullmatch(text)
    if not time:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in time.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds
