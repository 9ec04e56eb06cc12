"""Random changes of YAML: of its structure, of the texts in it, of its lines and of its bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from fuzz_suite.mutations import change_bytes, change_lines, change_structure
from launchers.files.problems import MAX_PROBLEMS, ConfigError

TOKENS = [
    b"\t", b"- ", b"? ", b": ", b"&a ", b"*a", b"!!python/none ", b"!x ", b"|\n", b">\n", b"---\n", b"...\n", b"%YAML 9.9\n", b"<<: ",
    b"~", b".inf", b".nan", b"-.inf", b"0x" + b"f" * 3000, b"9" * 3000, b"1:30:00", b"1" + b":30" * 500 + b".5", b"2001-13-99",
    b"2001-12-14t21:59:43.10-05:00", b"yes", b"=", b"- " * 60, b"[" * 60, b"{a: " * 60, b" " * 90, b"\\ud800", b"\xc2\x85",
    b"\xe2\x80\xae", b"'", b'"', b"#", b"`", b"@", b"&a [*a, *a]", b"{{ a }}", b"{% for x in a %}",
]  # fmt: skip
"""What YAML has of its own, and what its readers stumble over."""


def mutate_yaml(texts: Sequence[str]) -> Callable[[random.Random, Sequence[bytes]], bytes]:
    """Makes an input of the corpus with some changes; `texts` are such as may stand in it and are read further."""

    def mutate(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
        data = chance.choice(corpus)
        for _ in range(chance.choice([1, 1, 1, 2, 3, 6])):
            match chance.randrange(10):
                case 0:
                    data = change_bytes(chance, data, corpus)
                case 1:
                    data = change_lines(chance, data, corpus)
                case 2:
                    at = chance.randrange(len(data) + 1)
                    data = data[:at] + chance.choice(TOKENS) + data[at:]
                case _:
                    data = _change_values(chance, data, corpus, texts)
        return data

    return mutate


def check_problems(error: ConfigError) -> None:
    """The problems of a file that is refused are some, not too many, and a terminal takes them for text."""
    assert 1 <= len(error.problems) <= 10 * MAX_PROBLEMS
    assert str(error).replace("\n", "").replace("\t", "").isprintable()


def _change_values(chance: random.Random, data: bytes, corpus: Sequence[bytes], texts: Sequence[str]) -> bytes:
    """The YAML with another structure, or with another text in one place."""
    value = _parse(data)
    if not isinstance(value, dict | list) or not value:
        return change_bytes(chance, data, corpus)
    if chance.random() < 0.5:
        _replace_one(chance, value, chance.choice(texts))
    else:
        others = [json.dumps(other, default=str).encode() for other in map(_parse, corpus) if other]
        try:
            changed = change_structure(chance, json.dumps(value, default=str).encode(), others)
        except OverflowError:  # a number of too many digits
            return data
        if chance.random() < 0.3:
            return changed  # JSON is YAML as well
        try:
            value = json.loads(changed)
        except (ValueError, RecursionError):
            return changed
    try:
        return yaml.safe_dump(value, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")
    except (RecursionError, yaml.YAMLError, ValueError):
        return data


def _parse(data: bytes) -> Any:
    """The value of YAML; None where there is none."""
    try:
        return yaml.load(data, yaml.CSafeLoader) if len(data) < 20_000 else None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError, AttributeError):
        return None


def _replace_one(chance: random.Random, value: Any, text: str) -> None:
    """Put a text in the place of one value, somewhere below."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = chance.choice(keys)
        below = value[key]
        if not isinstance(below, dict | list) or not below or chance.random() < 0.1:
            value[key] = text
            return
        value = below
