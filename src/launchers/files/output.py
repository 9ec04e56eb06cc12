"""Files that a user names for output: written whole, and never over work that launchers did not write.

What launchers writes begins with a seal: a comment with the SHA-256 of all that follows. A file whose seal is right has
not been touched since, and may be replaced; any other file is the user's. Formats without comments, such as JSON and
PNG, have no seal: such a file is always the user's.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from attrs import frozen

from launchers.files.atomic import encode, write_atomically
from launchers.terminal import put, put_bytes

_WORDS = "launchers wrote this file; it may be replaced while the SHA-256 of what follows is"
_SEAL = re.compile(rb"(?:# |<!-- |// |%% )" + _WORDS.encode() + rb" ([0-9a-f]{64})(?: -->)?\n")
_OPEN_FILE = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})", re.ASCII)
_OPEN_FILES = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}


class UnownedFileError(FileExistsError):
    """A file with content that launchers did not write, and that nobody allowed to replace."""


@frozen
class Comment:
    """How a format of files begins and ends a comment of one line."""

    begin: str
    end: str = ""


YAML, MARKUP, DOT, MERMAID = Comment("# "), Comment("<!-- ", " -->"), Comment("// "), Comment("%% ")


def seal(text: str, comment: Comment) -> str:
    """A text with its seal as its first line."""
    return f"{comment.begin}{_WORDS} {hashlib.sha256(encode(text)).hexdigest()}{comment.end}\n{text}"


def without_seal(text: str) -> str:
    """A text without its seal, right or wrong."""
    found = _SEAL.match(encode(text[:300]))
    return text[found.end() :] if found else text


def is_stream(name: str) -> bool:
    """Whether a name of a user stands for a file that is open already: ``-``, ``/dev/stdout``, ``/dev/fd/3``."""
    return _descriptor(name) is not None


def check_output(name: str, advice: str, *, force: bool = False) -> None:
    """Raise what `write_output` would raise for the file that is there. Call it before work that takes time."""
    if not is_stream(name):
        with _errors_of(name):
            _must_be_kept(name, *_look(name), advice, force)


def write_output(name: str, content: str | bytes, advice: str, *, force: bool = False) -> Path | None:
    """Write content to the file that a user names, or to a stream (`is_stream`) or a device such as /dev/null.

    A symbolic link is followed, and a file that is replaced hands on its mode. With `force` the user's file is replaced
    too, and kept beside it: its path there is returned, None where nothing was kept.

    Raises UnownedFileError for the user's file, where `advice` is what else to do. Raises OSError where nothing can be
    written: for a folder, a pipe, or a full disk; then the old file is still there.
    """
    descriptor = _descriptor(name)
    if descriptor == 1:
        put(content) if isinstance(content, str) else put_bytes(content)
        return None
    with _errors_of(name):
        if descriptor is not None:
            _write_to(descriptor, content)
            return None
        path, status = _look(name)
        if status is not None and stat.S_ISCHR(status.st_mode):
            _write_to(name, content)
            return None
        data = encode(content)
        if status is not None and status.st_size == len(data) and path.read_bytes() == data:
            return None
        kept = _keep(path) if _must_be_kept(name, path, status, advice, force) else None
        try:
            write_atomically(path, data, like=status)
        except OSError:
            if kept is not None:
                kept.unlink()  # the old file has its own name still
            raise
        if kept is None or Path(name).is_symlink():
            return kept
        return Path(name).with_name(kept.name)


# -- names -------------------------------------------------------------------------------------------------------


def _descriptor(name: str) -> int | None:
    """The number of the open file that a name stands for."""
    found = _OPEN_FILE.fullmatch(name)
    return int(found[1]) if found else _OPEN_FILES.get(name)


def _look(name: str) -> tuple[Path, os.stat_result | None]:
    """The path behind all links, and what is there. Raises OSError for all but files and character devices."""
    if not name:
        raise FileNotFoundError(errno.ENOENT, "the name of the file is empty")
    try:
        status = Path(name).stat()
    except FileNotFoundError:
        status = None
    if name.endswith("/") or (status is not None and stat.S_ISDIR(status.st_mode)):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if status is not None and not (stat.S_ISREG(status.st_mode) or stat.S_ISCHR(status.st_mode)):
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a disk, not a plain file")
    path = Path(os.path.realpath(name))
    if status is not None and not os.access(path, os.W_OK):  # to replace a file needs no right to write it
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return path, status


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Give errors the name that the user gave."""
    try:
        yield
    except UnownedFileError:
        raise
    except OSError as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror}", name or "''") from None


def _write_to(file: str | int, content: str | bytes) -> None:
    with open(file, "wb", buffering=0, closefd=isinstance(file, str)) as out:
        rest = memoryview(encode(content))
        while rest:
            rest = rest[out.write(rest) :]


# -- whose a file is ---------------------------------------------------------------------------------------------


def _must_be_kept(name: str, path: Path, status: os.stat_result | None, advice: str, force: bool) -> bool:
    """Whether the file holds the user's work. Raises UnownedFileError for that without `force`."""
    if status is None or not stat.S_ISREG(status.st_mode) or not status.st_size:
        return False
    with path.open("rb") as file:
        found = _SEAL.fullmatch(file.readline(300))
        if found and hashlib.file_digest(file, "sha256").hexdigest() == found[1].decode():
            return False
    if force:
        return True
    reason = "this file was edited since launchers wrote it" if found else "launchers did not write this file"
    message = f"{reason}, so it stays as it is: {advice}; or add --force, which keeps it as {path.name}.bak"
    raise UnownedFileError(errno.EEXIST, message, name)


def _keep(path: Path) -> Path:
    """Give a file a second name, which is new; its path there. Raises OSError."""
    for number in count(1):
        kept = path.with_name(f"{path.name}.bak" if number == 1 else f"{path.name}.bak.{number}")
        try:
            _link(path, kept)
        except FileExistsError:
            continue
        return kept
    raise AssertionError("numbers do not end")


def _link(path: Path, kept: Path) -> None:
    """Give a file a second name, or a copy where the file system has no such names. Raises FileExistsError, OSError."""
    try:
        kept.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError:
        with path.open("rb") as old, kept.open("xb") as copy:
            try:
                shutil.copyfileobj(old, copy)
                copy.flush()
                os.fsync(copy.fileno())
            except BaseException:
                kept.unlink()
                raise
        shutil.copystat(path, kept)
