"""What the jobs of this machine may take together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launchers.offer.model import Group

if TYPE_CHECKING:
    from launchers.local.jobs import Capacity


def capacity(group: Group) -> Capacity:
    """What jobs of a `local:` group may take together; devices described by hand are numbered in their order."""
    from launchers.local.jobs import Capacity

    shape = group.partitions[0].shapes[0]
    devices: list[tuple[str, str, str | None, int | None]] = []
    for device in shape.devices:
        handles = device.handles or tuple(str(len(devices) + index) for index in range(device.count or 1))
        devices += [(device.kind, handle, device.model, device.memory) for handle in handles]
    return Capacity(shape.cores, shape.memory, tuple(devices), group.tokens)
