"""Read what a person names: a file, or a pipe of the shell as in ``<(ssh cluster cat launchers.yaml)``.

Anything can have such a name. Nothing is waited for that may never come, and no more is read than is asked for.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20
"""Bytes that are read at once."""


def read_named(path: Path, limit: int) -> bytes:
    """What is in a file, of at most `limit` bytes. Raises OSError that has its name.

    A pipe that a program writes into is read to its end, however long that takes, and one without a program is an
    error. So is anything else that has nothing now and may have something later, such as /proc/kmsg.
    """
    with (
        _errors_of(str(path)),
        io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)) as file,
    ):
        content = _first(file)
        os.set_blocking(file.fileno(), True)
        return _bounded(content + _rest(file, limit + 1 - len(content)), limit)


def read_stdin(limit: int) -> bytes:
    """What stands on stdin, of at most `limit` bytes. Raises OSError that has the name <stdin>."""
    with _errors_of("<stdin>"):
        return _bounded(sys.stdin.buffer.read(limit + 1), limit)


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Have each OSError name what was read."""
    try:
        yield
    except OSError as error:
        error.filename = name
        raise


def _first(file: io.FileIO) -> bytes:
    """What a file has now. Raises OSError where that is nothing, and nobody knows of more."""
    is_pipe = stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
    try:
        content = os.read(file.fileno(), CHUNK)
    except BlockingIOError:
        if is_pipe or file.isatty():
            return b""
        raise
    if is_pipe and not content:
        raise OSError(errno.EINVAL, "No program writes into this pipe")
    return content


def _rest(file: io.FileIO, count: int) -> bytes:
    """The next `count` bytes, or all up to the end."""
    chunks = []
    while count > 0 and (chunk := file.read(min(count, CHUNK))):
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def _bounded(content: bytes, limit: int) -> bytes:
    if len(content) > limit:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return content
