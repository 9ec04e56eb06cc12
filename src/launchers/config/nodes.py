"""Node blocks of a launchers.yaml as shapes with their devices.

Layers describe a node; the last wins, key by key: group configuration < partition < node block < `features:` table <
`features_regex` groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from launchers.config import schema
from launchers.config.features import Captured
from launchers.gpus.catalogue import Card, identify, kind_of, nominal_memory
from launchers.offer.model import Device, Shape
from launchers.quantities.architectures import normalize_architecture
from launchers.quantities.hosts import count_hosts, host_set, join_hosts
from launchers.quantities.units import parse_memory

Models = Mapping[Any, tuple[str, tuple[int, ...]]]
"""The `gpus:` of a file: kind and sizes (bytes) by model."""
REGEX_GROUPS = tuple(f"{kind}_{what}" for kind in ("cuda", "rocm", "mps", "gpu") for what in ("count", "memory"))
REGEX_GROUPS += ("gpu_model",)
"""The groups of `features_regex` that are read."""


def slurm_shape(
    group: schema.SlurmGroup,
    partition: schema.PartitionSpec,
    nodes: schema.NodesSpec,
    index: int,
    models: Models,
    captured: Captured,
) -> Shape:
    """The nodes of block number `index` of a Slurm partition; `captured` is what is read from their features."""
    cpu: dict[str, Any] = {}
    gpu: dict[str, Any] = {}
    listed: tuple[schema.AcceleratorSpec, ...] | None = None
    for layer in _layers(group, partition, nodes):
        cpu.update(_set_fields(layer.cpu))
        gpu.update(_set_fields(layer.gpu))
        if layer.accelerators is not None:
            listed = layer.accelerators
    features = nodes.features or ()
    hints = [feature for feature in features if feature in (group.features or {})]
    for feature in features:
        fields = _fields(captured.get(feature, ()))
        if fields:
            hints.append(feature)
            gpu.update(fields)
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
        total_cores=(nodes.tres or {}).get("cpu"),
        arch=architecture(nodes.arch),
    )


def oar_shape(nodes: schema.OarNodes, index: int, models: Models) -> Shape:
    """The nodes of block number `index` of an OAR cluster; their properties are the features."""
    hosts, count = _hosts(nodes)
    cpu = nodes.cpu or schema.CpuSpec()
    features = property_features(nodes.properties)
    return Shape(
        name=hosts or f"nodes[{index}]",
        cores=cpu.cores,
        memory=cpu.memory,
        devices=_devices({}, nodes.accelerators, models),
        features=features,
        hints=frozenset(feature for feature in features if feature.startswith(("gpu_model=", "gpu_mem="))),
        count=count,
        available=nodes.available,
        hosts=hosts,
        arch=architecture(nodes.arch),
    )


def local_shape(spec: schema.LocalGroup, name: str, models: Models) -> Shape:
    """A machine that is described by hand, as one node."""
    gpus = spec.gpu if isinstance(spec.gpu, tuple) else (spec.gpu,) if spec.gpu else ()
    listed = [schema.AcceleratorSpec(**attrs.asdict(gpu, recurse=False)) for gpu in gpus]
    devices = tuple(_device(accelerator, models, None, "cuda") for accelerator in (*listed, *(spec.accelerators or ())))
    cpu = spec.cpu or schema.CpuSpec()
    return Shape(
        name,
        cores=cpu.cores,
        memory=cpu.memory,
        devices=_present(devices),
        count=1,
        available=1,
        arch=architecture(spec.arch),
    )


def architecture(name: str | None) -> str | None:
    """The architecture that a file names, in the spelling of ``uname -m``."""
    return normalize_architecture(name) if name else None


def property_features(properties: Mapping[Any, Any] | None) -> frozenset[str]:
    """OAR's properties as features: ``name=value`` for each."""
    return frozenset(f"{name}={value}" for name, value in (properties or {}).items())


def read_captured(group: str, text: str) -> Any:
    """The value of the text that a named group of `features_regex` captured.

    Raises ValueError for text that is not a number, or not an amount of memory.
    """
    readers: dict[str, Callable[[str], Any]] = {"count": int, "memory": _feature_memory, "model": str}
    return readers[group.partition("_")[2]](text)


# -- layers ----------------------------------------------------------------------------------------------------


