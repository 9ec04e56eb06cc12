"""What a scheduler is asked for one offer, and what it allocates for that."""

from __future__ import annotations

import math
from collections.abc import Iterator

from attrs import evolve, field, frozen

from launchers.offer.model import Limit, Offer, Per, SourceKind
from launchers.requirement import Accelerator, Alternative

MIB = 1024**2


SAID = "MaxCPUsPerNode"
"""The one limit that is held against the CPUs that are asked for, and not against those that are allocated."""


Wants = list[tuple[Accelerator, int]]


@frozen
class Ask:
    """What would be asked of the scheduler, per node; 0 cores or memory means that nothing is said about it.

    `devices` maps GRES types (None: untyped) to numbers.  `cpus`, `mem` and `time` are what the scheduler would
    allocate for it on one node of this shape: threads of whole cores, default memory, the partition's time limit;
    None where that is not known.  Minimums are held against the `threads` of whole cores, even
    where whole sockets are allocated.  `default_time` is
    what Slurm sets when nothing is said: for several partitions the first one's, held against all.
    """

    nodes: int
    cores: int
    memory: int
    devices: tuple[tuple[str | None, int], ...]
    duration: int | None
    default_time: int | None = None
    cpus: int | None = field(default=None, eq=False)
    mem: int | None = field(default=None, eq=False)
    time: int | None = field(default=None, eq=False)
    threads: int | None = field(default=None, eq=False)
    said: int | None = field(default=None, eq=False)


def bounds(offer: Offer) -> tuple[Limit, ...]:
    """Every limit that a job on this offer meets."""
    return offer.partition.limits + offer.access.limits


# -- what is asked ---------------------------------------------------------------------------------------------


