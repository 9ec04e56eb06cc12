"""Take a name of an accelerator apart: the model in it, the sizes that it states, and the words that change nothing.

Sites and drivers write one model in many ways: ``NVIDIA A100-SXM4-80GB``, ``nvidia_a100_80g``, ``a10080gb``,
``2xA100``. A name counts as read only when all of it is explained, so that ``a1000`` and ``a100_lite`` are no A100.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

from attrs import frozen

LONGEST = 80
"""Letters of the longest name that is read."""
_MIG = re.compile(r"(?:mig[-_ .]?|(?<![0-9a-z]))([1-7])g[-_. ]?([0-9]{1,3})gb(?:\+me(?:\.all)?|\+gfx|-me)?", re.ASCII)
_SIZE = re.compile(r"([1-9][0-9]{0,2})(?:g|gb|gib)|([1-9][0-9]{3,5})(?:m|mb|mib)", re.ASCII)
_COUNT = re.compile(r"[1-9][0-9]?x|x[1-9][0-9]?", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_VARIANTS = {"laptop": "LAPTOP", "mobile": "LAPTOP", "notebook": "LAPTOP", "mig": "MIG"}
"""Words that make another device of a card: less memory than the card has, and nobody says how much."""
_MOST_WAYS = 64
"""Ways to take the rest of a name apart that are looked at: no real name has more than three."""


@frozen
class Name:
    """A name without its MIG profile and variant, in lower case.

    `text` is its words with a dash between them. `profile` is that of a MIG slice: compute slices and GiB. `variant` is
    LAPTOP, MIG or "".
    """

    text: str
    profile: tuple[int, int] | None = None
    variant: str = ""

    @property
    def words(self) -> list[str]:
        """Its words: letters and digits without a separator."""
        return self.text.split("-") if self.text else []

    @property
    def has_size_of_its_own(self) -> bool:
        """Whether a size is a word of the name."""
        return any(map(_SIZE.fullmatch, self.words))


@frozen
class Sizes:
    """What the words around a model say: sizes with a unit (GiB), and numbers that may be sizes."""

    stated: frozenset[int] = frozenset()
    numbers: frozenset[int] = frozenset()


def read_name(name: str) -> Name:
    """The parts of a name, which may be a GRES with its count and sockets."""
    low = re.sub(r"(?::[0-9]+)?(?:\(s:[^)]*\))?$", "", name.strip().lower()[: LONGEST + 1])
    profile = None
    if (slice := _MIG.search(low)) is not None:
        profile = int(slice[1]), int(slice[2])
        low = f"{low[: slice.start()]} {low[slice.end() :]}"
    words = [word for word in re.split(r"[^a-z0-9]+", low) if word]
    variants = {_VARIANTS[word] for word in words if word in _VARIANTS} if profile is None else set()
    words = [word for word in words if word not in _VARIANTS]
    return Name("-".join(words), profile, " ".join(sorted(variants)))


def spans(text: str, known: Collection[str]) -> Iterator[tuple[int, int, str]]:
    """Where a known key stands in the text of a name: start, end, and the key, which has no dashes.

    A key may go over several words (``rtx-3090-ti``). But two numbers are never one (``a100-80gb``), and a word of one
    letter is no part of its neighbour (``g-v100``, ``v100-s``), unless it begins a number (``a-100``) or ends a name
    (``titan-x``).
    """
    longest = max(map(len, known), default=0)
    for start, first in enumerate(text):
        key = ""
        for end in range(start, len(text) if first != "-" else start):
            if text[end] != "-":
                key += text[end]
            elif (text[end - 1].isdigit() and text[end + 1].isdigit()) or _is_letter(text, end - 1, text[end + 1]):
                break
            if len(key) > longest:
                break
            if text[end] != "-" and key in known and _can_end(text, end + 1):
                yield start, end + 1, key


def _is_letter(text: str, at: int, following: str) -> bool:
    """Whether the word that ends there is one letter, with a letter behind the dash."""
    return text[at].isalpha() and following.isalpha() and (at == 0 or text[at - 1] == "-")


def _can_end(text: str, end: int) -> bool:
    """Whether a model may end there.

    It may end in a number of three digits, with more behind it, so that GPUM24G is no M2 with 4g. A letter of its own
    behind a number is no part of a model: ``v100-s``.
    """
    if text[end - 1].isdigit() and text[end : end + 1].isdigit():
        return text[max(0, end - 3) : end].isdigit()
    return not re.search(r"[0-9]-[a-z]$", text[:end])


@lru_cache(maxsize=4096)
def explain(text: str, words: frozenset[str]) -> frozenset[Sizes]:
    """The ways in which a text, with a dash at its end, consists of sizes, counts and these words; none: it does not.

    Without the dash, more letters follow in the same word.
    """
    if not text:
        return frozenset({Sizes()})
    if text[0] == "-":
        return explain(text[1:], words)
    ways: set[Sizes] = set()
    for end in range(1, min(len(text), 18) + 1):
        for sizes in _sizes_of(text[:end], words, alone=text[end : end + 1] == "-"):
            ways |= {
                Sizes(sizes.stated | rest.stated, sizes.numbers | rest.numbers) for rest in explain(text[end:], words)
            }
        if len(ways) > _MOST_WAYS:
            break
    return frozenset(ways)


def _sizes_of(part: str, words: frozenset[str], *, alone: bool) -> Iterator[Sizes]:
    """What one part around a model may mean; a number is a size only where nothing is glued to it."""
    if part.replace("-", "") in words or _COUNT.fullmatch(part):
        yield Sizes()
    if (size := _SIZE.fullmatch(part)) is not None:
        yield Sizes(stated=frozenset({int(size[1]) if size[1] else round(int(size[2]) / 1024)}))
    if alone and _NUMBER.fullmatch(part):
        yield Sizes(numbers=frozenset({int(part)}))
