"""What a job asked for and used."""

from __future__ import annotations

from attrs import frozen


@frozen
class Usage:
    """What one job asked, of each of its nodes, and what it used; None where nobody says.

    `cores` are CPUs as the scheduler counts them, `memory` and `peak` bytes, `limit` and `cpu` seconds.  `reserved` are
    the CPUs that it got on all nodes together, `peak` is the most memory that it had on one node, `cpu` the CPU time
    of all nodes.
    """

    nodes: int = 1
    cores: int | None = None
    memory: int | None = None
    gpus: int = 0
    limit: int | None = None
    reserved: int | None = None
    peak: int | None = None
    cpu: float | None = None
