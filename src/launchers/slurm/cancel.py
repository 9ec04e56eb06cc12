"""Cancel jobs by scancel: those that still are what was submitted under their ids, and look what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from launchers.commands import CommandError, Connector
from launchers.jobs.backend import Element
from launchers.jobs.state import ENDED
from launchers.slurm.environment import ask
from launchers.slurm.jobs import ask_squeue

CHUNK = 1000
"""Ids that are given to one scancel, which tells the controller of each by itself."""
PATIENCE = 10.0
"""Seconds after scancel in which a job may still be there."""
LOOK_AGAIN = 0.5
ENDING = ENDED | {"COMPLETING", "STAGE_OUT"}


def cancel(
    connector: Connector, elements: Iterable[Element], tokens: Mapping[str, str], folder: Path | None = None
) -> None:
    """Cancel jobs, whole arrays (no element named) or elements of them, where the id's job carries its token.

    scancel cannot be told to look at the token itself: it compares names in the client, as this does. Raises
    CommandError in its words where jobs are left that should be cancelled, or where that is not known.
    """
    wanted = set(elements)
    alive = _alive(connector, wanted, tokens, folder)
    if not alive:
        return
    words: list[str] = []
    for ids in _chunks(sorted(set(alive.values()))):
        try:
            outcome = ask(connector, ("scancel", *ids))
        except CommandError as error:
            words.append(str(error))
            continue
        if outcome.status:
            words.append(outcome.complaint)
    deadline = time.monotonic() + PATIENCE
    while left := _alive(connector, wanted, tokens, folder):
        if time.monotonic() > deadline:
            ids = sorted(set(left.values()))
            shown = " ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
            raise CommandError(f"scancel {shown}: {'; '.join(words) or 'they have not ended'}")
        time.sleep(LOOK_AGAIN)


def _alive(
    connector: Connector, wanted: set[Element], tokens: Mapping[str, str], folder: Path | None
) -> dict[Element, str]:
    """The elements that have not ended, with the id that scancel takes for each.  Raises CommandError."""
    jobs = {job: tokens.get(job, "") for job, _ in wanted}
    answer = ask_squeue(connector, jobs, folder)
    if answer.problem:
        raise CommandError(answer.problem)
    alive: dict[Element, str] = {}
    for (job, index), info in answer.infos.items():
        if info.state not in ENDING:
            if (job, None) in wanted:
                alive[job, index] = job
            elif (job, index) in wanted:
                alive[job, index] = f"{job}_{index}"
    return alive


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
