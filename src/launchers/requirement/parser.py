"""Text to Requirement, as grammar/requirement.lark has it; the tests hold the two together.

Written by hand, because the start of a general parser costs every `launchers find` more than all its other work does
(docs/performance.md).  In each place of a requirement few tokens can stand: the regular expression of a place has one
group for each of them, which are also what an error says was expected there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import cache
from typing import Any, NoReturn

from attrs import define

from launchers.requirement.errors import RequirementSyntaxError
from launchers.requirement.model import KINDS, MAX_COUNT, Accelerator, Alternative, Requirement
from launchers.requirement.units import parse_memory, parse_timespan

MAX_SOURCE = 1_000_000
"""Longest text that is read at all."""

_TERMS = ("duration", "nodes", "cpu", *KINDS)
_WORDS = {
    "durations": "duration=", "time": "duration=", "walltime": "duration=", "hours": "duration=", "node": "nodes=",
    "cpus": "cpu(cores=...)", "core": "cpu(cores=...)", "cores": "cpu(cores=...)", "mem": "cpu(mem=...)",
    "memory": "cpu(mem=...)", "ram": "cpu(mem=...)", "gpus": "gpu(...)", "nvidia": "cuda(...)", "amd": "rocm(...)",
    "metal": "mps(...)", "and": "&", "or": "|",
}  # fmt: skip
_ARGUMENTS = {"memory": "mem", "ram": "mem", "cpus": "cores", "core": "cores", "name": "model", "type": "model"}
_TOKENS = {
    "DURATION": (r"duration\b", "duration="),
    "NODES": (r"nodes\b", "nodes="),
    "CPU": (r"cpu\b", "cpu(...)"),
    "KIND": (rf"(?:{'|'.join(KINDS)})\b", ", ".join(f"{kind}(...)" for kind in KINDS)),
    "MEM": (r"mem\b", "mem="),
    "CORES": (r"cores\b", "cores="),
    "MODEL": (r"model\b", "model="),
    "MEMORY": (r"[+-]?[0-9.][^&|(),*=]*", "an amount of memory such as 24G"),
    "TIMESPAN": (r"[+-]?[0-9.][^&|(),*=]*", "a duration such as 4 days"),
    "INT": (r"[+-]?[0-9][\w.]*", "a whole number"),
    "NAME": (r'[A-Za-z0-9][A-Za-z0-9_.+-]*|"[^"\n]*"', "the name of a GPU model such as A100"),
    "EQUAL": (r"=", "="),
    "COMMA": (r",", ","),
    "STAR": (r"\*", "*"),
    "AMPERSAND": (r"&", "&"),
    "VBAR": (r"\|", "|"),
    "LPAR": (r"\(", "("),
    "RPAR": (r"\)", ")"),
    "END": (r"\Z", ""),
}
"""Each token: its rule, and what an error calls it."""
Span = tuple[int, int]


@cache
def _place(*names: str) -> re.Pattern[str]:
    """A place where one of these tokens stands, after any blanks."""
    rules = "|".join(f"(?P<{name}>{_TOKENS[name][0]})" for name in names)
    return re.compile(rf"[ \t\f\r\n]*(?:{rules})")


def _whole(text: str) -> int:
    if text.startswith("-"):
        raise ValueError(f"a number here is between 1 and {MAX_COUNT}, not {text[:20]}")
    if not re.fullmatch(r"[0-9]+", text, re.ASCII):
        raise ValueError(f"{text[:20]!r} is not a whole number")
    if len(text) > 12 or not 1 <= int(text) <= MAX_COUNT:
        raise ValueError(f"a number here is between 1 and {MAX_COUNT}, not {text[:20]}")
    return int(text)


def _model(text: str) -> str:
    name = text.strip('"')
    if not name.strip() or not name.isprintable():
        raise ValueError("the name of a GPU model is empty or not printable")
    return name


_VALUES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "DURATION": ("TIMESPAN", parse_timespan),
    "NODES": ("INT", _whole),
    "MEM": ("MEMORY", parse_memory),
    "CORES": ("INT", _whole),
    "MODEL": ("NAME", _model),
}
"""The token behind each name's equals sign, and what reads it."""


def _one(**fields: Any) -> Requirement:
    return Requirement((Alternative(**fields),))


def _with(some: Requirement | None, more: Requirement) -> Requirement:
    return more if some is None else some & more


def _or(some: Requirement | None, more: Requirement) -> Requirement:
    return more if some is None else some | more


