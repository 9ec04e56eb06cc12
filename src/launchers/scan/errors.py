"""What goes wrong with scans, except mistakes in their files (ConfigError)."""

from __future__ import annotations


class ScanError(RuntimeError):
    """A scan that cannot run now.  The message says why, and what to do."""


class DefinitionError(ValueError):
    """A request that these definitions do not allow.  The message says why, and what to do."""
