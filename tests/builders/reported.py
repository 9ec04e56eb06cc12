"""States of steps and jobs, as a report takes them."""

from launchers.jobs.backend import JobInfo
from launchers.runs.record import StepRecord
from launchers.runs.status import MemberState, StepState


def job(step="s", number=None, state="COMPLETED", **info):
    """A job, with times as seconds."""
    return MemberState(step, number, step, "1", JobInfo(state, **info))


def step(name="s", *jobs, states=("COMPLETED",), **more):
    """A step with these jobs, or with a job in each of these states."""
    made = jobs or tuple(job(name, at if len(states) > 1 else None, state) for at, state in enumerate(states))
    return StepState(name, "gpu", 3600, tuple(made), **more)


def task(name="s", waits=(), count=1):
    return StepRecord(name, tuple(waits), count, "gpu", 3600, "f", None)
