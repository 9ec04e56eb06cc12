"""The accelerators of a node, from its GRES and features: kind, model, memory, and what each was read from.

Slurm never knows the memory of a GPU (docs/slurm-facts.md#gpus). A site states it with a feature, a GRES of its own,
the name of a MIG slice, the model's name, or not at all. The evidence is kept, so that people can judge it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from attrs import frozen

from launchers.gpus.catalogue import Card, identify, nominal_memory
from launchers.quantities.units import GIB, format_memory
from launchers.slurm.facts import SlurmNode
from launchers.slurm.gres import Gres, read_tres

SHARING_GRES = ("shard", "mps")
"""GRES that let jobs share a GPU. They are not devices of their own."""
_FAMILIES = {
    *("TESLA", "GEFORCE", "QUADRO", "TITAN", "AMPERE", "HOPPER", "PASCAL", "KEPLER"),
    *("VOLTA", "TURING", "BLACKWELL", "MAXWELL"),
}
"""Names that tell the kind of a GPU, but not its model."""
_GPU_MEMORY = re.compile(
    r"(?:gpu|gmem|vram|gpumem|gpu_mem|gpuram|gpu_ram|gpum)[-_]?(\d{1,3})(?:g|gb|gib)", re.I | re.ASCII
)
"""Features that can only mean the memory of a GPU: ``GPUM48G``."""
_ANY_MEMORY = re.compile(r"(\d{1,3})(?:g|gb|gib)", re.I | re.ASCII)
"""Features that may mean it: ``48gb``."""


@frozen
class Accelerators:
    """Equal accelerators of a node. `memory` is nominal, in bytes; `evidence` says what it was read from."""

    kind: str | None
    model: str | None
    memory: int | None
    count: int
    type: str | None
    evidence: str


def accelerators_of(node: SlurmNode) -> tuple[Accelerators, ...]:
    """The accelerators of a node, in the order of its GRES."""
    gpus = [gres for gres in node.gres if gres.name.lower() == "gpu" and gres.count > 0]
    if not node.gres:
        gpus = list(_gpus_of_cfg_tres(node))
    return tuple(_describe(gres, node, alone=len(gpus) == 1) for gres in gpus)


def _gpus_of_cfg_tres(node: SlurmNode) -> Iterator[Gres]:
    """The GPUs of a node whose Gres is empty while its CfgTRES has some, as ``gres/gpu=8``."""
    try:
        tres = dict(read_tres(node.pairs.get("CfgTRES", "")))
    except ValueError:
        return
    typed = {name.removeprefix("gres/gpu:"): count for name, count in tres.items() if name.startswith("gres/gpu:")}
    for type, count in typed.items():
        yield Gres("gpu", type, count)
    if not typed and tres.get("gres/gpu"):
        yield Gres("gpu", None, tres["gres/gpu"])


def _describe(gres: Gres, node: SlurmNode, *, alone: bool) -> Accelerators:
    """The accelerators of one GRES; `alone` where the node has no others, so that its features are about these."""
    card = identify(gres.type) if gres.type else None
    if alone and (card is None or (not card.memory and not _is_slice(card))):
        card = _card_of_features(node) or card
    memory, evidence = _memory(card, node, alone=alone)
    model = card.model if card and card.model not in _FAMILIES else None
    return Accelerators(card.kind if card else None, model, memory, gres.count, gres.type, evidence)


def _is_slice(card: Card) -> bool:
    return "MIG" in card.model


def _card_of_features(node: SlurmNode) -> Card | None:
    """The model that the features name; None where they name none, or several."""
    cards: dict[str, Card] = {}
    for feature in node.features:
        card = identify(feature) if len(feature) > 2 and not feature.isdigit() else None
        if card is not None and card.kind != "mps" and card.model not in _FAMILIES:
            known = cards.get(card.model)
            if known is None or len(card.memory) < len(known.memory):
                cards[card.model] = card
    return next(iter(cards.values())) if len(cards) == 1 else None


# -- memory ----------------------------------------------------------------------------------------------------

Evidence = tuple[int, str]
"""The memory of one device in bytes, and what states it."""


def _memory(card: Card | None, node: SlurmNode, *, alone: bool) -> tuple[int | None, str]:
    """The memory of one device and its evidence: the most direct statement counts."""
    sources: tuple[Callable[[Card | None, SlurmNode, bool], Evidence | None], ...] = (
        _memory_of_gres, _memory_of_slice, _memory_of_gpu_feature, _memory_of_model, _memory_of_feature,
    )  # fmt: skip
    for source in sources:
        if (evidence := source(card, node, alone)) is not None:
            return evidence
    if card is not None and card.memory:
        sizes = " or ".join(format_memory(size) for size in card.memory)
        return None, f"memory unknown: {card.model} is sold with {sizes}, and nothing says which"
    return None, "memory unknown: no feature, GRES or model states it; `launchers probe` can ask the driver"


def _memory_of_gres(card: Card | None, node: SlurmNode, alone: bool) -> Evidence | None:
    """VramPerGpu, a GRES that some sites define."""
    vram = next((gres for gres in node.gres if gres.name.lower() == "vrampergpu" and gres.count > 1), None)
    if vram is None or not alone:
        return None
    return nominal_memory(vram.count), f"GRES VramPerGpu of {format_memory(vram.count)}"


def _memory_of_slice(card: Card | None, node: SlurmNode, alone: bool) -> Evidence | None:
    return (card.memory[0], card.evidence) if card is not None and _is_slice(card) else None


def _memory_of_gpu_feature(card: Card | None, node: SlurmNode, alone: bool) -> Evidence | None:
    """A feature such as GPUM48G: about the only GPUs of the node, or about those that are sold with that memory."""
    sizes = _sizes(_GPU_MEMORY, node)
    if len(set(sizes.values())) != 1:
        return None
    feature, size = next(iter(sizes.items()))
    belongs = alone or (card is not None and size in card.memory)
    return (size, f"feature {feature}") if belongs else None


def _memory_of_model(card: Card | None, node: SlurmNode, alone: bool) -> Evidence | None:
    return (card.memory[0], card.evidence) if card is not None and len(card.memory) == 1 else None


def _memory_of_feature(card: Card | None, node: SlurmNode, alone: bool) -> Evidence | None:
    """A feature such as 48gb, where the model is sold with that memory or nothing is known of the model."""
    sizes = _sizes(_ANY_MEMORY, node)
    if card is not None and card.memory:
        sizes = {feature: size for feature, size in sizes.items() if size in card.memory}
    if not alone or len(set(sizes.values())) != 1:
        return None
    feature, size = next(iter(sizes.items()))
    return size, f"feature {feature}"


def _sizes(pattern: re.Pattern[str], node: SlurmNode) -> dict[str, int]:
    """The sizes in bytes that the features matching a pattern name."""
    matches = ((feature, pattern.fullmatch(feature)) for feature in node.features)
    return {feature: int(match[1]) * GIB for feature, match in matches if match}
