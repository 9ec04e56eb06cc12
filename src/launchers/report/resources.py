"""The table of what each step asked for and used."""

from __future__ import annotations

from statistics import median
from typing import Any

from launchers.jobs.usage import Usage
from launchers.quantities.words import rough_memory, rough_time
from launchers.report.advise import Advice, elapsed
from launchers.report.states import state_class
from launchers.report.timeline import Spans
from launchers.runs.status import StepState


def resources(step: StepState, advice: Advice, spans: Spans) -> dict[str, Any]:
    """A row of the table, as report.html takes it."""
    waited = max((_queued(spans, id(job)) for job in step.members), default=0.0)
    usage = next((job.info.usage for job in step.members if job.info.usage), Usage())
    return {
        "name": step.name,
        "class": state_class(step.state),
        "jobs": len(step.members),
        "where": next((job.info.partition for job in step.members if job.info.partition), step.place),
        "spread": _spread(step),
        "waited": rough_time(waited) if waited >= 1 else "",
        "amounts": _amounts(advice),
        "gpus": usage.gpus,
        "nodes": usage.nodes,
        **_proposal(advice),
    }


def _spread(step: StepState) -> str:
    """The median of how long its jobs ran, if there are several."""
    times = [seconds for job in step.members if (seconds := elapsed(job.info)) is not None]
    return f"median {rough_time(median(times))}" if len(times) > 1 else ""


def _proposal(advice: Advice) -> dict[str, Any]:
    """What would have been enough; whether that is what was asked for; why there is no proposal."""
    return {
        "enough": str(advice.enough) if advice.changed else "",
        "fits": advice.enough is not None and not advice.changed,
        "note": advice.notes[0] if advice.enough is None and advice.notes else "",
    }


def _queued(spans: Spans, job: int) -> float:
    """Seconds for which a job that has started was in the queue; 0 if not known."""
    span = spans.get(job)
    return (span.queued or 0.0) if span and span.started else 0.0


def _amounts(advice: Advice) -> list[tuple[str, str, str, float | None]]:
    """Time, memory and cores: heading, used, asked for, and percent used."""
    asked, used = advice.asked, advice.used
    busy = "" if used.cores is None else f"{used.cores:.1f}"
    cores = "" if asked.cores is None else f"{asked.cores:g}"
    return [
        ("Time", *_meter(used.seconds, asked.seconds, rough_time(used.seconds), rough_time(asked.seconds))),
        ("Memory", *_meter(used.memory, asked.memory, rough_memory(used.memory), rough_memory(asked.memory))),
        ("Cores busy", *_meter(used.cores, asked.cores, busy, cores)),
    ]


def _meter(used: float | None, asked: float | None, used_text: str, asked_text: str) -> tuple[str, str, float | None]:
    """The texts, empty for what is not known, and percent used."""
    share = min(100.0, round(100 * used / asked, 1)) if used is not None and asked else None
    return "" if used is None else used_text, "" if asked is None else asked_text, share
