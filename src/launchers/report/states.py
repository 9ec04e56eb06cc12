"""Classes of states, which the page shows as colours and words."""

from __future__ import annotations

from collections.abc import Sequence

from launchers.jobs.state import ENDED, UNKNOWN
from launchers.runs.status import UNSUBMITTED, StepState

WORDS = {
    "ok": "completed",
    "run": "running",
    "wait": "waiting",
    "bad": "failed",
    "off": "cancelled",
    "lost": "unknown",
}
"""The word for each class, in the order in which the page counts them. The classes are those of report.html."""
_CLASSES = {"COMPLETED": "ok", "RUNNING": "run", "COMPLETING": "run", "CANCELLED": "off", "REVOKED": "off"}
_WORST_FIRST = ("run", "bad", "wait", "lost", "off")


def state_class(state: str) -> str:
    """The class of a job's state."""
    if state in _CLASSES:
        return _CLASSES[state]
    if state in (UNKNOWN, UNSUBMITTED):
        return "lost"
    return "bad" if state in ENDED else "wait"


def overall_class(steps: Sequence[StepState]) -> str:
    """The class of many steps: running if any of them runs, else failed if any failed, and so on."""
    classes = {"ok" if step.left_out else state_class(step.state) for step in steps}
    return next((each for each in _WORST_FIRST if each in classes), "ok")
