"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace a file by one with this text. Whoever reads it meets the old text or the new one, never a part.

    The text is on disk when this returns. Raises OSError with the name of the file; then the old one is still there.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            _write(fresh, text)
            fresh.rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _write(path: Path, text: str) -> None:
    """Write a file that is new, and no link that somebody else has put there."""
    with path.open("xb") as out:
        out.write(text.encode("utf-8", "backslashreplace"))
        out.flush()
        os.fsync(out.fileno())
