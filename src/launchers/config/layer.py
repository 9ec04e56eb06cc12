"""Lay a hand-written entry over the facts of its cluster: what a person wrote wins, key by key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from launchers.config.schema import AcceleratorSpec, GpuSpec, NodeConfiguration, NodesSpec, PartitionSpec, SlurmGroup
from launchers.files.kinds import Count, Hosts
from launchers.gpus.catalogue import same_model
from launchers.quantities.hosts import join_hosts


def overlay_group(facts: SlurmGroup, own: SlurmGroup) -> SlurmGroup:
    """The entry `own` with everything it does not say taken from `facts`.

    Partitions are combined by name and node blocks by host (a block without hosts speaks of all nodes that have its
    features), so that one line about three nodes is enough.
    """
    merged: SlurmGroup = overlay(facts, own)
    both = {name: spec for name, spec in (facts.partitions or {}).items() if name in (own.partitions or {})}
    partitions = dict(merged.partitions or {})
    for name, spec in both.items():
        written = (own.partitions or {})[name]
        partitions[name] = attrs.evolve(partitions[name], nodes=_nodes(spec, written))
    return attrs.evolve(merged, partitions=partitions or None, facts=None, query_slurm=None)


def overlay(below: Any, above: Any) -> Any:
    """attrs objects field by field, mappings key by key; otherwise the upper one, if it says anything."""
    if above is None:
        return below
    if isinstance(below, dict) and isinstance(above, dict):
        return {key: overlay(below.get(key), above.get(key)) for key in (*below, *(k for k in above if k not in below))}
    if attrs.has(type(above)) and type(below) is type(above):
        names = [one.name for one in attrs.fields(type(above))]
        return type(above)(**{name: overlay(getattr(below, name), getattr(above, name)) for name in names})
    return above


def _nodes(facts: PartitionSpec, own: PartitionSpec) -> tuple[NodesSpec, ...] | None:
    if own.nodes is None or facts.nodes is None:
        return own.nodes if own.nodes is not None else facts.nodes
    blocks: list[NodesSpec] = list(facts.nodes)
    extra: list[NodesSpec] = []
    for written in own.nodes:
        if written.hosts is None:
            blocks = [_onto(block, written) if _has(block, written) else block for block in blocks]
        else:
            blocks, unknown = _split(blocks, written)
            extra += unknown
    return (*blocks, *extra)


def _has(block: NodesSpec, written: NodesSpec) -> bool:
    return set(written.features or ()) <= set(block.features or ())


def _onto(block: NodesSpec, written: NodesSpec) -> NodesSpec:
    """What is written about some nodes, over their facts; who they are and what Slurm calls them stays."""
    short = _short(written)
    result: NodesSpec = overlay(block, attrs.evolve(short, hosts=None, count=None, features=None))
    if short.gpu is None or short.accelerators is not None:
        return result
    return attrs.evolve(result, accelerators=_told(block.accelerators or (), short.gpu))


def _short(written: NodesSpec) -> NodesSpec:
    """The same in the short form, which is what facts are written in: their words would win over a `configuration`."""
    if written.configuration is None:
        return written
    both: NodeConfiguration = overlay(
        written.configuration, NodeConfiguration(cpu=written.cpu, gpu=written.gpu, accelerators=written.accelerators)
    )
    return attrs.evolve(written, configuration=None, cpu=both.cpu, gpu=both.gpu, accelerators=both.accelerators)


def _told(listed: Sequence[AcceleratorSpec], gpu: GpuSpec) -> tuple[AcceleratorSpec, ...] | None:
    """The accelerators of the facts with what `gpu` says, which keeps the rest; None where `gpu` is all there is.

    That is so where the facts have several classes and `gpu` says which one there is.  Another model takes the memory
    with it: the catalogue knows that of the new one.
    """
    said = {key: value for key, value in attrs.asdict(gpu).items() if value is not None}
    if not listed or (len(listed) > 1 and said.keys() & {"count", "memory", "model"}):
        return None
    other = [bool(gpu.model and one.model and not same_model(gpu.model, one.model)) for one in listed]
    return tuple(
        attrs.evolve(one, **({"memory": None, **said} if changed else said))
        for one, changed in zip(listed, other, strict=True)
    )


def _split(blocks: Sequence[NodesSpec], written: NodesSpec) -> tuple[list[NodesSpec], list[NodesSpec]]:
    """Cut the hosts written about out of the blocks that have them; hosts that no block has make one of their own."""
    from ClusterShell.NodeSet import NodeSet

    hosts = NodeSet(join_hosts(written.hosts))
    result: list[NodesSpec] = []
    for block in blocks:
        have = NodeSet(join_hosts(block.hosts))
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
    return attrs.evolve(block, hosts=Hosts(str(hosts)), count=Count(len(hosts)), available=available)
