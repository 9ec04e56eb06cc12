"""One HTML page about a run: its graph, its timeline, what its steps asked for and used, and the ends of its logs.

The page needs no script, no network and no other file. Everything that comes from the run is escaped.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from attrs import frozen

from launchers.jobs.backend import JobInfo
from launchers.jobs.state import in_words
from launchers.quantities.words import rough_time
from launchers.report.advise import advise_steps, elapsed
from launchers.report.logs import last_line, log_ends
from launchers.report.resources import resources
from launchers.report.rows import graph, make_rows
from launchers.report.states import WORDS, overall_class, state_class
from launchers.report.timeline import make_spans, make_timeline
from launchers.runs.run import PlanRun
from launchers.runs.status import MemberState, StepState

MOST = 60
"""The page lists at most this many failed steps, resources of steps, and logs."""


def page(run: PlanRun) -> str:
    """The whole page. Asks the scheduler for the states of the jobs and what they used."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    steps = run.status(usage=True)
    environment = Environment(
        loader=PackageLoader("launchers.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"when": _when, "iso": _iso}
    return environment.get_template("report.html").render(view(run, steps))


def view(run: PlanRun, steps: Sequence[StepState]) -> dict[str, Any]:
    """Everything that the page shows, as report.html takes it."""
    now = time.time()
    record = run.record
    spans = make_spans(record.steps, steps, now)
    rows = make_rows(record.steps, steps)
    begin = min((span.begin for span in spans.values()), default=record.created)
    end = max((span.end for span in spans.values()), default=now)
    advice = advise_steps(run, steps)
    jobs = [job for step in steps for job in step.members]
    overall = overall_class(steps)
    failed = [step for step in steps if state_class(step.state) in ("bad", "lost")]
    return {
        "plan": record.plan,
        "id": record.id,
        "folder": record.folder,
        "class": overall,
        "word": WORDS[overall],
        "counts": _counts(jobs),
        "jobs": len(jobs),
        "facts": list(_facts(run, steps, begin, end)),
        "failures": [_failure(run, step) for step in failed[:MOST]],
        "more_failures": max(0, len(failed) - MOST),
        "graph": graph(rows),
        "timeline": make_timeline(rows, spans, begin, end),
        "resources": [resources(step, its, spans) for step, its in zip(steps[:MOST], advice, strict=False)],
        "more": max(0, len(steps) - MOST),
        "notes": [(its.step, note) for its in advice[:MOST] if its.enough is not None for note in its.notes],
        "measured": any(its.enough is not None for its in advice),
        "logs": list(islice(log_ends(run, steps), MOST)),
        "made": now,
    }


def _counts(jobs: Iterable[MemberState]) -> list[dict[str, Any]]:
    """How many jobs have a state of each class."""
    counts = Counter(state_class(job.info.state) for job in jobs)
    return [{"class": name, "word": word, "count": counts[name]} for name, word in WORDS.items() if counts[name]]


def _failure(run: PlanRun, step: StepState) -> dict[str, str]:
    """Why a step failed."""
    failed = sum(state_class(job.info.state) in ("bad", "lost") for job in step.members)
    count = f"{failed} of {len(step.members)} jobs: " if len(step.members) > 1 else ""
    return {
        "name": step.name,
        "class": state_class(step.state),
        "state": step.state,
        "reason": f"{count}{in_words(step.reason) or step.state}",
        "last_line": last_line(run, step),
    }


# -- the facts at the top --------------------------------------------------------------------------------------


@frozen
class Reserved:
    """Seconds of CPU time reserved and used, and of GPU time reserved, by jobs that have ended."""

    cpu: float = 0
    busy: float = 0
    gpu: float = 0


def _facts(run: PlanRun, steps: Sequence[StepState], begin: float, end: float) -> Iterator[tuple[str, str]]:
    record = run.record
    ended = all(step.ended for step in steps)
    yield "Submitted", _when(record.created)
    yield "Ended" if ended else "As of", _when(end)
    yield "Took" if ended else "So far", rough_time(end - begin)
    yield "Where", record.group or record.scheduler
    reserved = _reserved(job.info for step in steps for job in step.members)
    if reserved.cpu:
        busy = f", {reserved.busy / reserved.cpu:.0%} of it busy" if reserved.busy else ""
        yield "CPU time reserved", f"{rough_time(reserved.cpu)}{busy}"
    if reserved.gpu:
        yield "GPU time reserved", rough_time(reserved.gpu)
    if record.source:
        yield "Source", f"{record.source.commit[:10]}{' and changes' if record.source.changed else ''}"


def _reserved(infos: Iterable[JobInfo]) -> Reserved:
    cpu = busy = gpu = 0.0
    for info in infos:
        seconds = elapsed(info)
        if seconds is not None and info.usage:
            cpu += (info.usage.reserved or 0) * seconds
            busy += info.usage.cpu or 0
            gpu += info.usage.gpus * info.usage.nodes * seconds
    return Reserved(cpu, busy, gpu)


def _when(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M}"


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().isoformat(timespec="seconds")
