"""The jobs of OAR, with their states in Slurm's words, which launchers uses for all schedulers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from attrs import frozen

from launchers.commands import CommandError, Connector
from launchers.oar.refusals import oar_complaint

TIMEOUT = 60.0
"""Seconds that oarstat may take."""
STATES = {
    "Waiting": "PENDING", "Hold": "PENDING", "toAckReservation": "PENDING", "toLaunch": "PENDING",
    "Launching": "PENDING", "Running": "RUNNING", "Suspended": "SUSPENDED", "Resuming": "RUNNING",
    "Finishing": "COMPLETING", "toError": "COMPLETING",
}  # fmt: skip
"""States of jobs that have not ended, in Slurm's words."""
ERROR_EVENTS = (
    ("BESTEFFORT_KILL", "PREEMPTED", "was killed for a job that is not besteffort"),
    ("WALLTIME", "TIMEOUT", "reached its walltime"),
    ("WORKING_DIRECTORY", "FAILED", "its working folder cannot be entered on the node"),
    ("OUTPUT_FILES", "FAILED", "its output files cannot be created on the node"),
    ("FRAG_JOB_REQUEST", "CANCELLED", "was deleted"),
)
"""Why a job is in Error, with the state that this means: the first of these events that the job has
(docs/oar-facts.md#states)."""
RESUBMIT = 99
"""The exit status for which OAR submits an idempotent job again, if it ran for more than a minute."""


@frozen
class OarJob:
    """One job of OAR.

    `array` and `index` (from 0) are those it was submitted with: they stay when OAR submits the job again under another
    `id`. `exit` is the exit status or, if negative, the signal that ended the job; None where OAR states neither.
    Times are seconds of the epoch, 0 where there is none yet.
    """

    id: int
    array: int
    index: int
    state: str
    reason: str
    exit: int | None
    hosts: tuple[str, ...]
    queue: str
    name: str
    submitted: int
    start: int
    stop: int


def find_jobs(connector: Connector, sql: str) -> list[OarJob]:
    """The jobs, ended or not, for which an SQL condition holds, in the order of their ids.

    Raises CommandError where OAR does not answer.
    """
    outcome = connector.run(("oarstat", "-f", "-J", "--sql", sql), timeout=TIMEOUT)
    if outcome.status:
        raise CommandError(f"oarstat: {oar_complaint(outcome)}")
    return read_jobs(outcome.stdout)


def arrays_condition(ids: Iterable[str]) -> str:
    """The SQL condition for single jobs and for all elements of arrays, those that were submitted again included.

    Raises ValueError for an id that is not a number.
    """
    return f"array_id IN ({', '.join(str(int(id)) for id in sorted(set(ids)))})"


def read_jobs(text: str) -> list[OarJob]:
    """The jobs in the output of ``oarstat -f -J``, which is empty where there are none. Raises CommandError."""
    if not text.strip():
        return []
    try:
        records = json.loads(text)
    except ValueError as error:
        raise CommandError(f"the output of oarstat cannot be read as JSON: {error}") from None
    return sorted((_job(record) for record in records.values()), key=lambda job: job.id)


def latest_jobs(jobs: Iterable[OarJob]) -> dict[tuple[int, int], OarJob]:
    """The last job by (array, index): OAR submits a job again under a new id."""
    return {(job.array, job.index): job for job in sorted(jobs, key=lambda job: job.id)}


def _job(record: dict[str, Any]) -> OarJob:
    state, reason, exit = _state(record)
    return OarJob(
        id=int(record["Job_Id"]),
        array=int(record["array_id"]),
        index=int(record["array_index"]) - 1,
        state=state,
        reason=reason,
        exit=exit,
        hosts=tuple(record.get("assigned_network_address") or ()),
        queue=str(record.get("queue") or ""),
        name=str(record.get("name") or ""),
        submitted=int(record.get("submissionTime") or 0),
        start=int(record.get("startTime") or 0),
        stop=int(record.get("stopTime") or 0),
    )


def _state(record: dict[str, Any]) -> tuple[str, str, int | None]:
    """State, reason and exit status of a job."""
    state = str(record.get("state"))
    if state == "Terminated":
        return _terminated(int(record.get("exit_code") or 0))
    if state == "Error":
        return *_error(record.get("events") or ()), None
    message = str(record.get("message") or "")
    return STATES.get(state, "PENDING"), message if state == "Waiting" else "", None


def _terminated(wait_status: int) -> tuple[str, str, int]:
    """Terminated says only that the job ended by itself; its exit code is a wait status, with the signal in 7 bits."""
    signal, exit = wait_status & 0x7F, wait_status >> 8
    return "COMPLETED" if wait_status == 0 else "FAILED", "", -signal if signal else exit


def _error(events: Iterable[dict[str, Any]]) -> tuple[str, str]:
    """State and reason of a job in Error, which are in its events."""
    descriptions = {str(event.get("type")): str(event.get("description", "")) for event in events}
    for event, state, reason in ERROR_EVENTS:
        if event in descriptions:
            return state, reason
    return "FAILED", next(reversed(descriptions), "") or "OAR does not say why"
