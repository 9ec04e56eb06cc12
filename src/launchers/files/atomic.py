"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_atomically(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Replace a file by one with this content. Whoever reads it meets the old content or the new one, never a part.

    `mode` has the permissions of the new file. It is on disk when this returns. Raises OSError with the name of the
    file; then the old one is still there.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            _write(fresh, content, mode)
            fresh.rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _write(path: Path, content: str | bytes, mode: int | None) -> None:
    """Write a file that is new, and no link that somebody else has put there."""
    with path.open("xb") as out:
        if mode is not None:
            os.fchmod(out.fileno(), mode)
        out.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
        out.flush()
        os.fsync(out.fileno())
