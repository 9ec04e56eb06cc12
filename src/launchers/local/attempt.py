"""One try of a job: the shell around it, which starts it once, and the process that a scheduler watches."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import define, frozen

from launchers.local.jobs import LocalJob, make_private
from launchers.processes import alive

GATE = (
    'set -C; echo $$ 2>/dev/null >"$1" || exit 0; set +C; trap : TERM INT HUP USR2; out=$2; shift 2; '
    '"$@"; s=$?; echo $s >"$out"; exit $s'
)
"""The shell around a job: take the name $1 or go, run the rest, write its exit status to $2.

It outlives the signals that are meant for the job, so that the job has its time to react.
"""
NO_SHELL = 0
"""Stands in place of a shell's pid where its name was taken from it."""
HALF_WRITTEN = 1.0
"""Seconds for which a shell that has taken its name may not have written its pid yet."""


@frozen
class Try:
    """The folder of one try of a job: the pid of its shell, and the exit status once it has ended."""

    folder: Path

    def start(self, job: LocalJob, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """The job's process, in a group of its own.  Raises OSError."""
        make_private(self.folder)
        with Path(job.stdout).open("ab") as out, Path(job.stderr).open("ab") as err:
            return subprocess.Popen(
                ["/bin/sh", "-c", GATE, "launchers", str(self._pid_path), str(self._exit_path), *job.argv],
                cwd=job.cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def prevent(self) -> bool:
        """Take the name that the shell would take, so that it cannot start the job any more.

        False when the shell was there first: then the job runs, or did.
        """
        make_private(self.folder)
        try:
            with self._pid_path.open("x", encoding="ascii") as out:
                out.write(f"{NO_SHELL}\n")
        except FileExistsError:
            return self.pid() == NO_SHELL
        return True

    def pid(self) -> int | None:
        """The pid of its shell; None where there is none that could be read."""
        deadline = time.monotonic() + HALF_WRITTEN
        while (pid := _read_number(self._pid_path)) is None and self._pid_path.exists():
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        return pid

    def exit_status(self) -> int | None:
        """Its exit status; None while there is none."""
        return _read_number(self._exit_path)

    @property
    def _pid_path(self) -> Path:
        return self.folder / "pid"

    @property
    def _exit_path(self) -> Path:
        return self.folder / "exit"


def _read_number(path: Path) -> int | None:
    """The number in a file; None while it is not there or not whole."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.endswith("\n") and text.strip().isdigit() else None


@define
class JobProcess:
    """A job's process, ours (`child`) or that of an earlier scheduler.

    `deadline` is when it is ended, or ended for good, and `warn` when it is warned of that (seconds of the epoch).
    `doomed` is the state in which it will have ended, once it was signalled.
    """

    pid: int
    born: int | None
    child: subprocess.Popen[bytes] | None
    deadline: float | None = None
    warn: float | None = None
    doomed: str = ""
    pidfd: int | None = None

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the whole group, unless the process is another one by now."""
        if self.child is None and not alive(self.pid, self.born):
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
