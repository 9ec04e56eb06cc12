"""What a scheduler is asked for on one offer, and what it allocates for that request."""

from __future__ import annotations

import math
from collections.abc import Iterator

from attrs import evolve, frozen

from launchers.offer.model import COUNTS_REQUESTED_CPUS, DEFAULT_TIME, Limit, Offer, Per, SourceKind
from launchers.quantities.units import MIB
from launchers.requirement import Accelerator, Alternative

Wants = list[tuple[Accelerator, int]]
"""Each different accelerator that a job needs on a node, with its number."""
Devices = tuple[tuple[str | None, int], ...]
"""Numbers of devices by GRES type; None: of any type."""


@frozen
class Request:
    """What the scheduler is asked for, per node; 0 cores or bytes of memory: the request does not name them.

    `duration` (seconds) is None where no time limit is requested. `default_time` is the limit that the job has then:
    with several partitions that of the first one, so only requests with the same default can name several.
    """

    nodes: int
    cores: int
    memory: int
    devices: Devices
    duration: int | None
    default_time: int | None = None

    @property
    def gpus(self) -> int:
        """Devices of all types on one node."""
        return sum(number for _, number in self.devices)


@frozen
class Allocation:
    """What the scheduler allocates for a request on one node, and the CPUs that it compares with limits.

    `cpus` are the CPUs allocated, in whole cores or sockets; `core_cpus` those of whole cores, which minimums are
    compared with; `requested_cpus` those that the request asks for or implies. `memory` (bytes) and `duration`
    (seconds) are None where nobody knows them. The rules: docs/slurm-facts.md, "CPUs" and "Memory".
    """

    cpus: int
    core_cpus: int
    requested_cpus: int
    memory: int | None
    duration: int | None = None


