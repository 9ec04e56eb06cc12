"""Ask OAR about jobs, find them by their tokens, and delete them.

An id says little: a database that was made anew counts from 1 again. So a job is ours only if its name ends with its
token, which is asked for in the same question.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from launchers.commands import CommandError, Connector
from launchers.jobs.backend import Element, JobAnswer, JobInfo
from launchers.jobs.state import ENDED
from launchers.jobs.submission import PARENT_FAILED
from launchers.oar.args import sql_literal
from launchers.oar.refusals import oar_complaint
from launchers.oar.states import Condition, OarJob, find_jobs, latest_jobs, of_arrays

LONGEST_NAME = 100
"""The most letters of a job's name: the database refuses more."""
TIMEOUT = 60.0
"""Seconds that oardel may take."""
CHUNK = 500
"""The most ids in one command: far from the 128 KiB that Linux allows for one argument (man execve)."""
_NUMBER = re.compile(r"[0-9]+", re.ASCII)
ROUNDS = 3
"""How often jobs are deleted that OAR has submitted again meanwhile."""


def named(name: str, token: str) -> str:
    """A name of a job that ends with its token, and is not too long."""
    return f"{name[: LONGEST_NAME - len(token) - 1]}.{token}"


def carries(job: OarJob, token: str) -> bool:
    """Whether a job is the one that was submitted with a token."""
    return bool(token) and job.name.endswith(f".{token}")


def find_token(connector: Connector, token: str) -> str | None:
    """The id of the job or array that carries a token; None where there is none.  Raises CommandError."""
    condition = Condition(f"job_name LIKE {sql_literal('%.' + token)}", lambda job: carries(job, token))
    return next((str(job.array) for job in find_jobs(connector, condition)), None)


def job_answer(connector: Connector, tokens: Mapping[str, str]) -> JobAnswer:
    """What oarstat knows of these jobs, given with their tokens, and all their elements."""
    infos: dict[Element, JobInfo] = {}
    try:
        for job_ids in _chunks(sorted(tokens)):
            infos |= _infos(our_jobs(connector, job_ids, tokens))
    except CommandError as error:
        return JobAnswer(infos, str(error))
    return JobAnswer(infos)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def our_jobs(connector: Connector, ids: Iterable[str], tokens: Mapping[str, str]) -> list[OarJob]:
    """The jobs of arrays, of each element the last, where they carry their tokens.  Raises CommandError."""
    numbers = [id for id in ids if _NUMBER.fullmatch(id)]  # what is no number, OAR has never heard of
    known = latest_jobs(find_jobs(connector, of_arrays(numbers))) if numbers else {}
    return [job for job in known.values() if carries(job, tokens.get(str(job.array), ""))]


def _infos(jobs: Collection[OarJob]) -> dict[Element, JobInfo]:
    arrays = {job.array for job in jobs if job.index}
    infos: dict[Element, JobInfo] = {}
    for job in jobs:
        infos[str(job.array), job.index] = info = _info(job)
        if job.array not in arrays:  # an array of one is asked about as either
            infos[str(job.array), None] = info
    return infos


def _info(job: OarJob) -> JobInfo:
    state, reason = job.state, job.reason
    if job.exit == PARENT_FAILED:
        state, reason = "CANCELLED", "parent failed"
    seconds = max(0.0, (job.stop or time.time()) - job.start) if job.start else None
    return JobInfo(
        state=state,
        reason=reason,
        nodes=",".join(job.hosts),
        elapsed="" if seconds is None else f"{seconds:.0f} s",
        exit="" if job.exit is None else str(job.exit),
        partition=job.queue,
        submitted=job.submitted or None,
        started=job.start or None,
        ended=job.stop or None,
        job=str(job.id),
    )


def delete(connector: Connector, elements: Iterable[Element], tokens: Mapping[str, str]) -> None:
    """Delete jobs, whole arrays or elements, under the ids that they have now, where they carry their tokens.

    oardel's success is no proof, and OAR may submit a job again meanwhile: so the jobs are looked at afterwards. Raises
    CommandError for jobs that were not deleted.
    """
    wanted = set(elements)
    complaints: list[str] = []
    for _ in range(ROUNDS):
        alive = [str(job.id) for job in _alive(connector, wanted, tokens)]
        if not alive:
            return
        for ids in _chunks(alive):
            outcome = connector.run(("oardel", *ids), timeout=TIMEOUT)
            if outcome.status:
                complaints.append(oar_complaint(outcome))
    if alive := [str(job.id) for job in _alive(connector, wanted, tokens)]:
        why = f": {complaints[-1]}" if complaints else ", although it did not fail"
        raise CommandError(f"oardel did not delete {'job' if len(alive) == 1 else 'jobs'} {', '.join(alive)}{why}")


def _alive(connector: Connector, wanted: Collection[Element], tokens: Mapping[str, str]) -> list[OarJob]:
    """The wanted jobs that have not ended, and that nobody has asked OAR to delete.  Raises CommandError."""
    ids = sorted({job for job, _ in wanted if tokens.get(job)})
    jobs = [job for chunk in _chunks(ids) for job in our_jobs(connector, chunk, tokens)]
    return [
        job
        for job in jobs
        if job.state not in ENDED
        and not job.deleted
        and ((str(job.array), None) in wanted or (str(job.array), job.index) in wanted)
    ]
