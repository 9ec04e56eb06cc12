"""The ends of logs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from launchers.files.owner import open_file
from launchers.report.states import state_class
from launchers.runs.run import PlanRun
from launchers.runs.status import MemberState, StepState

LINES, FAILED_LINES = 12, 30
"""How many lines of a log are shown."""
FAILED_JOBS = 3
"""The logs of this many failed jobs of a step are shown."""
READ, LONG = 64 * 1024, 500
"""This many bytes of the end of a log are read; a line is cut after so many characters."""
NOT_OF_THE_JOB = ("submitit ", "srun: ")
"""How lines begin that the job itself did not write."""
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def log_ends(run: PlanRun, steps: Sequence[StepState]) -> Iterator[dict[str, Any]]:
    """The ends of logs: of failed jobs first, then of one job of each other step."""
    for step in sorted(steps, key=lambda step: not _failed_jobs(step)):
        failed = _failed_jobs(step)
        if failed:
            jobs, lines = failed[:FAILED_JOBS], FAILED_LINES
        else:
            jobs, lines = [job for job in step.members if job.info.started][-1:], LINES
        for job in jobs:
            if files := list(_files(run, job, lines)):
                more = len(failed) - len(jobs) if failed and job is jobs[-1] else 0
                yield _entry(job, files, more)


def _failed_jobs(step: StepState) -> list[MemberState]:
    return [job for job in step.members if state_class(job.info.state) == "bad"]


def _entry(job: MemberState, files: list[dict[str, Any]], more: int) -> dict[str, Any]:
    return {
        "name": job.step if job.item is None else f"{job.step}:{job.item}",
        "class": state_class(job.info.state),
        "state": job.info.state,
        "files": files,
        "more": more,
    }


def _files(run: PlanRun, job: MemberState, count: int) -> Iterator[dict[str, Any]]:
    """The ends of a job's output and errors, of its last attempt; nothing for an empty file."""
    newest = {path.suffix: path for path in run.logs(job.step, job.item)}
    for path in newest.values():
        if lines := tail(path, count):
            yield {"name": path.name, "lines": lines}


def last_line(run: PlanRun, step: StepState) -> str:
    """The last line that the first failed job of a step wrote itself: of a Python error, its message."""
    failed = _failed_jobs(step)
    files = run.logs(step.name, failed[0].item)[-2:] if failed else []  # the errors follow the output
    lines = [line for path in files for line in tail(path, LINES) if line and not line.startswith(NOT_OF_THE_JOB)]
    return lines[-1] if lines else ""


def tail(path: Path, count: int) -> list[str]:
    """The last lines of a log as a terminal shows them: without colours and without what was overwritten."""
    try:
        with open_file(path, own=False) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - READ))
            text = file.read(READ).decode("utf-8", errors="replace")
    except OSError:
        return []  # it was removed meanwhile, or is no log
    lines = text.rstrip().split("\n")[1 if size > READ else 0 :]
    plain = [_plain(line) for line in lines[-count:]]
    return plain if any(plain) else []


def _plain(line: str) -> str:
    visible = _ESCAPES.sub("", line).rstrip("\r").rpartition("\r")[2]
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", visible.expandtabs())
    return text if len(text) <= LONG else f"{text[:LONG]}\N{HORIZONTAL ELLIPSIS}"
