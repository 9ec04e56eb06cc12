"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path


def write_atomically(
    path: Path, content: str | bytes, *, mode: int | None = None, like: os.stat_result | None = None
) -> None:
    """Replace a file by one with this content. Whoever reads it meets the old file or the new one, never a part.

    The content is on disk when this returns. The new file has the permissions `mode`, or those of `like`, and the owner
    of `like` where this process may give files away. Raises OSError with the name of the file; then the old one is
    still there.
    """
    fresh = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}")  # a name has at most 255 bytes
    try:
        try:
            _write(fresh, encode(content), mode, like)
            fresh.rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def encode(content: str | bytes) -> bytes:
    """Content as it is written: text in UTF-8, in which what is no text stands as it is shown."""
    return content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")


def _write(path: Path, content: bytes, mode: int | None, like: os.stat_result | None) -> None:
    """Write a file that is new, and no link that somebody else has put there."""
    with path.open("xb") as out:
        if like is not None:
            mode = stat.S_IMODE(like.st_mode)
            with contextlib.suppress(OSError):
                os.fchown(out.fileno(), like.st_uid, like.st_gid)
        if mode is not None:
            os.fchmod(out.fileno(), mode)
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