def request_for(offer: Offer, alternative: Alternative, devices: Devices) -> tuple[Request, Allocation]:
    """The request with which an alternative starts on an offer, and what the scheduler allocates for it."""
    if devices and offer.group.rules.gpus_bring_cores:
        devices = _devices_with_cores(offer, alternative, devices)
    cores, memory = alternative.cores, whole_mib(alternative.cpu_memory)
    if memory and not offer.group.memory_constraint and offer.shape.mem_per_core:
        cores, memory = max(cores, -(-memory // offer.shape.mem_per_core)), 0
    cpus = _count_cpus(offer, alternative, cores, devices, _cpus_for_memory(offer, cores, memory))
    gpus = sum(number for _, number in devices)
    memory, allocated = _memory(offer, alternative.nodes, memory, cpus.allocated, gpus)
    request = Request(alternative.nodes, cpus.named, memory, devices, alternative.duration)
    return _with_time(offer, request, Allocation(cpus.allocated, cpus.whole_cores, cpus.requested, allocated))


def amount(request: Request, allocation: Allocation, quantity: str, per: Per = Per.JOB) -> int | None:
    """How much of a quantity (as in `Limit.quantity`) a job has; None when that is not known."""
    if quantity == "duration":
        return allocation.duration
    if per is Per.MINUTE:
        whole = amount(request, allocation, quantity)
        return None if allocation.duration is None or whole is None else whole * (allocation.duration // 60)
    if per is Per.CPU:
        return None  # memory per CPU costs CPUs, which are compared with their own limits
    if per is Per.JOB and quantity in ("nodes", "node"):
        return request.nodes
    on_each_node = _amount_per_node(request, allocation, quantity)
    return on_each_node if on_each_node is None or per is Per.NODE else on_each_node * request.nodes


def whole_mib(memory: int) -> int:
    """Bytes, rounded up to whole MiB: sbatch takes no parts of one."""
    return _round_up(memory, MIB)


def memory_for_gpus(offer: Offer, gpus: int) -> int:
    """The bytes that DefMemPerGPU wants of a node, also beside a --mem of the job's own."""
    return gpus * (offer.partition.defaults.mem_per_gpu or 0)


def devices_by_type(offer: Offer, wants: Wants, flow: list[list[int]] | None) -> Devices:
    """The devices of an assignment by GRES type.

    They have no type where the cluster has none, where some device has none, or where no assignment was found: then
    the number still counts, so that limits see it.
    """
    if not wants:
        return ()
    counts: dict[str | None, int] = {}
    for row in flow or []:
        for device, number in zip(offer.shape.devices, row, strict=True):
            if number:
                counts[device.type] = counts.get(device.type, 0) + number
    if flow is None or offer.group.gres == "gres" or None in counts:
        return ((None, sum(number for _, number in wants)),)
    return tuple(sorted(counts.items(), key=lambda item: item[0] or ""))


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step


def _maximums(offer: Offer, quantity: str, per: Per = Per.JOB) -> list[int]:
    return [
        limit.value
        for limit in offer.limits
        if limit.quantity == quantity and limit.per is per and not limit.is_minimum
    ]


def _amount_per_node(request: Request, allocation: Allocation, tres: str) -> int | None:
    if tres == "cpu":
        return allocation.cpus
    if tres == "mem":
        return allocation.memory
    if tres == "gres/gpu":
        return request.gpus
    if tres.startswith("gres/gpu:"):
        counts = dict(request.devices)
        return None if None in counts else counts.get(tres.removeprefix("gres/gpu:"), 0)
    return None


# -- GPUs and CPUs ---------------------------------------------------------------------------------------------


def _devices_with_cores(offer: Offer, alternative: Alternative, devices: Devices) -> Devices:
    """As many GPUs as bring the cores, where cores cannot be requested beside GPUs."""
    total = sum(device.count or 0 for device in offer.shape.devices)
    wanted = sum(number for _, number in devices)
    if not total or not offer.shape.cores or alternative.cores > offer.shape.cores:
        return devices
    return ((None, max(wanted, -(-alternative.cores * total // offer.shape.cores))),)


@frozen
class _Cpus:
    """CPUs of a request on one node: `named` in it (0: none), `requested`, in `whole_cores`, and `allocated`."""

    named: int
    requested: int
    whole_cores: int
    allocated: int


def _count_cpus(offer: Offer, alternative: Alternative, cores: int, devices: Devices, for_memory: int) -> _Cpus:
    """The CPUs of a job that needs `cores`, and `for_memory` for its memory."""
    shape = offer.shape
    by_default = _default_cpus(offer, devices)
    named = _cpus_to_name(offer, alternative, cores, devices, for_memory)
    requested = max(named or by_default, 1)
    whole_cores = _round_up(requested, shape.threads_per_core)
    if _cpu_minimums(offer) and 1 < whole_cores <= _most_requested_cpus(offer):
        named = whole_cores  # Slurm compares the minimum with what a waiting job asks for, not with what it would get
    allocated = max(whole_cores, _round_up(for_memory, shape.threads_per_core))
    allocated = _round_up(allocated, shape.cpus_per_socket)
    if offer.partition.exclusive:
        allocated = max(allocated, shape.cores or 0)
    least = _least_cpus(offer, alternative.nodes)
    if requested < least <= min(allocated, _most_requested_cpus(offer)):
        named = requested = least  # while a job waits it does not have yet what it will be given, to meet a minimum
        whole_cores = _round_up(least, shape.threads_per_core)
    return _Cpus(named, requested, whole_cores, allocated)


def _cpus_to_name(offer: Offer, alternative: Alternative, cores: int, devices: Devices, for_memory: int) -> int:
    """The CPUs that the request has to name; 0: none.

    Slurm itself adds the CPUs that memory costs, so they are named only within MaxCPUsPerNode. DefCpuPerGPU counts only
    where the request names no CPUs; with GPUs of several types, Slurm 24.11 starts nothing unless it does.
    """
    if for_memory <= _most_requested_cpus(offer):
        cores = max(cores, for_memory)
    if not alternative.cores:
        cores = max(cores, _least_cpus(offer, alternative.nodes))
    by_default = _default_cpus(offer, devices)
    if cores or by_default <= 1:
        return cores
    fits = by_default <= _most_cpus(offer, alternative.nodes)
    if fits and offer.shape.cpus_per_socket == len(devices) == 1:
        return 0
    return by_default if fits else 1


def _most_requested_cpus(offer: Offer) -> float:
    """The CPUs per node that a request on this offer may name."""
    return min((limit.value for limit in offer.limits if limit.rule == COUNTS_REQUESTED_CPUS), default=math.inf)


def _cpus_for_memory(offer: Offer, cores: int, memory: int) -> int:
    """The CPUs that a memory costs where memory per CPU is limited (man slurm.conf, MaxMemPerCPU); 0: none."""
    per_cpu = _memory_per_cpu(offer)
    return max(cores, -(-memory // per_cpu)) if memory and per_cpu else 0


def _memory_per_cpu(offer: Offer) -> int | None:
    limits = (limit for limit in offer.limits if limit.quantity == "mem" and limit.per is Per.CPU)
    return min((limit.value for limit in limits), default=None)


def _default_cpus(offer: Offer, devices: Devices) -> int:
    """The CPUs that DefCpuPerGPU gives to a request that names none."""
    return sum(number for _, number in devices) * (offer.partition.defaults.cpus_per_gpu or 0)


def _cpu_minimums(offer: Offer) -> list[int]:
    return [
        limit.value for limit in offer.limits if limit.is_minimum and limit.quantity == "cpu" and limit.per is Per.JOB
    ]


def _least_cpus(offer: Offer, nodes: int) -> int:
    """The CPUs per node that meet the minimums of an offer; 0 where one does, which every job has."""
    least = -(-max(_cpu_minimums(offer), default=0) // nodes)
    return least if least > 1 else 0


def _most_cpus(offer: Offer, nodes: int) -> float:
    """The CPUs per node that a job on this offer can have."""
    bounds: list[float] = [*_maximums(offer, "cpu", Per.NODE)]
    bounds += [value / nodes for value in _maximums(offer, "cpu")]
    return min([*bounds, math.inf if offer.shape.cores is None else offer.shape.cores])


# -- memory ----------------------------------------------------------------------------------------------------


def _memory(offer: Offer, nodes: int, memory: int, cpus: int, gpus: int) -> tuple[int, int | None]:
    """The bytes per node that a request names (0: none), and those that limits count; `memory` is what is needed.

    Where Slurm's default would break a limit, a memory that fits is named. Without a default Slurm compares the whole
    node's memory with the limits, so then it is named, too (docs/slurm-facts.md, "Memory").
    """
    allocated: int | None = memory
    if not memory:
        default = _default_memory(offer, cpus, gpus)
        allocated = offer.shape.memory if default is None else default
        most = _most_memory(offer, nodes, cpus)
        if most is not None and (allocated is None or _whole_mib_down(allocated) > most):
            memory = allocated = most
        elif allocated and _is_memory_limited(offer) and (default is None or memory_for_gpus(offer, gpus)):
            memory = allocated = _whole_mib_down(allocated)
    return memory, allocated or None


def _default_memory(offer: Offer, cpus: int, gpus: int) -> int | None:
    """What Slurm wants of a node for a job that asks for no memory (man slurm.conf, DefMemPer*); None: all of it.

    Beside DefMemPerGPU the others count, too, when Slurm looks for nodes (docs/slurm-facts.md, "Memory").
    """
    defaults = offer.partition.defaults
    for_cpus = cpus * defaults.mem_per_cpu if defaults.mem_per_cpu else defaults.mem_per_node
    return max(memory_for_gpus(offer, gpus), for_cpus or 0) or None


def _most_memory(offer: Offer, nodes: int, cpus: int) -> int | None:
    """The most bytes per node, in whole MiB, that a job on this offer can have; None: nothing limits them."""
    per_cpu = _memory_per_cpu(offer)
    bounds = [cpus * per_cpu] if per_cpu else []
    bounds += _maximums(offer, "mem", Per.NODE)
    bounds += [value // nodes for value in _maximums(offer, "mem")]
    if offer.shape.memory is not None:
        bounds.append(offer.shape.memory)
    return _whole_mib_down(min(bounds)) if bounds else None


def _is_memory_limited(offer: Offer) -> bool:
    return any(
        limit.quantity == "mem" and limit.per is not Per.MINUTE and not limit.is_minimum for limit in offer.limits
    )


def _whole_mib_down(memory: int) -> int:
    return memory // MIB * MIB


# -- time ------------------------------------------------------------------------------------------------------


def _with_time(offer: Offer, request: Request, allocation: Allocation) -> tuple[Request, Allocation]:
    """Add the time limit that the job will have, in whole minutes as Slurm counts; named where it must be.

    A job that asks for no time gets the partition's default. Without a default Slurm takes the first limit that it
    finds and then compares it with the others, so where several may count, the least is named. The limit of a QoS or
    an account is a default in all partitions of a job, that of a partition only there (docs/slurm-facts.md,
    "Time limits").
    """
    if request.duration is not None:
        return request, evolve(allocation, duration=_round_up(request.duration, 60))
    default = offer.partition.defaults.duration
    limits = list(_time_limits(offer, request, allocation))
    most = max(60, min(seconds for _, seconds in limits) // 60 * 60) if limits else None
    if default is not None and (most is None or default <= most):
        return evolve(request, default_time=default), evolve(allocation, duration=default)
    allocation = evolve(allocation, duration=most)
    if default is not None or len(limits) > 1 or any(limit.quantity != "duration" for limit, _ in limits):
        return evolve(request, duration=most), allocation
    for_all_partitions = any(limit.source.kind in (SourceKind.QOS, SourceKind.ACCOUNT) for limit, _ in limits)
    return evolve(request, default_time=most if for_all_partitions else None), allocation


def _time_limits(offer: Offer, request: Request, allocation: Allocation) -> Iterator[tuple[Limit, int]]:
    """The limits that give a job its time, and the seconds that each leaves it."""
    if not offer.group.rules.limits_give_time:
        return
    for limit in offer.limits:
        if limit.is_minimum:
            continue
        if limit.quantity in ("duration", DEFAULT_TIME):
            yield limit, limit.value
        elif limit.per is Per.MINUTE and (whole := amount(request, allocation, limit.quantity)):
            yield limit, limit.value * 60 // whole
