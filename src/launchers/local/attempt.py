"""One try of a job: its process, which starts once, and what that leaves behind.

A try has a folder.  The file ``ready`` in it is made before there is a process, and has room for everything that is
written later, so that a full disk is noticed while nothing has happened.  The process writes who it is into that file
and then takes the name ``pid`` for it, with a hard link.  A name can be taken once.  Whoever wants to be certain that a
try never starts takes its name for another file.  Where a link fails, the two names tell whose it is: a network file
system may have made it and lost its answer.

All that happens in the process before it becomes the job's shell.  So a shell that is there has taken the name, and
nothing that failed before can be mistaken for a job that ended.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from attrs import define, frozen

from launchers.files.owner import open_file
from launchers.local.jobs import LocalJob
from launchers.local.ledger import Held
from launchers.processes import Process, process, read_process

SHELL = 'trap : TERM INT HUP USR2; out=$1; shift; "$@" </dev/null; s=$?; printf "%03d\\n" $s >>"$out"; exit $s'
"""The shell around a job: run the command behind $1, and write its exit status at the end of that file.

It outlives the signals that are meant for the job, so that the job has its time to react.  Its own input is the job's
claim (launchers.local.ledger), which is held as long as this shell lives and is not for the command.
"""
SIZE = 120
"""Bytes of the line that says which process it is."""
_STATUS = re.compile(r"\d{3}", re.ASCII)
"""An exit status, as the shell writes it."""


class NotStartedError(Exception):
    """A process could not take the name of its try, so that it runs nothing."""


@frozen
class Try:
    """The folder of one try of a job."""

    folder: Path

    def prepare(self) -> None:
        """Make room for all that will be written about it.  Raises OSError.

        A file system on the network says that it has no room when the file is closed (man 2 close).
        """
        self._make_folder()
        descriptor = os.open(self._ready, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            _overwrite(file, "")
        self._make_shut()

    def start(
        self, job: LocalJob, environment: Mapping[str, str], claim: BinaryIO, out: BinaryIO, err: BinaryIO
    ) -> subprocess.Popen[bytes]:
        """The job's process, in a group of its own, which has taken the name; it inherits the claim.

        Raises OSError where it cannot be started and NotStartedError where the name cannot be taken, ValueError for
        words that no process can be given.
        """
        try:
            return subprocess.Popen(
                ["/bin/sh", "-c", SHELL, "launchers", str(self._pid_path), *job.argv],
                cwd=job.cwd,
                env=dict(environment),
                stdin=claim,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=self._take_name,
            )
        except subprocess.SubprocessError:
            raise NotStartedError(f"the name {self._pid_path} cannot be taken") from None

    def _take_name(self) -> None:
        """In the process that becomes the job's shell: write down which it is, and take the name."""
        with self._ready.open("r+b", buffering=0) as file:
            _overwrite(file, str(process(os.getpid()) or Process(os.getpid(), 0)))
        _link(self._ready, self._pid_path)

    def prevent(self) -> bool:
        """Take the name, so that the job cannot start any more.  Raises OSError.

        False when its process was there first: then the job runs, or did.
        """
        self._make_folder()
        self._make_shut()
        with contextlib.suppress(FileExistsError):
            _link(self._shut, self._pid_path)
        return _is_same(self._shut, self._pid_path)

    def process(self) -> Process | None:
        """The process that took the name; None where none did."""
        return read_process(self._read()[0])

    def exit_status(self) -> int | None:
        """Its exit status; None while there is none."""
        status = self._read()[1]
        return int(status) if status else None

    def _read(self) -> tuple[str, str | None]:
        """The line of the process and its exit status; "" and None where there are none."""
        try:
            with open_file(self._pid_path, own=False) as file:
                text = file.read(2 * SIZE).decode("ascii", "replace")
        except OSError:
            return "", None
        line, *behind = text.split("\n")
        if behind == [""]:
            return line.rstrip(" "), None
        is_whole = len(behind) == 2 and not behind[1] and _STATUS.fullmatch(behind[0])
        return (line.rstrip(" "), behind[0]) if is_whole else ("", None)

    def _make_folder(self) -> None:
        """Make the folder, and the one of all tries; what was removed above them is not made again."""
        for folder in (self.folder.parent, self.folder):
            folder.mkdir(mode=0o700, exist_ok=True)

    def _make_shut(self) -> None:
        """Make the file that takes the name from what must not start: one for all tries, before it is needed."""
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._shut, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    @property
    def _ready(self) -> Path:
        return self.folder / "ready"

    @property
    def _pid_path(self) -> Path:
        return self.folder / "pid"

    @property
    def _shut(self) -> Path:
        return self.folder.parent / "shut"


def _overwrite(file: BinaryIO, line: str) -> None:
    """Write the line of a try's file to its full size.  Raises OSError."""
    if file.write(line.encode().ljust(SIZE - 1) + b"\n") != SIZE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)


def _link(file: Path, name: Path) -> None:
    """Take a name for a file; it may be its name already.  Raises OSError."""
    try:
        os.link(file, name)
    except OSError:
        if not _is_same(file, name):
            raise


def _is_same(file: Path, name: Path) -> bool:
    try:
        return os.path.samestat(file.lstat(), name.lstat())
    except FileNotFoundError:
        return False


@define
class JobProcess:
    """A job's process, ours (`child`) or that of an earlier scheduler, and what it holds.

    `started` is when it started, `deadline` when it is ended, or ended for good, and `warn` when it is warned of that
    (seconds since boot).
    `doomed` is the state in which it will have ended, once it was signalled.
    """

    process: Process
    child: subprocess.Popen[bytes] | None
    held: Held | None = None
    started: float = 0.0
    deadline: float | None = None
    warn: float | None = None
    doomed: str = ""
    pidfd: int | None = None

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the whole group, unless the process is another one by now."""
        if self.child is None and not self.process.is_alive():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)
