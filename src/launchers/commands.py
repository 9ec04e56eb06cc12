"""The one seam to the world of commands: run this argv, give me what it printed, with a timeout."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import IO, Protocol

from attrs import frozen


@frozen
class Outcome:
    """What a command printed and its exit status (negative: the signal that ended it)."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """The first lines of what it said went wrong, on one line."""
        lines = [line.strip() for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return "; ".join(lines[:3]) or f"exit status {self.status}"


class CommandError(RuntimeError):
    """A command that could not be run to its end: it says which, why, and what to do."""


class Connector(Protocol):
    """Runs commands somewhere: on this machine now, elsewhere later."""

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Outcome:
        """Run `argv` (never through a shell) with the user's environment and `env` added to it.

        Raises CommandError when there is no such command, it may not be run, or `timeout` seconds passed.
        """
        ...


LOOK = 0.1
"""Seconds between two looks at whether a command has ended whose output is still held open."""


@frozen
class LocalConnector:
    """Commands of this machine, each in a process group of its own, so that a hung one ends with all it started.

    What has left that group is not ended, and nobody waits for it: neither at the timeout, nor when the command ends.
    """

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Outcome:
        """Run a command of this machine; see Connector for arguments and errors."""
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=None if env is None else {**os.environ, **env},
                cwd=cwd,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            if cwd is not None and error.filename == cwd:
                raise CommandError(f"cannot run {argv[0]}: there is no folder {cwd}") from error
            raise CommandError(
                f"there is no command {argv[0]} on this machine (PATH={os.environ.get('PATH')})"
            ) from error
        except OSError as error:
            raise CommandError(f"cannot run {argv[0]}: {error.strerror}") from error
        with process:
            try:
                stdout, stderr = _communicate(process, None if input is None else input.encode(), timeout)
            except subprocess.TimeoutExpired as error:
                _kill(process)
                raise CommandError(f"{' '.join(argv[:4])} gave no answer within {timeout:g} s") from error
            except BaseException:
                _kill(process)
                raise
        return Outcome(tuple(argv), process.returncode, _text(stdout), _text(stderr))


def _communicate(process: subprocess.Popen[bytes], input: bytes | None, timeout: float) -> tuple[bytes, bytes]:
    """What a command printed until it ended; raises TimeoutExpired.

    `Popen.communicate` waits until the output is closed, and a process that the command left behind keeps it open.
    """
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            return process.communicate(input, timeout=max(0.0, min(left, LOOK)))
        except subprocess.TimeoutExpired as early:
            if process.poll() is not None:
                return (early.output or b"") + _rest(process.stdout), (early.stderr or b"") + _rest(process.stderr)
            if left <= LOOK:
                raise
        input = None  # it is being written


def _rest(pipe: IO[bytes] | None) -> bytes:
    """What stands in a pipe now; a process that goes on to write there is not read for ever."""
    if pipe is None or pipe.closed:
        return b""
    (size,) = struct.unpack("i", fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4)))
    return os.read(pipe.fileno(), size) if size else b""


def _text(output: bytes) -> str:
    return output.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group at once: a command that hangs may ignore anything gentler."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
