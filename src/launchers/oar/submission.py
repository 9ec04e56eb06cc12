"""Run oarsub so that its job outlives whoever ran it, and read from its answer only what is certain.

oarsub deletes its own job when its output goes away, on Ctrl-C and on a hangup (docs/oar-facts.md#answers-of-oarsub).
So it writes to files, in a session of its own. It is setuid: nobody here can end one that hangs, and it may go on after
we have gone. While it does it holds the lock on its file, and the same submission is not sent again.
"""

from __future__ import annotations

import fcntl
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from launchers.commands import Outcome, log_command
from launchers.jobs.backend import RefusedError, last_lines
from launchers.oar.refusals import REFUSALS, is_transient, refusal_of_oarsub, without_noise

TIMEOUT = 120.0
"""Seconds that oarsub gets. While the database is away it waits for that, and makes the job when it is back."""
_JOB = re.compile(r"^OAR_JOB_ID=([1-9][0-9]*)$", re.M)
_ARRAY = re.compile(r"^OAR_ARRAY_ID=([1-9][0-9]*)$", re.M)


def submit(
    argv: Sequence[str],
    log: Path,
    *,
    count: int = 1,
    cwd: str | None = None,
    find: Callable[[], str | None] = lambda: None,
) -> str:
    """Run oarsub: the id of the job, of an array of `count` the array's.  Raises RefusedError.

    `log` is a file for what it prints, one for each submission. `find` looks for a job that an earlier oarsub of the
    same submission has made.
    """
    with log.open("ab") as out, log.with_suffix(".err").open("ab") as errors:
        if not _is_alone(out.fileno()):
            raise RefusedError(["an oarsub of this submission is still running: it is waited for"], transient=True)
        if out.tell() and (job := find()):
            return job
        out.truncate(0)
        errors.truncate(0)
        status = _run(("oarsub", *argv), out.fileno(), errors.fileno(), cwd)
    stdout, stderr = (path.read_bytes().decode(errors="replace") for path in (log, log.with_suffix(".err")))
    return read_id(Outcome(("oarsub", *argv), status, stdout, stderr), count)


def _is_alone(file: int) -> bool:
    """Whether no other oarsub writes to a file; it is locked for the one that will."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _run(argv: Sequence[str], out: int, errors: int, cwd: str | None) -> int:
    """The exit status of oarsub.  Raises RefusedError for one that is not there, or gives no answer."""
    start, status = time.monotonic(), None
    try:
        process = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=out, stderr=errors, cwd=cwd, start_new_session=True
        )
        status = process.wait(TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise RefusedError([f"oarsub gave no answer within {TIMEOUT:g} s, and still runs"], transient=True) from error
    except OSError as error:
        why = f"the folder {cwd} does not exist" if cwd and not Path(cwd).is_dir() else str(error.strerror)
        raise RefusedError([f"cannot run oarsub: {why}"]) from error
    finally:
        log_command(argv, status, time.monotonic() - start)
    return status


def read_id(outcome: Outcome, count: int) -> str:
    """The id in an answer of oarsub.  Raises RefusedError, also where it is not certain which of the ids is the job's.

    Admission rules print what they like, in front of it. A refusal that is `transient` may be an acceptance: the token
    tells.
    """
    ids = [int(id) for id in _JOB.findall(outcome.stdout)]
    arrays = {int(id) for id in _ARRAY.findall(outcome.stdout)}
    if outcome.status:
        raise refused(outcome, may_exist=bool(ids))
    if len(ids) == count and len(set(ids)) == count and arrays <= {min(ids)} and (count == 1 or arrays):
        return str(min(ids))
    message = f"it is not certain what oarsub answered: {'; '.join(last_lines(outcome.stdout)) or 'nothing'}"
    raise RefusedError([message], transient=True)


def refused(outcome: Outcome, *, may_exist: bool = False) -> RefusedError:
    """What oarsub printed, as an error.

    It is a refusal for certain only with an exit status for which oarsub has stored nothing.
    """
    text = without_noise(outcome.stderr).strip() or without_noise(outcome.stdout).strip()
    transient = may_exist or outcome.status not in REFUSALS or is_transient(text)
    lines = last_lines(text) or [f"exit status {outcome.status}"]
    return RefusedError(lines, refusal_of_oarsub(text), transient=transient)
