"""The last reading of a live cluster, kept for a while as the file that `launchers convert` would have written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from launchers.config.load import load
from launchers.config.schema import Document
from launchers.files.atomic import write_atomically
from launchers.files.owner import distrust
from launchers.files.problems import ConfigError

LIFETIME = 300.0
"""Seconds for which a reading is used again."""


def cache_path(scheduler: str, source: str) -> Path:
    """The file of a cluster and user. `source` tells clusters apart: it is where the configuration comes from."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    digest = hashlib.sha256(f"{source}|{os.getuid()}".encode()).hexdigest()[:16]
    return Path(base) / "launchers" / f"{scheduler}-{digest}.yaml"


def read_cache(path: Path) -> tuple[Document, float] | None:
    """The reading in a file and its age in seconds; None where there is none of one's own younger than LIFETIME."""
    try:
        if distrust(path):
            return None
        age = max(0.0, time.time() - path.stat().st_mtime)
        return (load(path).document, age) if age < LIFETIME else None
    except (OSError, ConfigError):
        return None  # no file yet, or one of another version


def write_cache(path: Path, text: str) -> None:
    """Keep a reading. Where it cannot be written, the cluster is only read more often."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, text)
