"""`launchers list`: the groups and what they offer."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from attrs import evolve

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.selection import VERSION, describe, offer_json
from launchers.launcher.groups import load_groups
from launchers.offer.model import Group, Offer
from launchers.quantities.units import format_memory, format_timespan

HEAD = ("  PARTITION", "NODES", "CORES", "MEMORY", "GPUS", "TIME", "QOS", "ACCOUNTS", "STATE")


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    shared.add_places(command)
    shared.add_json(command)


def run(options: argparse.Namespace) -> int:
    """Print every group, and its partitions with their shapes of node."""
    groups, located = load_groups(options.config, refresh=options.refresh)
    wanted = [group for group in groups if not options.tag or set(options.tag) & group.tags]
    if options.json:
        config = str(located.used) if located.used else None
        show.print_json({"version": VERSION, "config": config, "groups": [_json(group) for group in wanted]})
        return 0
    for group in wanted:
        _print_group(group)
    return 0


def _print_group(group: Group) -> None:
    tags = f" tags={','.join(sorted(group.tags))}" if group.tags else ""
    print(f"{group.name} ({group.scheduler}) weight={group.weight:g}{tags}")
    if group.unreachable:
        print(f"  cannot be reached: {group.unreachable}")
    for note in group.notes:
        print(f"  {note}")
    offers = _distinct(group)
    if group.unreachable or not offers:
        return
    if _architectures_differ(group):
        if group.login_arch:
            print(f"  jobs are submitted from {group.login_arch}")
        show.print_table([(*_row(offer), offer.shape.arch or "?") for offer in offers], (*HEAD, "ARCH"))
    else:
        show.print_table([_row(offer) for offer in offers], HEAD)


def _architectures_differ(group: Group) -> bool:
    """Whether a program that runs where it was submitted may not run on some node."""
    of_nodes = {shape.arch for partition in group.partitions for shape in partition.shapes}
    return len((of_nodes | {group.login_arch}) - {None}) > 1


def _distinct(group: Group) -> list[Offer]:
    """One offer per partition and shape: QoS and accounts are listed together."""
    return [
        Offer(group, partition, shape, partition.accesses[0])
        for partition in group.partitions
        for shape in partition.shapes
    ]


def _row(offer: Offer) -> tuple[str, ...]:
    shape, partition = offer.shape, offer.partition
    limits = [_longest(evolve(offer, access=access)) for access in partition.accesses]
    return (
        f"  {partition.name or '-'}",
        f"{'?' if shape.count is None else shape.count} {shape.name}",
        "?" if shape.cores is None else str(shape.cores),
        "?" if shape.memory is None else format_memory(shape.memory),
        ", ".join(describe(device) for device in shape.devices) or "-",
        "-" if None in limits else format_timespan(max(filter(None, limits))),
        _names(access.qos for access in partition.accesses),
        _names(access.account for access in partition.accesses),
        partition.closed_reason or "up",
    )


def _names(names: Iterable[str | None]) -> str:
    return ",".join(sorted({name for name in names if name})) or "-"


def _longest(offer: Offer) -> int | None:
    """The seconds that a job may run on an offer."""
    return min(
        (limit.value for limit in offer.limits if limit.quantity == "duration" and not limit.is_minimum), default=None
    )


def _json(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "scheduler": group.scheduler,
        "weight": group.weight,
        "tags": sorted(group.tags),
        "choose": group.choose,
        "unreachable": group.unreachable,
        "notes": list(group.notes),
        "offers": [offer_json(offer) for offer in group.offers()],
    }
