"""Text to Requirement, by the grammar in requirement.lark."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, reduce
from itertools import groupby
from operator import and_, or_
from typing import TYPE_CHECKING, Any

from launchers.quantities.units import parse_memory, parse_timespan
from launchers.requirement.errors import RequirementSyntaxError
from launchers.requirement.model import ACCELERATOR_KINDS, MAX_COUNT, Accelerator, Alternative, Requirement

if TYPE_CHECKING:
    from lark import Lark, Token

MAX_LENGTH = 1_000_000
"""Most characters of a requirement."""

_TERMS = ("duration", "nodes", "cpu", *ACCELERATOR_KINDS)
_WORDS = {
    "durations": "duration=", "time": "duration=", "walltime": "duration=", "hours": "duration=", "node": "nodes=",
    "cpus": "cpu(cores=...)", "core": "cpu(cores=...)", "cores": "cpu(cores=...)", "mem": "cpu(mem=...)",
    "memory": "cpu(mem=...)", "ram": "cpu(mem=...)", "gpus": "gpu(...)", "nvidia": "cuda(...)", "amd": "rocm(...)",
    "metal": "mps(...)", "and": "&", "or": "|",
}  # fmt: skip
_ARGUMENTS = {"memory": "mem", "ram": "mem", "cpus": "cores", "core": "cores", "name": "model", "type": "model"}
_NAMES = {
    "_DURATION": "duration=", "_NODES": "nodes=", "_CPU": "cpu(...)",
    "KIND": "cuda(...), rocm(...), mps(...), gpu(...)",
    "_MEM": "mem=", "_CORES": "cores=", "_MODEL": "model=", "MEMORY": "an amount of memory such as 24G",
    "TIMESPAN": "a duration such as 4 days", "INT": "a whole number", "MODEL": "the name of a GPU model such as A100",
    "EQUAL": "=", "COMMA": ",", "STAR": "*", "AMPERSAND": "&", "VBAR": "|", "LPAR": "(", "RPAR": ")",
    "$END": "the end",
}  # fmt: skip


class _BadValue(Exception):  # noqa: N818 - a signal inside this module, which `parse` turns into the error
    """A token that the grammar allows and that has no meaning, such as 0 nodes."""

    def __init__(self, reason: str, token: Token) -> None:
        self.reason, self.token = reason, token


def _value(reader: Callable[[str], int], token: Token) -> int:
    try:
        return reader(str(token).strip())
    except ValueError as error:
        raise _BadValue(str(error), token) from error


def _is_valid(reader: Callable[[str], int], text: str) -> bool:
    try:
        reader(text)
    except ValueError:
        return False
    return True


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"[0-9]+|-.*", text, re.ASCII):
        raise ValueError(f"{text[:20]!r} is not a whole number")
    if text.startswith("-") or len(text) > 12 or not 1 <= int(text) <= MAX_COUNT:
        raise ValueError(f"a number here must be from 1 to {MAX_COUNT}, not {text[:20]}")
    return int(text)


def _arguments(pairs: list[tuple[str, Any, Token] | None]) -> dict[str, Any]:
    """Arguments by name. An argument that is given twice is an error at the second."""
    found: dict[str, Any] = {}
    for pair in pairs:
        if pair is None:
            continue
        name, value, token = pair
        if name in found:
            raise _BadValue(f"{name}= is given twice", token)
        found[name] = value
    return found


def _all_of(parts: list[Requirement]) -> Requirement:
    """All parts joined by `&`, halves first: each `&` sorts the devices of both sides, so one by one is quadratic."""
    half = len(parts) // 2
    return _all_of(parts[:half]) & _all_of(parts[half:]) if half else parts[0]


def _single(**fields: Any) -> Requirement:
    return Requirement((Alternative(**fields),))


class _Builder:
    """The grammar's rules as Python; called by the parser as it reduces."""

    def union(self, parts: list[Requirement]) -> Requirement:
        return reduce(or_, parts)

    def conjunction(self, parts: list[Requirement]) -> Requirement:
        runs = groupby(parts, key=lambda part: len(part.alternatives) == 1)
        return reduce(and_, (part for plain, run in runs for part in ([_all_of(list(run))] if plain else run)))

    def duration(self, parts: list[Token]) -> Requirement:
        return _single(duration=_value(parse_timespan, parts[0]))

    def nodes(self, parts: list[Token]) -> Requirement:
        return _single(nodes=_value(_whole_number, parts[0]))

    def mem(self, parts: list[Token]) -> tuple[str, int, Token]:
        return "mem", _value(parse_memory, parts[0]), parts[0]

    def cores(self, parts: list[Token]) -> tuple[str, int, Token]:
        return "cores", _value(_whole_number, parts[0]), parts[0]

    def model(self, parts: list[Token]) -> tuple[str, str, Token]:
        text = str(parts[0]).strip('"')
        if not text.strip() or not text.isprintable():
            raise _BadValue("the name of a GPU model is empty or not printable", parts[0])
        return "model", text, parts[0]

    def cpu(self, parts: list[Any]) -> Requirement:
        given = _arguments(parts)
        return _single(cpu_memory=given.get("mem", 0), cores=given.get("cores", 0))

    def accelerator(self, parts: list[Any]) -> Requirement:
        given = _arguments(parts[1:])
        return _single(accelerators=(Accelerator(str(parts[0]), given.get("mem", 0), given.get("model")),))

    def times(self, parts: list[Any]) -> Requirement:
        requirement, token = parts if isinstance(parts[0], Requirement) else (parts[1], parts[0])
        count = _value(_whole_number, token)
        try:
            return requirement * count  # type: ignore[no-any-return]
        except ValueError as error:
            raise _BadValue(str(error), token) from error

    def start(self, parts: list[Requirement]) -> Requirement:
        return parts[0]


