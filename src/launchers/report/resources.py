"""The table of what each step asked for and used."""

from __future__ import annotations

from statistics import median
from typing import Any

from launchers.quantities.words import rough_memory, rough_time
from launchers.report.advise import Advice, elapsed
from launchers.report.states import state_class
from launchers.report.timeline import Spans
from launchers.runs.status import StepState


def resources(step: StepState, advice: Advice, spans: Spans) -> dict[str, Any]:
    """A row of the table, as report.html takes it."""
    infos = [job.info for job in step.members]
    times = [seconds for info in infos if (seconds := elapsed(info)) is not None]
    waited = max((_queued(spans, id(job)) for job in step.members), default=0.0)
    usage = next((info.usage for info in infos if info.usage), None)
    return {
        "name": step.name,
        "class": state_class(step.state),
        "jobs": len(infos),
        "where": next((info.partition for info in infos if info.partition), "") or step.place,
        "spread": f"median {rough_time(median(times))}" if len(times) > 1 else "",
        "waited": rough_time(waited) if waited >= 1 else "",
        "amounts": _amounts(advice),
        "gpus": usage.gpus if usage else 0,
        "nodes": usage.nodes if usage else 1,
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
