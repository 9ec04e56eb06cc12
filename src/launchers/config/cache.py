"""What a live cluster said last, kept for a while as the launchers.yaml that `launchers convert` would have written."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from launchers.config.load import load
from launchers.config.schema import Document
from launchers.files.problems import ConfigError

LIFETIME = 300.0
"""Seconds for which an answer is good."""


def cache_path(scheduler: str, source: str) -> Path:
    """Where it is kept: a file per user and cluster, which is told by where its configuration comes from."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    digest = hashlib.sha256(f"{source}|{os.getuid()}".encode()).hexdigest()[:16]
    return Path(base) / "launchers" / f"{scheduler}-{digest}.yaml"


def read_cache(path: Path) -> tuple[Document, float] | None:
    """What was said at most LIFETIME ago, and how old it is (seconds)."""
    try:
        age = max(0.0, time.time() - path.stat().st_mtime)
        return (load(path).document, age) if age < LIFETIME else None
    except (OSError, ConfigError):
        return None  # nothing yet, or written by another version: the cluster is asked


def write_cache(path: Path, text: str) -> None:
    """Write it whole; a cache that cannot be written is only slower."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(path)
    except OSError:
        return
