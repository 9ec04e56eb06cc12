"""What may reach a terminal: text that only shows itself.

A name, a reason or a line of a log may hold what a terminal obeys: it moves the cursor, renames the window, hides or
turns around what stands beside it. Such characters are shown, not sent. The command line has its stdout and stderr do
that, so that no message can forget it.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, Any, cast

_OBEYED = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and newline, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, overrides and isolates of the direction of writing
    "\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # without width: not seen
    "\u2028\u2029"  # ends of lines for some programs
    "\ud800-\udfff"  # bytes of a file name that are no UTF-8 (os.fsdecode): they cannot be written as text
    "]"
)


class OutputError(OSError):
    """What was printed on stdout could not be written: a full disk, or nobody who reads it."""


def printable(text: str) -> str:
    r"""A text for people, in which each character that a terminal would obey or hide is written as \x1b or \u202e.

    Newlines and tabs stay.
    """
    return _OBEYED.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# -- streams -----------------------------------------------------------------------------------------------------


class Shown:
    """A stream on which all text is printable; what it does not have itself is asked of the stream below.

    When the stream below cannot be written, `must` says whether that is an OutputError: nobody can be told that a
    message was lost.
    """

    def __init__(self, below: IO[str], *, must: bool) -> None:
        self.below, self.must = below, must
        self._error: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text.  Raises OutputError."""
        with self._errors():
            self.below.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts.  Raises OutputError."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream below.  Raises OutputError."""
        with self._errors():
            self.below.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """An error counts for all that is written later too: argparse ignores those of its help."""
        try:
            yield
        except OSError as error:
            self._error = error
            _give_up(self.below)
        if self.must and self._error is not None:
            raise OutputError(self._error.errno, self._error.strerror)


def _give_up(stream: IO[str]) -> None:
    """Send what is still buffered to /dev/null: Python would fail to write it once more at its end."""
    try:
        target = stream.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, target)
    os.close(null)


def raw(stream: IO[str]) -> IO[str]:
    """The stream below a Shown: for the colours and cursor movements of launchers itself, and for contents of files."""
    return stream.below if isinstance(stream, Shown) else stream


@contextmanager
def shown_streams() -> Iterator[None]:
    """Have stdout and stderr show what a terminal would obey, and what their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper):  # in a pipe too, stdout and stderr keep their order
        sys.stdout.reconfigure(line_buffering=True)
    out, err = cast(IO[str], Shown(sys.stdout, must=True)), cast(IO[str], Shown(sys.stderr, must=False))
    with redirect_stdout(out), redirect_stderr(err):
        yield


def open_closed_streams() -> None:
    """Give descriptors 0, 1 and 2 to /dev/null where they are closed: else the next file that is opened would be one.

    There is nothing to read from it, and nothing can be written to it.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # the lowest free number, which is this one
        if getattr(sys, name) is None:
            stream = open(descriptor, mode, buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def put(text: str) -> None:
    """Print what is a file rather than a message: to a terminal as all text is, elsewhere as it is, in UTF-8.

    Raises OutputError.
    """
    if sys.stdout.isatty():
        sys.stdout.write(text)
    else:
        put_bytes(text.encode("utf-8", "backslashreplace"))


def put_bytes(content: bytes) -> None:
    """Print bytes as they are, behind what was printed before.  Raises OutputError."""
    sys.stdout.flush()
    stream = sys.stdout.buffer
    try:
        stream.write(content)
        stream.flush()
    except OSError as error:
        _give_up(sys.stdout)
        raise OutputError(error.errno, error.strerror) from None
