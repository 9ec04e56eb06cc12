"""Does one offer fit one alternative?  Either a Fit, or every reason why not.

The rules are Slurm's where Slurm has rules (man slurm.conf, partitions; man sacctmgr, limits; facts/slurm.md,
"The trap"): what would make a job wait for ever makes an offer not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from attrs import evolve, frozen

from launchers.matching.ask import Ask, Wants, _spelled, ask_of, bounds
from launchers.matching.rejection import (
    Rejection,
    _capacity_rejections,
    _closed,
    _device_rejections,
    _limit_rejections,
    _untyped_rejections,
)
from launchers.offer.assign import any_grant_satisfies, assign, count_equal, match_device
from launchers.offer.model import Device, Offer
from launchers.requirement import Alternative

ASSUMES_ANY_GPU = "that Slurm hands out the GPUs that fit: it does not tell those of a node apart"
"""Assumed where a request names no type, or one of several kinds of devices."""


@frozen(eq=False)
class Fit:
    """An offer that serves alternative number `index`, what it would be asked, and what had to be assumed.

    `waste` is (GPU memory, GPUs, cores, memory) beyond the need, of what would be allocated.
    """

    offer: Offer
    index: int
    ask: Ask
    waste: tuple[int, int, int, int]
    assumed: tuple[str, ...] = ()


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

    For jobs that are spread over several shapes `pooled` leaves the number of nodes of this one shape out, and `only`
    has its devices with lower counts, to ask for those rather than for the best; `untyped` names no GRES type.
    """
    wants = count_equal(alternative.accelerators)
    devices = offer.shape.devices if only is None else only
    flow = assign(wants, devices) if wants else []
    ask = ask_of(offer, alternative, _spelled(offer, wants, None if untyped else flow))
    rejections = list(_closed(offer))
    if flow is None:
        rejections += _device_rejections(wants, devices)
    else:
        rejections += _untyped_rejections(offer, wants, ask)
    rejections += _capacity_rejections(offer, alternative, ask, pooled)
    rejections += _limit_rejections(offer, ask)
    if rejections:
        return tuple(rejections)
    return Fit(
        offer,
        index,
        ask,
        _waste(offer, alternative, ask, wants, flow or []),
        _assumed(offer, alternative, ask, wants, flow or []),
    )


def choices(offer: Offer, alternative: Alternative) -> Iterator[tuple[Device, ...]]:
    """The devices with counts that are just enough, in every way by type: nodes of other shapes may share only one."""
    devices = offer.shape.devices
    wanted = len(alternative.accelerators)
    if not wanted or len(devices) < 2 or any(one.count is None or one.type is None for one in devices):
        return
    for counts in product(*(range(min(one.count or 0, wanted) + 1) for one in devices)):
        if sum(counts) == wanted:
            yield tuple(evolve(one, count=count) for one, count in zip(devices, counts, strict=True))


def untyped(offer: Offer, alternative: Alternative, index: int) -> Fit | None:
    """The fit of one shape among others with GPUs of other types, where whatever GPUs Slurm hands out serve.

    None where this cluster wants types named, or has limits by type, which Slurm counts by what it hands out.
    """
    if offer.group.scheduler != "slurm" or offer.group.gres == "gres_typed":
        return None
    if any(limit.quantity.startswith("gres/gpu:") for limit in bounds(offer)):
        return None
    found = fit(offer, alternative, index, pooled=True, untyped=True)
    return found if isinstance(found, Fit) and ASSUMES_ANY_GPU not in found.assumed else None


def holds(offer: Offer, alternative: Alternative, ask: Ask, *, certain: bool) -> bool:
    """Whether a node of this shape has what is needed when it is given `ask`, which may be another shape's.

    Whatever the scheduler could hand out has to do, not only the best of it; `certain` takes no unknown device for
    what is wanted.
    """
    memory = ask.memory or ask.cores * (offer.shape.mem_per_core or 0)
    if memory < alternative.cpu_memory or alternative.cores > _cores_with(offer, ask):
        return False
    return any_grant_satisfies(count_equal(alternative.accelerators), offer.shape.devices, ask.devices, certain=certain)


def _cores_with(offer: Offer, ask: Ask) -> int:
    """The cores that come with a request: on OAR those next to the GPUs that are asked for."""
    shape = offer.shape
    total = sum(device.count or 0 for device in shape.devices)
    if offer.group.scheduler != "oar" or not ask.devices or not total or not shape.cores:
        return ask.cores
    return shape.cores * sum(number for _, number in ask.devices) // total


# -- how well it fits ------------------------------------------------------------------------------------------


def _waste(
    offer: Offer, alternative: Alternative, ask: Ask, wants: Wants, flow: list[list[int]]
) -> tuple[int, int, int, int]:
    gpu_memory = sum(
        number * match_device(want, device).waste
        for (want, _), row in zip(wants, flow, strict=True)
        for device, number in zip(offer.shape.devices, row, strict=True)
        if number
    )
    gpus, memory = sum(number for _, number in ask.devices) - len(alternative.accelerators), 0
    if gpus > 0:  # on OAR, for the cores that come with them
        gpu_memory += gpus * max((min(device.possible_sizes, default=0) for device in offer.shape.devices), default=0)
    if offer.partition.exclusive:
        gpus = sum(device.count or 0 for device in offer.shape.devices) - len(alternative.accelerators)
        memory = (offer.shape.memory or 0) - alternative.cpu_memory
    cores = (ask.cpus or 0) - (alternative.cores or 1)
    return gpu_memory, max(0, gpus), max(0, cores), max(0, memory)


def _assumed(offer: Offer, alternative: Alternative, ask: Ask, wants: Wants, flow: list[list[int]]) -> tuple[str, ...]:
    """What nobody stated and the fit relies on, in words, without repeats."""
    shape = offer.shape
    found: dict[str, None] = {}
    for (want, _), row in zip(wants, flow, strict=True):
        for device, number in zip(shape.devices, row, strict=True):
            if number:
                found.update(dict.fromkeys(match_device(want, device).assumed))
    if offer.group.scheduler == "slurm" and not any_grant_satisfies(
        wants, shape.devices, ask.devices, certain=not found
    ):
        found[ASSUMES_ANY_GPU] = None
    if alternative.cores and shape.cores is None:
        found["the number of cores, which is not known"] = None
    if alternative.cpu_memory and shape.memory is None:
        found["the memory of the nodes, which is not known"] = None
    if alternative.nodes > 1 and shape.count is None:
        found["the number of nodes, which is not known"] = None
    if shape.available == 0:
        found["that a node comes back: all were down or drained when last seen"] = None
    return tuple(found)
