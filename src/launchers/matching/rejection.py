"""Why an offer does not fit: reasons with the numbers behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from attrs import evolve, frozen

from launchers.matching.request import (
    Allocation,
    Request,
    Wants,
    amount,
    memory_for_gpus,
    whole_mib,
)
from launchers.offer.assign import device_rejection
from launchers.offer.model import COUNTS_REQUESTED_CPUS, Device, Limit, Offer, Per
from launchers.requirement import Accelerator, Alternative

NO_GPU = "none"
"""What a node without GPUs offers where a job needs one of some kind."""


class Reason(StrEnum):
    """Why an offer does not fit, in the order in which the funnel of an explanation takes them."""

    CLOSED = "closed"
    GPU_KIND = "gpu-kind"
    GPU_MODEL = "gpu-model"
    GPU_MEMORY = "gpu-memory"
    GPU_MIN_MEMORY = "gpu-min-memory"
    GPU_COUNT = "gpu-count"
    GPU_ASSIGNMENT = "gpu-assignment"
    MEMORY = "memory"
    CORES = "cores"
    NODES = "nodes"
    DURATION = "duration"
    LIMIT = "limit"
    MINIMUM = "minimum"

    @property
    def stage(self) -> int:
        """The position in the funnel, from 0."""
        return _STAGES[self]


_STAGES = {reason: position for position, reason in enumerate(Reason)}
_DEVICE_REASONS = (Reason.GPU_KIND, Reason.GPU_MODEL, Reason.GPU_MEMORY, Reason.GPU_MIN_MEMORY)


@frozen
class Rejection:
    """A reason why an offer does not fit, with the two numbers (bytes, seconds or counts) or texts.

    `limit` is the limit that the job would break. `rule` names a rule that is no limit, such as DefMemPerGPU.
    `accelerator` is the wanted accelerator that the rejection is about.
    """

    code: Reason
    asked: int | str | None = None
    offered: int | str | None = None
    limit: Limit | None = None
    rule: str = ""
    accelerator: Accelerator | None = None

    @property
    def subject(self) -> str:
        """What the limit bounds, as JSON has it: ``gres/gpu``, ``mem/node``; empty without a limit."""
        return self.limit.subject if self.limit else ""

    @property
    def origin(self) -> str:
        """Who sets the bound, as JSON has it: ``QoS gpu MaxTRESPerJob``; empty for what the nodes have."""
        return self.limit.origin if self.limit else self.rule


def closed_rejections(offer: Offer) -> Iterator[Rejection]:
    """Partitions and accesses that take no jobs."""
    for reason in (offer.partition.closed_reason, offer.access.closed_reason):
        if reason:
            yield Rejection(Reason.CLOSED, offered=reason)


def device_rejections(wants: Wants, devices: Sequence[Device]) -> list[Rejection]:
    """For each wanted accelerator the first stage that leaves no devices, or too few."""
    rejections = [rejection for want, number in wants if (rejection := _device_rejection(want, number, devices))]
    if not rejections:
        total = sum(device.count or 0 for device in devices)
        rejections.append(Rejection(Reason.GPU_ASSIGNMENT, sum(number for _, number in wants), total))
    return rejections


def untyped_rejections(offer: Offer, wants: Wants, request: Request) -> Iterator[Rejection]:
    """A request without a type that no type of the node can serve alone: 4 GPUs where there are 3 and 3.

    The rule is Slurm's (docs/slurm-facts.md, "GPUs").
    """
    requested = dict(request.devices).get(None, 0)
    if not offer.group.rules.grants_gpus_by_type or not requested:
        return
    counts: dict[str | None, int] = {}
    for device in offer.shape.devices:
        counts[device.type] = counts.get(device.type, 0) + (requested if device.count is None else device.count)
    most = max(counts.values())
    if requested > most:
        yield Rejection(Reason.GPU_COUNT, requested, most, accelerator=wants[0][0])


def capacity_rejections(
    offer: Offer, alternative: Alternative, request: Request, allocation: Allocation, *, pooled: bool
) -> Iterator[Rejection]:
    """What the nodes are too small for; with `pooled` other shapes may make up for missing nodes."""
    shape = offer.shape
    for_gpus = memory_for_gpus(offer, request.gpus)
    if shape.memory is not None and max(whole_mib(alternative.cpu_memory), for_gpus) > shape.memory:
        rule = "DefMemPerGPU" if for_gpus > alternative.cpu_memory else ""
        yield Rejection(Reason.MEMORY, max(alternative.cpu_memory, for_gpus), shape.memory, rule=rule)
    cpus = max(allocation.core_cpus, allocation.cpus)
    if shape.cores is not None and cpus > shape.cores:
        yield Rejection(Reason.CORES, cpus, shape.cores)
    if not pooled and shape.count is not None and request.nodes > shape.count:
        yield Rejection(Reason.NODES, request.nodes, shape.count)


def limit_rejections(offer: Offer, request: Request, allocation: Allocation, *, pooled: bool) -> Iterator[Rejection]:
    """The limits that the job would break; with `pooled`, those that its nodes of this shape would break alone."""
    for limit in offer.limits:
        nodes = request.nodes
        if pooled and not limit.is_minimum and limit.quantity not in ("nodes", "node"):
            nodes = min(nodes, offer.shape.count or nodes)
        asked = _asked(limit, offer, evolve(request, nodes=nodes), allocation)
        if asked is None or (asked >= limit.value if limit.is_minimum else asked <= limit.value):
            continue
        yield Rejection(_limit_reason(limit), asked, limit.value, limit)


def break_limits(parts: Sequence[tuple[Offer, Request, Allocation]], nodes: int) -> bool:
    """Whether a job on `nodes` nodes of several shapes of one partition breaks a limit, whichever nodes it gets."""
    return any(_sum_of_largest(limit, parts, nodes) > limit.value for limit in parts[0][0].limits)


def _sum_of_largest(limit: Limit, parts: Sequence[tuple[Offer, Request, Allocation]], nodes: int) -> int:
    """The most that the job can have of what a limit counts for all its nodes together; 0 for any other limit."""
    if limit.is_minimum or limit.per not in (Per.JOB, Per.MINUTE) or limit.quantity in ("nodes", "node", "duration"):
        return 0
    on_each: list[int] = []
    for offer, request, allocation in parts:
        asked = _asked(limit, offer, evolve(request, nodes=1), allocation) or 0
        on_each += [asked] * min(nodes, offer.shape.count or nodes)
    return sum(sorted(on_each)[-nodes:])


def _asked(limit: Limit, offer: Offer, request: Request, allocation: Allocation) -> int | None:
    """How much the job has of what a limit counts; None where that is not known."""
    exclusive = offer.partition.exclusive
    if exclusive and not (limit.is_minimum and (limit.of_request or request.devices)):
        request = evolve(request, devices=tuple((device.type, device.count or 0) for device in offer.shape.devices))
    compared = _compared_allocation(limit, allocation, exclusive=exclusive)
    return amount(request, compared, limit.quantity, limit.per)


def _device_rejection(want: Accelerator, number: int, devices: Sequence[Device]) -> Rejection | None:
    left = list(devices)
    for reason in _DEVICE_REASONS:
        refused = [device for device in left if device_rejection(want, device) == reason]
        left = [device for device in left if device not in refused]
        if not left:
            return _no_device_left(reason, want, refused, devices)
    count = sum(device.count or 0 for device in left)
    return Rejection(Reason.GPU_COUNT, number, count, accelerator=want) if count < number else None


def _no_device_left(
    reason: Reason, want: Accelerator, refused: Sequence[Device], devices: Sequence[Device]
) -> Rejection:
    if reason is Reason.GPU_KIND:
        kinds = ", ".join(sorted(set(map(_kind, devices)))) or NO_GPU
        return Rejection(reason, want.kind, kinds, accelerator=want)
    if reason is Reason.GPU_MODEL:
        models = ", ".join(sorted({name for device in refused for name in device.names}))
        return Rejection(reason, want.model, models, accelerator=want)
    if reason is Reason.GPU_MEMORY:
        most = max(max(device.possible_sizes) for device in refused)
        return Rejection(reason, want.memory, most, accelerator=want)
    least = min(refused, key=lambda device: device.min_memory)
    return Rejection(reason, want.memory, least.min_memory, rule=least.min_memory_rule, accelerator=want)


def _kind(device: Device) -> str:
    """The kind of a device; with its name where nobody knows the kind, such as ``gpu:gen``."""
    return ":".join([device.kind, *device.names]) if device.kind == "gpu" else device.kind


def _compared_allocation(limit: Limit, allocation: Allocation, *, exclusive: bool) -> Allocation:
    """What Slurm compares with a limit (docs/slurm-facts.md, "CPUs")."""
    if exclusive:
        return allocation
    if limit.rule == COUNTS_REQUESTED_CPUS:
        return evolve(allocation, cpus=allocation.requested_cpus)
    return evolve(allocation, cpus=allocation.core_cpus) if limit.is_minimum else allocation


def _limit_reason(limit: Limit) -> Reason:
    if limit.is_minimum:
        return Reason.MINIMUM
    return {"duration": Reason.DURATION, "nodes": Reason.NODES}.get(limit.subject, Reason.LIMIT)
