"""One HTML page about a run: its graph, when what waited and ran, what was asked and used, the ends of logs.

The page is whole in itself: no script, no network, and everything that comes from the run is escaped.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from attrs import frozen

from launchers.drawing import Box, svg
from launchers.jobs.state import ENDED, UNKNOWN, in_words
from launchers.quantities.words import rough_memory, rough_time
from launchers.report.advise import Advice, advices, elapsed
from launchers.runs.record import TaskEntry
from launchers.runs.run import Run
from launchers.runs.status import NEVER, UNSENT, MemberState, StepState

FOLD = 6
"""More siblings than these, with the same parents and the same children, are drawn as one."""
LANES = 24
"""More jobs than these are drawn as how many wait and run at a time."""
BINS = 160
ROWS = 60
"""So many steps are listed as failed, so many with their resources, so many have their logs shown."""
LINES, FAILED_LINES = 12, 30
"""How many lines of a log are shown."""
READ, LONG = 64 * 1024, 500
"""So many bytes of the end of a log are read; a line is cut after so many letters."""
FAILED_JOBS = 3
"""Of so many failed jobs of a step the logs are shown."""
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)

_KINDS = {"COMPLETED": "ok", "RUNNING": "run", "COMPLETING": "run", NEVER: "off", "REVOKED": "off"}
_WORDS = {
    "ok": "completed",
    "run": "running",
    "wait": "waiting",
    "bad": "failed",
    "off": "cancelled",
    "lost": "unknown",
}
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def page(run: Run) -> str:
    """The whole page as text."""
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


def view(run: Run, steps: Sequence[StepState]) -> dict[str, Any]:
    """Everything that the page shows, as data."""
    now = time.time()
    spans = _spans(run, steps, now)
    rows = _rows(run.store.tasks, steps)
    begin = min((one.begin for one in spans.values()), default=run.store.created)
    end = max((one.end for one in spans.values()), default=now)
    advice = advices(run, steps)
    jobs = [one for step in steps for one in step.members]
    failed = [step for step in steps if kind(step.state) in ("bad", "lost")]
    return {
        "store": run.store,
        "kind": _overall(steps),
        "word": _WORDS[_overall(steps)],
        "counts": _counts(jobs),
        "jobs": len(jobs),
        "facts": list(_facts(run, steps, begin, end)),
        "failures": [(step, _said(step), _last_words(run, step)) for step in failed[:ROWS]],
        "more_failures": max(0, len(failed) - ROWS),
        "graph": _graph(rows),
        "timeline": {
            "begin": begin,
            "end": end,
            "ticks": list(_ticks(end - begin)),
            "rows": [_strip(row, spans, begin, end) for row in rows],
        },
        "resources": [_resources(step, one, spans) for step, one in zip(steps[:ROWS], advice, strict=False)],
        "more": max(0, len(steps) - ROWS),
        "notes": [(one.step, note) for one in advice[:ROWS] if one.enough is not None for note in one.notes],
        "measured": any(one.enough is not None for one in advice),
        "logs": list(_logs(run, steps)),
        "made": now,
    }


def kind(state: str) -> str:
    """The class of a state: its colour, and a word of `_WORDS`."""
    if state in _KINDS:
        return _KINDS[state]
    if state in (UNKNOWN, UNSENT):
        return "lost"
    return "bad" if state in ENDED else "wait"


def _overall(steps: Sequence[StepState]) -> str:
    kinds = {"ok" if step.left_out else kind(step.state) for step in steps}
    return next(one for one in ("run", "bad", "wait", "lost", "off", "ok") if one in kinds or one == "ok")


def _counts(jobs: Iterable[MemberState]) -> list[dict[str, Any]]:
    """How many jobs there are of each kind, in the order of `_WORDS`."""
    counts = Counter(kind(one.info.state) for one in jobs)
    return [{"kind": one, "word": _WORDS[one], "count": counts[one]} for one in _WORDS if counts[one]]


def _facts(run: Run, steps: Sequence[StepState], begin: float, end: float) -> Iterator[tuple[str, str]]:
    """What stands at the top."""
    store = run.store
    infos = [one.info for step in steps for one in step.members]
    ended = all(step.ended for step in steps)
    yield "Submitted", _when(store.created)
    yield "Ended" if ended else "As of", _when(end)
    yield "Took" if ended else "So far", rough_time(end - begin)
    yield "Where", store.group or store.scheduler
    done = [(one, seconds) for one in infos if (seconds := elapsed(one)) is not None and one.usage]
    reserved = sum((one.usage.reserved or 0) * seconds for one, seconds in done if one.usage)
    used = sum(one.usage.cpu or 0 for one, _ in done if one.usage)
    if reserved:
        busy = f", {used / reserved:.0%} of it busy" if used else ""
        yield "CPU time reserved", f"{rough_time(reserved)}{busy}"
    gpus = sum(one.usage.gpus * one.usage.nodes * seconds for one, seconds in done if one.usage)
    if gpus:
        yield "GPU time reserved", rough_time(gpus)
    if store.source:
        yield "Source", f"{store.source.commit[:10]}{' and changes' if store.source.changed else ''}"


def _said(step: StepState) -> str:
    bad = sum(kind(one.info.state) in ("bad", "lost") for one in step.members)
    many = f"{bad} of {len(step.members)} jobs: " if len(step.members) > 1 else ""
    return f"{many}{in_words(step.reason) or step.state}"


def _last_words(run: Run, step: StepState) -> str:
    """The last line of its own that a failed job of a step wrote, which of a Python error is the error."""
    failed = next((one for one in step.members if kind(one.info.state) == "bad"), None)
    files = run.logs(step.name, failed.number)[-2:] if failed else []  # errors after output
    lines = [
        line for path in files for line in tail(path, LINES) if line and not line.startswith(("submitit ", "srun: "))
    ]
    return lines[-1] if lines else ""


# -- rows: a step, or many that are alike ----------------------------------------------------------------------


@frozen
class Row:
    """What the graph and the timeline show as one: a step, or siblings that are alike."""

    steps: tuple[StepState, ...]
    waits: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Of the first step."""
        return self.steps[0].name

    @property
    def label(self) -> str:
        """For people."""
        return self.name if len(self.steps) == 1 else f"{self.name} and {len(self.steps) - 1} more"

    @property
    def members(self) -> list[MemberState]:
        """All jobs."""
        return [one for step in self.steps for one in step.members]

    @property
    def kind(self) -> str:
        """The class of its colour."""
        return _overall(self.steps)

    @property
    def says(self) -> str:
        """Its state in a few words."""
        members = self.members
        if len(members) == 1:
            seconds = elapsed(members[0].info)
            return members[0].info.state.lower() + (
                f" \N{MIDDLE DOT} {rough_time(seconds)}" if seconds is not None else ""
            )
        counts = Counter(kind(one.info.state) for one in members)
        if counts["ok"] == len(members):
            return f"{len(members)} completed"
        what = self.kind if self.kind == "bad" else "ok"
        now = "" if self.kind in ("bad", "ok") else f" \N{MIDDLE DOT} {_WORDS[self.kind]}"
        return f"{counts[what]} of {len(members)} {_WORDS[what]}{now}"


