"""States of OAR's jobs in the words that launchers has for all schedulers, Slurm's (facts/oar.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from attrs import frozen

from launchers.commands import CommandError, Connector
from launchers.oar.refusals import oar_complaint

TIMEOUT = 60.0
WORDS = {
    "Waiting": "PENDING", "Hold": "PENDING", "toAckReservation": "PENDING", "toLaunch": "PENDING",
    "Launching": "PENDING", "Running": "RUNNING", "Suspended": "SUSPENDED", "Resuming": "RUNNING",
    "Finishing": "COMPLETING", "toError": "COMPLETING",
}  # fmt: skip
EVENTS = (
    ("BESTEFFORT_KILL", "PREEMPTED", "was killed for a job that is not besteffort"),
    ("WALLTIME", "TIMEOUT", "reached its walltime"),
    ("WORKING_DIRECTORY", "FAILED", "its working folder cannot be entered on the node"),
    ("OUTPUT_FILES", "FAILED", "its output files cannot be made on the node"),
    ("FRAG_JOB_REQUEST", "CANCELLED", "was deleted"),
)
"""Why a job is in Error: the first of these events that it has."""
RESUBMIT = 99
"""The exit status with which an idempotent job that ran for more than a minute asks to be submitted again."""


@frozen
class OarJob:
    """What OAR says of one job.

    `array` and `index` (from 0) are what it was submitted as: they stay when it is submitted again under another `id`.
    `state` and `reason` are in our words, `exit` the exit status or, negative, the signal that ended it.
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
    """The jobs, ended or not, for which an SQL condition holds, by their ids.

    Raises CommandError when OAR cannot be asked.
    """
    outcome = connector.run(("oarstat", "-f", "-J", "--sql", sql), timeout=TIMEOUT)
    if outcome.status:
        raise CommandError(f"oarstat: {oar_complaint(outcome)}")
    return read_jobs(outcome.stdout)


def arrays_condition(ids: Iterable[str]) -> str:
    """The SQL for these jobs and all elements of these arrays, resubmitted ones too; ids are numbers."""
    return f"array_id IN ({', '.join(str(int(one)) for one in sorted(set(ids)))})"


def read_jobs(text: str) -> list[OarJob]:
    """What ``oarstat -f -J`` printed; it prints nothing at all where there are no such jobs.  Raises CommandError."""
    if not text.strip():
        return []
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CommandError(f"oarstat: not JSON: {error}") from None
    return sorted((_job(one) for one in found.values()), key=lambda job: job.id)


def _job(one: dict[str, Any]) -> OarJob:
    state, reason, exit = _state(one)
    return OarJob(
        id=int(one["Job_Id"]),
        array=int(one["array_id"]),
        index=int(one["array_index"]) - 1,
        state=state,
        reason=reason,
        exit=exit,
        hosts=tuple(one.get("assigned_network_address") or ()),
        queue=str(one.get("queue") or ""),
        name=str(one.get("name") or ""),
        submitted=int(one.get("submissionTime") or 0),
        start=int(one.get("startTime") or 0),
        stop=int(one.get("stopTime") or 0),
    )


def _state(one: dict[str, Any]) -> tuple[str, str, int | None]:
    """Terminated says only that the job ended by itself, and Error hides why in the events."""
    state = str(one.get("state"))
    if state == "Terminated":
        code = int(one.get("exit_code") or 0)
        exit = -(code & 0x7F) if code & 0x7F else code >> 8
        return ("COMPLETED", "", 0) if code == 0 else ("FAILED", "", exit)
    if state == "Error":
        events = {str(event.get("type")): str(event.get("description", "")) for event in one.get("events") or ()}
        for event, word, reason in EVENTS:
            if event in events:
                return word, reason, None
        return "FAILED", "; ".join(list(events)[-1:]) or "Error, and OAR does not say why", None
    message = str(one.get("message") or "")
    return WORDS.get(state, "PENDING"), message if state == "Waiting" else "", None


def latest_jobs(found: Iterable[OarJob]) -> dict[tuple[int, int], OarJob]:
    """For each (array, index) the last job: a resubmitted one has a new id."""
    return {(job.array, job.index): job for job in sorted(found, key=lambda job: job.id)}
