"""Selections as rows for people and as JSON for programs (docs/json.md says what the JSON holds)."""

from __future__ import annotations

from typing import Any

from attrs import asdict

from launchers.jobs.backend import Resources
from launchers.matching import Answer, Selection
from launchers.matching.words import assumption_text, skipped_text
from launchers.oar.args import OarArgs
from launchers.offer.model import Device, Offer
from launchers.quantities.units import format_memory, format_timespan
from launchers.requirement import Alternative
from launchers.schedulers import OAR, SLURM, render
from launchers.slurm.args import SlurmArgs

VERSION = 1


Rows = list[tuple[str, str]]
"""Lines of a table: a name and a value."""


def selection_rows(selection: Selection) -> Rows:
    """A selection as lines of a table."""
    need, args = selection.alternative, render(selection)
    rows = [("launcher", selection.group.name), ("need", str(need))]
    if isinstance(args, SlurmArgs):
        rows += _slurm_rows(selection, args)
    elif isinstance(args, OarArgs):
        rows += _oar_rows(args)
    rows += _request_rows(selection)
    rows += _time_rows(selection, args)
    rows += _live_rows(selection)
    rows += [("assumed", assumption_text(assumption)) for assumption in selection.assumed]
    rows += [("offers", offer.name) for offer in selection.offers if offer.partition.name]
    return rows


def _slurm_rows(selection: Selection, args: SlurmArgs) -> Rows:
    named = (
        ("account", args.account),
        ("QoS", args.qos),
        ("constraint", args.constraint),
        ("exclude", args.exclude),
    )
    return [("partition", ", ".join(selection.partitions)), *((name, value) for name, value in named if value)]


def _oar_rows(args: OarArgs) -> Rows:
    rows = [("queue", str(args.queue)), ("resources", args.resources)]
    rows += [("properties", args.properties)] if args.properties else []
    return rows + ([("types", ", ".join(args.types))] if args.types else [])


def _request_rows(selection: Selection) -> Rows:
    request, need = selection.request, selection.alternative
    rows = [("nodes", str(request.nodes))] if request.nodes > 1 else []
    if need.accelerators:
        rows.append(("GPUs per node", _devices(selection)))
    if request.cores:
        rows.append(("cores", str(request.cores)))
    if memory := request.memory or need.cpu_memory:
        rows.append(("memory", format_memory(memory)))
    return rows


def _time_rows(selection: Selection, args: Resources) -> Rows:
    """The time limit, or what a batch scheduler gives a job that asks for none."""
    seconds = selection.request.duration
    if seconds:
        return [("time", f"{format_timespan(seconds)} ({seconds / 3600:g} hours)")]
    if not isinstance(args, SlurmArgs | OarArgs):
        return []
    default = selection.offers[0].partition.defaults.duration
    return [("time", f"not asked: {format_timespan(default)} by default" if default else "not asked")]


def _live_rows(selection: Selection) -> Rows:
    signals = {offer.partition.name: offer.partition.signal for offer in selection.offers}
    return [
        (
            "live",
            f"{name}: {signal.idle} idle and {signal.mixed} partly idle nodes, {signal.waiting} jobs wait "
            "(sinfo, squeue; now)",
        )
        for name, signal in signals.items()
        if signal
    ]


def _devices(selection: Selection) -> str:
    parts = [f"{number} x {gres_type}" if gres_type else str(number) for gres_type, number in selection.request.devices]
    models = sorted({describe(device) for offer in selection.offers for device in offer.shape.devices})
    return f"{' + '.join(parts)} (of {', '.join(models)})"


def describe(device: Device) -> str:
    """One class of devices in a few words: ``2 x A100 40G``."""
    count = "?" if device.count is None else str(device.count)
    memory = " or ".join(map(format_memory, device.possible_sizes)) or "unknown memory"
    return f"{count} x {next(iter(device.names), device.kind)} {memory}"


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
        "arch": shape.arch,
        "features": sorted(shape.features),
        "accelerators": [
            {
                "kind": device.kind,
                "model": device.model,
                "memory": device.memory,
                "count": device.count,
                "type": device.type,
            }
            for device in shape.devices
        ],
        "limits": [
            {"what": limit.subject, "value": limit.value, "minimum": limit.is_minimum, "by": limit.origin}
            for limit in offer.limits
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
            {"kind": accelerator.kind, "model": accelerator.model, "memory": accelerator.memory or None}
            for accelerator in need.accelerators
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
        SLURM: dict(slurm.options()) if slurm else None,
        "sbatch": slurm.directives() if slurm else None,
        OAR: oar.options() if oar else None,
        "oarsub": oar.directives() if oar else None,
        "assumed": list(map(assumption_text, selection.assumed)),
        "offers": [offer_json(offer) for offer in selection.offers],
        "skipped": [{"group": skipped.group.name, "reason": skipped_text(skipped)} for skipped in answer.skipped],
    }
