"""The timeline: for each row when its jobs waited and ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from launchers.quantities.words import rough_time
from launchers.report.rows import Row
from launchers.report.states import state_class
from launchers.runs.record import StepRecord
from launchers.runs.status import MemberState, StepState

LANES = 24
"""A row with more jobs than this shows how many wait and run at each time, not each job."""
BINS = 160
"""How many moments such a row shows; report.html draws it with this width."""
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)
"""Seconds between two marks of the axis: the first number with which at most MARKS are needed."""
MARKS = 5


@frozen
class Span:
    """When a job was submitted, was ready to start, started and ended, in seconds of the epoch.

    A job that has not ended ends now. `ready` and `started` are None if not known, or not yet.
    """

    begin: float
    ready: float | None
    started: float | None
    end: float
    state_class: str

    @property
    def queued(self) -> float | None:
        """Seconds for which it waited for the scheduler alone; None if not known."""
        return None if self.ready is None else (self.started or self.end) - self.ready


Spans = Mapping[int, Span]
"""The spans of jobs, by the identity of their MemberState."""


def make_spans(tasks: Sequence[StepRecord], steps: Sequence[StepState], now: float) -> dict[int, Span]:
    """The span of each job that has been submitted, as far as its times are known."""
    by_name = {step.name: step for step in steps}
    spans: dict[int, Span] = {}
    for task in tasks:
        for job in by_name[task.name].members:
            info = job.info
            begin = info.submitted or info.started
            if begin is None:
                continue
            end = info.ended or (info.started or begin if job.ended else now)
            ready = info.eligible or _parents_done(task, job, by_name)
            ready = None if ready is None else min(max(ready, begin), info.started or end)
            spans[id(job)] = Span(begin, ready, info.started, max(end, begin), state_class(info.state))
    return spans


def _parents_done(task: StepRecord, job: MemberState, steps: Mapping[str, StepState]) -> float | None:
    """When the last job that this job waits for was done, if the scheduler does not tell; 0 if it waits for none."""
    moments = [
        parent.info.started if on == "started" else parent.info.ended
        for name, on in task.waits
        for parent in steps[name].members
        if on != "each" or parent.item == job.item
    ]
    known = [moment for moment in moments if moment is not None]
    return max(known, default=0.0) if len(known) == len(moments) else None


def make_timeline(rows: Sequence[Row], spans: Spans, begin: float, end: float) -> dict[str, Any]:
    """The timeline, as report.html takes it."""
    return {
        "begin": begin,
        "end": end,
        "ticks": list(ticks(end - begin)),
        "rows": [_strip(row, spans, begin, max(end - begin, 1e-9)) for row in rows],
    }


def _strip(row: Row, spans: Spans, begin: float, seconds: float) -> dict[str, Any]:
    """A row of the timeline: a bar for each job, or areas if there are many."""
    jobs = [(job, spans[id(job)]) for job in row.members if id(job) in spans]
    strip: dict[str, Any] = {
        "label": row.label, "summary": row.summary, "class": row.state_class, "bars": [], "area": None,
    }  # fmt: skip
    if len(jobs) > LANES:
        strip["area"] = _area([span for _, span in jobs], begin, seconds)
    else:
        strip["bars"] = [
            {"title": _title(job, span), "parts": list(_parts(span, begin, seconds))} for job, span in jobs
        ]
    return strip


def _parts(span: Span, begin: float, seconds: float) -> Iterator[tuple[str, float, float]]:
    """The parts of a bar: the class, and left edge and width in percent."""
    for part, start, stop in (
        ("held", span.begin, span.end if span.ready is None else span.ready),
        ("queued", span.ready, span.started or span.end),
        (span.state_class, span.started, span.end),
    ):
        if start is not None and stop is not None and (stop > start or part == span.state_class):
            yield part, round((start - begin) / seconds * 100, 2), round((stop - start) / seconds * 100, 2)


def _title(job: MemberState, span: Span) -> str:
    """The tooltip of a bar."""
    name = job.step if job.item is None else f"{job.step}:{job.item}"
    words = [f"{name} {job.info.state}"]
    if span.queued is not None:
        words.append(f"queued {rough_time(span.queued)}")
    if span.started is not None:
        words.append(f"ran {rough_time(span.end - span.started)}")
    return ", ".join(words)


# -- many jobs -------------------------------------------------------------------------------------------------


def _area(spans: Sequence[Span], begin: float, seconds: float) -> dict[str, Any]:
    """How many jobs wait and run at each time, and how many of them fail: SVG paths in a box of BINS by 100."""
    running = _occupied(((span.started, span.end) for span in spans), begin, seconds)
    failed = _occupied(((span.started, span.end) for span in spans if span.state_class == "bad"), begin, seconds)
    queued = _occupied(((span.ready, span.started or span.end) for span in spans), begin, seconds)
    return {
        "running": _outline(running, max(running)),
        "failed": _outline(failed, max(running)),
        "queued": _outline(queued, max(queued)),
        "most_running": round(max(running)),
        "most_queued": round(max(queued)),
    }


def _outline(heights: Sequence[float], most: float) -> str:
    """A filled SVG path with these heights, of which `most` is as high as the box; empty if all are 0."""
    if not most or not any(heights):
        return ""
    points = "L".join(f"{at},{100 - 100 * height / most:.0f}H{at + 1}" for at, height in enumerate(heights))
    return f"M0,100L{points}V100Z"


def _occupied(times: Iterable[tuple[float | None, float]], begin: float, seconds: float) -> list[float]:
    """How many of these (start, stop) overlap each of BINS equal intervals, on average."""
    counts = [0.0] * BINS
    for start, stop in times:
        if start is None or stop <= start:
            continue
        low, high = ((moment - begin) / seconds * BINS for moment in (start, stop))
        for at in range(max(0, int(low)), min(BINS, int(high) + 1)):
            counts[at] += max(0.0, min(high, at + 1) - max(low, at))
    return counts


def ticks(seconds: float) -> Iterator[tuple[float, str]]:
    """The marks of the axis: where (in percent), and the time since the beginning."""
    longest = TICKS[-1]
    step = next((tick for tick in TICKS if seconds / tick <= MARKS), longest * int(seconds / longest / MARKS + 1))
    at = 0
    while at < seconds * 0.96:  # a mark at the very end would run out of the page
        yield round(at / max(seconds, 1e-9) * 100, 2), rough_time(at) if at else "0"
        at += step
