"""What a cluster is doing now: idle nodes and waiting jobs per partition, to order what is equal otherwise."""

from __future__ import annotations

from collections import Counter

from launchers.commands import CommandError, Connector
from launchers.offer.model import Signal

SINFO = ("sinfo", "-h", "-a", "-o", "%R|%t|%D")
"""Grouped: ``sinfo -N`` does not come back on ten thousand nodes (facts/slurm.md)."""
SQUEUE = ("squeue", "-h", "-a", "-t", "PD", "-r", "-o", "%P")
TIMEOUT = 10.0


def live_signals(connector: Connector) -> dict[str, Signal] | str:
    """A signal per partition, or why there is none."""
    texts = []
    for argv in (SINFO, SQUEUE):
        try:
            outcome = connector.run(argv, timeout=TIMEOUT)
        except CommandError as error:
            return str(error)
        if outcome.status:
            return f"{argv[0]}: {outcome.complaint}"
        texts.append(outcome.stdout)
    return read_signals(*texts)


def read_signals(sinfo: str, squeue: str) -> dict[str, Signal]:
    """Signals from what the two commands print; a job that names several partitions waits in each."""
    idle: Counter[str] = Counter()
    mixed: Counter[str] = Counter()
    names: dict[str, None] = {}
    for line in sinfo.splitlines():
        name, state, number = ([*line.split("|"), "", ""])[:3]
        names[name] = None
        if not number.isdigit() or set(state) & set("*$@^!"):
            continue
        idle[name] += int(number) if state.rstrip("~#-") == "idle" else 0
        mixed[name] += int(number) if state.rstrip("~#-") == "mix" else 0
    waiting = Counter(name for line in squeue.splitlines() for name in line.strip().split(",") if name)
    return {name: Signal(idle[name], mixed[name], waiting[name]) for name in names}
