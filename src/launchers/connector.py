"""The one seam to the world of commands: run this argv, give me what it printed, with a timeout."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Protocol

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


@frozen
class LocalConnector:
    """Commands of this machine, each in a process group of its own, so that a hung one ends with all it started."""

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Outcome:
        """See Connector.run."""
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=None if env is None else {**os.environ, **env},
                cwd=cwd,
                text=True,
                encoding="utf-8",
                errors="replace",
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
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise CommandError(f"{' '.join(argv[:4])} gave no answer within {timeout:g} s") from error
        except BaseException:
            _end(process)
            raise
        return Outcome(tuple(argv), process.returncode, stdout, stderr)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the whole group at once: a command that hangs may ignore anything gentler."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
