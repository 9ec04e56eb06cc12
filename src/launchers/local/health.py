"""How the scheduler of a folder does: which process it is, how often it was started in vain, and what it suffers from.

Both files have their full size from the beginning, and are overwritten in place: a full disk does not keep a scheduler
from saying that the disk is full.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import asdict, field, frozen
from attrs.validators import ge, instance_of

from launchers.processes import Process, process, read_process

SIZE = 4096
"""Bytes of each file."""
LONGEST = 600
"""Characters of a trouble that are kept."""


@frozen
class Health:
    """`starts` is how often it was started since one came up, and `started` when that was last, in seconds since boot.

    `process` is the one that was started then, in words of `Process`.  `trouble` is why it cannot go on, for people.
    """

    starts: int = field(default=0, validator=[instance_of(int), ge(0)])
    started: float = field(default=0.0, validator=instance_of((int, float)))
    process: str = field(default="", validator=instance_of(str))
    trouble: str = field(default="", validator=instance_of(str))


def make_room(folder: Path) -> None:
    """Make the files in their full size, for a folder that gets a scheduler.  Raises OSError."""
    for path in (_health_path(folder), _spare_path(folder)):
        _overwrite(path, "")
    _lock_path(folder).touch(0o600)


def read_health(folder: Path) -> Health:
    """How a scheduler does; as if nothing were known where the file is missing or not ours."""
    try:
        return Health(**json.loads(_health_path(folder).read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return Health()


def write_health(folder: Path, health: Health) -> None:
    """Write down how a scheduler does, if that can be: what it is about may be a disk that cannot be written."""
    with suppress(OSError):
        _overwrite(_health_path(folder), json.dumps({**asdict(health), "trouble": health.trouble[:LONGEST]}))


# -- which process it is ---------------------------------------------------------------------------------------


def name_scheduler(folder: Path) -> None:
    """Write down that this process is the scheduler of a folder.  Raises OSError."""
    me = process(os.getpid())
    assert me is not None
    with suppress(FileNotFoundError):
        _pid_path(folder).rename(_spare_path(folder))
    _overwrite(_spare_path(folder), f"{me} {socket.gethostname()}")
    _spare_path(folder).rename(_pid_path(folder))


@contextmanager
def only_scheduler(folder: Path) -> Iterator[bool]:
    """Be the only scheduler of a folder until the block ends; whether this process is.  Raises OSError."""
    with _lock_path(folder).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def is_scheduled(folder: Path) -> bool:
    """Whether a process of this machine is the scheduler of a folder, in whatever container.  It writes nothing."""
    try:
        with _lock_path(folder).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def unname_scheduler(folder: Path) -> None:
    """Write down that a folder has no scheduler any more."""
    with suppress(OSError):
        _pid_path(folder).rename(_spare_path(folder))


def scheduler_of(folder: Path) -> tuple[Process, str] | None:
    """The process that is, or was when it was killed, the scheduler of a folder, and its host."""
    try:
        text = _pid_path(folder).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    words, _, host = text.rstrip().rpartition(" ")
    found = read_process(words)
    return (found, host) if found else None


def _overwrite(path: Path, text: str) -> None:
    """Write a file of ours in place, to its full size."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, text.encode("ascii", errors="replace").ljust(SIZE - 1) + b"\n", 0)
    finally:
        os.close(descriptor)


def _health_path(folder: Path) -> Path:
    return folder / "health.json"


def _pid_path(folder: Path) -> Path:
    return folder / "scheduler.pid"


def _lock_path(folder: Path) -> Path:
    return folder / "scheduler.lock"


def _spare_path(folder: Path) -> Path:
    return folder / ".scheduler.pid"