def _rows(tasks: Sequence[TaskEntry], steps: Sequence[StepState]) -> list[Row]:
    """The steps, siblings that are alike folded when there are many."""
    children: dict[str, list[str]] = {}
    for task in tasks:
        for parent, _ in task.waits:
            children.setdefault(parent, []).append(task.name)
    alike: dict[Any, list[StepState]] = {}
    keys: dict[str, Any] = {}
    for task, step in zip(tasks, steps, strict=True):
        keys[task.name] = (task.waits, tuple(children.get(task.name, ())), task.count > 1 and task.name)
        alike.setdefault(keys[task.name], []).append(step)
    groups: dict[str, tuple[StepState, ...]] = {}
    for group in alike.values():
        for step in group:
            groups[step.name] = tuple(group) if len(group) > FOLD else (step,)
    found: list[Row] = []
    for task in tasks:
        if groups[task.name][0].name == task.name:
            waits = {groups[parent][0].name: on for parent, on in task.waits}
            found.append(Row(groups[task.name], tuple(waits.items())))
    return found


def _graph(rows: Sequence[Row]) -> Any:
    from markupsafe import Markup

    return Markup(svg([Box(row.name, row.waits, row.label, row.says, row.kind) for row in rows]))  # noqa: S704 - svg() escapes


# -- the timeline ----------------------------------------------------------------------------------------------


