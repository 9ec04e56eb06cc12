"""The state of one job, in Slurm's words (man squeue, man sacct; docs/slurm-facts.md#accounting)."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from launchers.commands import CommandError, Connector
from launchers.jobs.state import ENDED, UNKNOWN, base

TIMEOUT = 20.0
"""Seconds that each command may take."""


@frozen
class JobState:
    """The state of a job (UNKNOWN where no command knows the job any more), its reason, nodes and exit code."""

    state: str
    reason: str = ""
    nodes: str = ""
    exit: str = ""

    @property
    def ended(self) -> bool:
        """Whether the state will never change again."""
        return self.state in ENDED


def job_state(connector: Connector, job: str) -> JobState:
    """Ask squeue, then the controller, then accounting; a site may lack any of them."""
    sources: tuple[tuple[tuple[str, ...], Callable[[str], JobState | None]], ...] = (
        (("squeue", "-h", "-a", "-j", job, "-o", "%T|%r|%N|"), _read_columns),
        (("scontrol", "show", "job", "-o", job), _read_pairs),
        (("sacct", "-X", "-n", "-P", "-j", job, "-o", "State,Reason,NodeList,ExitCode"), _read_columns),
    )
    for argv, read in sources:
        try:
            outcome = connector.run(argv, timeout=TIMEOUT)
        except CommandError:
            continue  # without slurmdbd, for instance, sacct does not answer
        state = read(outcome.stdout) if outcome.status == 0 else None
        if state is not None:
            return state
    return JobState(UNKNOWN)


def _read_columns(text: str) -> JobState | None:
    line = text.strip().splitlines()[:1]
    if not line or "|" not in line[0]:
        return None
    state, reason, nodes, exit = ([*line[0].split("|"), "", "", ""])[:4]
    return JobState(base(state), reason, nodes, exit)


def _read_pairs(text: str) -> JobState | None:
    pairs = dict(word.split("=", 1) for word in text.split() if "=" in word)
    if "JobState" not in pairs:
        return None
    return JobState(
        base(pairs["JobState"]), pairs.get("Reason", ""), pairs.get("NodeList", ""), pairs.get("ExitCode", "")
    )
