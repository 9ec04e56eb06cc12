"""Schema objects to offers: lay the layers of a launchers.yaml over each other.

Layers, last wins, key by key: group configuration < partition < nodes < `features:` table < `features_regex` groups.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import attrs

from launchers.config import schema
from launchers.config.access import accesses, limits_of
from launchers.gpus.catalogue import identify, nominal_memory
from launchers.offer.model import Access, Defaults, Device, Group, Partition, Shape, Source, SourceKind
from launchers.offer.rules import OAR_RULES, SLURM_RULES
from launchers.quantities.hosts import count_hosts, join_hosts
from launchers.quantities.units import parse_memory

Models = Mapping[Any, tuple[str, tuple[int, ...]]]
REGEX_GROUPS = tuple(f"{kind}_{what}" for kind in ("cuda", "rocm", "mps", "gpu") for what in ("count", "memory"))
REGEX_GROUPS += ("gpu_model",)


Facts = Mapping[int, schema.SlurmGroup | str]
OarFacts = Mapping[int, schema.OarGroup | str]


def build(document: schema.Document, facts: Facts | None = None, oar: OarFacts | None = None) -> tuple[Group, ...]:
    """The groups of a launchers.yaml, ready to be matched, in the order of the file, disabled ones left out.

    `facts` has, by the number of the `slurm:` entry, what its cluster says (from `facts:` or `query_slurm:`), or
    why that could not be read; `oar` the same for `oar:`.
    """
    models = {name: (one.kind, (one.memory,) if one.memory else ()) for name, one in (document.gpus or {}).items()}
    groups = [
        local_group(spec, spec.id or f"local[{index}]", models)
        for index, spec in enumerate(document.local or ())
        if not spec.disabled
    ]
    for index, spec in enumerate(document.slurm or ()):
        if not spec.disabled:
            groups.append(slurm_group(spec, spec.id or f"slurm[{index}]", (facts or {}).get(index), models))
    for index, cluster in enumerate(document.oar or ()):
        if not cluster.disabled:
            groups.append(oar_group(cluster, cluster.id or f"oar[{index}]", (oar or {}).get(index), models))
    return tuple(groups)


def local_group(spec: schema.LocalGroup, name: str, models: Models) -> Group:
    """One machine as a group with one unnamed partition of one node."""
    gpus = spec.gpu if isinstance(spec.gpu, tuple) else (spec.gpu,) if spec.gpu else ()
    listed = [schema.AcceleratorSpec(**attrs.asdict(one, recurse=False)) for one in gpus]
    devices = tuple(_device(one, models, None, "cuda") for one in (*listed, *(spec.accelerators or ())))
    cpu = spec.cpu or schema.CpuSpec()
    shape = Shape(name, cores=cpu.cores, memory=cpu.memory, devices=_present(devices), count=1, available=1)
    return Group(
        name=name,
        scheduler="local",
        partitions=(Partition("", (shape,), (Access(),)),),
        weight=spec.weight or 0,
        tags=frozenset(spec.tags or ()),
        choose=spec.choose or "tightest",
        tokens=tuple((spec.tokens or {}).items()),
    )


def slurm_group(
    spec: schema.SlurmGroup, name: str, facts: schema.SlurmGroup | str | None = None, models: Models | None = None
) -> Group:
    """A Slurm cluster as a group; `facts` is what the entry is laid over, or why that cannot be had."""
    unreachable = facts if isinstance(facts, str) else None
    if isinstance(facts, schema.SlurmGroup):
        from launchers.config.layer import overlay_group

        spec = overlay_group(facts, spec)
    elif facts is None and spec.query_slurm:
        unreachable = "query_slurm: its cluster was not asked"
    constraint = [one for one in (spec.use_memory_constraint, spec.use_memory_contraint) if one is not None]
    return Group(
        name=name,
        scheduler="slurm",
        rules=SLURM_RULES,
        partitions=tuple(_partition(spec, key, one, models or {}) for key, one in (spec.partitions or {}).items()),
        weight=spec.weight or 0,
        tags=frozenset(spec.tags or ()),
        choose=spec.choose or "tightest",
        gres=spec.gres or "gpus_per_node",
        memory_constraint=constraint[0] if constraint else True,
        sbatch=tuple((spec.sbatch or {}).items()),
        unreachable=unreachable,
        live=bool(spec.live),
    )


def _partition(group: schema.SlurmGroup, name: str, spec: schema.PartitionSpec, models: Models) -> Partition:
    nodes = (schema.NodesSpec(),) if spec.nodes is None else spec.nodes
    shapes = tuple(_shape(group, spec, one, index, models) for index, one in enumerate(nodes))
    own = limits_of(spec.limits, Source(SourceKind.PARTITION, name))
    wide = {key: limit for key, limit in limits_of(group.limits, Source(SourceKind.GROUP)).items() if key not in own}
    entries = accesses(group, name, spec, (*own.values(), *wide.values()))
    closed_reason = None
    if spec.disabled:
        closed_reason = "disabled in launchers.yaml"
    elif (spec.state or "UP") != "UP":
        closed_reason = f"partition state is {spec.state}"
    elif not entries:
        closed_reason = "no account and QoS of yours may use it"
    return Partition(
        name=name,
        shapes=shapes,
        accesses=entries or (Access(),),
        priority=spec.priority or 0,
        defaults=Defaults(
            mem_per_cpu=spec.def_mem_per_cpu,
            mem_per_node=spec.def_mem_per_node,
            mem_per_gpu=spec.def_mem_per_gpu,
            cpus_per_gpu=spec.def_cpu_per_gpu,
            duration=spec.default_time,
        ),
        exclusive=bool(spec.exclusive),
        closed_reason=closed_reason,
    )


# -- nodes -----------------------------------------------------------------------------------------------------


def _shape(
    group: schema.SlurmGroup, partition: schema.PartitionSpec, nodes: schema.NodesSpec, index: int, models: Models
) -> Shape:
    own = schema.NodeConfiguration(cpu=nodes.cpu, gpu=nodes.gpu, accelerators=nodes.accelerators)
    features = nodes.features or ()
    table = group.features or {}
    layers = [group.configuration, partition.configuration, nodes.configuration, own]
    layers += [table[feature] for feature in features if feature in table]
    cpu: dict[str, Any] = {}
    gpu: dict[str, Any] = {}
    listed: tuple[schema.AcceleratorSpec, ...] | None = None
    for layer in layers:
        if layer is None:
            continue
        cpu.update(_said(layer.cpu))
        gpu.update(_said(layer.gpu))
        if layer.accelerators is not None:
            listed = layer.accelerators
    hints = [feature for feature in features if feature in table]
    for feature in features:
        found = _matched(group.features_regex or (), feature)
        if found:
            hints.append(feature)
            gpu.update(found)
    hosts, count = _hosts(nodes)
    return Shape(
        name=hosts or f"nodes[{index}]",
        cores=cpu.get("cores"),
        memory=cpu.get("memory"),
        devices=_devices(gpu, listed, models),
        features=frozenset(features),
        hints=frozenset(hints),
        count=count,
        available=nodes.available,
        hosts=hosts,
        threads_per_core=cpu.get("threads_per_core") or 1,
        cpus_per_socket=cpu.get("cpus_per_socket") or 1,
        mem_per_core=cpu.get("mem_per_cpu"),
    )


def _said(spec: Any) -> dict[str, Any]:
    if spec is None:
        return {}
    return {key: value for key, value in attrs.asdict(spec, recurse=False).items() if value is not None}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _matched(patterns: Iterable[str], feature: str) -> dict[str, Any]:
    """What the named groups of the regular expressions that match a whole feature say about GPUs."""
    found: dict[str, Any] = {}
    for pattern in patterns:
        match = _compiled(pattern).fullmatch(feature)
        for group, text in (match.groupdict() if match else {}).items():
            if text is None or group not in REGEX_GROUPS:
                continue
            kind, _, what = group.partition("_")
            try:
                found[what] = read_captured(group, text)
            except ValueError:
                continue  # a feature that only looks like one, such as GPUMxxG: it says nothing
            if kind != "gpu":
                found.setdefault("kind", kind)
    return found


def read_captured(group: str, text: str) -> Any:
    """What a named group of `features_regex` captured; ValueError for what is no number, or no amount of memory."""
    readers: dict[str, Callable[[str], Any]] = {"count": int, "memory": _feature_memory, "model": str}
    return readers[group.partition("_")[2]](text)


def _feature_memory(text: str) -> int:
    return parse_memory(f"{text}G" if text.isdigit() else text)


def _hosts(nodes: schema.NodesSpec | schema.OarNodes) -> tuple[str, int | None]:
    """The folded host list, and the number of nodes; None where nobody said."""
    if nodes.hosts is None:
        return "", nodes.count or None
    folded = join_hosts(nodes.hosts)
    if nodes.count is not None or "," not in folded:
        return folded, count_hosts(folded) if nodes.count is None else nodes.count
    from ClusterShell.NodeSet import NodeSet

    return folded, len(NodeSet(folded))


def _devices(
    gpu: dict[str, Any], listed: tuple[schema.AcceleratorSpec, ...] | None, models: Models
) -> tuple[Device, ...]:
    """Accelerators exist where something says that they do: a count, a memory or a model."""
    ratio = gpu.get("min_mem_ratio")
    if listed is not None:
        return _present(tuple(_device(one, models, ratio, "gpu") for one in listed))
    if not gpu.keys() & {"count", "memory", "model"}:
        return ()
    return _present((_device(schema.AcceleratorSpec(**gpu), models, ratio, "cuda"),))


def _present(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    return tuple(device for device in devices if device.count != 0)


def _device(spec: schema.AcceleratorSpec, models: Models, ratio: float | None, kind: str) -> Device:
    card = identify(spec.model, models) if spec.model else None
    memory: int | None = spec.memory
    if memory is not None:
        memory = nominal_memory(memory, spec.model)
    elif card and len(card.memory) == 1:
        memory = card.memory[0]
    sizes = card.memory if card and memory is None else ()
    share = spec.min_mem_ratio if spec.min_mem_ratio is not None else ratio
    least, because = spec.min_memory or 0, "min_memory"
    smallest = memory or min(sizes, default=0)
    if share and share * smallest > least:
        least, because = round(share * smallest), f"min_mem_ratio {share:g}"
    return Device(
        kind=spec.kind or (card.kind if card else kind),
        count=spec.count,
        memory=memory,
        model=spec.model,
        min_memory=least,
        min_memory_rule=because if least else "",
        type=spec.type,
        sizes=sizes,
    )


# -- OAR -------------------------------------------------------------------------------------------------------

LEVELS = ("host", "gpu", "core")
"""What jobs ask for where nobody says otherwise: Grid'5000's levels."""


def oar_group(
    spec: schema.OarGroup, name: str, facts: schema.OarGroup | str | None = None, models: Models | None = None
) -> Group:
    """An OAR cluster as a group, its queues as partitions; `facts` as for `slurm_group`."""
    unreachable = facts if isinstance(facts, str) else None
    if isinstance(facts, schema.OarGroup):
        from launchers.config.layer import overlay

        spec = overlay(facts, spec)
    elif facts is None and spec.query_oar:
        unreachable = "query_oar: its cluster was not asked"
    levels = spec.resources or LEVELS
    queues = {"default": schema.OarQueue()} if spec.queues is None else spec.queues
    shapes = tuple(_oar_shape(one, index, models or {}) for index, one in enumerate(spec.nodes or (schema.OarNodes(),)))
    return Group(
        name=name,
        scheduler="oar",
        rules=OAR_RULES,
        partitions=tuple(_queue(key, one, shapes, "core" not in levels) for key, one in queues.items()),
        weight=spec.weight or 0,
        tags=frozenset(spec.tags or ()),
        choose=spec.choose or "tightest",
        gres="gres",
        levels=levels,
        project=spec.project,
        unreachable=unreachable,
    )


def _queue(name: str, spec: schema.OarQueue, shapes: tuple[Shape, ...], whole: bool) -> Partition:
    required = tuple(sorted(_properties(spec.properties)))
    limits = schema.LimitsSpec(**attrs.asdict(spec.limits or schema.OarLimits()))
    return Partition(
        name=name,
        shapes=tuple(shape for shape in shapes if set(required) <= shape.features or not shape.features),
        priority=spec.priority or 0,
        limits=tuple(limits_of(limits, Source(SourceKind.QUEUE, name)).values()),
        defaults=Defaults(duration=spec.default_time),
        exclusive=whole or "deploy" in (spec.types or ()),
        closed_reason="disabled in launchers.yaml" if spec.disabled else None,
        types=spec.types or (),
        node_properties=required,
    )


def _oar_shape(nodes: schema.OarNodes, index: int, models: Models) -> Shape:
    hosts, count = _hosts(nodes)
    cpu = nodes.cpu or schema.CpuSpec()
    features = _properties(nodes.properties)
    return Shape(
        name=hosts or f"nodes[{index}]",
        cores=cpu.cores,
        memory=cpu.memory,
        devices=_devices({}, nodes.accelerators, models),
        features=features,
        hints=frozenset(one for one in features if one.startswith(("gpu_model=", "gpu_mem="))),
        count=count,
        available=nodes.available,
        hosts=hosts,
    )


def _properties(said: Mapping[Any, Any] | None) -> frozenset[str]:
    """``name=value`` for each."""
    return frozenset(f"{key}={value}" for key, value in (said or {}).items())
