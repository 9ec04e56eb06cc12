"""Accelerator models: the kind and memory that a name stands for.

The data is gpus.toml. A model that was sold in several sizes has all of them, and a name without a known model has
none: the catalogue does not guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from attrs import evolve, frozen

from launchers.gpus.names import LONGEST, Name, Sizes, explain, read_name, spans
from launchers.quantities.units import GIB

SHORTFALL = 0.085
"""Cards report up to this share less than their nominal size, for ECC and firmware: a 48G A40 reports 46068 MiB."""
ASKABLE = ("cuda", "rocm", "mps")
"""The kinds that a requirement can ask for; the others serve only a job that takes any GPU."""
_KINDS = ("cuda", "rocm", "mps", "xpu", "hpu", "tpu")
_SAME_ARCHITECTURE = {"lovelace": "ada", "adalovelace": "ada"}


@frozen
class Card:
    """What a name stands for: kind, canonical model, nominal sizes (bytes), and the source of this for notes.

    `models` are the models that it may be: several for a short name such as MI300. The name of a family (an
    architecture or a product line) is no model's. `unsold` is a size in the name (bytes) with which the model is not
    sold: then no size is known.
    """

    kind: str
    model: str
    memory: tuple[int, ...]
    evidence: str
    models: tuple[str, ...] = ()
    is_family: bool = False
    unsold: int | None = None


@frozen
class _Entry:
    """A name in the catalogue: what it stands for, with sizes in GiB."""

    kind: str
    architecture: str
    model: str
    sizes: tuple[int, ...]
    models: tuple[str, ...]
    is_family: bool = False


# -- the data --------------------------------------------------------------------------------------------------


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
def _known_names() -> dict[str, _Entry]:
    """The entry by key: a name, an alias, a series or a family in lower case, letters and digits only."""
    data = _data()
    models = {
        model.lower(): _Entry(kind, architecture, model, tuple(sizes), (model,))
        for kind in _KINDS
        for architecture, section in data[kind].items()
        for model, sizes in section.items()
    }
    known = dict(models)
    for alias, (model, *sizes) in data["aliases"].items():
        entry = models[model.lower()]
        known[alias.lower()] = evolve(entry, sizes=tuple(sizes) or entry.sizes)
    for name, members in data["series"].items():
        first = models[members[0].lower()]
        sizes = sorted({size for member in members for size in models[member.lower()].sizes})
        known[name.lower()] = evolve(first, model=name, sizes=tuple(sizes), models=tuple(members))
    known |= {spelled: entry for entry in models.values() for spelled in _editions(entry.model)}
    return known | _families(models)


def _families(models: Mapping[str, _Entry]) -> dict[str, _Entry]:
    """Architectures of NVIDIA's and product lines, by key."""
    data = _data()
    families = {
        name: _Entry(
            kind, "", name.upper(), (), tuple(m.model for m in models.values() if m.model.startswith(name)), True
        )
        for name, kind in data["families"].items()
    }
    families = {name.lower(): family for name, family in families.items()}
    for name in (*data["cuda"], *_SAME_ARCHITECTURE):
        members = tuple(m.model for m in models.values() if m.architecture == _SAME_ARCHITECTURE.get(name, name))
        families[name] = _Entry("cuda", _SAME_ARCHITECTURE.get(name, name), name.upper(), (), members, True)
    return families


def _editions(model: str) -> list[str]:
    """How sites glue together the words of an RTX PRO: ``rtxproserver6000``, ``rtx6000pro``."""
    found = re.fullmatch(r"RTXPRO([0-9]+)", model)
    words = ("server", "workstation", "blackwell", "blackwellserver", "blackwellworkstation", "maxq")
    return [f"rtx{found[1]}pro", *(f"rtxpro{word}{found[1]}" for word in words)] if found else []


@cache
def _trimmings(kind: str, architecture: str) -> frozenset[str]:
    """The words that may stand around a model of this kind and architecture and change nothing of it."""
    data = _data()
    words = {*data["trimmings"]["words"], *data["makers"][kind]} - {"mig", "titan"}
    words -= {line for line, allowed in data["lines"].items() if architecture not in allowed}
    words |= {architecture} if kind == "cuda" else set()
    words |= {name for name, same in _SAME_ARCHITECTURE.items() if same == architecture}
    return frozenset(words - {""})


# -- reading a name --------------------------------------------------------------------------------------------


def identify(name: str, extra: Mapping[str, tuple[str, Sequence[int]]] | None = None) -> Card | None:
    """The card that a GRES type, a feature or a driver's name stands for; None for an unknown name.

    `extra` has a site's own models, which go before the catalogue: name -> (kind, sizes in bytes).
    """
    for own, (kind, sizes) in (extra or {}).items():
        if own.lower() == name.strip().lower():
            return Card(kind, own, tuple(sizes), f"gpus: {own}", (own,))
    return _identify(name)


