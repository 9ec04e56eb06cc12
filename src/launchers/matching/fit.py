"""Does one offer fit one alternative?  Either a Fit, or every reason why not.

The rules are Slurm's where Slurm has rules (man slurm.conf, partitions; man sacctmgr, limits; facts/slurm.md,
"The trap"): what would make a job wait for ever makes an offer not fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

from attrs import evolve, field, frozen

from launchers.offer.assign import assign, ensured, grouped, refusal, serves
from launchers.offer.model import Device, Limit, Offer
from launchers.requirement import Accelerator, Alternative

MIB = 1024**2
SAID = "MaxCPUsPerNode"
"""The one limit that is held against the CPUs that are asked for, and not against those that are allocated."""
LUCK = "that Slurm hands out the GPUs that fit: it does not tell those of a node apart"
"""Assumed where a request names no type, or one of several kinds of devices."""
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

Wants = list[tuple[Accelerator, int]]


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
    wants = grouped(alternative.accelerators)
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
    if any(limit.what.startswith("gres/gpu:") for limit in bounds(offer)):
        return None
    found = fit(offer, alternative, index, pooled=True, untyped=True)
    return found if isinstance(found, Fit) and LUCK not in found.assumed else None


def holds(offer: Offer, alternative: Alternative, ask: Ask, *, certain: bool) -> bool:
    """Whether a node of this shape has what is needed when it is given `ask`, which may be another shape's.

    Whatever the scheduler could hand out has to do, not only the best of it; `certain` takes no unknown device for
    what is wanted.
    """
    memory = ask.memory or ask.cores * (offer.shape.mem_per_core or 0)
    if memory < alternative.cpu_memory or alternative.cores > _cores_with(offer, ask):
        return False
    return ensured(grouped(alternative.accelerators), offer.shape.devices, ask.devices, certain=certain)


def _cores_with(offer: Offer, ask: Ask) -> int:
    """The cores that come with a request: on OAR those next to the GPUs that are asked for."""
    shape = offer.shape
    total = sum(device.count or 0 for device in shape.devices)
    if offer.group.scheduler != "oar" or not ask.devices or not total or not shape.cores:
        return ask.cores
    return shape.cores * sum(number for _, number in ask.devices) // total


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
    per_cpu = min((limit.value for limit in bounds(offer) if limit.what == "mem/cpu"), default=None)
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
    if raised <= min((one.value for one in bounds(offer) if one.by.endswith(SAID)), default=raised):
        cores = max(cores, raised)  # more is Slurm's own to add: MaxCPUsPerNode is held against what is said
    if not alternative.cores:
        cores = max(cores, _least_cpus(offer, alternative.nodes))
    default = sum(number for _, number in devices) * (partition.defaults.cpus_per_gpu or 0)
    fits = default <= _most_cpus(offer, alternative.nodes)
    if default > 1 and not cores and not (fits and shape.cpus_per_socket == len(devices) == 1):
        cores = default if fits else 1
    requested = max(cores or default, 1)
    threads = -(-requested // shape.threads_per_core) * shape.threads_per_core
    if any(limit.least and limit.what == "cpu" for limit in bounds(offer)) and cores < threads > 1:
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
    least = [limit.value for limit in bounds(offer) if limit.least and limit.what == "cpu"]
    each = -(-max(least, default=0) // nodes)
    return each if each > 1 else 0


def _most_cpus(offer: Offer, nodes: int) -> float:
    """The CPUs per node that a job on this offer can have."""
    most = [float(limit.value) for limit in bounds(offer) if limit.what == "cpu/node" and not limit.least]
    most += [limit.value / nodes for limit in bounds(offer) if limit.what == "cpu" and not limit.least]
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
    if default is not None or len(caps) > 1 or any(limit.what != "duration" for limit, _ in caps):
        return evolve(ask, time=most, duration=most)
    given = any(limit.by.startswith(("QoS ", "account ")) for limit, _ in caps)
    return evolve(ask, time=most, default_time=most if given else None)


def _time_caps(offer: Offer, ask: Ask) -> Iterator[tuple[Limit, int]]:
    """The limits that bound how long a job that asks this may run, and the seconds that each lets it."""
    for limit in bounds(offer):
        if limit.least:
            continue
        if limit.what == "duration":
            yield limit, limit.value
        elif limit.what.endswith("*min") and (each := amount(ask, limit.what.removesuffix("*min"))):
            yield limit, limit.value * 60 // each


def _capped(offer: Offer) -> bool:
    """Whether memory is bounded: then Slurm holds a whole node's against the bound, if none is said."""
    return any(limit.what in ("mem/cpu", "mem/node", "mem") and not limit.least for limit in bounds(offer))


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
    caps += [limit.value for limit in bounds(offer) if limit.what == "mem/node" and not limit.least]
    caps += [limit.value // nodes for limit in bounds(offer) if limit.what == "mem" and not limit.least]
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


# -- reasons why not -------------------------------------------------------------------------------------------


def _closed(offer: Offer) -> Iterator[Rejection]:
    for reason in (offer.partition.closed, offer.access.closed):
        if reason:
            yield Rejection("closed", offered=reason)


def _device_rejections(wants: Wants, devices: Sequence[Device]) -> list[Rejection]:
    """For each wanted accelerator the first stage at which no device, or too few, are left."""
    found = []
    for want, number in wants:
        left = list(devices)
        for code in ("gpu-kind", "gpu-model", "gpu-memory", "gpu-min-memory"):
            refused = [device for device in left if refusal(want, device) == code]
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
        return Rejection(code, want.memory, max(max(device.possible) for device in refused), accelerator=want)
    least = min(refused, key=lambda device: device.min_memory)
    return Rejection(code, want.memory, least.min_memory, least.min_because, accelerator=want)


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
        counted = ask.cpus if exclusive else ask.threads if limit.least else ask.cpus
        if limit.by.endswith(SAID) and not exclusive:
            counted = ask.said
        asked = amount(evolve(whole if exclusive and not limit.least else ask, cpus=counted), limit.what)
        if asked is None or (asked >= limit.value if limit.least else asked <= limit.value):
            continue
        code = "minimum" if limit.least else limit.what if limit.what in ("duration", "nodes") else "limit"
        yield Rejection(code, asked, limit.value, limit.by, limit.what)


def amount(ask: Ask, what: str) -> int | None:
    """How much of `what` (the vocabulary of `Limit.what`) a job asks for; None when that is not known."""
    if what == "duration":
        return ask.time
    if what.endswith("*min"):
        of = amount(ask, what.removesuffix("*min"))
        return None if ask.time is None or of is None else of * (ask.time // 60)
    if what.endswith("/node"):
        return _per_node(ask, what.removesuffix("/node"))
    if what in ("nodes", "node"):
        return ask.nodes
    each = _per_node(ask, what)
    return None if each is None else each * ask.nodes


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


# -- how well it fits ------------------------------------------------------------------------------------------


def _waste(
    offer: Offer, alternative: Alternative, ask: Ask, wants: Wants, flow: list[list[int]]
) -> tuple[int, int, int, int]:
    gpu_memory = sum(
        number * serves(want, device).waste
        for (want, _), row in zip(wants, flow, strict=True)
        for device, number in zip(offer.shape.devices, row, strict=True)
        if number
    )
    gpus, memory = sum(number for _, number in ask.devices) - len(alternative.accelerators), 0
    if gpus > 0:  # on OAR, for the cores that come with them
        gpu_memory += gpus * max((min(device.possible, default=0) for device in offer.shape.devices), default=0)
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
                found.update(dict.fromkeys(serves(want, device).assumed))
    if offer.group.scheduler == "slurm" and not ensured(wants, shape.devices, ask.devices, certain=not found):
        found[LUCK] = None
    if alternative.cores and shape.cores is None:
        found["the number of cores, which is not known"] = None
    if alternative.cpu_memory and shape.memory is None:
        found["the memory of the nodes, which is not known"] = None
    if alternative.nodes > 1 and shape.count is None:
        found["the number of nodes, which is not known"] = None
    if shape.available == 0:
        found["that a node comes back: all were down or drained when last seen"] = None
    return tuple(found)