@cache
def _parser() -> Lark:
    from importlib.resources import files

    from lark import Lark, Transformer

    rules = type("_Rules", (_Builder, Transformer), {})
    grammar = files("launchers.requirement").joinpath("requirement.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=rules(), maybe_placeholders=False)


def parse(text: str) -> Requirement:
    """Read a requirement such as ``duration=4 days & cuda(mem=24G)*2 | cuda(mem=80G)``.

    Raises RequirementSyntaxError for any other text, and TypeError for what is not text.
    """
    if not isinstance(text, str):
        raise TypeError(f"a requirement is text, not {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        reason = f"a requirement has at most {MAX_LENGTH} characters, not {len(text)}"
        raise RequirementSyntaxError(reason, text[:200], 0)
    from lark.exceptions import UnexpectedInput

    try:
        return _parser().parse(text)  # type: ignore[return-value]
    except _BadValue as problem:
        start = problem.token.start_pos or 0
        length = len(str(problem.token).rstrip())
        raise RequirementSyntaxError(problem.reason, text, start, length=length) from None
    except UnexpectedInput as problem:
        raise _explained(problem, text) from None
    except ValueError as problem:  # a combination that the model refuses, such as too many alternatives
        raise RequirementSyntaxError(str(problem), text, 0) from None


def _explained(problem: Any, text: str) -> RequirementSyntaxError:
    """The parser's error in the words of the language."""
    wanted = set(getattr(problem, "allowed", None) or getattr(problem, "expected", None) or ())
    offset = problem.pos_in_stream
    if offset is None or offset < 0 or getattr(getattr(problem, "token", None), "type", "") == "$END":
        offset = len(text)
    while offset < len(text) and text[offset].isspace():
        offset += 1
    if text.count("(", 0, offset) <= text.count(")", 0, offset):
        wanted.discard("RPAR")  # LALR states are shared with those inside parentheses
    found = re.match(r"[^\W\d]\w*|[0-9][\w.]*", text[offset:])
    word = found.group() if found else text[offset : offset + 1]
    expected = tuple(text for name, text in _NAMES.items() if name in wanted)
    return RequirementSyntaxError(
        _reason(word, wanted, text, offset), text, offset, expected, _nearest(word, wanted), len(word)
    )


def _reason(word: str, wanted: set[str], text: str, offset: int) -> str:
    if not text.strip():
        return "the requirement is empty"
    if not word:
        return "the requirement ends too early"
    if word == "-":
        return "a number here cannot be negative"
    if not word.isprintable():
        return f"a requirement cannot contain the character {word!r}"
    if "_CPU" in wanted and (word[0].isalpha() or word[0] == "_"):
        return f"{word[:40]!r} is not something a job can need"
    if wanted & {"_MEM", "_CORES"} and word[0].isalnum():
        return f"{word[:40]!r} is not an argument here"
    return f"{word[:40]!r} is not expected here"


def _nearest(word: str, wanted: set[str]) -> str:
    """The nearest word that is expected here, or what may have been meant; empty where nothing is near."""
    if not word or not word[0].isalnum():
        return ""
    low = word.lower()
    if "_CPU" in wanted:
        return _nearest_term(low)
    if {"_MEM", "_CORES", "_MODEL"} & wanted:
        return _nearest_argument(word, {name for name in ("mem", "cores", "model") if f"_{name.upper()}" in wanted})
    return _WORDS[low] if low in ("and", "or") else ""


def _nearest_term(low: str) -> str:
    import difflib

    near = difflib.get_close_matches(low, [low] if low in _WORDS else [*_TERMS, *_WORDS], n=1, cutoff=0.6)
    return _WORDS.get(near[0], near[0]) if near else ""


def _nearest_argument(word: str, names: set[str]) -> str:
    """The argument that was meant, by its name (``memory``), or by a bare value (``24G``, ``A100``)."""
    import difflib

    low = word.lower()
    near = difflib.get_close_matches(low, sorted(names), n=1, cutoff=0.6)
    if _ARGUMENTS.get(low) in names:
        near = [_ARGUMENTS[low]]
    if near:
        return f"{near[0]}="
    if "model" in names and not low[0].isdigit():
        return f"model={word}"
    values = [f"cores={word}"] if "cores" in names and _is_valid(_whole_number, word) else []
    sizes = [size for size in (word, f"{word}G") if "mem" in names and _is_valid(parse_memory, size)]
    return " or ".join(values + [f"mem={size}" for size in sizes[:1]])
