"""Build launcher groups from a launchers.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import attrs

from launchers.config import schema
from launchers.config.access import accesses, limits_of
from launchers.config.features import Captured, SlowRegexError, read_features
from launchers.config.nodes import Models, architecture, local_shape, oar_shape, property_features, slurm_shape
from launchers.files.problems import ConfigError, Problem
from launchers.offer.model import Access, Defaults, Group, Partition, Shape, Source, SourceKind
from launchers.offer.rules import OAR_RULES, SLURM_RULES

SIMPLER = "use no repeat inside of a repeat"
"""What to do about a regular expression that takes too long."""
LEVELS = ("host", "gpu", "core")
"""The levels of OAR's resources where the file names none: those of Grid'5000."""
SlurmFacts = Mapping[int, schema.SlurmGroup | str]
"""The facts of each `slurm:` entry by its number, or why they could not be read."""
OarFacts = Mapping[int, schema.OarGroup | str]
"""The same for `oar:`."""
Spec = TypeVar("Spec", schema.LocalGroup, schema.SlurmGroup, schema.OarGroup)


def build(document: schema.Document, slurm: SlurmFacts | None = None, oar: OarFacts | None = None) -> tuple[Group, ...]:
    """The groups of a launchers.yaml, ready to be matched, in the order of the file. Disabled groups are left out.

    `slurm` and `oar` have the facts of the entries with `facts:`, `query_slurm:` or `query_oar:`.
    """
    models = {name: (gpu.kind, (gpu.memory,) if gpu.memory else ()) for name, gpu in (document.gpus or {}).items()}
    slurm, oar = slurm or {}, oar or {}
    return (
        *(local_group(spec, name, models) for _, name, spec in _enabled("local", document.local)),
        *(slurm_group(spec, name, slurm.get(at), models) for at, name, spec in _enabled("slurm", document.slurm)),
        *(oar_group(spec, name, oar.get(at), models) for at, name, spec in _enabled("oar", document.oar)),
    )


def _enabled(key: str, specs: tuple[Spec, ...] | None) -> Iterator[tuple[int, str, Spec]]:
    """The number, the name and the entry of each group under `key` that is not disabled."""
    for index, spec in enumerate(specs or ()):
        if not spec.disabled:
            yield index, spec.id or f"{key}[{index}]", spec


def local_group(spec: schema.LocalGroup, name: str, models: Models) -> Group:
    """One machine as a group with one unnamed partition of one node."""
    return Group(
        name=name,
        scheduler="local",
        partitions=(Partition("", (local_shape(spec, name, models),)),),
        weight=spec.weight or 0,
        tags=frozenset(spec.tags or ()),
        choose=spec.choose or "tightest",
        tokens=tuple((spec.tokens or {}).items()),
    )


def slurm_group(
    spec: schema.SlurmGroup, name: str, facts: schema.SlurmGroup | str | None = None, models: Models | None = None
) -> Group:
    """A Slurm cluster as a group. `facts` is what the entry is laid over, or why that cannot be read.

    Raises ConfigError for a regular expression that takes too long.
    """
    unreachable = facts if isinstance(facts, str) else None
    if isinstance(facts, schema.SlurmGroup):
        from launchers.config.layer import overlay_group

        spec = overlay_group(facts, spec)
    elif facts is None and spec.query_slurm:
        unreachable = "query_slurm: the cluster was not read"
    memory_constraint = spec.use_memory_constraint
    if memory_constraint is None:
        memory_constraint = spec.use_memory_contraint  # as older files spell it
    try:
        captured = read_features(spec.features_regex or (), features_of(spec))
    except SlowRegexError as error:
        path = f"{name}.features_regex[{error.index}]"
        raise ConfigError([Problem("launchers.yaml", 1, 1, "LC105", path, str(error), SIMPLER)]) from None
    return Group(
        name=name,
        scheduler="slurm",
        rules=SLURM_RULES,
        partitions=tuple(
            _partition(spec, key, partition, models or {}, captured)
            for key, partition in (spec.partitions or {}).items()
        ),
        weight=spec.weight or 0,
        tags=frozenset(spec.tags or ()),
        choose=spec.choose or "tightest",
        gres=spec.gres or "gpus_per_node",
        memory_constraint=memory_constraint is not False,
        sbatch=tuple((spec.sbatch or {}).items()),
        unreachable=unreachable,
        login_arch=architecture(spec.login_arch),
        live=bool(spec.live),
    )


def features_of(group: schema.SlurmGroup) -> set[str]:
    """The features of all nodes of a group."""
    blocks = (nodes for spec in (group.partitions or {}).values() for nodes in spec.nodes or ())
    return {feature for nodes in blocks for feature in nodes.features or ()}


def _partition(
    group: schema.SlurmGroup, name: str, spec: schema.PartitionSpec, models: Models, captured: Captured
) -> Partition:
    blocks = (schema.NodesSpec(),) if spec.nodes is None else spec.nodes
    limits = limits_of(spec.limits, Source(SourceKind.PARTITION, name))
    for key, limit in limits_of(group.limits, Source(SourceKind.GROUP)).items():
        limits.setdefault(key, limit)
    usable = accesses(group, name, spec, tuple(limits.values()))
    return Partition(
        name=name,
        shapes=tuple(slurm_shape(group, spec, nodes, index, models, captured) for index, nodes in enumerate(blocks)),
        accesses=usable or (Access(),),
        priority=spec.priority or 0,
        defaults=Defaults(
            mem_per_cpu=spec.def_mem_per_cpu,
            mem_per_node=spec.def_mem_per_node,
            mem_per_gpu=spec.def_mem_per_gpu,
            cpus_per_gpu=spec.def_cpu_per_gpu,
            duration=spec.default_time,
        ),
        exclusive=bool(spec.exclusive),
        closed_reason=_closed_reason(spec, usable),
    )


def _closed_reason(spec: schema.PartitionSpec, usable: tuple[Access, ...]) -> str | None:
    if spec.disabled:
        return "disabled in launchers.yaml"
    if spec.state not in (None, "UP"):
        return f"partition state is {spec.state}"
    return None if usable else "none of your accounts and QoS may use it"


# -- OAR -------------------------------------------------------------------------------------------------------


def oar_group(
    spec: schema.OarGroup, name: str, facts: schema.OarGroup | str | None = None, models: Models | None = None
) -> Group:
    """An OAR cluster as a group, with its queues as partitions. `facts` is as in `slurm_group`."""
    unreachable = facts if isinstance(facts, str) else None
    if isinstance(facts, schema.OarGroup):
        from launchers.config.layer import overlay

        spec = overlay(facts, spec)
    elif facts is None and spec.query_oar:
        unreachable = "query_oar: the cluster was not read"
    levels = spec.resources or LEVELS
    queues = {"default": schema.OarQueue()} if spec.queues is None else spec.queues
    blocks = spec.nodes or (schema.OarNodes(),)
    shapes = tuple(oar_shape(nodes, index, models or {}) for index, nodes in enumerate(blocks))
    return Group(
        name=name,
        scheduler="oar",
        rules=OAR_RULES,
        partitions=tuple(_queue(key, queue, shapes, levels) for key, queue in queues.items()),
        weight=spec.weight or 0,
        tags=frozenset(spec.tags or ()),
        choose=spec.choose or "tightest",
        gres="gres",
        levels=levels,
        project=spec.project,
        unreachable=unreachable,
        login_arch=architecture(spec.login_arch),
    )


def _queue(name: str, spec: schema.OarQueue, shapes: tuple[Shape, ...], levels: tuple[str, ...]) -> Partition:
    required = tuple(sorted(property_features(spec.properties)))
    limits = schema.LimitsSpec(**attrs.asdict(spec.limits or schema.OarLimits()))
    return Partition(
        name=name,
        shapes=tuple(shape for shape in shapes if set(required) <= shape.features or not shape.features),
        priority=spec.priority or 0,
        limits=tuple(limits_of(limits, Source(SourceKind.QUEUE, name)).values()),
        defaults=Defaults(duration=spec.default_time),
        exclusive="core" not in levels or "deploy" in (spec.types or ()),
        closed_reason="disabled in launchers.yaml" if spec.disabled else None,
        types=spec.types or (),
        node_properties=required,
    )
