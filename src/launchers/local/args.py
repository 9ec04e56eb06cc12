"""LocalArgs: what one job of this machine asks for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from attrs import asdict, frozen

from launchers.local.jobs import Capacity, LocalJob, Wanted, read_capacity_entry
from launchers.matching import Selection
from launchers.offer.model import Group


@frozen
class LocalArgs:
    """The resources of one job, and of what: memory in bytes, `time_limit` in seconds (None: no limit).

    `tokens` are names of which each job holds one while it runs; `capacity` says how many there are of each, and what
    the machine has.
    """

    cores: int
    memory: int
    wanted: tuple[Wanted, ...]
    tokens: tuple[str, ...]
    time_limit: int | None
    capacity: Capacity

    def submitit(self) -> dict[str, Any]:
        """The parameters of the submission, as plan.json has them."""
        return asdict(self)

    def flags(self) -> list[str]:
        """Nothing: this machine's scheduler has no command."""
        return []

    def directives(self) -> list[str]:
        """Nothing: this machine's scheduler has no command."""
        return []


def render(selection: Selection) -> LocalArgs:
    """What this machine's scheduler is asked for a selection."""
    need = selection.alternative
    return LocalArgs(
        cores=need.cores or 1,
        memory=need.cpu_memory,
        wanted=tuple(Wanted(device.kind, device.memory, device.model) for device in need.accelerators),
        tokens=tuple(name for name, _ in selection.group.tokens),
        time_limit=need.duration,
        capacity=capacity(selection.group),
    )


def read_args(parameters: Mapping[str, Any]) -> LocalArgs:
    """The arguments that `submitit` wrote.  Raises KeyError, TypeError or ValueError for others."""
    return LocalArgs(
        cores=int(parameters["cores"]),
        memory=int(parameters["memory"]),
        wanted=tuple(Wanted(**entry) for entry in parameters["wanted"]),
        tokens=tuple(map(str, parameters["tokens"])),
        time_limit=None if parameters["time_limit"] is None else int(parameters["time_limit"]),
        capacity=read_capacity_entry(parameters["capacity"]),
    )


def capacity(group: Group) -> Capacity:
    """What jobs of a `local:` group may take together; devices described by hand are numbered in their order."""
    shape = group.partitions[0].shapes[0]
    devices: list[tuple[str, str, str | None, int | None]] = []
    for device in shape.devices:
        handles = device.handles or tuple(str(len(devices) + index) for index in range(device.count or 1))
        devices += [(device.kind, handle, device.model, device.memory) for handle in handles]
    return Capacity(shape.cores, shape.memory, tuple(devices), group.tokens)


def empty_job(resources: LocalArgs) -> LocalJob:
    """A job with these resources and nothing to run yet."""
    return LocalJob(
        id="",
        argv=(),
        cwd="",
        stdout=os.devnull,
        stderr=os.devnull,
        cores=resources.cores,
        memory=resources.memory,
        wanted=resources.wanted,
        tokens=tuple((name, 1) for name in resources.tokens),
        time_limit=resources.time_limit,
    )
