"""Lay a hand-written entry over the facts of its cluster: the hand-written keys win."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from launchers.config.schema import AcceleratorSpec, GpuSpec, NodeConfiguration, NodesSpec, PartitionSpec, SlurmGroup
from launchers.files.kinds import Count, Hosts
from launchers.gpus.catalogue import same_model
from launchers.quantities.hosts import host_set, join_hosts


def overlay_group(facts: SlurmGroup, own: SlurmGroup) -> SlurmGroup:
    """The entry `own`, with every key that it does not have taken from `facts`.

    Partitions are combined by name and node blocks by host, so a line about three nodes changes those three only. A
    block without hosts is about all nodes that have its features.
    """
    merged: SlurmGroup = overlay(facts, own)
    both = {name: spec for name, spec in (facts.partitions or {}).items() if name in (own.partitions or {})}
    partitions = dict(merged.partitions or {})
    for name, spec in both.items():
        written = (own.partitions or {})[name]
        partitions[name] = attrs.evolve(partitions[name], nodes=_nodes(spec, written))
    return attrs.evolve(merged, partitions=partitions or None, facts=None, query_slurm=None)


def overlay(below: Any, above: Any) -> Any:
    """`above` over `below`: attrs objects field by field, mappings key by key; else `above`, unless it is None."""
    if above is None:
        return below
    if isinstance(below, dict) and isinstance(above, dict):
        return {key: overlay(below.get(key), above.get(key)) for key in (*below, *(k for k in above if k not in below))}
    if attrs.has(type(above)) and type(below) is type(above):
        names = [field.name for field in attrs.fields(type(above))]
        return type(above)(**{name: overlay(getattr(below, name), getattr(above, name)) for name in names})
    return above


def _nodes(facts: PartitionSpec, own: PartitionSpec) -> tuple[NodesSpec, ...] | None:
    if own.nodes is None or facts.nodes is None:
        return own.nodes if own.nodes is not None else facts.nodes
    blocks: list[NodesSpec] = list(facts.nodes)
    extra: list[NodesSpec] = []
    for written in own.nodes:
        if written.hosts is None:
            blocks = [_onto(block, written) if _is_about(written, block) else block for block in blocks]
        else:
            blocks, unknown = _split(blocks, written)
            extra += unknown
    return (*blocks, *extra)


def _is_about(written: NodesSpec, block: NodesSpec) -> bool:
    """Whether a block without hosts is about the nodes of `block`: they have all its features."""
    return set(written.features or ()) <= set(block.features or ())


def _onto(block: NodesSpec, written: NodesSpec) -> NodesSpec:
    """What is written about the nodes of `block`, laid over their facts. Their hosts, count and features stay."""
    short = _short_form(written)
    result: NodesSpec = overlay(block, attrs.evolve(short, hosts=None, count=None, features=None))
    if short.gpu is None or short.accelerators is not None:
        return result
    return attrs.evolve(result, accelerators=_with_gpu(block.accelerators or (), short.gpu))


def _short_form(written: NodesSpec) -> NodesSpec:
    """A block with its `configuration` in the short form: facts have that form, and it wins over `configuration`."""
    if written.configuration is None:
        return written
    both: NodeConfiguration = overlay(
        written.configuration, NodeConfiguration(cpu=written.cpu, gpu=written.gpu, accelerators=written.accelerators)
    )
    return attrs.evolve(written, configuration=None, cpu=both.cpu, gpu=both.gpu, accelerators=both.accelerators)


def _with_gpu(listed: Sequence[AcceleratorSpec], gpu: GpuSpec) -> tuple[AcceleratorSpec, ...] | None:
    """The accelerators of the facts, changed as `gpu` says; None where `gpu` replaces them all.

    It does so where the facts have several classes and `gpu` has a count, a memory or a model. With another model the
    memory in the facts is dropped: the catalogue knows that of the new model.
    """
    changes = {key: value for key, value in attrs.asdict(gpu).items() if value is not None}
    if not listed or (len(listed) > 1 and changes.keys() & {"count", "memory", "model"}):
        return None
    return tuple(
        attrs.evolve(spec, **({"memory": None} if _is_other_model(spec, gpu) else {}) | changes) for spec in listed
    )


def _is_other_model(spec: AcceleratorSpec, gpu: GpuSpec) -> bool:
    return bool(gpu.model and spec.model and not same_model(gpu.model, spec.model))


def _split(blocks: Sequence[NodesSpec], written: NodesSpec) -> tuple[list[NodesSpec], list[NodesSpec]]:
    """The blocks, with the hosts of `written` in blocks of their own, and a block of the hosts that are in no block."""
    hosts = host_set(join_hosts(written.hosts))
    result: list[NodesSpec] = []
    for block in blocks:
        have = host_set(join_hosts(block.hosts))
        inside, outside = have & hosts, have - hosts
        if not inside:
            result.append(block)
            continue
        if outside:
            result.append(_sized(block, outside))
        result.append(_onto(_sized(block, inside), written))
        hosts -= inside
    return result, [_sized(written, hosts)] if hosts else []


def _sized(block: NodesSpec, hosts: Any) -> NodesSpec:
    available = None if block.available is None else Count(min(block.available, len(hosts)))
    tres = block.tres if block.count == len(hosts) else None
    return attrs.evolve(block, hosts=Hosts(str(hosts)), count=Count(len(hosts)), available=available, tres=tres)
