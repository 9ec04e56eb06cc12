"""The rows of the graph and the timeline: a step, or many siblings that are alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from launchers.drawing import Box, svg
from launchers.quantities.words import rough_time
from launchers.report.advise import elapsed
from launchers.report.states import WORDS, overall_class, state_class
from launchers.runs.record import StepRecord
from launchers.runs.status import MemberState, StepState

FOLD = 6
"""More siblings than this with the same parents and the same children share a row."""
DOT = " \N{MIDDLE DOT} "


@frozen
class Row:
    """A step, or siblings that are alike; `waits` are the rows that it waits for, and until when."""

    steps: tuple[StepState, ...]
    waits: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The name of its first step."""
        return self.steps[0].name

    @property
    def label(self) -> str:
        """Its heading."""
        return self.name if len(self.steps) == 1 else f"{self.name} and {len(self.steps) - 1} more"

    @property
    def members(self) -> list[MemberState]:
        """All its jobs."""
        return [job for step in self.steps for job in step.members]

    @property
    def state_class(self) -> str:
        """The class of its state."""
        return overall_class(self.steps)

    @property
    def summary(self) -> str:
        """Its state in a few words."""
        jobs = self.members
        if len(jobs) == 1:
            seconds = elapsed(jobs[0].info)
            return jobs[0].info.state.lower() + ("" if seconds is None else f"{DOT}{rough_time(seconds)}")
        counts = Counter(state_class(job.info.state) for job in jobs)
        if counts["ok"] == len(jobs):
            return f"{len(jobs)} completed"
        counted = "bad" if self.state_class == "bad" else "ok"
        now = "" if self.state_class in ("bad", "ok") else f"{DOT}{WORDS[self.state_class]}"
        return f"{counts[counted]} of {len(jobs)} {WORDS[counted]}{now}"


def make_rows(tasks: Sequence[StepRecord], steps: Sequence[StepState]) -> list[Row]:
    """A row for each step, and one for more than FOLD siblings that are alike."""
    groups = _groups(tasks, steps)
    rows: list[Row] = []
    for task in tasks:
        group = groups[task.name]
        if group[0].name == task.name:
            waits = {groups[parent][0].name: on for parent, on in task.waits}
            rows.append(Row(group, tuple(waits.items())))
    return rows


def _groups(tasks: Sequence[StepRecord], steps: Sequence[StepState]) -> dict[str, tuple[StepState, ...]]:
    """The steps that share a row with each step, itself among them. A Map always has a row of its own."""
    children: dict[str, list[str]] = {}
    for task in tasks:
        for parent, _ in task.waits:
            children.setdefault(parent, []).append(task.name)
    alike: dict[Any, list[StepState]] = {}
    for task, step in zip(tasks, steps, strict=True):
        key = (task.waits, tuple(children.get(task.name, ())), task.count > 1 and task.name)
        alike.setdefault(key, []).append(step)
    return {step.name: tuple(group) if len(group) > FOLD else (step,) for group in alike.values() for step in group}


def graph(rows: Sequence[Row]) -> Any:
    """The graph of the rows as SVG."""
    from markupsafe import Markup

    boxes = [Box(row.name, row.waits, row.label, row.summary, row.state_class) for row in rows]
    return Markup(svg(boxes))  # noqa: S704 - svg() escapes
