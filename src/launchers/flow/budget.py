"""A budget of time and memory for the templates of a page: a child process renders them, and it is stopped in time.

Jinja2's sandbox keeps a template away from files and commands, but not from ``'a'.ljust(4000000000)`` or from endless
loops, and there are more such ways than anybody could list (https://jinja.palletsprojects.com/en/stable/sandbox/,
"Security Considerations"). The kernel bounds them all.
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
from typing import Any, TypeVar

from attrs import define, field

from launchers.files.tree import KeyPath

T = TypeVar("T")
TIME, MORE_TIME = 0.5, 0.001
"""Seconds of CPU that the templates of a page may use together, and what each template that is rendered adds."""
MEMORY = 256 * 1024**2
"""Bytes that a page and its values may take."""
SILENCE = 30.0
"""Seconds after which a child that renders nothing more is taken for stuck."""
_SHARED = 64 * 1024
_HEAD = struct.Struct("<QI")


class OverBudgetError(Exception):
    """Templates that need too much; `path` is the place of the one that was being rendered, `reason` what was spent."""

    def __init__(self, path: KeyPath, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason


@define
class Meter:
    """Measures the time that templates use; when none is left, the kernel ends this process (SIGPROF).

    The memory is shared with the process that waits for this one: the number of templates so far, and where the last
    one stands.
    """

    shared: mmap.mmap = field(factory=lambda: mmap.mmap(-1, _SHARED))
    used: float = 0.0

    @contextmanager
    def template(self, path: KeyPath) -> Iterator[None]:
        """The rendering of the template at `path`, with those that it uses."""
        count = self.count() + 1
        self._write(count, path)
        allowed = max(TIME + MORE_TIME * count - self.used, 1e-6)
        signal.setitimer(signal.ITIMER_PROF, allowed)
        try:
            yield
        finally:
            left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
            self.used += allowed - left

    def _write(self, count: int, path: KeyPath) -> None:
        place = pickle.dumps(path)
        while len(place) > _SHARED - _HEAD.size:  # a key may have any length; what is above it has a place, too
            path = path[:-1]
            place = pickle.dumps(path)
        self.shared[: _HEAD.size + len(place)] = _HEAD.pack(count, len(place)) + place

    def count(self) -> int:
        """The number of templates so far."""
        return int(_HEAD.unpack_from(self.shared)[0])

    def place(self) -> KeyPath:
        """Where the last template stands; to be asked when its process has ended."""
        _, length = _HEAD.unpack_from(self.shared)
        text = self.shared[_HEAD.size : _HEAD.size + length]
        path: KeyPath = pickle.loads(text) if text else ()  # noqa: S301 - of our own child
        return path


def render_in_child(work: Callable[[Meter], T]) -> T:
    """The result of `work` in a child process within the budget. Raises what it raises, and OverBudgetError."""
    meter = Meter()
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
        _work_in_child(work, meter, writing)
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
        raise OverBudgetError(meter.place(), f"nothing was rendered for {SILENCE:.0f} s")
    if not answer or status:
        raise OverBudgetError(meter.place(), _reason(status))
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


def _reason(status: int) -> str:
    """What ended a child that did not answer."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
        return f"the templates of this page take more than {TIME:g} s"
    return f"the templates of this page take more than {MEMORY >> 20} MiB of memory, or nest too deep"


# -- in the child ----------------------------------------------------------------------------------------------


def _work_in_child(work: Callable[[Meter], Any], meter: Meter, writing: int) -> None:
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