@frozen
class Span:
    """When a job was submitted, waited for nothing but its turn, started and ended; open ends are closed with now."""

    begin: float
    ready: float | None
    started: float | None
    end: float
    kind: str


def _spans(run: Run, steps: Sequence[StepState], now: float) -> dict[int, Span]:
    """The span of each job of which a time is known, by the identity of its state."""
    by_name = {step.name: step for step in steps}
    found: dict[int, Span] = {}
    for task in run.store.tasks:
        for one in by_name[task.name].members:
            info = one.info
            begin = info.submitted or info.started
            if begin is None:
                continue
            last = info.ended or (info.started or begin if one.ended else now)
            ready = info.eligible or _ready(task, one, by_name)
            ready = None if ready is None else min(max(ready, begin), info.started or last)
            found[id(one)] = Span(begin, ready, info.started, max(last, begin), kind(info.state))
    return found


def _ready(task: TaskEntry, one: MemberState, steps: Mapping[str, StepState]) -> float | None:
    """When what a job waits for was over, where the scheduler does not say; 0 for nothing."""
    moments = [
        other.info.started if on == "started" else other.info.ended
        for parent, on in task.waits
        for other in steps[parent].members
        if on != "each" or other.number == one.number
    ]
    known = [moment for moment in moments if moment is not None]
    return max(known, default=0.0) if len(known) == len(moments) else None


def _strip(row: Row, spans: Mapping[int, Span], begin: float, end: float) -> dict[str, Any]:
    """A row of the timeline: bars in lanes, or areas where there are many jobs."""
    mine = [(one, spans[id(one)]) for one in row.members if id(one) in spans]
    whole = max(end - begin, 1e-9)
    strip: dict[str, Any] = {"label": row.label, "says": row.says, "kind": row.kind, "bars": [], "area": None}
    if len(mine) > LANES:
        strip["area"] = _area([span for _, span in mine], begin, whole)
        return strip
    for one, span in mine:
        parts = []
        for what, start, stop in (
            ("held", span.begin, span.end if span.ready is None else span.ready),
            ("queued", span.ready, span.started or span.end),
            (span.kind, span.started, span.end),
        ):
            if start is not None and stop is not None and (stop > start or what == span.kind):
                left, width = (start - begin) / whole * 100, (stop - start) / whole * 100
                parts.append((what, round(left, 2), round(width, 2)))
        strip["bars"].append({"title": _title(one, span), "parts": parts})
    return strip


def _title(one: MemberState, span: Span) -> str:
    """What a pointer that rests on a bar is told."""
    name = one.step if one.number is None else f"{one.step}:{one.number}"
    told = [f"{name} {one.info.state}"]
    if span.ready is not None:
        told.append(f"queued {rough_time((span.started or span.end) - span.ready)}")
    if span.started is not None:
        told.append(f"ran {rough_time(span.end - span.started)}")
    return ", ".join(told)


def _area(spans: Sequence[Span], begin: float, whole: float) -> dict[str, Any]:
    """How many jobs queue and run at a time, those that failed among them: outlines in boxes of BINS by 100."""
    running = _occupied(((one.started, one.end) for one in spans), begin, whole)
    failed = _occupied(((one.started, one.end) for one in spans if one.kind == "bad"), begin, whole)
    queued = _occupied(((one.ready, one.started or one.end) for one in spans), begin, whole)

    def outline(heights: Sequence[float], most: float) -> str:
        points = [f"{at},{100 - 100 * height / most:.0f}H{at + 1}" for at, height in enumerate(heights)] if most else []
        return f"M0,100L{'L'.join(points)}V100Z" if points and any(heights) else ""

    return {
        "running": outline(running, max(running)),
        "failed": outline(failed, max(running)),
        "queued": outline(queued, max(queued)),
        "most_running": round(max(running)),
        "most_queued": round(max(queued)),
    }


def _occupied(times: Iterable[tuple[float | None, float]], begin: float, whole: float) -> list[float]:
    """How many of these are going on in each of BINS equal times, on average."""
    counts = [0.0] * BINS
    for start, stop in times:
        if start is None or stop <= start:
            continue
        low, high = ((moment - begin) / whole * BINS for moment in (start, stop))
        for at in range(max(0, int(low)), min(BINS, int(high) + 1)):
            counts[at] += max(0.0, min(high, at + 1) - max(low, at))
    return counts


