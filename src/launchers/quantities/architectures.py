"""Processor architectures: one name for each, as ``uname -m`` prints it."""

from __future__ import annotations

import re

KNOWN = ("x86_64", "aarch64", "ppc64le", "ppc64", "riscv64", "s390x", "loongarch64", "i686", "armv7l")
"""The architectures of machines that run Slurm or OAR."""
_ALIASES = {
    "amd64": "x86_64", "x64": "x86_64", "x86-64": "x86_64", "em64t": "x86_64", "intel64": "x86_64", "x86": "x86_64",
    "arm64": "aarch64", "armv8": "aarch64", "armv8l": "aarch64", "armv9": "aarch64", "arm64v8": "aarch64",
    "ppc64el": "ppc64le", "powerpc64le": "ppc64le", "powerpc64": "ppc64",
    "i386": "i686", "i486": "i686", "i586": "i686", "ia32": "i686",
}  # fmt: skip
_NOTHING = {"", "null", "none", "n/a", "unknown", "(null)"}


def normalize_architecture(name: str) -> str | None:
    """``x86_64`` for ``AMD64``, ``aarch64`` for ``arm64``; None for text that names no architecture."""
    low = name.strip().lower()
    if low in _NOTHING or not re.fullmatch(r"(?=.*[0-9])[a-z][a-z0-9_.-]{1,31}", low, re.ASCII):
        return None
    low = re.sub(r"^x86[-_]64[-_]v[1-4]$", "x86_64", low)
    return _ALIASES.get(low, low)
