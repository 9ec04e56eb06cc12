"""States of jobs and nodes, in Slurm's words (man squeue, man sinfo; facts/slurm.md)."""

from __future__ import annotations

from attrs import frozen

from launchers.commands import CommandError, Connector
from launchers.jobs.state import ENDED, UNKNOWN, base


@frozen
class JobState:
    """What Slurm says of one job: its state (UNKNOWN where nobody knows it any more), reason, nodes, exit code."""

    state: str
    reason: str = ""
    nodes: str = ""
    exit: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will never change again."""
        return self.state in ENDED


def job_state(connector: Connector, job: str) -> JobState:
    """Ask for one job: squeue first, then the controller's memory, then accounting; none of them need exist."""
    tries = (
        (("squeue", "-h", "-a", "-j", job, "-o", "%T|%r|%N|"), _bars),
        (("scontrol", "show", "job", "-o", job), _pairs),
        (("sacct", "-X", "-n", "-P", "-j", job, "-o", "State,Reason,NodeList,ExitCode"), _bars),
    )
    for argv, read in tries:
        try:
            outcome = connector.run(argv, timeout=20)
        except CommandError:
            continue  # a site without slurmdbd has no sacct that answers; the next source is asked
        found = read(outcome.stdout) if outcome.status == 0 else None
        if found is not None:
            return found
    return JobState(UNKNOWN)


def _bars(text: str) -> JobState | None:
    line = text.strip().splitlines()[:1]
    if not line or "|" not in line[0]:
        return None
    state, reason, nodes, exit = ([*line[0].split("|"), "", "", ""])[:4]
    return JobState(base(state), reason, nodes, exit)


def _pairs(text: str) -> JobState | None:
    found = dict(word.split("=", 1) for word in text.split() if "=" in word)
    if "JobState" not in found:
        return None
    return JobState(
        base(found["JobState"]), found.get("Reason", ""), found.get("NodeList", ""), found.get("ExitCode", "")
    )
