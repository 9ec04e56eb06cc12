"""A client of launchers that may be killed at a point: ``python -m chaos_run.client POINT submit PLAN | ARGS...``.

The points are those of tests/builders/killed.py: before and after each write and each command; -1 stands for none.
"""

from __future__ import annotations

import os
import signal
import sys

from killed import END, NEVER, count_points


def main(argv: list[str]) -> int:
    """Do what a user does."""
    point, words = int(argv[0]), argv[1:]
    if point != NEVER:
        count_points(point)
    status = act(words)
    if point == END:
        os.kill(os.getpid(), signal.SIGKILL)
    return status


def act(words: list[str]) -> int:
    """Submit a plan as a program of the user does, or run a command of launchers."""
    from launchers.cli import main as launchers

    if words[0] != "submit":
        return launchers(words)
    from chaos_run.shapes import submit_plan

    try:
        submit_plan(words[1])
    except Exception as error:  # what a library raises is an answer, where it is meant: OSError, and errors of its own
        if not isinstance(error, OSError) and not type(error).__module__.startswith("launchers."):
            raise
        print(f"client: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
