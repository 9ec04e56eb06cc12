"""Why an offer does not fit: reason codes with the numbers behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from launchers.matching.ask import SAID, Ask, Wants, _per_gpu, _whole_mib, amount, bounds
from launchers.offer.assign import device_rejection
from launchers.offer.model import Device, Offer
from launchers.requirement import Accelerator, Alternative

STAGES = (
    "closed",
    "gpu-kind",
    "gpu-model",
    "gpu-memory",
    "gpu-min-memory",
    "gpu-count",
    "gpu-assignment",
    "memory",
    "cores",
    "nodes",
    "duration",
    "limit",
    "minimum",
)
"""The reason codes, in the order in which the funnel of an explanation takes them."""


@frozen
class Rejection:
    """Why an offer does not fit: a reason code of STAGES and the two numbers (bytes, seconds or counts).

    `what` is the thing bounded for codes that serve several (a TRES for "limit" and "minimum"), `by` says who sets
    the bound, `accelerator` which wanted device it is about.
    """

    code: str
    asked: int | str | None = None
    offered: int | str | None = None
    by: str = ""
    what: str = ""
    accelerator: Accelerator | None = None


# -- reasons why not -------------------------------------------------------------------------------------------


def _closed(offer: Offer) -> Iterator[Rejection]:
    for reason in (offer.partition.closed_reason, offer.access.closed_reason):
        if reason:
            yield Rejection("closed", offered=reason)


def _device_rejections(wants: Wants, devices: Sequence[Device]) -> list[Rejection]:
    """For each wanted accelerator the first stage at which no device, or too few, are left."""
    found = []
    for want, number in wants:
        left = list(devices)
        for code in ("gpu-kind", "gpu-model", "gpu-memory", "gpu-min-memory"):
            refused = [device for device in left if device_rejection(want, device) == code]
            left = [device for device in left if device not in refused]
            if not left:
                found.append(_refused(code, want, refused, devices))
                break
        else:
            count = sum(device.count or 0 for device in left)
            if count < number:
                found.append(Rejection("gpu-count", number, count, accelerator=want))
    if not found:
        total = sum(device.count or 0 for device in devices)
        found.append(Rejection("gpu-assignment", sum(number for _, number in wants), total))
    return found


def _untyped_rejections(offer: Offer, wants: Wants, ask: Ask) -> Iterator[Rejection]:
    """Slurm serves a request without a type from one type on each node: 4 are refused where there are 3 and 3."""
    asked = dict(ask.devices).get(None, 0)
    if offer.group.scheduler != "slurm" or not asked:
        return
    counts: dict[str | None, int] = {}
    for device in offer.shape.devices:
        counts[device.type] = counts.get(device.type, 0) + (asked if device.count is None else device.count)
    most = max(counts.values())
    if asked > most:
        yield Rejection("gpu-count", asked, most, accelerator=wants[0][0])


def _refused(code: str, want: Accelerator, refused: list[Device], devices: Sequence[Device]) -> Rejection:
    if code == "gpu-kind":
        kinds = ", ".join(sorted({device.kind for device in devices})) or "none"
        return Rejection(code, want.kind, kinds, accelerator=want)
    if code == "gpu-model":
        models = ", ".join(sorted({device.model or "?" for device in refused}))
        return Rejection(code, want.model, models, accelerator=want)
    if code == "gpu-memory":
        return Rejection(code, want.memory, max(max(device.possible_sizes) for device in refused), accelerator=want)
    least = min(refused, key=lambda device: device.min_memory)
    return Rejection(code, want.memory, least.min_memory, least.min_memory_rule, accelerator=want)


def _capacity_rejections(offer: Offer, alternative: Alternative, ask: Ask, pooled: bool) -> Iterator[Rejection]:
    shape = offer.shape
    per_gpu = _per_gpu(offer, sum(number for _, number in ask.devices))
    if shape.memory is not None and max(_whole_mib(alternative.cpu_memory), per_gpu) > shape.memory:
        by = "DefMemPerGPU" if per_gpu > alternative.cpu_memory else ""
        yield Rejection("memory", max(alternative.cpu_memory, per_gpu), shape.memory, by)
    needed = max(ask.threads or 1, ask.cpus or 1)
    if shape.cores is not None and needed > shape.cores:
        yield Rejection("cores", needed, shape.cores)
    if not pooled and shape.count is not None and ask.nodes > shape.count:
        yield Rejection("nodes", ask.nodes, shape.count)


def _limit_rejections(offer: Offer, ask: Ask) -> Iterator[Rejection]:
    exclusive = offer.partition.exclusive
    whole = evolve(ask, devices=tuple((one.type, one.count or 0) for one in offer.shape.devices))
    for limit in bounds(offer):
        counted = ask.cpus if exclusive else ask.threads if limit.is_minimum else ask.cpus
        if limit.rule == SAID and not exclusive:
            counted = ask.said
        charged = whole if exclusive and not limit.is_minimum else ask
        asked = amount(evolve(charged, cpus=counted), limit.quantity, limit.per)
        if asked is None or (asked >= limit.value if limit.is_minimum else asked <= limit.value):
            continue
        code = "minimum" if limit.is_minimum else limit.subject if limit.subject in ("duration", "nodes") else "limit"
        yield Rejection(code, asked, limit.value, limit.origin, limit.subject)
