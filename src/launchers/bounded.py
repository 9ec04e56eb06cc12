"""Work on what a file says that may take any time and memory: in a child process, which the kernel ends in time.

Jinja2's sandbox keeps a template away from files and commands, but not from ``'a'.ljust(4000000000)`` or from endless
loops (https://jinja.palletsprojects.com/en/stable/sandbox/, "Security Considerations"), and a regular expression such
as ``(a+)+b`` tries more ways than there are seconds. There are more such cases than anybody could list.
"""

from __future__ import annotations

import gc
import mmap
import os
import pickle
import resource
import select
import signal
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, TypeVar

from attrs import define, field

T = TypeVar("T")
TIME = 0.5
"""Seconds of CPU that all parts of the work may use together."""
MEMORY = 256 * 1024**2
"""Bytes that the work may take, beside those that the process has already."""
SILENCE = 30.0
"""Seconds after which a child that begins no other part is taken for stuck."""
Place = tuple[str | int, ...]
"""Where in a file a part stands."""
_SHARED = 64 * 1024
_HEAD = struct.Struct("<QI")


class Spent(Enum):
    """What was not enough."""

    TIME = "time"
    MEMORY = "memory"
    PATIENCE = "patience"


class OverBudgetError(Exception):
    """Work that takes too much; `place` is that of the part that was being done, `spent` what was not enough."""

    def __init__(self, place: Place, spent: Spent) -> None:
        super().__init__(place, spent)
        self.place, self.spent = place, spent


@define
class Meter:
    """Measures the time that parts of the work use; when none is left, the kernel ends this process (SIGPROF).

    The memory is shared with the process that waits for this one: the number of parts so far, and where the last one
    stands.  `more_time` are the seconds that each part adds to what all may use.
    """

    more_time: float = 0.0
    shared: mmap.mmap = field(factory=lambda: mmap.mmap(-1, _SHARED))
    used: float = 0.0

    @contextmanager
    def part(self, place: Place) -> Iterator[None]:
        """One part of the work, such as the template at a place, with those that it uses."""
        count = self.count() + 1
        self._write(count, place)
        start = time.process_time()
        left = TIME + self.more_time * count - self.used
        if left <= 0:  # a timer counts in ticks, and would never end parts that take less than one
            signal.raise_signal(signal.SIGPROF)
        signal.setitimer(signal.ITIMER_PROF, left)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.used += time.process_time() - start

    def _write(self, count: int, place: Place) -> None:
        text = pickle.dumps(place)
        while len(text) > _SHARED - _HEAD.size:  # a key may have any length; what is above it has a place, too
            place = place[:-1]
            text = pickle.dumps(place)
        self.shared[: _HEAD.size + len(text)] = _HEAD.pack(count, len(text)) + text

    def count(self) -> int:
        """The number of parts so far."""
        return int(_HEAD.unpack_from(self.shared)[0])

    def place(self) -> Place:
        """Where the last part stands; to be asked when its process has ended."""
        _, length = _HEAD.unpack_from(self.shared)
        text = self.shared[_HEAD.size : _HEAD.size + length]
        place: Place = pickle.loads(text) if text else ()  # noqa: S301 - of our own child
        return place


def work_in_child(work: Callable[[Meter], T], *, more_time: float = 0.0) -> T:
    """The result of `work` in a child process within the budget; `more_time` is as in `Meter`.

    Raises what the work raises, and OverBudgetError.
    """
    meter = Meter(more_time)
    reading, writing = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until there is somebody to end the child
    try:
        child = _fork()
    except OSError:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(reading)
        os.close(writing)
        raise
    if not child:
        os.close(reading)
        _end_with_answer(work, meter, writing)
    answer = None
    try:
        os.close(writing)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        answer = _read_answer(reading, meter)
    finally:
        os.close(reading)
        if answer is None:
            os.kill(child, signal.SIGKILL)
        status = _wait_for(child)
    if answer is None:
        raise OverBudgetError(meter.place(), Spent.PATIENCE)
    if not answer or status:
        timed_out = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF
        raise OverBudgetError(meter.place(), Spent.TIME if timed_out else Spent.MEMORY)
    error, result = pickle.loads(answer)  # noqa: S301 - of our own child
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: a stuck child is ended
        return os.fork()


def _wait_for(child: int) -> int:
    """The status of a child that ends now; 0 where its end was taken by somebody else (SIGCHLD ignored)."""
    try:
        return os.waitpid(child, 0)[1]
    except ChildProcessError:
        return 0


def _read_answer(reading: int, meter: Meter) -> bytes | None:
    """All that the child writes; None where it has been silent too long."""
    parts: list[bytes] = []
    count, since = 0, time.monotonic()
    while time.monotonic() - since < SILENCE:
        ready, _, _ = select.select([reading], [], [], 1.0)
        if ready:
            part = os.read(reading, 1 << 20)
            if not part:
                return b"".join(parts)
            parts.append(part)
        if ready or meter.count() != count:
            count, since = meter.count(), time.monotonic()
    return None


# -- in the child ----------------------------------------------------------------------------------------------


def _end_with_answer(work: Callable[[Meter], Any], meter: Meter, writing: int) -> None:
    """Do the work, write its result or error, and end this process, without what a process does at its end."""
    status = 1
    try:
        gc.freeze()  # what the parent has made is left alone, so that its memory stays shared
        _set_limits()
        answer: tuple[Exception | None, Any]
        try:
            answer = (None, work(meter))
        except MemoryError:
            return
        except Exception as error:  # whatever it is, the parent raises it
            answer = (error, None)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
        status = 0
    finally:
        os._exit(status)


def _set_limits() -> None:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGPROF})
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - one read
        now = int(statm.read().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = now + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
