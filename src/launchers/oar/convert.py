"""Facts of an OAR cluster to an entry of launchers.yaml, with notes on where each inferred fact came from."""

from __future__ import annotations

from attrs import evolve

from launchers.config import schema
from launchers.config.emit import Converted, Notes
from launchers.files import kinds
from launchers.gpus.catalogue import identify, nominal_memory
from launchers.oar.facts import OarFacts, OarNode

DEFAULT_WALLTIME = 2 * 3600
"""What OAR's own admission rule gives a job that asks for none ("Set default walltime to 7200")."""


def convert(facts: OarFacts, *, hosts: bool = True, id: str | None = None) -> Converted[schema.OarGroup]:
    """Everything that facts say, as an entry; `hosts=False` leaves host names out.

    ``oarnodes`` tells of no queues: there are the two that every OAR has.
    """
    notes: Notes = {
        ("queues",): "not told by oarnodes: add yours, with their limits",
        ("queues", "default", "default_time"): "OAR's own rule; a site may have another",
    }
    alike: dict[OarNode, list[OarNode]] = {}
    for node in facts.nodes:
        key = evolve(node, name="", states=frozenset(), available_until=0)
        alike.setdefault(key, []).append(node)
    blocks = tuple(_block(group, hosts) for group in alike.values())
    for index, group in enumerate(alike.values()):
        down = [one for one in group if not one.alive]
        if down:
            states = sorted({state for one in down for state in one.states})
            notes["nodes", index, "available"] = ", ".join(states)
        _note_gpu(group[0], notes, index)
    time = kinds.Duration(DEFAULT_WALLTIME)
    entry = schema.OarGroup(
        id=kinds.Line(id or "oar"),
        tags=(kinds.Line("oar"),),
        resources=tuple(kinds.Property(level) for level in facts.levels) or None,
        queues={
            kinds.Name("default"): schema.OarQueue(default_time=time),
            kinds.Name("besteffort"): schema.OarQueue(priority=-1, types=("besteffort",), default_time=time),
        },
        nodes=blocks or None,
    )
    return Converted(entry, notes)


def _block(group: list[OarNode], hosts: bool) -> schema.OarNodes:
    from ClusterShell.NodeSet import NodeSet

    node = group[0]
    alive = sum(one.alive for one in group)
    cpu = schema.CpuSpec(
        cores=None if node.cores is None else kinds.Count(node.cores),
        memory=None if node.memory is None else kinds.Memory(node.memory),
    )
    return schema.OarNodes(
        hosts=kinds.Name(str(NodeSet.fromlist([one.name for one in group]))) if hosts else None,
        count=kinds.Count(len(group)),
        available=kinds.Count(alive) if alive < len(group) else None,
        cpu=None if cpu == schema.CpuSpec() else cpu,
        accelerators=(_accelerator(node),) if node.gpus else None,
        properties={kinds.Property(key): kinds.Value(value) for key, value in node.properties} or None,
    )


def _accelerator(node: OarNode) -> schema.AcceleratorSpec:
    card = identify(node.gpu_model) if node.gpu_model else None
    memory = None if node.gpu_memory is None else nominal_memory(node.gpu_memory, node.gpu_model)
    if memory is None and card and len(card.memory) == 1:
        memory = card.memory[0]
    return schema.AcceleratorSpec(
        kind=card.kind if card else None,  # type: ignore[arg-type]
        model=None if node.gpu_model is None else kinds.Line(node.gpu_model),
        memory=None if memory is None else kinds.Memory(memory),
        count=kinds.Count(node.gpus),
    )


def _note_gpu(node: OarNode, notes: Notes, index: int) -> None:
    if node.gpus:
        said = [name for name, one in (("gpu_model", node.gpu_model), ("gpu_mem", node.gpu_memory)) if one]
        notes["nodes", index, "accelerators", 0] = ", ".join([*said, "gpu_count"])
