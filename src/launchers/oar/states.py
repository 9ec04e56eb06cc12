"""The jobs of OAR, with their states in Slurm's words, which launchers uses for all schedulers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import frozen

from launchers.commands import CommandError, Connector
from launchers.oar.answers import find_document
from launchers.oar.refusals import oar_complaint

TIMEOUT = 60.0
"""Seconds that oarstat may take."""
STATES = {
    "Waiting": "PENDING", "Hold": "PENDING", "toAckReservation": "PENDING", "toLaunch": "PENDING",
    "Launching": "PENDING", "Running": "RUNNING", "Suspended": "SUSPENDED", "Resuming": "RUNNING",
    "Finishing": "COMPLETING", "toError": "COMPLETING",
}  # fmt: skip
"""States of jobs that have not ended, in Slurm's words."""
HELD = "JobHeldUser"
"""Why a job in Hold waits, in Slurm's words."""
DELETED = "FRAG_JOB_REQUEST"
"""The event of a job that somebody wanted to be deleted. OAR itself does, for other jobs, walltimes and nodes."""
ERROR_EVENTS = (
    ("BESTEFFORT_KILL", "PREEMPTED", "was killed for a job that is not besteffort"),
    ("WALLTIME", "TIMEOUT", "reached its walltime"),
    ("WORKING_DIRECTORY", "FAILED", "its working folder cannot be entered on the node"),
    ("OUTPUT_FILES", "FAILED", "its output files cannot be created on the node"),
)
"""Why a job is in Error, with the state that this means: the first of these events that the job has
(docs/oar-facts.md#states)."""
NODE_EVENTS = frozenset(
    {
        "PING_CHECKER_NODE_SUSPECTED", "CPUSET_ERROR", "CPUSET_MANAGER_FILE", "SUSPEND_ERROR", "RESUME_ERROR",
        "PROLOGUE_ERROR", "EPILOGUE_ERROR", "CANNOT_WRITE_NODE_FILE", "CANNOT_WRITE_PID_FILE", "USER_SHELL",
        "CANNOT_CREATE_TMP_DIRECTORY", "LAUNCHING_OAREXEC_TIMEOUT", "SSH_TRANSFER_TIMEOUT", "BAD_HASHTABLE_DUMP",
        "RESERVATION_NO_NODE", "EXIT_VALUE_OAREXEC",
    }
)  # fmt: skip
"""The events of a job that its node has failed: OAR suspects the node then (NodeChangeState of OAR 2.5.9)."""
RESUBMIT = 99
"""The exit status for which OAR submits an idempotent job again, if it ran for more than a minute."""
LAST_JOB = "job_id = (SELECT MAX(job_id) FROM jobs)"
"""The condition for the last job of all, whoever has it."""
LATEST = 2**40
"""Seconds of the epoch after which no job is submitted, starts or ends."""
_ASKED_BY = re.compile(r"User (\S+) requested")
"""Who wanted a job to be deleted, which OAR writes only into the text of the event."""


