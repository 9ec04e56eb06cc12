"""Does one offer fit one alternative? Either a Fit, or every reason why not.

Where Slurm has rules, they are the rules here (man slurm.conf, partitions; man sacctmgr, limits; docs/slurm-facts.md,
"Accepted is not started"): an offer where a job would wait for ever does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from attrs import evolve, frozen

from launchers.matching.rejection import (
    Rejection,
    capacity_rejections,
    closed_rejections,
    device_rejections,
    limit_rejections,
    untyped_rejections,
)
from launchers.matching.request import Allocation, Request, Wants, devices_by_type, request_for
from launchers.offer.assign import any_grant_satisfies, assign, count_equal, match_device
from launchers.offer.assumption import Assumption, Unstated
from launchers.offer.model import Device, Offer, Shape
from launchers.requirement import Alternative

ASSUMES_ANY_GPU = Assumption(Unstated.GPU_CHOICE)
"""The request names no type, or one of several kinds of devices, and the scheduler may grant any of them."""

Waste = tuple[int, int, int, int]
"""GPU memory (bytes), GPUs, cores and memory (bytes) that are allocated beyond the need."""


@frozen(eq=False)
class Fit:
    """An offer that serves alternative number `index`, what it is asked for and allocates, and what is assumed."""

    offer: Offer
    index: int
    request: Request
    allocation: Allocation
    waste: Waste
    assumed: tuple[Assumption, ...] = ()


def fit(
    offer: Offer,
    alternative: Alternative,
    index: int = 0,
    *,
    pooled: bool = False,
    only: tuple[Device, ...] | None = None,
    untyped: bool = False,
) -> Fit | tuple[Rejection, ...]:
    """Whether the job that `alternative` describes could ever start on this offer.

    For jobs on several shapes: `pooled` does not ask whether this shape alone has enough nodes; `only` are its devices
    with lower counts, to request those instead of the best; with `untyped` the request names no GRES type.
    """
    wants = count_equal(alternative.accelerators)
    devices = offer.shape.devices if only is None else only
    flow = assign(wants, devices) if wants else []
    request, allocation = request_for(offer, alternative, devices_by_type(offer, wants, None if untyped else flow))
    rejections = list(closed_rejections(offer))
    if flow is None:
        rejections += device_rejections(wants, devices)
    else:
        rejections += untyped_rejections(offer, wants, request)
    rejections += capacity_rejections(offer, alternative, request, allocation, pooled=pooled)
    rejections += limit_rejections(offer, request, allocation, pooled=pooled)
    if rejections or flow is None:
        return tuple(rejections)
    waste = _waste(offer, alternative, request, allocation, _wasted_gpu_memory(offer, wants, flow))
    return Fit(offer, index, request, allocation, waste, _assumed(offer, alternative, request, wants, flow))


def device_choices(offer: Offer, alternative: Alternative) -> Iterator[tuple[Device, ...]]:
    """Every choice by type of just enough devices: shapes of other nodes may share only one of these choices."""
    devices = offer.shape.devices
    wanted = len(alternative.accelerators)
    if not wanted or len(devices) < 2 or any(device.count is None or device.type is None for device in devices):
        return
    for counts in product(*(range(min(device.count or 0, wanted) + 1) for device in devices)):
        if sum(counts) == wanted:
            yield tuple(evolve(device, count=count) for device, count in zip(devices, counts, strict=True))


def fit_untyped(offer: Offer, alternative: Alternative, index: int) -> Fit | None:
    """The fit of a shape, beside shapes with other GPU types, whose request names no type.

    None where a GPU that the scheduler may grant would not serve, where the cluster needs types, and where a limit
    counts one type: Slurm then counts what it grants.
    """
    if not offer.group.rules.grants_gpus_by_type or offer.group.gres == "gres_typed":
        return None
    if any(limit.quantity.startswith("gres/gpu:") for limit in offer.limits):
        return None
    outcome = fit(offer, alternative, index, pooled=True, untyped=True)
    return outcome if isinstance(outcome, Fit) and ASSUMES_ANY_GPU not in outcome.assumed else None


def node_satisfies(offer: Offer, alternative: Alternative, request: Request, *, certain: bool) -> bool:
    """Whether a node of this offer does what is needed when it gets `request`, which may be another shape's.

    All devices that the scheduler may grant have to serve, not only the best. With `certain`, a device that needs an
    assumption does not serve.
    """
    memory = request.memory or request.cores * (offer.shape.mem_per_core or 0)
    if memory < alternative.cpu_memory or alternative.cores > _granted_cores(offer, request):
        return False
    wants = count_equal(alternative.accelerators)
    return any_grant_satisfies(wants, offer.shape.devices, request.devices, allowed=frozenset() if certain else None)


def _granted_cores(offer: Offer, request: Request) -> int:
    """The cores of a request: those that its GPUs bring, where GPUs bring cores."""
    shape = offer.shape
    total = sum(device.count or 0 for device in shape.devices)
    if not offer.group.rules.gpus_bring_cores or not request.devices or not total or not shape.cores:
        return request.cores
    return shape.cores * request.gpus // total


# -- how well it fits ------------------------------------------------------------------------------------------


def _wasted_gpu_memory(offer: Offer, wants: Wants, flow: list[list[int]]) -> int:
    return sum(
        number * match_device(want, device).waste
        for (want, _), row in zip(wants, flow, strict=True)
        for device, number in zip(offer.shape.devices, row, strict=True)
        if number
    )


def _waste(offer: Offer, alternative: Alternative, request: Request, allocation: Allocation, gpu_memory: int) -> Waste:
    """What is allocated beyond the need, `gpu_memory` being that of the GPUs that are needed."""
    gpus, memory = request.gpus - len(alternative.accelerators), 0
    if gpus > 0:  # requested for the cores that they bring
        gpu_memory += gpus * max((min(device.possible_sizes, default=0) for device in offer.shape.devices), default=0)
    if offer.partition.exclusive:
        gpus = sum(device.count or 0 for device in offer.shape.devices) - len(alternative.accelerators)
        memory = (offer.shape.memory or 0) - alternative.cpu_memory
    cores = allocation.cpus - (alternative.cores or 1)
    return gpu_memory, max(0, gpus), max(0, cores), max(0, memory)


def _is_one_node_large_enough(shape: Shape, alternative: Alternative) -> bool:
    """Whether some node is sure to have the cores of a job that asks for nothing else: one has the mean or more."""
    asks_for_more = alternative.nodes > 1 or alternative.cpu_memory or alternative.accelerators
    return not asks_for_more and (alternative.cores or 0) <= shape.cores_somewhere


def _assumed(
    offer: Offer, alternative: Alternative, request: Request, wants: Wants, flow: list[list[int]]
) -> tuple[Assumption, ...]:
    """What nobody stated and the fit relies on, without repeats."""
    shape = offer.shape
    assumed: dict[Assumption, None] = {}
    for (want, _), row in zip(wants, flow, strict=True):
        for device, number in zip(shape.devices, row, strict=True):
            if number:
                assumed.update(dict.fromkeys(match_device(want, device).assumed))
    if offer.group.rules.grants_gpus_by_type and not any_grant_satisfies(
        wants, shape.devices, request.devices, allowed=assumed.keys()
    ):
        assumed[ASSUMES_ANY_GPU] = None
    if alternative.cores and shape.cores is None and not _is_one_node_large_enough(shape, alternative):
        assumed[Assumption(Unstated.CORES)] = None
    if alternative.cpu_memory and shape.memory is None:
        assumed[Assumption(Unstated.MEMORY)] = None
    if alternative.nodes > 1 and shape.count is None:
        assumed[Assumption(Unstated.NODES)] = None
    if shape.available == 0:
        assumed[Assumption(Unstated.NODES_UP)] = None
    return tuple(assumed)
