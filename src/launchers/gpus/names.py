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

    `text` is its letters and digits, with a dash only between digits of different words, which no model's name spans.
    `profile` is that of a MIG slice: compute slices and GiB. `variant` is LAPTOP, MIG or "".
    """

    text: str
    words: tuple[str, ...]
    profile: tuple[int, int] | None = None
    variant: str = ""

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
    return Name(_join(words), tuple(words), profile, " ".join(sorted(variants)))


def _join(words: Collection[str]) -> str:
    """The words without separators, but for a dash between digits: ``a100 80gb`` is not A10080GB."""
    text = ""
    for word in words:
        text += f"-{word}" if text and text[-1].isdigit() and word[0].isdigit() else word
    return text


def spans(text: str, known: Collection[str]) -> Iterator[tuple[int, int]]:
    """Where a known key stands in a text: start and end."""
    longest = max(map(len, known), default=0)
    for start in range(len(text)):
        for end in range(start + 1, min(len(text), start + longest) + 1):
            if text[start:end] in known:
                yield start, end


def can_end(text: str, end: int) -> bool:
    """Whether a model may end there: in a number only after three digits, so that GPUM24G is no M2 with 4g."""
    glued = text[end - 1].isdigit() and text[end : end + 1].isdigit()
    return not glued or text[max(0, end - 3) : end].isdigit()


@lru_cache(maxsize=4096)
def explain(text: str, words: frozenset[str]) -> frozenset[Sizes]:
    """The ways in which a text consists of sizes, counts and these words; none where it does not."""
    if not text:
        return frozenset({Sizes()})
    if text[0] == "-":
        return explain(text[1:], words)
    ways: set[Sizes] = set()
    for end in range(1, min(len(text), 18) + 1):
        head = text[:end]
        whole_number = end == len(text) or not text[end].isdigit()
        for sizes in _sizes_of(head, words, whole_number=whole_number):
            ways |= {
                Sizes(sizes.stated | rest.stated, sizes.numbers | rest.numbers) for rest in explain(text[end:], words)
            }
        if len(ways) > _MOST_WAYS:
            break
    return frozenset(ways)


def _sizes_of(part: str, words: frozenset[str], *, whole_number: bool) -> Iterator[Sizes]:
    """What one part around a model may mean."""
    if part in words or _COUNT.fullmatch(part):
        yield Sizes()
    if (size := _SIZE.fullmatch(part)) is not None:
        yield Sizes(stated=frozenset({int(size[1]) if size[1] else round(int(size[2]) / 1024)}))
    if whole_number and _NUMBER.fullmatch(part):
        yield Sizes(numbers=frozenset({int(part)}))
