"""Run a command on this machine in the foreground, within what the jobs of this user may take together."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from typing import Any

from launchers.local.args import LocalArgs, empty_job
from launchers.local.jobs import Capacity, LocalJob
from launchers.local.ledger import Held, Shortage


def run_here(resources: LocalArgs, argv: list[str]) -> int:
    """In the foreground: wait for room on this machine, then be the command's terminal.

    Raises ValueError for what can never run here, and LedgerError where nobody can say what is free.
    """
    from launchers.local.jobs import why_impossible
    from launchers.local.ledger import SHORTAGE_POLL
    from launchers.local.scheduler import device_variables

    job = empty_job(resources)
    if why := why_impossible(job, resources.capacity):
        raise ValueError(f"it {why}")
    waiting = ""
    while isinstance(claimed := _claim_if_room(job, resources.capacity, argv), Shortage):
        if claimed.message != waiting and sys.stderr.isatty():
            waiting = claimed.message
            print(f"launchers: waiting for {waiting}", file=sys.stderr)
        time.sleep(SHORTAGE_POLL)
    granted, held = claimed
    forwarder = SignalForwarder()
    try:
        child = forwarder.start(argv, {**os.environ, **device_variables(resources.capacity, granted)}, held)
        return _wait_with_limit(child, job.time_limit)
    except OSError as error:
        print(f"launchers: cannot run {argv[0]}: {error.strerror}", file=sys.stderr)
        return start_failure_status(error)
    finally:
        forwarder.stop()
        held.release()


def _claim_if_room(job: LocalJob, capacity: Capacity, argv: list[str]) -> tuple[tuple[str, ...], Held] | Shortage:
    """The devices for a command that is about to start, and what it holds; or what it has to wait for."""
    from launchers.local.ledger import locked

    with locked() as ledger:
        granted = ledger.grant(job, capacity)
        if isinstance(granted, Shortage):
            return granted
        return granted, ledger.claim(job, granted, f"process {os.getpid()}: {argv[0]} {secrets.token_hex(8)}")


def start_failure_status(error: OSError) -> int:
    """The exit status of a command that cannot be started, as a shell has it."""
    return 127 if isinstance(error, FileNotFoundError) else 126


class SignalForwarder:
    """Signals to this process that go on to a child, but those that a terminal sends to both by itself.

    They are kept from before the child starts: one that came just then would end this process and leave it alone.
    """

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.early: list[int] = []
        self.at_terminal = sys.stdin.isatty()
        self.before = {
            number: signal.signal(number, self.on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }

    def start(self, argv: list[str], env: dict[str, str], held: Held) -> subprocess.Popen[bytes]:
        """Start the child, which inherits what is held for it, and give it what came in the meantime."""
        child = subprocess.Popen(argv, env=env, pass_fds=(held.file.fileno(),))
        self.child = child
        for number in self.early:
            self.on(number, None)
        return child

    def on(self, number: int, _: Any) -> None:
        """Send a signal on, or keep it."""
        if self.child is None:
            self.early.append(number)
        elif number != signal.SIGINT or not self.at_terminal:
            self.child.send_signal(number)

    def stop(self) -> None:
        """Put the handlers back that were there."""
        for number, handler in self.before.items():
            signal.signal(number, handler)


def _wait_with_limit(child: subprocess.Popen[bytes], limit: int | None) -> int:
    """Wait for a child; end it when time is up."""
    try:
        status = child.wait(limit)
    except subprocess.TimeoutExpired:
        print(f"launchers: time limit of {limit} s reached", file=sys.stderr)
        child.terminate()
        try:
            status = child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            status = child.wait()
    return 128 - status if status < 0 else status
