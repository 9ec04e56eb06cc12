"""GPU models: the kind and memory that a name stands for.

The data is gpus.toml. A model that was sold in several sizes has all of them, and a name without a known model has
none: the catalogue does not guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from attrs import frozen

from launchers.quantities.units import GIB

SHORTFALL = 0.085
"""Cards report up to this share less than their nominal size, for ECC and firmware: a 48G A40 reports 46068 MiB."""

_NOISE = {
    *("nvidia", "amd", "ati", "apple", "instinct", "radeon", "pro", "graphics", "gpu", "card", "corporation"),
    *("sxm", "sxm2", "sxm3", "sxm4", "sxm5", "sxm6", "pcie", "pcie2", "hbm2", "hbm2e", "hbm3", "hbm3e", "oam", "fhhl"),
    *("dgxs", "dgx", "hgx", "laptop", "mobile", "desktop", "mig", "me", "all", "inc", "superchip"),
}
_SOFT = {"tesla", "geforce", "quadro", "rtx", "gtx"}
"""Words that belong to some names and not to others, so a name is looked up with and without them."""
_MIG = re.compile(r"(?:^|[^0-9a-z])(?:mig[-_ ])?([1-7])g\.([0-9]{1,3})gb(?:\+me(?:\.all)?|\+gfx)?", re.ASCII)
_MEMORY_WORD = re.compile(r"([0-9]{1,3})(?:g|gb|gib)", re.ASCII)


@frozen
class Card:
    """What a name stands for: kind, canonical model, nominal sizes (bytes), and the source of this for notes."""

    kind: str
    model: str
    memory: tuple[int, ...]
    evidence: str


@cache
def _data() -> dict[str, Any]:
    import tomllib
    from importlib.resources import files

    return tomllib.loads(files("launchers.gpus").joinpath("gpus.toml").read_text(encoding="utf-8"))


@cache
def nominal_sizes() -> tuple[int, ...]:
    """The sizes in which cards are sold (bytes)."""
    return tuple(size * GIB for size in _data()["memory"]["nominal"])


@cache
def _known_models() -> dict[str, tuple[str, str, tuple[int, ...]]]:
    """Kind, canonical model and sizes (GiB) by key: a name or an alias in lower case, letters and digits only."""
    data = _data()
    known = {
        model.lower(): (kind, model, tuple(sizes))
        for kind in ("cuda", "rocm", "mps")
        for model, sizes in data[kind].items()
    }
    for alias, (model, *sizes) in data["aliases"].items():
        kind, _, usual = known[model.lower()]
        known[alias.lower()] = (kind, model, tuple(sizes) or usual)
    return known


def identify(name: str, extra: Mapping[str, tuple[str, Sequence[int]]] | None = None) -> Card | None:
    """The card that a GRES type, a feature or a driver's name stands for; None for an unknown name.

    `extra` has a site's own models, which go before the catalogue: name -> (kind, sizes in bytes).
    """
    for own, (kind, sizes) in (extra or {}).items():
        if own.lower() == name.strip().lower():
            return Card(kind, own, tuple(sizes), f"gpus: {own}")
    return _identify(name)


@lru_cache(maxsize=4096)
def _identify(name: str) -> Card | None:
    low = name.strip().lower()
    if not low or len(low) > 128:
        return None
    mig_slice = _MIG.search(low)
    if mig_slice:
        whole = _identify(low[: mig_slice.start()] + " " + low[mig_slice.end() :])
        return _slice_card(whole, cores=mig_slice[1], memory=int(mig_slice[2]))
    words = [word for word in re.split(r"[^a-z0-9]+", low) if word]
    stated = [int(found[1]) for word in words if (found := _MEMORY_WORD.fullmatch(word))]
    rest = [word for word in words if not _MEMORY_WORD.fullmatch(word)]
    entry = _lookup(rest)
    if entry is None:
        return None
    kind, model, sizes = entry
    if len(stated) == 1 and (not sizes or stated[0] in sizes):
        sizes = (stated[0],)
    return Card(kind, model, tuple(size * GIB for size in sizes), f"GPU catalogue: {name.strip()}")


def _slice_card(whole: Card | None, cores: str, memory: int) -> Card:
    """The card of a MIG slice with so much memory (GiB); `whole` is None where its card is not known."""
    profile = f"{cores}g.{memory}gb"
    model = f"{whole.model} MIG {profile}" if whole else f"MIG {profile}"
    return Card("cuda", model, (memory * GIB,), f"MIG profile {profile}")


def _lookup(words: list[str]) -> tuple[str, str, tuple[int, ...]] | None:
    """The entry of a name: its words as they are, then without words that are noise, then without soft words."""
    known = _known_models()
    bare = [word for word in words if word not in _NOISE]
    with_pro = [word for word in words if word not in _NOISE or word == "pro"]
    plain = [word for word in bare if word not in _SOFT]
    unvendored = [word for word in bare if word not in ("tesla", "geforce", "quadro")]
    for attempt in (words, with_pro, unvendored, bare, plain):
        key = "".join(attempt)
        for spelled in (key, key.removesuffix("maxq"), re.sub("^(nvidia|tesla|amd|radeon)+", "", key)):
            if spelled in known:
                return known[spelled]
    return None


def same_model(wanted: str, offered: str) -> bool:
    """Whether a device of model `offered` is what `model=wanted` asks for.

    Case, separators and vendor words do not matter, and aliases count: A100-SXM4-80GB is an A100. A V100S is not a
    V100, and a MIG slice is not the whole card. A wanted name with a size asks for that size.
    """
    want, have = _identify(wanted), _identify(offered)
    if want and have:
        return want.model == have.model and (
            not want.memory or not have.memory or bool(set(have.memory) & set(want.memory))
        )
    return _letters(wanted) == _letters(offered)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def nominal_memory(measured: int, model: str | None = None) -> int:
    """The nominal size of a device (bytes) from the bytes that it reports: an A100 with 40536 MiB has 40G.

    This is the smallest size that is not below the reported one and at most `SHORTFALL` above it: of the sizes of the
    model if it is known, else of all sizes in which cards are sold. Other whole GiB stay as they are.
    """
    card = _identify(model) if model else None
    if card and card.memory:
        near = [size for size in card.memory if size * (1 - SHORTFALL) <= measured <= size]
        return min(near, default=measured)
    if measured % GIB == 0:
        return measured
    return min((size for size in nominal_sizes() if size * (1 - SHORTFALL) <= measured <= size), default=measured)
