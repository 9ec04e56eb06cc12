"""A lock that is a folder with one name in it, that of its holder: it also works where file systems are shared.

A process takes the lock by renaming a folder of its own, which has its name in it, to `path`.  rename(2) does that
where there is nothing or an empty folder, and refuses where there is a name: the file server decides, whatever a
machine has cached.  A holder's name never comes twice.  So whoever removes one, as its process is gone or gives the
lock back, removes that one and no later one, however old what it has seen is, and however often a network file system
repeats the request.  Nothing is written into files: nobody reads half a lock, and a full disk keeps none.

Who is gone is judged by pid and birth where these mean one process: in one pid namespace of one boot.  What ran in an
earlier boot of this machine is gone, too.  All others may be alive.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote

from attrs import frozen

from launchers.processes import Place, alive, born, place

PATIENCE = 60.0
"""Seconds for which a network file system may show a folder as it was (man nfs: acdirmax)."""
PAUSE = 0.01
"""Seconds between two looks at a lock that is changing."""
STALE_TRIES = 10
"""How often a folder is looked for again that another machine is replacing."""
NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)
_NAME = re.compile(
    r"([^/\s]+)\.([0-9]{1,10})\.([0-9]{1,20})\.([0-9a-f]{0,16})\.([0-9a-f]{0,16})\.([0-9a-f]{0,16})\.[0-9a-f]{16}"
)
"""A holder's name: host, pid, birth (0: not known), boot, namespaces and machine (see `Place`), and a token."""

NOWHERE = Place()
R = TypeVar("R")
_own_names: set[str] = set()
"""The names under which this process takes or holds locks."""


@frozen
class Holder:
    """The process that made a lock: `born` is when it started, in clock ticks since boot.

    `name` is what stands in the lock; where launchers did not write that, `host` is empty.
    """

    name: str
    host: str = ""
    pid: int = 0
    born: int | None = None
    place: Place = NOWHERE

    @property
    def here(self) -> bool:
        """Whether it is, or was, a process that this one can see."""
        return self.born is not None and self.place.shares_pids(place())

    @property
    def gone(self) -> bool:
        """Whether it is known to have ended; of a process that this one cannot see, that is mostly not known.

        A name of this very process that it no longer uses comes from a request that a network file system sent twice.
        """
        if self.here and self.pid == os.getpid() and self.born == born(self.pid):
            return self.name not in _own_names
        return self.place.is_before(place()) or (self.here and not alive(self.pid, self.born))


class HeldError(RuntimeError):
    """Another process holds the lock, or may."""

    def __init__(self, path: Path, holder: Holder) -> None:
        super().__init__(f"{path} is held by process {holder.pid} on {holder.host or 'an unknown machine'}")
        self.holder = holder


@contextmanager
def hold(path: Path, *, break_lock: bool = False) -> Iterator[None]:
    """Hold the lock `path` until the block ends; raises HeldError when another process has it, and OSError.

    `break_lock` takes it also from a process that this one cannot see, and from one that the lock does not name.
    """
    _remove_holders(path, break_lock)
    me, pid = _own_name(), os.getpid()
    fresh = path.with_name(f"{path.name}.{me}")
    _own_names.add(me)
    try:
        fresh.mkdir(exist_ok=True)  # it exists where a network file system made it, and lost its answer
        (fresh / me).touch()
        _take(path, fresh, me, break_lock)
        _sweep(path)
        yield
    finally:
        if os.getpid() == pid:  # else a child was forked meanwhile, and the lock is not its own
            _remove(fresh, me)  # first: a repeated request to rename it then finds nothing
            _remove(path, me)
        _own_names.discard(me)


def is_held(path: Path) -> bool:
    """Whether another process holds the lock, or may."""
    return any(not holder.gone for holder in _holders(path))


def _own_name() -> str:
    """A name for this process as a holder, which never comes again."""
    here, pid = place(), os.getpid()
    host = quote(socket.gethostname(), safe="")[:64] or "%"
    return f"{host}.{pid}.{born(pid) or 0}.{here.boot}.{here.pids}.{here.machine}.{secrets.token_hex(8)}"


def _holder(name: str) -> Holder:
    found = _NAME.fullmatch(name)
    if found is None:
        return Holder(name)
    host, pid, when, *where = found.groups()
    return Holder(name, unquote(host), int(pid), int(when) or None, Place(*where))


def _holders(path: Path) -> list[Holder]:
    """Who stands in a lock: nobody, one, or, as far as others put something there, more."""
    try:
        return [_holder(file.name) for file in _if_not_stale(lambda: list(path.iterdir()))]
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        return [Holder("")]


def _if_not_stale(act: Callable[[], R]) -> R:
    """Do something in a folder; once more where another machine has replaced the folder meanwhile."""
    for _ in range(STALE_TRIES):
        try:
            return act()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
        time.sleep(PAUSE)
    return act()


def _remove_holders(path: Path, break_lock: bool) -> None:
    """Remove the names of processes that are gone; raises HeldError where one may still be there."""
    for holder in _holders(path):
        if not holder.gone and not (break_lock and not holder.here):
            raise HeldError(path, holder)
        _remove(path, holder.name)


def _take(path: Path, fresh: Path, me: str, break_lock: bool) -> None:
    """Rename the folder `fresh` to `path`.  Raises HeldError."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fresh.rename(path)
            return
        except FileNotFoundError:
            if any(holder.name == me for holder in _holders(path)):
                return  # a network file system renamed it, and lost its answer
            if time.monotonic() > end or not path.parent.is_dir():
                raise
        except OSError as error:
            if error.errno not in NOT_EMPTY:
                raise
            _remove_holders(path, break_lock)
            if time.monotonic() > end:
                raise HeldError(path, Holder("")) from None
        time.sleep(PAUSE)


def _remove(folder: Path, name: str) -> None:
    """Remove a holder from a lock, and the lock, unless another process has it by now."""
    if not name:
        folder.unlink(missing_ok=True)  # it is a file, and so not ours
        return
    with suppress(FileNotFoundError, NotADirectoryError):
        _if_not_stale((folder / name).unlink)
    with suppress(OSError):
        folder.rmdir()


def _sweep(path: Path) -> None:
    """Remove what processes left beside the lock that were killed while they took it."""
    start = f"{path.name}."
    for folder in list(path.parent.iterdir()):
        name = folder.name.removeprefix(start)
        if folder.name.startswith(start) and _holder(name).gone:
            _remove(folder, name)