def _ticks(seconds: float) -> Iterator[tuple[float, str]]:
    """Where the axis is marked (percent), and with what: at most five marks."""
    step = next((one for one in TICKS if seconds / one <= 5), TICKS[-1] * max(1, int(seconds / TICKS[-1] / 5) + 1))
    at = 0
    while at < seconds * 0.96:
        yield round(at / max(seconds, 1e-9) * 100, 2), rough_time(at) if at else "0"
        at += step


# -- resources -------------------------------------------------------------------------------------------------


def _resources(step: StepState, advice: Advice, spans: Mapping[int, Span]) -> dict[str, Any]:
    """What a step asked and used."""
    asked, used = advice.asked, advice.used
    times = [seconds for one in step.members if (seconds := elapsed(one.info)) is not None]
    mine = [spans[id(one)] for one in step.members if id(one) in spans]
    waited = max((one.started - one.ready for one in mine if one.started and one.ready is not None), default=0)
    usage = next((one.info.usage for one in step.members if one.info.usage), None)
    cores = None if used.cores is None else f"{used.cores:.1f}"
    return {
        "name": step.name,
        "kind": kind(step.state),
        "jobs": len(step.members),
        "where": next((one.info.partition for one in step.members if one.info.partition), "") or step.says,
        "spread": f"median {rough_time(median(times))}" if len(times) > 1 else "",
        "waited": rough_time(waited) if waited >= 1 else "",
        "amounts": [
            ("Time", *_meter(used.seconds, asked.seconds, rough_time(used.seconds), rough_time(asked.seconds))),
            ("Memory", *_meter(used.memory, asked.memory, rough_memory(used.memory), rough_memory(asked.memory))),
            (
                "Cores busy",
                *_meter(used.cores, asked.cores, cores or "?", "?" if asked.cores is None else f"{asked.cores:g}"),
            ),
        ],
        "gpus": usage.gpus if usage else 0,
        "nodes": usage.nodes if usage else 1,
        "enough": str(advice.enough) if advice.changed else "",
        "fits": advice.enough is not None and not advice.changed,
        "note": advice.notes[0] if advice.enough is None and advice.notes else "",
    }


def _meter(used: float | None, asked: float | None, used_text: str, asked_text: str) -> tuple[str, str, float | None]:
    """Used, asked, and percent of it; empty where nobody says."""
    share = min(100.0, round(100 * used / asked, 1)) if used is not None and asked else None
    return "" if used is None else used_text, "" if asked is None else asked_text, share


# -- logs ------------------------------------------------------------------------------------------------------


def _logs(run: Run, steps: Sequence[StepState]) -> Iterator[dict[str, Any]]:
    """The ends of logs: of failed jobs first, then of one job of each other step."""
    left = ROWS
    for wanted in (True, False):
        for step in steps:
            failed = [one for one in step.members if kind(one.info.state) == "bad"]
            if bool(failed) is not wanted or left <= 0:
                continue
            shown = failed[:FAILED_JOBS] or [one for one in step.members if one.info.started][-1:]
            for one in shown:
                files = [
                    {"name": path.name, "lines": lines}
                    for path in {path.suffix: path for path in run.logs(step.name, one.number)}.values()  # the newest
                    if (lines := tail(path, FAILED_LINES if failed else LINES))
                ]
                if files:
                    left -= 1
                    name = one.step if one.number is None else f"{one.step}:{one.number}"
                    more = len(failed) - len(shown) if failed and one is shown[-1] else 0
                    state, reason = one.info.state, one.info.reason if failed else ""
                    yield {
                        "name": name,
                        "kind": kind(state),
                        "state": state,
                        "reason": reason,
                        "files": files,
                        "more": more,
                    }


def tail(path: Path, count: int) -> list[str]:
    """The last lines of a log, as a terminal would leave them: no colours, and what was overwritten is gone."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - READ))
        text = file.read().decode("utf-8", errors="replace")
    lines = text.rstrip().split("\n")[1 if size > READ else 0 :]
    found = []
    for line in lines[-count:]:
        left = _ESCAPES.sub("", line).rstrip("\r").rpartition("\r")[2]
        plain = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", left.expandtabs())
        found.append(plain if len(plain) <= LONG else f"{plain[:LONG]}\N{HORIZONTAL ELLIPSIS}")
    return found if any(found) else []


def _when(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M}"


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().isoformat(timespec="seconds")