def ask_of(offer: Offer, alternative: Alternative, devices: tuple[tuple[str | None, int], ...]) -> Ask:
    """What to ask for so that this alternative starts on this offer.

    A memory per CPU that is capped costs CPUs (MaxMemPerCPU: Slurm raises the CPU count itself, so we say it),
    and where the cluster's default memory would not fit, a memory that fits is asked for in words.
    """
    shape = offer.shape
    if devices and offer.group.scheduler == "oar":
        devices = _with_cores(offer, alternative, devices)
    gpus = sum(number for _, number in devices)
    cores, memory = alternative.cores, _whole_mib(alternative.cpu_memory)
    per_cpu = min((limit.value for limit in bounds(offer) if limit.subject == "mem/cpu"), default=None)
    if memory and not offer.group.memory_constraint and shape.mem_per_core:
        cores, memory = max(cores, -(-memory // shape.mem_per_core)), 0
    raised = max(cores, -(-memory // per_cpu)) if memory and per_cpu else 0
    cores, said, threads, cpus = _cpus(offer, alternative, cores, devices, raised)
    mem: int | None = memory
    if not memory:
        default = _default_memory(offer, cpus, gpus)
        mem = shape.memory if default is None else default
        cap = _memory_cap(offer, alternative.nodes, cpus, per_cpu)
        if cap is not None and (mem is None or mem // MIB * MIB > cap):
            memory = mem = cap
        elif mem and _capped(offer) and (default is None or _per_gpu(offer, gpus)):
            memory = mem = mem // MIB * MIB
    mem = max(mem or 0, _per_gpu(offer, gpus)) or None
    duration = alternative.duration
    ask = Ask(alternative.nodes, cores, memory, devices, duration, cpus=cpus, mem=mem, threads=threads, said=said)
    return _timed(offer, ask)


def _cpus(
    offer: Offer, alternative: Alternative, cores: int, devices: tuple[tuple[str | None, int], ...], raised: int
) -> tuple[int, int, int, int]:
    """The cores to ask for (0: none in words), what is asked then, the threads of that, the CPUs that are allocated.

    `raised` is what the memory costs.  DefCpuPerGPU counts where no cores are said, and only there; with GPUs of
    several types Slurm 24.11 starts nothing that leaves its CPUs to it.
    """
    partition, shape = offer.partition, offer.shape
    if raised <= min((one.value for one in bounds(offer) if one.rule == SAID), default=raised):
        cores = max(cores, raised)  # more is Slurm's own to add: MaxCPUsPerNode is held against what is said
    if not alternative.cores:
        cores = max(cores, _least_cpus(offer, alternative.nodes))
    default = sum(number for _, number in devices) * (partition.defaults.cpus_per_gpu or 0)
    fits = default <= _most_cpus(offer, alternative.nodes)
    if default > 1 and not cores and not (fits and shape.cpus_per_socket == len(devices) == 1):
        cores = default if fits else 1
    requested = max(cores or default, 1)
    threads = -(-requested // shape.threads_per_core) * shape.threads_per_core
    if any(limit.is_minimum and limit.subject == "cpu" for limit in bounds(offer)) and cores < threads > 1:
        cores = threads  # a waiting job is held against the minimum by what it asks, not by what it would get
    allocated = max(threads, -(-raised // shape.threads_per_core) * shape.threads_per_core)
    cpus = -(-allocated // shape.cpus_per_socket) * shape.cpus_per_socket
    return cores, requested, threads, max(cpus, shape.cores or 0) if partition.exclusive else cpus


def _with_cores(
    offer: Offer, alternative: Alternative, devices: tuple[tuple[str | None, int], ...]
) -> tuple[tuple[str | None, int], ...]:
    """As many GPUs as bring the cores, on OAR, where cores cannot be asked for beside them."""
    total = sum(device.count or 0 for device in offer.shape.devices)
    asked = sum(number for _, number in devices)
    if not total or not offer.shape.cores or alternative.cores > offer.shape.cores:
        return devices
    return ((None, max(asked, -(-alternative.cores * total // offer.shape.cores))),)


def _least_cpus(offer: Offer, nodes: int) -> int:
    """The CPUs per node that the minimums of this offer want, which a job that does not care may as well ask for."""
    least = [limit.value for limit in bounds(offer) if limit.is_minimum and limit.subject == "cpu"]
    each = -(-max(least, default=0) // nodes)
    return each if each > 1 else 0


def _most_cpus(offer: Offer, nodes: int) -> float:
    """The CPUs per node that a job on this offer can have."""
    most = [float(limit.value) for limit in bounds(offer) if limit.subject == "cpu/node" and not limit.is_minimum]
    most += [limit.value / nodes for limit in bounds(offer) if limit.subject == "cpu" and not limit.is_minimum]
    return min([*most, math.inf if offer.shape.cores is None else offer.shape.cores])


def _timed(offer: Offer, ask: Ask) -> Ask:
    """With the time limit that the job would have, said in words where it must be: Slurm counts whole minutes.

    A job that asks none gets the partition's default.  Where there is none, several limits may bound it, and Slurm
    takes the first that it finds and then holds it against the others, so the least is asked for in words.
    That of a QoS or an account is a default for all partitions of the job, that of a partition only its own.
    """
    if ask.duration is not None:
        return evolve(ask, time=-(-ask.duration // 60) * 60)
    default = offer.partition.defaults.duration
    caps = list(_time_caps(offer, ask)) if offer.group.scheduler == "slurm" else []
    most = max(60, min(seconds for _, seconds in caps) // 60 * 60) if caps else None
    if default is not None and (most is None or default <= most):
        return evolve(ask, time=default, default_time=default)
    if default is not None or len(caps) > 1 or any(limit.quantity != "duration" for limit, _ in caps):
        return evolve(ask, time=most, duration=most)
    given = any(limit.source.kind in (SourceKind.QOS, SourceKind.ACCOUNT) for limit, _ in caps)
    return evolve(ask, time=most, default_time=most if given else None)


def _time_caps(offer: Offer, ask: Ask) -> Iterator[tuple[Limit, int]]:
    """The limits that bound how long a job that asks this may run, and the seconds that each lets it."""
    for limit in bounds(offer):
        if limit.is_minimum:
            continue
        if limit.quantity == "duration":
            yield limit, limit.value
        elif limit.per is Per.MINUTE and (each := amount(ask, limit.quantity)):
            yield limit, limit.value * 60 // each


def _capped(offer: Offer) -> bool:
    """Whether memory is bounded: then Slurm holds a whole node's against the bound, if none is said."""
    return any(limit.subject in ("mem/cpu", "mem/node", "mem") and not limit.is_minimum for limit in bounds(offer))


def _per_gpu(offer: Offer, gpus: int) -> int:
    """The memory that DefMemPerGPU wants of a node, which Slurm holds to beside a --mem of the job's own."""
    return gpus * (offer.partition.defaults.mem_per_gpu or 0)


def _whole_mib(memory: int) -> int:
    return -(-memory // MIB) * MIB


def _default_memory(offer: Offer, cpus: int, gpus: int) -> int | None:
    """What Slurm gives a job that asks for no memory (man slurm.conf, DefMemPer*); None: the whole node's."""
    defaults = offer.partition.defaults
    if gpus and defaults.mem_per_gpu:
        return gpus * defaults.mem_per_gpu
    if defaults.mem_per_cpu:
        return cpus * defaults.mem_per_cpu
    return defaults.mem_per_node


def _memory_cap(offer: Offer, nodes: int, cpus: int, per_cpu: int | None) -> int | None:
    """The most memory per node that the limits of this offer let a job have; None where nothing bounds it."""
    caps = [cpus * per_cpu] if per_cpu else []
    caps += [limit.value for limit in bounds(offer) if limit.subject == "mem/node" and not limit.is_minimum]
    caps += [limit.value // nodes for limit in bounds(offer) if limit.subject == "mem" and not limit.is_minimum]
    if offer.shape.memory is not None:
        caps.append(offer.shape.memory)
    return min(caps) // MIB * MIB if caps else None


def _spelled(offer: Offer, wants: Wants, flow: list[list[int]] | None) -> tuple[tuple[str | None, int], ...]:
    """Numbers of devices by GRES type; untyped where this cluster has no types, or types cannot say it.

    When nothing could be assigned the number still counts, so that limits see it.
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


def amount(ask: Ask, quantity: str, per: Per = Per.JOB) -> int | None:
    """How much of a quantity (as in `Limit.quantity`) a job asks for; None when that is not known."""
    if quantity == "duration":
        return ask.time
    if per is Per.MINUTE:
        whole = amount(ask, quantity)
        return None if ask.time is None or whole is None else whole * (ask.time // 60)
    if per is Per.CPU:
        return None  # memory per CPU costs CPUs, which are held against their own limits
    if per is Per.JOB and quantity in ("nodes", "node"):
        return ask.nodes
    each = _per_node(ask, quantity)
    return each if each is None or per is Per.NODE else each * ask.nodes


def _per_node(ask: Ask, tres: str) -> int | None:
    if tres == "cpu":
        return ask.cpus
    if tres == "mem":
        return ask.mem
    if tres == "gres/gpu":
        return sum(number for _, number in ask.devices)
    if tres.startswith("gres/gpu:"):
        counts = dict(ask.devices)
        return None if None in counts else counts.get(tres.removeprefix("gres/gpu:"), 0)
    return None