@frozen
class OarJob:
    """One job of OAR.

    `array` and `index` (from 0) are those it was submitted with: they stay when OAR submits the job again under another
    `id`. `exit` is the exit status or, if negative, the signal that ended the job; None where OAR states neither.
    Times are seconds of the epoch, 0 where there is none yet. `deleted` says that somebody wants it to be deleted.
    `instead_of` is the job in whose place OAR has submitted this one again (0: none).
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
    deleted: bool = False
    instead_of: int = 0


@frozen
class Condition:
    """What jobs are looked for: a condition in SQL, and whether it holds for a job that was read."""

    sql: str
    holds: Callable[[OarJob], bool]


def of_arrays(ids: Iterable[str]) -> Condition:
    """Single jobs and all elements of arrays, those that were submitted again included; ValueError for no number."""
    wanted = set(map(int, ids))
    return Condition(f"array_id IN ({_listed(wanted)})", lambda job: job.array in wanted)


def with_ids(ids: Iterable[str]) -> Condition:
    """Jobs by the ids that they have now.  Raises ValueError for an id that is not a number."""
    wanted = set(map(int, ids))
    return Condition(f"job_id IN ({_listed(wanted)})", lambda job: job.id in wanted)


def submitted_instead_of(id: str) -> Condition:
    """The job that OAR has submitted again in place of another.  Raises ValueError for an id that is not a number."""
    other = int(id)
    return Condition(f"resubmit_job_id = {other}", lambda job: job.instead_of == other)


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(ids)))


def find_jobs(connector: Connector, condition: Condition) -> list[OarJob]:
    """The jobs, ended or not, for which a condition holds, in the order of their ids.

    oarstat prints nothing and ends with 0 when there is no such job, and also when its database gives no answer
    (docs/oar-facts.md#states). So the last job of all is always asked for as well: an answer without it is none. Raises
    CommandError where OAR does not answer.
    """
    sql = f"({condition.sql}) OR {LAST_JOB}"
    outcome = connector.run(("oarstat", "-f", "-J", "--sql", sql), timeout=TIMEOUT)
    if outcome.status:
        raise CommandError(f"oarstat: {oar_complaint(outcome)}")
    if not (jobs := read_jobs(outcome.stdout)):
        raise CommandError("oarstat printed no job at all: its database gave no answer, or is empty")
    return [job for job in jobs if condition.holds(job)]


def latest_jobs(jobs: Iterable[OarJob]) -> dict[tuple[int, int], OarJob]:
    """The last job by (array, index): OAR submits a job again under a new id."""
    return {(job.array, job.index): job for job in sorted(jobs, key=lambda job: job.id)}


# -- reading ---------------------------------------------------------------------------------------------------


def read_jobs(text: str) -> list[OarJob]:
    """The jobs in the output of ``oarstat -f -J``, which is empty where there are none, and where there is no answer.

    Other programs may have written lines before and after. Raises CommandError for what is no answer: nobody knows
    then.
    """
    if not text.strip():
        return []
    try:
        return sorted((_job(record) for record in _records(text)), key=lambda job: job.id)
    except KeyError as error:
        raise CommandError(f"the output of oarstat cannot be read: a job has no {error}") from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CommandError(f"the output of oarstat cannot be read: {str(error)[:200]}") from None


def _records(text: str) -> list[Any]:
    """The first object or list of records that begins a line.  Raises ValueError where there is none."""
    document = find_document(text, lambda found: all(isinstance(record, dict) for record in _values(found)))
    return _values(document)


def _values(document: Any) -> list[Any]:
    return list(document.values()) if isinstance(document, dict) else document


def _job(record: Mapping[str, Any]) -> OarJob:
    start = _time(record.get("startTime"))
    state, reason, exit = _state(record, started=start > 0)
    hosts = record.get("assigned_network_address")
    return OarJob(
        id=int(record["Job_Id"]),
        array=int(record["array_id"]),
        index=int(record["array_index"]) - 1,
        state=state,
        reason=reason,
        exit=exit,
        hosts=tuple(map(str, hosts)) if isinstance(hosts, list) else (),
        queue=str(record.get("queue") or ""),
        name=str(record.get("name") or ""),
        submitted=_time(record.get("submissionTime")),
        start=start,
        stop=_time(record.get("stopTime")),
        deleted=DELETED in _events(record),
        instead_of=int(record.get("resubmit_job_id") or 0),
    )


def _time(value: Any) -> int:
    """Seconds of the epoch; 0 for what is no time."""
    return value if type(value) is int and 0 <= value < LATEST else 0


def _events(record: Mapping[str, Any]) -> dict[str, str]:
    """The descriptions of a job's events, by their types."""
    events = record.get("events")
    found = [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    return {str(event.get("type")): str(event.get("description") or "") for event in found}


# -- states ----------------------------------------------------------------------------------------------------


def _state(record: Mapping[str, Any], *, started: bool) -> tuple[str, str, int | None]:
    """State, reason and exit status of a job."""
    state = str(record["state"])
    if state == "Terminated":
        return _terminated(record.get("exit_code"))
    if state == "Error":
        return *_error(_events(record), str(record.get("owner") or ""), started=started), None
    if state not in STATES:
        return "UNKNOWN", f"OAR calls it {state[:60]}", None
    message = str(record.get("message") or "") if state == "Waiting" else HELD if state == "Hold" else ""
    return STATES[state], message, None


def _terminated(wait_status: Any) -> tuple[str, str, int | None]:
    """Terminated says only that the job ended by itself; its exit code is a wait status, with the signal in 7 bits."""
    if wait_status is None:
        return "FAILED", "OAR does not say how it ended", None
    status = int(wait_status)
    signal, exit = status & 0x7F, status >> 8
    return "COMPLETED" if status == 0 else "FAILED", "", -signal if signal else exit


def _error(events: Mapping[str, str], owner: str, *, started: bool) -> tuple[str, str]:
    """State and reason of a job in Error, which are in its events."""
    for event, state, reason in ERROR_EVENTS:
        if event in events:
            return state, reason
    if failed := next((event for event in events if event in NODE_EVENTS), ""):
        return "NODE_FAIL", f"its node failed ({failed})"
    if DELETED in events:
        return _deleted(events[DELETED], owner, started=started)
    return "FAILED", next(reversed([*events]), "") or "OAR does not say why"


def _deleted(description: str, owner: str, *, started: bool) -> tuple[str, str]:
    """State and reason of a job that somebody deleted.

    Where a node is set Absent or Dead, its jobs are deleted in the name of who did that.
    """
    found = _ASKED_BY.match(description)
    if found is None or not owner:
        return "CANCELLED", "was deleted" if started else "was deleted before it started"
    if not started:
        return "CANCELLED", f"was deleted by {found[1]} before it started"
    if found[1] == owner:
        return "CANCELLED", f"was deleted by {owner}"
    return "NODE_FAIL", f"was deleted by {found[1]}, as when its node is set Absent or Dead"
