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
    from lark.exceptions import UnexpectedInput

MAX_LENGTH = 1_000_000
"""Most characters of a requirement."""
SHOWN = 40
"""Characters of a wrong word that a message shows."""
CUTOFF = 0.6
"""How alike a word must be to be suggested, as difflib counts it: 1 is the same word."""

_TERMS = ("duration", "nodes", "cpu", *ACCELERATOR_KINDS)
_TERM_OF_WORD = {
    "durations": "duration=", "time": "duration=", "walltime": "duration=", "hours": "duration=", "node": "nodes=",
    "cpus": "cpu(cores=...)", "core": "cpu(cores=...)", "cores": "cpu(cores=...)", "mem": "cpu(mem=...)",
    "memory": "cpu(mem=...)", "ram": "cpu(mem=...)", "gpus": "gpu(...)", "nvidia": "cuda(...)", "amd": "rocm(...)",
    "metal": "mps(...)", "and": "&", "or": "|",
}  # fmt: skip
"""What people write for a term, and the term."""
_ARGUMENT_OF_WORD = {
    "memory": "mem", "ram": "mem", "cpus": "cores", "core": "cores", "name": "model", "type": "model",
}  # fmt: skip
"""What people write for an argument, and the argument."""
_ARGUMENT_TERMINALS = {"_MEM": "mem", "_CORES": "cores", "_MODEL": "model"}
"""The terminals of the grammar that name an argument."""
_TERMINALS = {
    "_DURATION": "duration=", "_NODES": "nodes=", "_CPU": "cpu(...)",
    "KIND": "cuda(...), rocm(...), mps(...), gpu(...)",
    "_MEM": "mem=", "_CORES": "cores=", "_MODEL": "model=", "MEMORY": "an amount of memory such as 24G",
    "TIMESPAN": "a duration such as 4 days", "INT": "a whole number", "MODEL": "the name of a GPU model such as A100",
    "EQUAL": "=", "COMMA": ",", "STAR": "*", "AMPERSAND": "&", "VBAR": "|", "LPAR": "(", "RPAR": ")",
    "$END": "the end",
}  # fmt: skip
"""The terminals of the grammar in words, in the order in which a message lists them."""


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
        raise _syntax_error(problem, text) from None
    except ValueError as problem:  # a combination that the model refuses, such as too many alternatives
        raise RequirementSyntaxError(str(problem), text, 0) from None


class _BadValue(Exception):  # noqa: N818 - a signal inside this module, which `parse` turns into the error
    """A token that the grammar allows and that has no meaning, such as 0 nodes."""

    def __init__(self, reason: str, token: Token) -> None:
        self.reason, self.token = reason, token


def _value(reader: Callable[[str], int], token: Token) -> int:
    try:
        return reader(str(token).strip())
    except ValueError as error:
        raise _BadValue(str(error), token) from error


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"[0-9]+|-.*", text, re.ASCII):
        raise ValueError(f"{text[:20]!r} is not a whole number")
    if text.startswith("-") or len(text) > 12 or not 1 <= int(text) <= MAX_COUNT:
        raise ValueError(f"a number here must be from 1 to {MAX_COUNT}, not {text[:20]}")
    return int(text)


def _arguments(pairs: list[tuple[str, Any, Token] | None]) -> dict[str, Any]:
    """Arguments by name. An argument that is given twice is an error at the second."""
    values: dict[str, Any] = {}
    for pair in pairs:
        if pair is None:
            continue
        name, value, token = pair
        if name in values:
            raise _BadValue(f"{name}= is given twice", token)
        values[name] = value
    return values


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
        values = _arguments(parts)
        return _single(cpu_memory=values.get("mem", 0), cores=values.get("cores", 0))

    def accelerator(self, parts: list[Any]) -> Requirement:
        values = _arguments(parts[1:])
        return _single(accelerators=(Accelerator(str(parts[0]), values.get("mem", 0), values.get("model")),))

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


# -- mistakes in words -----------------------------------------------------------------------------------------


def _syntax_error(problem: UnexpectedInput, text: str) -> RequirementSyntaxError:
    """The error for a place where the parser cannot go further, in the words of the language."""
    allowed = set(getattr(problem, "allowed", None) or getattr(problem, "expected", None) or ())
    offset = _offset(problem, text)
    if text.count("(", 0, offset) <= text.count(")", 0, offset):
        allowed.discard("RPAR")  # LALR states are shared with those inside parentheses
    match = re.match(r"[^\W\d]\w*|[0-9][\w.]*", text[offset:])
    word = match.group() if match else text[offset : offset + 1]
    expected = tuple(words for terminal, words in _TERMINALS.items() if terminal in allowed)
    reason = _reason(word, allowed, text)
    return RequirementSyntaxError(reason, text, offset, expected, _suggestion(word, allowed), len(word))


def _offset(problem: UnexpectedInput, text: str) -> int:
    """Where the word starts that the parser cannot use; the end of the text if it needs more."""
    offset = problem.pos_in_stream
    if offset is None or offset < 0 or getattr(getattr(problem, "token", None), "type", "") == "$END":
        return len(text)
    while offset < len(text) and text[offset].isspace():
        offset += 1
    return offset


def _reason(word: str, allowed: set[str], text: str) -> str:
    if not text.strip():
        return "the requirement is empty"
    if not word:
        return "the requirement ends too early"
    if word == "-":
        return "a number here cannot be negative"
    if not word.isprintable():
        return f"a requirement cannot contain the character {word!r}"
    if "_CPU" in allowed and (word[0].isalpha() or word[0] == "_"):
        return f"{word[:SHOWN]!r} is not something a job can need"
    if allowed & {"_MEM", "_CORES"} and word[0].isalnum():
        return f"{word[:SHOWN]!r} is not an argument here"
    return f"{word[:SHOWN]!r} is not expected here"


def _suggestion(word: str, allowed: set[str]) -> str:
    """The nearest text that could stand in this place; empty where nothing is near."""
    if not word or not word[0].isalnum():
        return ""
    if "_CPU" in allowed:
        return _suggest_term(word.lower())
    names = [name for terminal, name in _ARGUMENT_TERMINALS.items() if terminal in allowed]
    if names:
        return _suggest_argument(word, names)
    return _TERM_OF_WORD[word.lower()] if word.lower() in ("and", "or") else ""


def _suggest_term(word: str) -> str:
    nearest = word if word in _TERM_OF_WORD else _nearest(word, [*_TERMS, *_TERM_OF_WORD])
    return _TERM_OF_WORD.get(nearest, nearest)


def _suggest_argument(word: str, names: list[str]) -> str:
    """The argument that was meant, by its name (``memory``), or by a bare value (``24G``, ``A100``)."""
    name = _ARGUMENT_OF_WORD.get(word.lower(), "")
    if name not in names:
        name = _nearest(word.lower(), names)
    if name:
        return f"{name}="
    if "model" in names and not word[0].isdigit():
        return f"model={word}"
    values = [f"cores={word}"] if "cores" in names and _is_valid(_whole_number, word) else []
    sizes = [size for size in (word, f"{word}G") if "mem" in names and _is_valid(parse_memory, size)]
    return " or ".join(values + [f"mem={size}" for size in sizes[:1]])


def _nearest(word: str, words: list[str]) -> str:
    """The word that is most like it; empty where none is."""
    import difflib

    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=CUTOFF)), "")


def _is_valid(reader: Callable[[str], int], text: str) -> bool:
    try:
        reader(text)
    except ValueError:
        return False
    return True
