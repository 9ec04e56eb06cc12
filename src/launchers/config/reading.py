"""The entry of a live cluster, read now or a while ago."""

from __future__ import annotations

from typing import Generic

from attrs import frozen

from launchers.config.emit import G


@frozen
class ClusterReading(Generic[G]):
    """The entry of a cluster, its age in seconds (0 if it was read now), and the questions that had no answer."""

    group: G
    age: float
    failed: tuple[str, ...] = ()


class ClusterError(RuntimeError):
    """A live cluster that cannot be read at all. The message says which command failed, and how."""
