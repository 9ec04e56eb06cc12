"""The facts of an OAR cluster as an entry of launchers.yaml, with notes on where each inferred fact comes from."""

from __future__ import annotations

from attrs import evolve

from launchers.config import schema
from launchers.config.acceptable import converted
from launchers.config.emit import Converted, Notes
from launchers.files import kinds
from launchers.gpus.catalogue import identify, kind_of, nominal_memory
from launchers.oar.facts import OarFacts, OarNode
from launchers.quantities.hosts import fold_hosts

DEFAULT_WALLTIME = 2 * 3600
"""Seconds that a job gets that asks for no walltime, by Debian's admission rule (docs/oar-facts.md#requests)."""


def convert(facts: OarFacts, *, hosts: bool = True, id: str | None = None) -> Converted[schema.OarGroup]:
    """Convert the facts of a cluster; `hosts=False` leaves the names of hosts out.

    ``oarnodes`` does not list the queues, so the entry has the two of every OAR (docs/oar-facts.md#resources).
    """
    groups = _equal_nodes(facts)
    time = kinds.Duration(DEFAULT_WALLTIME)
    entry = schema.OarGroup(
        id=kinds.Line(id or "oar"),
        tags=(kinds.Line("oar"),),
        resources=tuple(kinds.Property(level) for level in facts.levels) or None,
        queues={
            kinds.Name("default"): schema.OarQueue(default_time=time),
            kinds.Name("besteffort"): schema.OarQueue(priority=-1, types=("besteffort",), default_time=time),
        },
        nodes=tuple(_nodes_spec(group, hosts) for group in groups) or None,
    )
    return converted(entry, _notes(groups))


def _equal_nodes(facts: OarFacts) -> list[list[OarNode]]:
    """The nodes in groups that differ only in name and state."""
    groups: dict[OarNode, list[OarNode]] = {}
    for node in facts.nodes:
        groups.setdefault(evolve(node, name="", states=frozenset(), available_until=0), []).append(node)
    return list(groups.values())


def _notes(groups: list[list[OarNode]]) -> Notes:
    notes: Notes = {
        ("queues",): "oarnodes does not list the queues: add yours, with their limits",
        ("queues", "default", "default_time"): "OAR's own rule; your site may have another",
    }
    for index, group in enumerate(groups):
        if states := {state for node in group if not node.alive for state in node.states}:
            notes["nodes", index, "available"] = ", ".join(sorted(states))
        if group[0].gpus:
            notes["nodes", index, "accelerators", 0] = ", ".join(_gpu_properties(group[0]))
    return notes


def _gpu_properties(node: OarNode) -> list[str]:
    """The properties that the accelerators were read from."""
    stated = [("gpu_model", node.gpu_model), ("gpu_mem", node.gpu_memory)]
    return [*(name for name, value in stated if value), "gpu_count"]


def _nodes_spec(group: list[OarNode], hosts: bool) -> schema.OarNodes:
    node = group[0]
    alive = sum(node.alive for node in group)
    cpu = schema.CpuSpec(
        cores=None if node.cores is None else kinds.Count(node.cores),
        memory=None if node.memory is None else kinds.Memory(node.memory),
    )
    return schema.OarNodes(
        hosts=kinds.Name(fold_hosts(node.name for node in group)) if hosts else None,
        count=kinds.Count(len(group)),
        available=kinds.Count(alive) if alive < len(group) else None,
        arch=None if node.arch is None else kinds.Name(node.arch),
        cpu=None if cpu == schema.CpuSpec() else cpu,
        accelerators=(_accelerator_spec(node),) if node.gpus else None,
        properties={kinds.Property(key): kinds.Value(value) for key, value in node.properties} or None,
    )


def _accelerator_spec(node: OarNode) -> schema.AcceleratorSpec:
    card = identify(node.gpu_model) if node.gpu_model else None
    memory = None if node.gpu_memory is None else nominal_memory(node.gpu_memory, node.gpu_model)
    if memory is None and card and len(card.memory) == 1:
        memory = card.memory[0]
    return schema.AcceleratorSpec(
        kind=kind_of(node.gpu_model or ""),  # type: ignore[arg-type]
        model=None if node.gpu_model is None else kinds.Line(node.gpu_model),
        memory=None if memory is None else kinds.Memory(memory),
        count=kinds.Count(node.gpus),
    )
