"""Selections as rows for people and as JSON for programs (docs/json.md says what the JSON holds)."""

from __future__ import annotations

from typing import Any

from attrs import asdict

from launchers.matching import Answer, Selection
from launchers.matching.words import assumption_text, skipped_text
from launchers.oar.args import OarArgs
from launchers.offer.model import Device, Offer
from launchers.quantities.units import format_memory, format_timespan
from launchers.requirement import Alternative
from launchers.schedulers import render
from launchers.slurm.args import SlurmArgs

VERSION = 1


def selection_rows(selection: Selection) -> list[tuple[str, str]]:
    """A selection as name and value."""
    need, request, args = selection.alternative, selection.request, render(selection)
    rows = [("launcher", selection.group.name), ("need", str(need))]
    if isinstance(args, SlurmArgs):
        rows.append(("partition", ", ".join(selection.partitions)))
        rows += [
            (name, value)
            for name, value in (
                ("account", args.account),
                ("QoS", args.qos),
                ("constraint", args.constraint),
                ("exclude", args.exclude),
            )
            if value
        ]
    if isinstance(args, OarArgs):
        rows += [("queue", str(args.queue)), ("resources", args.resources)]
        rows += [("properties", args.properties)] if args.properties else []
        rows += [("types", ", ".join(args.types))] if args.types else []
    if request.nodes > 1:
        rows.append(("nodes", str(request.nodes)))
    if need.accelerators:
        rows.append(("GPUs per node", _devices(selection)))
    if request.cores:
        rows.append(("cores", str(request.cores)))
    memory = request.memory or need.cpu_memory
    if memory:
        rows.append(("memory", format_memory(memory)))
    if request.duration:
        rows.append(("time", f"{format_timespan(request.duration)} ({request.duration / 3600:g} hours)"))
    elif args is not None:
        default = selection.offers[0].partition.defaults.duration
        rows.append(("time", f"not asked: {format_timespan(default)} by default" if default else "not asked"))
    seen = {offer.partition.name: offer.partition.signal for offer in selection.offers}
    rows += [
        (
            "live",
            f"{name}: {one.idle} idle and {one.mixed} partly idle nodes, {one.waiting} jobs wait (sinfo, squeue; now)",
        )
        for name, one in seen.items()
        if one
    ]
    rows += [("assumed", assumption_text(assumption)) for assumption in selection.assumed]
    rows += [("offers", offer.name) for offer in selection.offers if offer.partition.name]
    return rows


def _devices(selection: Selection) -> str:
    parts = [f"{number} x {kind}" if kind else str(number) for kind, number in selection.request.devices]
    models = sorted({describe(device) for offer in selection.offers for device in offer.shape.devices})
    return f"{' + '.join(parts)} (of {', '.join(models)})"


def describe(device: Device) -> str:
    """One class of devices in a few words: ``2 x A100 40G``."""
    count = "?" if device.count is None else str(device.count)
    memory = " or ".join(map(format_memory, device.possible_sizes)) or "unknown memory"
    return f"{count} x {device.model or device.kind} {memory}"


# -- JSON ------------------------------------------------------------------------------------------------------


def offer_json(offer: Offer) -> dict[str, Any]:
    """An offer."""
    shape = offer.shape
    return {
        "group": offer.group.name,
        "partition": offer.partition.name or None,
        "nodes": {"name": shape.name, "count": shape.count, "available": shape.available},
        "qos": offer.access.qos,
        "account": offer.access.account,
        "priority": offer.partition.priority + offer.access.priority,
        "cores": shape.cores,
        "memory": shape.memory,
        "features": sorted(shape.features),
        "accelerators": [
            {"kind": one.kind, "model": one.model, "memory": one.memory, "count": one.count, "type": one.type}
            for one in shape.devices
        ],
        "limits": [
            {"what": limit.subject, "value": limit.value, "minimum": limit.is_minimum, "by": limit.origin}
            for limit in (*offer.partition.limits, *offer.access.limits)
        ],
        "closed": offer.partition.closed_reason or offer.access.closed_reason,
        "live": asdict(offer.partition.signal) if offer.partition.signal else None,
    }


def need_json(need: Alternative) -> dict[str, Any]:
    """An alternative."""
    return {
        "text": str(need),
        "duration": need.duration,
        "nodes": need.nodes,
        "cores": need.cores or None,
        "memory": need.cpu_memory or None,
        "accelerators": [
            {"kind": one.kind, "model": one.model, "memory": one.memory or None} for one in need.accelerators
        ],
    }


def selection_json(answer: Answer, selection: Selection) -> dict[str, Any]:
    """The answer to `find`."""
    args = render(selection)
    slurm, oar = args if isinstance(args, SlurmArgs) else None, args if isinstance(args, OarArgs) else None
    return {
        "version": VERSION,
        "requirement": str(answer.requirement),
        "alternative": answer.requirement.alternatives.index(selection.alternative),
        "need": need_json(selection.alternative),
        "group": selection.group.name,
        "scheduler": selection.group.scheduler,
        "partitions": [name for name in selection.partitions if name],
        "qos": selection.offers[0].access.qos,
        "account": selection.offers[0].access.account,
        "slurm": dict(slurm.options()) if slurm else None,
        "sbatch": slurm.directives() if slurm else None,
        "oar": oar.options() if oar else None,
        "oarsub": oar.directives() if oar else None,
        "assumed": list(map(assumption_text, selection.assumed)),
        "offers": [offer_json(offer) for offer in selection.offers],
        "skipped": [{"group": skipped.group.name, "reason": skipped_text(skipped)} for skipped in answer.skipped],
    }