@define
class _Reader:
    """A text, how far it is read, and where its last token is."""

    text: str
    position: int = 0
    span: Span = (0, 0)

    def token(self, *names: str) -> str:
        """Which of these tokens stands here; it is behind us then."""
        place = _place(*names)
        found = place.match(self.text, self.position)
        if found is None or found.lastgroup is None:
            raise _unexpected(self.text, self.position, place.groupindex)
        self.span = found.span(found.lastgroup)
        self.position = found.end()
        return found.lastgroup

    def value(self, name: str) -> Any:
        """What stands behind a name and its equals sign."""
        token, reader = _VALUES[name]
        self.token("EQUAL")
        self.token(token)
        return self.meant(reader, self.span)

    def meant(self, reader: Callable[[str], Any], span: Span) -> Any:
        """What the text of a token means."""
        try:
            return reader(self.text[slice(*span)].strip())
        except ValueError as error:
            self.refuse(str(error), span)

    def refuse(self, reason: str, span: Span) -> NoReturn:
        """The grammar allows this token, and it means nothing."""
        length = len(self.text[slice(*span)].rstrip())
        raise RequirementSyntaxError(reason, self.text, span[0], length=length) from None

    def arguments(self, *names: str) -> dict[str, Any]:
        """What stands in parentheses, by the names of its tokens."""
        found: dict[str, Any] = {}
        self.token("LPAR")
        name = self.token(*names, "RPAR")
        while name != "RPAR":
            value = self.value(name)
            if name in found:
                self.refuse(f"{name.lower()}= is given twice", self.span)
            found[name] = value
            if self.token("COMMA", "RPAR") == "RPAR":
                break
            name = self.token(*names)
        return found

    def term(self, name: str) -> Requirement:
        """A term, its first token behind us."""
        if name == "DURATION":
            return _one(duration=self.value(name))
        if name == "NODES":
            return _one(nodes=self.value(name))
        if name == "CPU":
            given = self.arguments("MEM", "CORES")
            return _one(cpu_memory=given.get("MEM", 0), cores=given.get("CORES", 0))
        if name == "KIND":
            kind = self.text[slice(*self.span)]
            given = self.arguments("MEM", "MODEL")
            return _one(accelerators=(Accelerator(kind, given.get("MEM", 0), given.get("MODEL")),))
        count = self.span
        self.token("STAR")
        return self.times(self.term(self.token("KIND")), count)

    def times(self, device: Requirement, count: Span) -> Requirement:
        """A device as often as a token says."""
        found: Requirement = self.meant(lambda text: device * _whole(text), count)
        return found

    def requirement(self) -> Requirement:
        """The whole text.  Parentheses are a list and no recursion: they may be as deep as the text is long."""
        union: Requirement | None = None
        both: Requirement | None = None
        outside: list[tuple[Requirement | None, Requirement | None]] = []
        while True:
            name = self.token("DURATION", "NODES", "CPU", "KIND", "INT", "LPAR")
            if name == "LPAR":
                outside.append((union, both))
                union = both = None
                continue
            term = self.term(name)
            follows = ("AMPERSAND", "VBAR", "RPAR" if outside else "END")
            name = self.token("STAR", *follows) if name == "KIND" else self.token(*follows)
            if name == "STAR":
                self.token("INT")
                term = self.times(term, self.span)
                name = self.token(*follows)
            both = _with(both, term)
            while name == "RPAR":
                inside = _or(union, both)
                union, both = outside.pop()
                both = _with(both, inside)
                name = self.token("AMPERSAND", "VBAR", "RPAR" if outside else "END")
            if name == "END":
                return _or(union, both)
            if name == "VBAR":
                union, both = _or(union, both), None


def parse(text: str) -> Requirement:
    """Read a requirement such as ``duration=4 days & cuda(mem=24G)*2 | cuda(mem=80G)``.

    Raises RequirementSyntaxError for anything else, whatever the text; never another error.
    """
    if not isinstance(text, str):
        raise TypeError(f"a requirement is text, not {type(text).__name__}")
    if len(text) > MAX_SOURCE:
        raise RequirementSyntaxError(f"a requirement of {len(text)} characters is not a requirement", text[:200], 0)
    try:
        return _Reader(text).requirement()
    except RequirementSyntaxError:
        raise
    except ValueError as problem:  # a combination that the model refuses, such as too many alternatives
        raise RequirementSyntaxError(str(problem), text, 0) from None


def _unexpected(text: str, offset: int, wanted: Collection[str]) -> RequirementSyntaxError:
    """What stands in the way, in the words of the language."""
    while offset < len(text) and text[offset].isspace():
        offset += 1
    found = re.match(r"[^\W\d]\w*|[0-9][\w.]*", text[offset:])
    word = found.group() if found else text[offset : offset + 1]
    expected = [_TOKENS[name][1] for name in wanted if name != "END"]
    names = set(wanted)
    return RequirementSyntaxError(
        _reason(word, names, text, offset), text, offset, expected, _nearest(word, names), len(word)
    )


def _reason(word: str, wanted: set[str], text: str, offset: int) -> str:
    if not text.strip():
        return "the requirement is empty"
    if not word:
        return "the requirement ends too early"
    if word == "-":
        return "a number here cannot be negative"
    if not word.isprintable():
        return f"character {word!r} cannot stand in a requirement"
    if "CPU" in wanted and (word[0].isalpha() or word[0] == "_"):
        return f"{word[:40]!r} is not something a job can need"
    if wanted & {"MEM", "CORES"} and word[0].isalnum():
        return f"{word[:40]!r} is not an argument here"
    return f"{word[:40]!r} cannot stand here"


def _nearest(word: str, wanted: set[str]) -> str:
    """The nearest word that could stand in this place; empty where nothing is near."""
    import difflib

    if not word or not word[0].isalnum():
        return ""
    low = word.lower()
    if "CPU" in wanted:
        if low in _WORDS:
            return _WORDS[low]
        near = difflib.get_close_matches(low, [*_TERMS, *_WORDS], n=1, cutoff=0.6)
        return _WORDS.get(near[0], near[0]) if near else ""
    if wanted & {"MEM", "CORES", "MODEL"}:
        names = [name.lower() for name in ("MEM", "CORES", "MODEL") if name in wanted]
        if low in _ARGUMENTS and _ARGUMENTS[low] in names:
            return f"{_ARGUMENTS[low]}="
        near = difflib.get_close_matches(low, names, n=1, cutoff=0.6)
        if near:
            return f"{near[0]}="
        if "model" in names and not low[0].isdigit():
            return f"model={word}"
        return f"mem={word}" if low[0].isdigit() and "mem" in names else ""
    return _WORDS[low] if low in ("and", "or") else ""
