"""Run commands of schedulers and tools, with a timeout: every such command goes through here, and is logged.

The logger `launchers.commands` writes a line for each command at level DEBUG: its arguments, exit status and seconds.
It never writes the environment of a command, its input or its output.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import shlex
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import IO, Protocol

from attrs import frozen

LONGEST = 2000
"""A logged command is cut after this many characters: squeue may be asked for a thousand jobs by their ids."""
POLL = 0.1
"""Seconds between two looks at whether a command has ended while something else still holds its output open."""
UNKILLED = 10.0
"""Seconds to wait for the end of a command that was killed: one that the kernel holds does not end."""
_LOG = logging.getLogger(__name__)
_CREDENTIALS = re.compile(r"://[^/\s]+@")
_ENVIRONMENT = re.compile(r"\benv(?: '\w+=[^']*'| \w+=[^\s']*)+")
"""What env sets for a command, in a word that a shell reads: oarsub gets commands like this."""


@frozen
class Outcome:
    """What a command printed, and its exit status (negative: the signal that killed it)."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """Its error message: the first three lines of stderr, or else of stdout, as one line.

        A command that was killed may have printed anything before, so how it ended is part of the message.
        """
        printed = self.stderr if self.stderr.strip() else self.stdout
        lines = [line.strip() for line in printed.splitlines() if line.strip()][:3]
        if not lines or self.status < 0:
            lines.append(ending(self.status))
        return "; ".join(lines)


class CommandError(RuntimeError):
    """A command could not be started, or did not end in time."""


class CommandNotFoundError(CommandError):
    """There is no such command on PATH."""


class CommandTimeoutError(CommandError):
    """A command did not end in time, and was killed."""


class Connector(Protocol):
    """Runs commands on some machine."""

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,
        timeout: float = 30.0,
        env: Mapping[str, str | None] | None = None,
        cwd: str | None = None,
    ) -> Outcome:
        """Run `argv`, never through a shell, with the user's environment and `env` added to it (None: taken away).

        `input` is written to its stdin, `cwd` is the folder where it runs. Raises CommandError if the command does not
        exist, may not be run, or has not ended after `timeout` seconds.
        """
        ...


def ending(status: int) -> str:
    """How a command ended, for people; a negative status is the signal that killed it."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal, which has no name
        return f"killed by signal {-status}"


def log_command(argv: Sequence[str], status: int | None, seconds: float) -> None:
    """Log a command that has ended; status None: it could not be started, or was killed at its timeout."""
    if _LOG.isEnabledFor(logging.DEBUG):
        ended = "no exit status" if status is None else ending(status)
        _LOG.debug("%s (%s, %.2f s)", shown(argv), ended, seconds)


def shown(argv: Sequence[str]) -> str:
    """A command as a shell would take it, on one line and not too long, without passwords in URLs and environments."""
    words = (_ENVIRONMENT.sub("env ...", _CREDENTIALS.sub("://***@", word)) for word in argv)
    text = shlex.join(words).replace("\n", "\\n")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


@frozen
class LocalConnector:
    """Runs commands on this machine, each in a process group of its own.

    At the timeout the whole group is killed. A process that has left the group is neither killed nor waited for.
    """

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,
        timeout: float = 30.0,
        env: Mapping[str, str | None] | None = None,
        cwd: str | None = None,
    ) -> Outcome:
        """Run a command on this machine; arguments and errors are those of `Connector.run`."""
        start, status = time.monotonic(), None
        try:
            content = None if input is None else input.encode("utf-8", "surrogateescape")
            process = _start(argv, content is not None, env, cwd)
            stdout, stderr = _finish(process, content, timeout)
            status = process.returncode
        except subprocess.TimeoutExpired as error:
            raise CommandTimeoutError(f"{' '.join(argv[:4])} gave no answer within {timeout:g} s") from error
        finally:
            log_command(argv, status, time.monotonic() - start)
        return Outcome(tuple(argv), status, _text(stdout), _text(stderr))


def _start(
    argv: Sequence[str], has_input: bool, env: Mapping[str, str | None] | None, cwd: str | None
) -> subprocess.Popen[bytes]:
    """Start a command; raises CommandError."""
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else _environment(env),
            cwd=cwd,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd is not None and error.filename == cwd:
            raise CommandError(f"cannot run {argv[0]}: the folder {cwd} does not exist") from error
        path = os.environ.get("PATH")
        raise CommandNotFoundError(f"there is no command {argv[0]} on this machine (PATH={path})") from error
    except OSError as error:
        raise CommandError(f"cannot run {argv[0]}: {error.strerror}") from error
    except ValueError as error:  # a zero byte, or half of a pair of surrogates
        raise CommandError(f"cannot run {argv[0]}: it cannot be given an argument with a zero byte") from error


def _environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """The environment of this process with changes; None takes a name away."""
    return {name: value for name, value in {**os.environ, **changes}.items() if value is not None}


def _finish(process: subprocess.Popen[bytes], input: bytes | None, timeout: float) -> tuple[bytes, bytes]:
    """What a command printed until it ended; whatever is raised here, TimeoutExpired first of all, kills it."""
    try:
        return _communicate(process, input, timeout)
    except BaseException:
        _kill(process)
        raise
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what it did not read
                    pipe.close()


def _communicate(process: subprocess.Popen[bytes], input: bytes | None, timeout: float) -> tuple[bytes, bytes]:
    """What a command printed until it ended; raises TimeoutExpired.

    `Popen.communicate` alone would wait until the output is closed, and a process that the command started and left
    behind keeps it open.
    """
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            return process.communicate(input, timeout=max(0.0, min(left, POLL)))
        except subprocess.TimeoutExpired as early:
            if process.poll() is not None:
                return (early.output or b"") + _rest(process.stdout), (early.stderr or b"") + _rest(process.stderr)
            if left <= POLL:
                raise
        input = None  # it is being written


def _rest(pipe: IO[bytes] | None) -> bytes:
    """What is in a pipe now; what a process writes there later is not read."""
    if pipe is None or pipe.closed:
        return b""
    (size,) = struct.unpack("i", fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4)))
    return os.read(pipe.fileno(), size) if size else b""


def _text(output: bytes) -> str:
    return output.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole process group with SIGKILL: a command that hangs may ignore SIGTERM.

    One that runs as another user cannot be killed, as OAR's; it is left behind (docs/oar-facts.md#answers-of-oarsub).
    """
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError:
        return
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(UNKILLED)
