"""What the cluster says of itself: one ``scontrol show config`` for all that wants to know, kept for a while."""

from __future__ import annotations

import os
import re
import time

from attrs import frozen

from launchers.commands import CommandError, Connector
from launchers.slurm.environment import ask

TIMEOUT = 30.0
"""Seconds that scontrol may take."""
KEPT_FOR = 300.0
"""Seconds for which an answer is kept in this process."""
_NUMBER = re.compile(r"(\d+)(?: sec)?", re.ASCII)


@frozen
class Settings:
    """Settings of slurm.conf (man slurm.conf).

    `cluster` is ClusterName.  `max_array` is MaxArraySize, None where it is not said.  `min_job_age` is for how many
    seconds slurmctld remembers a job that has ended, as far as one can be sure.  `accounting` says whether there is a
    database for sacct to ask.
    """

    cluster: str = ""
    max_array: int | None = None
    min_job_age: float = 0.0
    accounting: bool = True


_kept: dict[tuple[str, ...], tuple[float, Settings]] = {}


def settings(connector: Connector) -> Settings | None:
    """The settings of the cluster; None where it cannot be asked."""
    key = tuple(os.environ.get(name, "") for name in ("SLURM_CONF", "SLURM_CONF_SERVER", "PATH"))
    when, known = _kept.get(key, (0.0, None))
    if known is not None and time.monotonic() - when < KEPT_FOR:
        return known
    try:
        outcome = ask(connector, ("scontrol", "show", "config"), timeout=TIMEOUT)
    except CommandError:
        return None
    if outcome.status:
        return None
    found = read_settings(outcome.stdout)
    _kept[key] = (time.monotonic(), found)
    return found


def forget_settings() -> None:
    """Ask again at the next question."""
    _kept.clear()


def read_settings(text: str) -> Settings:
    """The settings in what scontrol prints, a line ``Name = value`` for each; the first of a name counts."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            values.setdefault(name.strip(), value.strip())
    largest = _number(values.get("MaxArraySize", ""))
    storage = values.get("AccountingStorageType", "accounting_storage/slurmdbd")
    return Settings(
        cluster="" if values.get("ClusterName") in (None, "(null)") else values["ClusterName"],
        max_array=largest,
        # 0 is said to be for ever, and 22.05 makes 2 s of it: to assume the least is safe
        min_job_age=float(_number(values.get("MinJobAge", "")) or 0),
        accounting=storage not in ("accounting_storage/none", "(null)", ""),
    )


def _number(text: str) -> int | None:
    number = _NUMBER.fullmatch(text)
    return int(number[1]) if number else None
