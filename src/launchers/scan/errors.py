"""What goes wrong with scans, beside what is wrong in their files (ConfigError)."""

from __future__ import annotations


class ScanError(RuntimeError):
    """A scan that cannot be run now: what is in the way, and what to do."""


class DefinitionError(ValueError):
    """What was asked makes no sense for these definitions: what, why, and what would."""
