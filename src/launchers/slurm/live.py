"""What a cluster does now: idle nodes and waiting jobs of each partition, to order offers that are equal otherwise."""

from __future__ import annotations

from collections import Counter

from launchers.commands import CommandError, Connector
from launchers.offer.model import Signal
from launchers.quantities.numbers import whole_number
from launchers.slurm.environment import ask

SINFO = ("sinfo", "-h", "-a", "-o", "%R|%t|%D")
"""Asks for groups of nodes: ``sinfo -N`` does not end on 10,000 nodes (docs/slurm-facts.md#how-long-commands-take)."""
SQUEUE = ("squeue", "-h", "-a", "-t", "PD", "-r", "-o", "%P")
TIMEOUT = 10.0
"""Seconds that each command may take."""
_POWER_MARKS = "~#-"
"""Marks behind the state of a node that jobs can have: powered down, powering up, planned (man sinfo)."""
_UNUSABLE_MARKS = set("*$@^!")


def live_signals(connector: Connector) -> dict[str, Signal] | str:
    """A signal for each partition, or a message that says why there are none."""
    outputs = []
    for argv in (SINFO, SQUEUE):
        try:
            outcome = ask(connector, argv, timeout=TIMEOUT)
        except CommandError as error:
            return str(error)
        if outcome.status:
            return f"{argv[0]}: {outcome.complaint}"
        outputs.append(outcome.stdout)
    return read_signals(*outputs)


def read_signals(sinfo: str, squeue: str) -> dict[str, Signal]:
    """Signals from the output of both commands. A job that names several partitions waits in each."""
    idle: Counter[str] = Counter()
    mixed: Counter[str] = Counter()
    partitions: dict[str, None] = {}
    for line in sinfo.splitlines():
        partition, state, count = ([*line.split("|"), "", ""])[:3]
        partitions[partition] = None
        number = whole_number(count)
        if number is None or set(state) & _UNUSABLE_MARKS:
            continue
        bare = state.rstrip(_POWER_MARKS)
        idle[partition] += number if bare == "idle" else 0
        mixed[partition] += number if bare == "mix" else 0
    waiting = Counter(name for line in squeue.splitlines() for name in line.strip().split(",") if name)
    return {name: Signal(idle[name], mixed[name], waiting[name]) for name in partitions}
