"""The accelerators of a node, from its GRES and features: kind, model, memory, and what each was read from.

Slurm never knows the memory of a GPU (docs/slurm-facts.md#gpus). A site states it with a feature, a GRES of its own,
the name of a MIG slice, the model's name, or not at all. The evidence is kept, so that people can judge it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from attrs import frozen

from launchers.gpus.catalogue import Card, identify, kind_of, nominal_memory
from launchers.quantities.units import GIB, MIB, format_memory
from launchers.slurm.facts import SlurmNode
from launchers.slurm.gres import Gres, read_tres

SHARING_GRES = ("shard", "mps")
"""GRES that let jobs share a GPU. They are not devices of their own."""
_MEMORY_GRES = {"vrampergpu", "vram", "vrammb", "gpumem", "gpumemory", "gpuram", "gpuvram", "gmem"}
"""GRES that state the memory of a GPU, by their letters in lower case."""
_SUBJECT = r"(?:gpu[-_.: ]?(?:mem(?:ory)?|v?ram|m)?|gmem|vram)(?:[-_.: ]?per[-_.: ]?gpu)?"
_AMOUNT = r"([1-9]\d{0,5})(g|gb|gib|m|mb|mib)?"
_GPU_MEMORY = re.compile(rf"{_SUBJECT}[-_.:= ]?{_AMOUNT}|{_AMOUNT}[-_.: ]?{_SUBJECT}", re.I | re.ASCII)
"""Features that can only mean the memory of a GPU: ``GPUM48G``, ``GPU_MEM:40GB``, ``vram_24gb``, ``gpumem-80``."""
_ANY_MEMORY = re.compile(r"(\d{1,3})(?:g|gb|gib)", re.I | re.ASCII)
"""Features that may mean it: ``48gb``."""
_LEAST_MIB = 1024
"""A bare number below this counts GiB and one from this on MiB: no GPU of a cluster has less than 1G or over 1T."""

_MOST = 1 << 40
"""Bytes: what states more memory than this for one GPU states something else."""


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
    tres = _cfg_tres(node)
    typed = {name.removeprefix("gres/gpu:"): count for name, count in tres.items() if name.startswith("gres/gpu:")}
    for type, count in typed.items():
        yield Gres("gpu", type, count)
    if not typed and tres.get("gres/gpu"):
        yield Gres("gpu", None, tres["gres/gpu"])


def _cfg_tres(node: SlurmNode) -> dict[str, int]:
    """What CfgTRES counts; nothing where it cannot be read."""
    try:
        return dict(read_tres(node.pairs.get("CfgTRES", "")))
    except ValueError:
        return {}


def gpus_in_rollup(node: SlurmNode) -> int | None:
    """All GPUs of a node that CfgTRES counts, as ``gres/gpu=8``; None where it counts none."""
    return _cfg_tres(node).get("gres/gpu")


def _describe(gres: Gres, node: SlurmNode, *, alone: bool) -> Accelerators:
    """The accelerators of one GRES; `alone` where the node has no others, so that its features are about these."""
    card = _card_of_type(gres.type)
    if alone and (card is None or (len(card.memory) != 1 and card.unsold is None)):
        card = _card_of_features(node, card) or card
    memory, evidence = _memory(card, node, gres.count, alone=alone)
    model = card.model if card and not card.is_family else None
    kind = card.kind if card else kind_of(gres.type or "")
    return Accelerators(kind, model, memory, gres.count, gres.type, evidence)


def _card_of_type(type: str | None) -> Card | None:
    """The card of a GRES type; no cluster of Slurm has Apple's, and ``m2`` is a name of the site's own."""
    card = identify(type) if type else None
    return None if card is not None and card.kind == "mps" else card


def _is_slice(card: Card) -> bool:
    return "MIG" in card.model


def _card_of_features(node: SlurmNode, of_type: Card | None) -> Card | None:
    """The model that the features name; None where they name none, several, or one that the GRES type cannot be."""
    cards: dict[str, Card] = {}
    for feature in node.features:
        card = identify(feature) if len(feature) > 2 and not feature.isdigit() else None
        if card is not None and card.kind != "mps" and not card.is_family and _agrees(card, of_type):
            known = cards.get(card.model)
            if known is None or len(card.memory) < len(known.memory):
                cards[card.model] = card
    return next(iter(cards.values())) if len(cards) == 1 else None


def _agrees(card: Card, of_type: Card | None) -> bool:
    """Whether a card may be what the GRES type names, as far as that names a model, a series or a family."""
    if of_type is None:
        return True
    return card.kind == of_type.kind and (not of_type.models or bool(set(card.models) & set(of_type.models)))


# -- memory ----------------------------------------------------------------------------------------------------

Evidence = tuple[int, str]
"""The memory of one device in bytes, and what states it."""


def _memory(card: Card | None, node: SlurmNode, count: int, *, alone: bool) -> tuple[int | None, str]:
    """The memory of one of `count` devices and its evidence: the most direct statement counts."""
    if alone and (evidence := _memory_of_gres(card, node, count)) is not None:
        return evidence
    sources: tuple[Callable[[Card | None, SlurmNode, bool], Evidence | None], ...] = (
        _memory_of_slice, _memory_of_gpu_feature, _memory_of_model, _memory_of_feature,
    )  # fmt: skip
    for source in sources:
        if (evidence := source(card, node, alone)) is not None:
            return evidence
    return None, _why_unknown(card)


def _why_unknown(card: Card | None) -> str:
    if card is not None and card.unsold is not None:
        return f"memory unknown: {card.model} is not sold with {format_memory(card.unsold)}, which its name says"
    if card is not None and card.memory:
        sizes = " or ".join(format_memory(size) for size in card.memory)
        sold = "may be any of " + ", ".join(card.models) + ", " if len(card.models) > 1 else "is sold "
        return f"memory unknown: {card.model} {sold}with {sizes}, and nothing says which"
    return "memory unknown: no feature, GRES or model states it; `launchers probe` can ask the driver"


def _memory_of_gres(card: Card | None, node: SlurmNode, count: int) -> Evidence | None:
    """A GRES that some sites define: VramPerGpu, or gpu_mem, which may count for all GPUs of the node together."""
    gres = next((gres for gres in node.gres if _letters(gres.name) in _MEMORY_GRES and gres.count > 1), None)
    if gres is None:
        return None
    stated = _bytes(gres.count)
    size = nominal_memory(stated, card.model if card else None)
    if card is not None and card.memory and size not in card.memory and count > 1:
        share = nominal_memory(stated // count, card.model)
        size = share if share in card.memory else size
    return None if size > _MOST else (size, f"GRES {gres.name} of {format_memory(stated)}")


def _bytes(number: int) -> int:
    """The bytes of a count: GiB or MiB where the number has no unit, which `read_gres` has multiplied out."""
    if number < _LEAST_MIB:
        return number * GIB
    return number * MIB if number < _LEAST_MIB * _LEAST_MIB else number


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _memory_of_slice(card: Card | None, node: SlurmNode, alone: bool) -> Evidence | None:
    return (card.memory[0], card.evidence) if card is not None and _is_slice(card) and card.memory else None


def _memory_of_gpu_feature(card: Card | None, node: SlurmNode, alone: bool) -> Evidence | None:
    """A feature such as GPUM48G: about the only GPUs of the node, or about those that are sold with that memory."""
    sizes = {feature: size for feature in node.features if (size := _gpu_memory(feature, card)) is not None}
    if len(set(sizes.values())) != 1:
        return None
    feature, size = next(iter(sizes.items()))
    belongs = alone or (card is not None and size in card.memory)
    return (size, f"feature {feature}") if belongs else None


def _memory_of_model(card: Card | None, node: SlurmNode, alone: bool) -> Evidence | None:
    return (card.memory[0], card.evidence) if card is not None and len(card.memory) == 1 else None


def _memory_of_feature(card: Card | None, node: SlurmNode, alone: bool) -> Evidence | None:
    """A feature such as 48gb, where the model is sold with that memory or nothing is known of the model."""
    matches = ((feature, _ANY_MEMORY.fullmatch(feature)) for feature in node.features)
    sizes = {feature: int(match[1]) * GIB for feature, match in matches if match}
    if card is not None and card.memory:
        sizes = {feature: size for feature, size in sizes.items() if size in card.memory}
    if not alone or len(set(sizes.values())) != 1 or (card is not None and card.unsold is not None):
        return None
    feature, size = next(iter(sizes.items()))
    return size, f"feature {feature}"


def _gpu_memory(feature: str, card: Card | None) -> int | None:
    """The memory in bytes that a feature names which can only mean that of a GPU."""
    match = _GPU_MEMORY.fullmatch(feature)
    if match is None:
        return None
    number, unit = int(match[1] or match[3]), (match[2] or match[4] or "").lower()
    if not unit and not re.search("mem|ram", feature, re.I):
        return None  # GPU2 is two GPUs, and gpu-m40 a model
    size = number * GIB if unit.startswith("g") else number * MIB if unit else _bytes(number)
    return None if size > _MOST else nominal_memory(size, card.model if card else None)
