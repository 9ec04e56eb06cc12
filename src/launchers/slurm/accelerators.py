"""Which accelerators a node has, from its GRES and features: kind, model, memory, and what each was read from.

GPU memory is never a Slurm fact (facts/slurm.md): sites say it with a feature, a GRES of its own, a MIG name, the
model's name, or not at all.  The evidence is kept, so that a person can judge it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

from launchers.gpus.catalogue import Card, identify, nominal_memory
from launchers.requirement import format_memory
from launchers.slurm.facts import Node
from launchers.slurm.gres import Gres

GIB = 1024**3
SHARED = ("shard", "mps")
"""GRES that share a GPU with others: not devices of one's own."""

_STATED = re.compile(r"(?:gpu|gmem|vram|gpumem|gpu_mem|gpuram|gpu_ram|gpum)[-_]?(\d{1,3})(?:g|gb|gib)", re.I | re.ASCII)
_BARE = re.compile(r"(\d{1,3})(?:g|gb|gib)", re.I | re.ASCII)


@frozen
class Accelerators:
    """Equal accelerators of a node; `memory` is nominal, in bytes.  `evidence` says where it was read."""

    kind: str | None
    model: str | None
    memory: int | None
    count: int
    type: str | None
    evidence: str


def accelerators_of(node: Node) -> tuple[Accelerators, ...]:
    """The accelerators of a node, class by class, in the order of its GRES."""
    gpus = [one for one in node.gres if one.name.lower() == "gpu" and one.count > 0]
    if not gpus and not node.gres:
        gpus = list(_from_tres(node))
    return tuple(_class(one, gpus, node) for one in gpus)


def _from_tres(node: Node) -> Iterator[Gres]:
    """GPUs that only CfgTRES tells of (Gres=(null) while gres/gpu=8)."""
    from launchers.slurm.gres import read_tres

    try:
        tres = dict(read_tres(node.pairs.get("CfgTRES", "")))
    except ValueError:
        return
    typed = {name.removeprefix("gres/gpu:"): number for name, number in tres.items() if name.startswith("gres/gpu:")}
    for kind, number in typed.items():
        yield Gres("gpu", kind, number)
    if not typed and tres.get("gres/gpu"):
        yield Gres("gpu", None, tres["gres/gpu"])


def _class(gres: Gres, gpus: list[Gres], node: Node) -> Accelerators:
    card = identify(gres.type) if gres.type else None
    if card is None or (not card.memory and "MIG" not in card.model):
        card = _from_features(node, len(gpus)) or card
    memory, evidence = _memory(gres, card, node, alone=len(gpus) == 1)
    model = card.model if card and card.model not in _VAGUE else None
    return Accelerators(card.kind if card else None, model, memory, gres.count, gres.type, evidence)


_VAGUE = {
    *("TESLA", "GEFORCE", "QUADRO", "TITAN", "AMPERE", "HOPPER", "PASCAL", "KEPLER"),
    *("VOLTA", "TURING", "BLACKWELL", "MAXWELL"),
}
"""Names of families: they tell the kind, and no model."""


def _from_features(node: Node, classes: int) -> Card | None:
    """The one model that the features name, where the GRES itself names none."""
    if classes != 1:
        return None
    cards: dict[str, Card] = {}
    for feature in node.features:
        card = identify(feature) if len(feature) > 2 and not feature.isdigit() else None
        if card is not None and card.kind != "mps" and card.model not in _VAGUE:
            known = cards.get(card.model)
            if known is None or len(card.memory) < len(known.memory):
                cards[card.model] = card
    return next(iter(cards.values())) if len(cards) == 1 else None


def _memory(gres: Gres, card: Card | None, node: Node, *, alone: bool) -> tuple[int | None, str]:
    """Memory of one device, and what says so: the most direct statement first."""
    vram = next((one for one in node.gres if one.name.lower() == "vrampergpu" and one.count > 1), None)
    if vram is not None and alone:
        return nominal_memory(vram.count), f"GRES VramPerGpu of {format_memory(vram.count)}"
    if card is not None and "MIG" in card.model:
        return card.memory[0], card.evidence
    stated = [(name, int(found[1]) * GIB) for name in node.features if (found := _STATED.fullmatch(name))]
    if len({size for _, size in stated}) == 1 and (alone or (card and stated[0][1] in card.memory)):
        return stated[0][1], f"feature {stated[0][0]}"
    if card is not None and len(card.memory) == 1:
        return card.memory[0], card.evidence
    bare = [(name, int(found[1]) * GIB) for name in node.features if (found := _BARE.fullmatch(name))]
    named = [(name, size) for name, size in bare if card is None or not card.memory or size in card.memory]
    if alone and len({size for _, size in named}) == 1:
        return named[0][1], f"feature {named[0][0]}"
    if card is not None and card.memory:
        sizes = " or ".join(format_memory(size) for size in card.memory)
        return None, f"memory not known: {card.model} has {sizes}, and nothing says which"
    return None, "memory not known: no feature, GRES or model tells it; `launchers probe` can find out"