def _layers(
    group: schema.SlurmGroup, partition: schema.PartitionSpec, nodes: schema.NodesSpec
) -> Iterator[schema.NodeConfiguration]:
    """What describes a node block, the weakest first; features_regex comes on top of these."""
    short_form = schema.NodeConfiguration(cpu=nodes.cpu, gpu=nodes.gpu, accelerators=nodes.accelerators)
    for layer in (group.configuration, partition.configuration, nodes.configuration, short_form):
        if layer is not None:
            yield layer
    table = group.features or {}
    yield from (table[feature] for feature in nodes.features or () if feature in table)


def _set_fields(spec: Any) -> dict[str, Any]:
    """The fields of an attrs object that are set."""
    if spec is None:
        return {}
    return {name: value for name, value in attrs.asdict(spec, recurse=False).items() if value is not None}


def _fields(captures: Iterable[Mapping[str, str | None]]) -> dict[str, Any]:
    """What the regular expressions that match a feature say about GPUs: fields of GpuSpec."""
    fields: dict[str, Any] = {}
    for groups in captures:
        for group, text in groups.items():
            if text is None or group not in REGEX_GROUPS:
                continue
            kind, _, field = group.partition("_")
            try:
                fields[field] = read_captured(group, text)
            except ValueError:
                continue  # a feature that only looks like others, such as GPUMxxG, says nothing
            if kind != "gpu":
                fields.setdefault("kind", kind)
    return fields


def _feature_memory(text: str) -> int:
    return parse_memory(f"{text}G" if text.isdigit() else text)


def _hosts(nodes: schema.NodesSpec | schema.OarNodes) -> tuple[str, int | None]:
    """The folded host list and the number of nodes; None where it is not known."""
    folded = join_hosts(nodes.hosts)
    if not folded:
        return "", nodes.count or None
    if nodes.count is not None:
        return folded, nodes.count
    if "," not in folded:
        return folded, count_hosts(folded)
    return folded, len(host_set(folded))  # a host may be in the list twice


# -- devices ---------------------------------------------------------------------------------------------------


def _devices(
    gpu: dict[str, Any], listed: tuple[schema.AcceleratorSpec, ...] | None, models: Models
) -> tuple[Device, ...]:
    """The devices of a node: those that are listed, else those of `gpu` if it has a count, a memory or a model."""
    ratio = gpu.get("min_mem_ratio")
    if listed is not None:
        return _present(tuple(_device(accelerator, models, ratio, "gpu") for accelerator in listed))
    if not gpu.keys() & {"count", "memory", "model"}:
        return ()
    return _present((_device(schema.AcceleratorSpec(**gpu), models, ratio, "cuda"),))


def _present(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    return tuple(device for device in devices if device.count != 0)


def _device(spec: schema.AcceleratorSpec, models: Models, ratio: float | None, default_kind: str) -> Device:
    """One class of devices; `ratio` is the min_mem_ratio of the layers, which the class itself overrides."""
    card = _card(spec, models)
    memory: int | None = spec.memory
    if memory is not None:
        memory = nominal_memory(memory, spec.model)
    elif card and len(card.memory) == 1:
        memory = card.memory[0]
    sizes = card.memory if card and memory is None else ()
    min_memory, rule = _min_memory(spec, memory or min(sizes, default=0), ratio)
    return Device(
        kind=spec.kind or (card.kind if card else kind_of(spec.model or spec.type or "") or default_kind),
        count=spec.count,
        memory=memory,
        model=spec.model,
        min_memory=min_memory,
        min_memory_rule=rule,
        type=spec.type,
        sizes=sizes,
    )


def _card(spec: schema.AcceleratorSpec, models: Models) -> Card | None:
    """What the model and the GRES type say: the type may state a size that the model leaves open, or contradict it."""
    by_model = identify(spec.model, models) if spec.model else None
    by_type = identify(spec.type, models) if spec.type else None
    if by_type is None or by_type.kind == "mps":  # a site's own name: no cluster has Apple's
        return by_model
    if spec.model and (by_model is None or by_model.model != by_type.model):
        return by_model
    return by_type


def _min_memory(spec: schema.AcceleratorSpec, size: int, ratio: float | None) -> tuple[int, str]:
    """The least memory (bytes) that a job must ask for on a device of this size, and the rule that says so."""
    least, rule = spec.min_memory or 0, "min_memory"
    share = spec.min_mem_ratio if spec.min_mem_ratio is not None else ratio
    if share and share * size > least:
        least, rule = round(share * size), f"min_mem_ratio {share:g}"
    return least, rule if least else ""
