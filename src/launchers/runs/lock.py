"""A lock that is a file: it names its holder, and works where file systems are shared and lose real locks.

Two steps decide everything, and a file system does each of them whole or not at all: making a hard link, which fails
where the name is taken, and renaming.  A lock is written under another name first and then linked into place, so that
nobody can read half of it.

A lock whose holder is gone is replaced, and that is a race of its own: whoever comes second must not replace the lock
of whoever came first.  So each lock has a token, which never comes twice, and the right to replace lock T is itself a
lock, ``lock.T``.  Whoever holds that, and then still finds T in place, renames ``lock.T`` over it.  A process that
gives its lock back takes the right to replace it first.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from launchers.processes import alive, born

_LOCK = re.compile(r"(\S+) (\d{1,10}) (\d{1,20}) ([0-9a-f]{1,32})\n", re.ASCII)
"""What a lock says: host, pid, when that process was born (0: not known), token."""


@frozen
class Holder:
    """The process that made a lock: `born` is when it started, in clock ticks since boot.

    `host` is empty where the file does not say who made it.
    """

    host: str
    pid: int
    born: int | None
    token: str

    @property
    def here(self) -> bool:
        """Whether it is, or was, a process of this machine."""
        return self.host == socket.gethostname()

    @property
    def gone(self) -> bool:
        """Whether it is known to have ended; of a process of another machine that is not known."""
        return self.here and not alive(self.pid, self.born)


class HeldError(RuntimeError):
    """Another process holds the lock, or may."""

    def __init__(self, path: Path, holder: Holder) -> None:
        super().__init__(f"{path} is held by process {holder.pid} on {holder.host or 'an unknown machine'}")
        self.holder = holder


@contextmanager
def hold(path: Path, *, break_lock: bool = False) -> Iterator[None]:
    """Hold the lock `path` until the block ends; raises HeldError when another process has it, and OSError.

    `break_lock` takes it also from a process of another machine, and from one that the file does not name.
    """
    _refuse(path, _holder(path), break_lock)
    me = Holder(socket.gethostname(), os.getpid(), born(os.getpid()), secrets.token_hex(8))
    fresh = _beside(path, f"new-{me.token}")
    try:
        fresh.write_text(f"{me.host} {me.pid} {me.born or 0} {me.token}\n", encoding="utf-8")
        _take(path, fresh, me, break_lock)
    finally:
        fresh.unlink(missing_ok=True)
    try:
        _sweep(path, me)
        yield
    finally:
        _give_back(path, me)


def is_held(path: Path) -> bool:
    """Whether another process holds the lock, or may."""
    holder = _holder(path)
    return holder is not None and not holder.gone


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}.{ending}")


def _holder(path: Path) -> Holder | None:
    """Who made a lock; None where there is none."""
    try:
        text, status = path.read_text(encoding="utf-8", errors="replace"), path.stat()
    except FileNotFoundError:
        return None
    found = _LOCK.fullmatch(text)
    if found is None:  # the machine went down before it was on disk, or it is not ours
        return Holder("", 0, None, f"{status.st_ino}-{status.st_mtime_ns}")
    host, pid, when, token = found.groups()
    return Holder(host, int(pid), int(when) or None, token)


def _refuse(path: Path, holder: Holder | None, break_lock: bool) -> None:
    """Raise HeldError where this is the lock of a process that may still be there."""
    if holder is not None and not holder.gone and not (break_lock and not holder.here):
        raise HeldError(path, holder)


def _take(path: Path, fresh: Path, me: Holder, break_lock: bool) -> None:
    """Make `path`, a lock or the right to replace one, a link to the file `fresh`; raises HeldError."""
    while True:
        try:
            os.link(fresh, path)
            return
        except FileExistsError:
            holder = _holder(path)
        if holder is None:
            continue  # given back just now
        if holder == me:
            return  # a network file system made the link, and lost its answer
        _refuse(path, holder, break_lock)
        right = _beside(path, holder.token)
        _take(right, fresh, me, break_lock)
        if _holder(path) == holder:
            right.rename(path)
            return
        right.unlink(missing_ok=True)  # another process was first


def _give_back(path: Path, me: Holder) -> None:
    """Remove the lock, unless another process broke it."""
    right = _beside(path, me.token)
    try:
        os.link(path, right)  # writes nothing, so that it works on a full disk
    except (FileExistsError, FileNotFoundError):
        return  # another process is taking it, or has
    if _holder(right) == me:
        path.unlink()
    right.unlink()


def _sweep(path: Path, me: Holder) -> None:
    """Remove what processes left beside the lock that were killed while they took it or gave it back.

    What belongs to this lock's own replacement is left alone, as another process may be at it (`break_lock`), and so
    is an empty file, which may be another process's that is about to write its name.
    """
    for litter in path.parent.glob(f"{path.name}.*"):
        holder = _holder(litter)
        if holder is not None and holder.gone and not litter.name.startswith(f"{path.name}.{me.token}"):
            litter.unlink(missing_ok=True)