@lru_cache(maxsize=4096)
def _identify(name: str) -> Card | None:
    if not name.strip() or len(name.strip()) > LONGEST:
        return None
    parts = read_name(name)
    whole = _whole_card(parts, f"GPU catalogue: {name.strip()}")
    if parts.profile is not None:
        return _slice_card(whole, *parts.profile)
    if whole is not None and parts.variant and not whole.is_family:
        return _variant(whole, parts.variant)
    return whole


def _variant(whole: Card, variant: str) -> Card:
    model = f"{whole.model} {variant}"
    return evolve(whole, model=model, models=(model,), memory=(), unsold=None)


def _slice_card(whole: Card | None, cores: int, memory: int) -> Card:
    """The card of a MIG slice with so much memory (GiB); `whole` is None where its card is not known."""
    profile = f"{cores}g.{memory}gb"
    model = f"{whole.model} MIG {profile}" if whole else f"MIG {profile}"
    return Card("cuda", model, (memory * GIB,), f"MIG profile {profile}", (model,))


def _whole_card(name: Name, evidence: str) -> Card | None:
    """The card of a name: the longest model in it that leaves nothing unexplained, sizes that agree before others."""
    known = _known_names()
    cards: list[tuple[bool, int, Card]] = []
    for start, end, key in spans(name.text, known):
        entry = known[key]
        words = _trimmings(entry.kind, entry.architecture)
        for before in explain(name.text[:start], words):
            for after in explain(name.text[end:] + "-", words):
                sizes = Sizes(before.stated | after.stated, before.numbers | after.numbers)
                card = _sized_card(entry, sizes, evidence)
                if card is not None and (card.unsold is None or name.has_size_of_its_own):
                    cards.append((card.unsold is not None, -len(key), card))
    return min(cards, key=lambda card: card[:2])[2] if cards else None


def _sized_card(entry: _Entry, sizes: Sizes, evidence: str) -> Card | None:
    """The card of an entry with the sizes that a name states; None where a number in it is no size of the model."""
    data = _data()
    as_sold = {size: size for size in entry.sizes}
    as_sold |= {int(size): real for size, real in data["sizes_written"].get(entry.model, {}).items()}
    stated = sizes.stated - set(data["processor_memory"].get(entry.model, ()))
    if not sizes.numbers <= as_sold.keys():
        return None
    agreed = {as_sold[size] for size in stated | sizes.numbers if size in as_sold}
    unsold = min(stated - as_sold.keys(), default=None) if entry.sizes else None
    if not entry.sizes and not entry.is_family and len(stated) == 1:
        agreed = set(stated)
    memory = tuple(sorted(agreed)) if len(agreed) == 1 else () if unsold is not None else entry.sizes
    return Card(
        entry.kind,
        entry.model,
        tuple(size * GIB for size in memory),
        evidence,
        entry.models,
        entry.is_family,
        None if unsold is None or memory else unsold * GIB,
    )


def kind_of(name: str) -> str | None:
    """The kind of the accelerators with this name: that of its model, or of the maker or family that it names.

    None where it names none, or several. Apple's are named so in full: a cluster's ``m2`` is a name of its own.
    """
    card = identify(name)
    if card is not None and card.kind != "mps":
        return card.kind
    known, makers = _known_names(), _data()["makers"]
    kinds = set()
    for word in read_name(name).words:
        kinds |= {kind for kind, names in makers.items() if word in names or word.startswith(_long(names))}
        if (entry := known.get(word)) and (entry.is_family or (len(word) > 2 and not word.isdigit())):
            kinds |= {entry.kind} - {"mps"}
        if re.fullmatch(r"mi[0-9]{2,3}[a-z]{0,2}|gfx[0-9][0-9a-f]{2,3}", word, re.ASCII):
            kinds.add("rocm")
    return kinds.pop() if len(kinds) == 1 else None


def _long(names: Sequence[str]) -> tuple[str, ...]:
    """The words that are long enough to be known by when more letters follow: ``geforcertx9090``."""
    return tuple(name for name in names if len(name) > 3 or name in ("rtx", "gtx", "pvc", "tpu"))


# -- comparing -------------------------------------------------------------------------------------------------


def same_model(wanted: str, offered: str) -> bool:
    """Whether a device of model `offered` is certainly what `model=wanted` asks for; see `may_be_model`.

    Case, separators and vendor words do not matter, and aliases count: A100-SXM4-80GB is an A100. A V100S is not a
    V100, and a MIG slice is not the whole card. A wanted name with a size asks for that size. A wanted series or family
    asks for any of its models.
    """
    want, have = _identify(wanted), _identify(offered)
    if want and have:
        return (want.model == have.model or have.model in want.models) and _sizes_overlap(want, have)
    return _letters(wanted) == _letters(offered)


def may_be_model(wanted: str, offered: str) -> bool:
    """Whether `offered` is a short name of several models, of which `model=wanted` asks for one: MI300X and MI300."""
    want, have = _identify(wanted), _identify(offered)
    if not want or not have or have.is_family or want.model == have.model:
        return False
    return want.model in have.models and _sizes_overlap(want, have)


def _sizes_overlap(want: Card, have: Card) -> bool:
    return not want.memory or not have.memory or bool(set(have.memory) & set(want.memory))


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
