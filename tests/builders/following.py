"""Follow runs in tests."""

import time


def states(run):
    """The state of each step by its name."""
    return {step.name: step.state for step in run.status()}


def until(happened, seconds=30, pause=0.05):
    """Wait until something has happened; fail where it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(pause)
