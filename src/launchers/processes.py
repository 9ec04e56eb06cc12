"""Whether a process is still the process that it was, and where that can be asked."""

from __future__ import annotations

import os
import re
import socket
import time
from functools import cache
from hashlib import blake2b
from pathlib import Path

from attrs import frozen

INITIAL_NAMESPACE = "pid:[4026531836]"
"""The pid namespace of a machine that is in no container (linux/proc_ns.h: PROC_PID_INIT_INO)."""


def born(pid: int) -> int | None:
    """When a process started, in clock ticks since boot: a pid alone may be used again.  None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def alive(pid: int | None, when: int | None) -> bool:
    """Whether that very process still runs (a zombie does not)."""
    return pid is not None and when is not None and born(pid) == when


@frozen
class Place:
    """Where a pid and a time of birth mean one process: all empty where that is not known.

    `boot` is which boot of which machine, `pids` which namespaces of pids and of time, as containers have their own.
    `machine` is which machine; in a container, whose image others may have as well, that is not known.
    """

    boot: str = ""
    pids: str = ""
    machine: str = ""

    def shares_pids(self, other: Place) -> bool:
        """Whether a process of one sees the processes of the other."""
        return bool(self.boot and self.pids) and (self.boot, self.pids) == (other.boot, other.pids)

    def is_before(self, other: Place) -> bool:
        """Whether it is the same machine in another boot, whose processes have all ended when it is not this one."""
        return bool(self.machine and self.boot and other.boot) and (
            self.machine == other.machine and self.boot != other.boot
        )


def place() -> Place:
    """Where this process is.

    A machine is told by /etc/machine-id and its host's name: machines that are copies of each other have the same id
    until somebody renews it, and many are called localhost.
    """
    pids, name = _link("ns/pid"), socket.gethostname()
    if _link("") != str(os.getpid()):  # /proc is of another namespace: what it says of a pid is about another process
        return Place()
    id = _text("/etc/machine-id")
    is_known = id and pids == INITIAL_NAMESPACE and not name.startswith("localhost")
    return Place(
        boot=_digest(_text("/proc/sys/kernel/random/boot_id")),
        pids=_digest(pids and f"{pids} {_link('ns/time')}"),
        machine=_digest(f"{id} {name}") if is_known else "",
    )


def _link(name: str) -> str:
    try:
        return str(Path("/proc/self", name).readlink())
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _digest(text: str) -> str:
    """A short name of a text, which does not give it away (man machine-id); empty for an empty one."""
    return text and blake2b(text.encode(errors="surrogateescape"), digest_size=8, person=b"launchers").hexdigest()


# -- a process that is written down ----------------------------------------------------------------------------

_PROCESS = re.compile(r"(\d{1,10}) (\d{1,20}) ([0-9a-f]*)/([0-9a-f]*)", re.ASCII)


@frozen
class Process:
    """A process as it is written down: pid, birth in clock ticks since boot, and where these two mean one process."""

    pid: int
    born: int
    boot: str = ""
    pids: str = ""

    def __str__(self) -> str:
        return f"{self.pid} {self.born} {self.boot}/{self.pids}"

    def is_of_here(self) -> bool:
        """Whether its pid can be asked about here: same boot of the same machine, same namespaces."""
        here = _here()
        return (self.boot, self.pids) == (here.boot, here.pids)

    def is_alive(self) -> bool:
        """Whether it is a process of here that still runs."""
        return self.is_of_here() and alive(self.pid, self.born)

    def age(self) -> float:
        """Seconds since its birth, by a clock that nobody sets."""
        return max(0.0, boottime() - self.born / os.sysconf("SC_CLK_TCK"))


def process(pid: int) -> Process | None:
    """A process of here, to be written down; None when it is gone."""
    when, here = born(pid), _here()
    return None if when is None else Process(pid, when, here.boot, here.pids)


def read_process(text: str) -> Process | None:
    """The process that a text stands for, as `str` makes it; None for another text."""
    match = _PROCESS.fullmatch(text)
    return Process(int(match[1]), int(match[2]), match[3], match[4]) if match else None


def boottime() -> float:
    """Seconds since this machine was booted, suspended or not: setting its clock does not change them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))  # not Linux


def this_boot() -> str:
    """Which boot of which machine this is, as `Process.boot` has it."""
    return _here().boot


@cache
def _here() -> Place:
    return place()
