"""launchers.yaml to schema objects: strict, every problem at once, each with its place in the file."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path as FilePath
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs

from launchers.offer import schema
from launchers.offer.problems import ConfigError, Problem
from launchers.offer.tree import Path, Tree, read_tree
from launchers.requirement import parse_memory, parse_timespan

_NAME = re.compile(r"[^\s,\"'`$\\;|&<>(){}*?\x00-\x1f]+")
_PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FOLDED = re.compile(r"[A-Za-z0-9_.,\[\]-]+")


class _BadValueError(ValueError):
    """A value that does not fit its place: a code of `problems.CODES`, what is wrong, what to write instead."""

    def __init__(self, code: str, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.code, self.suggestion = code, suggestion


@attrs.frozen
class Config:
    """A loaded launchers.yaml: the schema objects, and the tree that knows where everything stands."""

    document: schema.Document
    tree: Tree = attrs.field(repr=False)

    @property
    def file(self) -> str:
        """The file as it is named in messages."""
        return self.tree.file


def load(path: FilePath) -> Config:
    """Read and structure a file; raises ConfigError with all its problems, also when it cannot be read."""
    return loads(read_text(path), str(path))


def loads(text: str, file: str = "<text>") -> Config:
    """The same for text; `file` is how messages name it."""
    what = "a launchers.yaml is a mapping with local:, slurm: and oar:"
    return Config(*structured(text, file, schema.Document, what))


def read_text(path: FilePath) -> str:
    """The text of a file of ours; raises ConfigError when it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, 1, "LC100", "", error.strerror or str(error))]) from None
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text (byte {error.start})"
        raise ConfigError([Problem(str(path), 1, 1, "LC100", "", message)]) from None


def structured(text: str, file: str, kind: type[T], what: str) -> tuple[T, Tree]:
    """YAML as an object of an attrs class made of the schema's kinds of value; `what` says what the file should be.

    Raises ConfigError with all problems.
    """
    tree = read_tree(text, file)
    if tree.data is None:
        tree.data = {}
    return structured_tree(tree, kind, what), tree


def structured_tree(tree: Tree, kind: type[T], what: str) -> T:
    """The same for data that was read already."""
    if not isinstance(tree.data, dict):
        raise ConfigError([tree.problem("LC102", (), f"{what}, not {_kind(tree.data)}")])
    found, problems = readable(tree, kind)
    if problems:
        raise ConfigError(problems)
    return found


def readable(tree: Tree, kind: type[T]) -> tuple[T, list[Problem]]:
    """What can be read of a mapping, with None for what cannot be, and what is wrong with that."""
    reader = _Reader(tree)
    found: T = reader.value(tree.data, kind, ())
    return found, reader.problems


# -- values ----------------------------------------------------------------------------------------------------


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    shown = f" ({value!r})" if isinstance(value, str | int | float) and len(repr(value)) < 60 else ""
    return names.get(type(value), type(value).__name__) + shown


def _memory(value: Any) -> int:
    if not isinstance(value, str):
        raise _BadValueError("LC103", f"memory is text with a unit, not {_kind(value)}", f"write {value}G or {value}M")
    try:
        return parse_memory(value)
    except ValueError as error:
        raise _BadValueError("LC103", str(error)) from None


def _duration(value: Any) -> int:
    if not isinstance(value, str):
        raise _BadValueError(
            "LC104", f"a duration is text with a unit, not {_kind(value)}", f"write {value}h or {value} min"
        )
    try:
        return parse_timespan(value)
    except ValueError as error:
        raise _BadValueError("LC104", str(error)) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        hint = f"write '{value}'" if isinstance(value, int | float | bool) else ""
        raise _BadValueError("LC102", f"text is expected here, not {_kind(value)}", hint)
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise _BadValueError("LC109", f"{value[:60]!r} has characters that no file or command can have")
    return value


def _name(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)
    if not (_NAME.fullmatch(text) or _FOLDED.fullmatch(text)) or not text.isprintable() or len(text) > 65536:
        raise _BadValueError("LC109", f"{text[:60]!r} is not a name: no spaces, commas, quotes or shell signs")
    return text


def _line(value: Any) -> str:
    text = _text(value)
    if not text.isprintable() or not text.strip():
        raise _BadValueError("LC109", f"{text[:60]!r} must be one line of printable text: it may reach an sbatch file")
    return text


def _property(value: Any) -> str:
    text = _text(value)
    if not _PROPERTY.fullmatch(text):
        raise _BadValueError(
            "LC109", f"{text[:60]!r} is not the name of a property: letters, digits and _, no digit first"
        )
    return text


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "YES" if value else "NO"
    text = str(value) if isinstance(value, int | float) else _line(value)
    if "\\" in text:
        raise _BadValueError("LC109", f"{text[:60]!r} has a backslash, which databases read differently")
    return text


def _regex(value: Any) -> str:
    try:
        return re.compile(_text(value)).pattern
    except re.error as error:
        raise _BadValueError("LC105", f"{value!r} is not a regular expression: {error}") from None


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        hint = f"write {value} without quotes" if isinstance(value, str) and value.isdigit() else ""
        raise _BadValueError("LC102", f"a whole number is expected here, not {_kind(value)}", hint)
    if not 0 <= value < 2**63:
        raise _BadValueError("LC102", f"a number from 0 up is expected here, not {value}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        hint = f"write {value} without quotes" if isinstance(value, str) and value[:1].isdigit() else ""
        raise _BadValueError("LC102", f"a number is expected here, not {_kind(value)}", hint)
    return float(value)


def _ratio(value: Any) -> float:
    ratio = _number(value)
    if not 0 <= ratio <= 1:
        raise _BadValueError("LC102", f"a number from 0 to 1 is expected here, not {value}")
    return ratio


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _BadValueError("LC102", f"true or false is expected here, not {_kind(value)}")
    return value


_VALUES: dict[Any, Callable[[Any], Any]] = {
    schema.Memory: _memory,
    schema.Duration: _duration,
    schema.Name: _name,
    schema.Line: _line,
    schema.Word: _text,
    schema.Regex: _regex,
    schema.Property: _property,
    schema.Value: _value,
    schema.Count: _count,
    schema.Ratio: _ratio,
    float: _number,
    bool: _flag,
    str: _text,
}
T = TypeVar("T")
_UNIONS = (Union, types.UnionType)


def _chosen(choices: tuple[str, ...], value: Any) -> str:
    if value in choices and isinstance(value, str):
        return value
    import difflib

    near = difflib.get_close_matches(str(value).lower(), [str(one).lower() for one in choices], n=1)
    hint = next((f"did you mean {one}?" for one in choices if near and one.lower() == near[0]), "")
    raise _BadValueError("LC110", f"one of {', '.join(choices)} is expected here, not {_kind(value)}", hint)


def _scalar(value: Any, text: Callable[[Any], str]) -> Any:
    if isinstance(value, str):
        return text(value)
    if not isinstance(value, bool | int | float):
        raise _BadValueError("LC102", f"text, a number, or true is expected here, not {_kind(value)}")
    return value


# -- the schema ------------------------------------------------------------------------------------------------


def key_of(attribute: attrs.Attribute[Any]) -> str:
    """The key of a field in a file: a field that Python does not let be called so has an underscore more."""
    return attribute.name.rstrip("_")


@cache
def _fields(kind: Any) -> dict[str, attrs.Attribute[Any]]:
    """The fields of a class of a schema by their keys; types that its module postpones are looked up."""
    if any(isinstance(one.type, str) for one in attrs.fields(kind)):
        attrs.resolve_types(kind)
    return {key_of(one): one for one in attrs.fields(kind)}


@attrs.define
class _Reader:
    """Plain data to schema objects; what is wrong is collected, with None in its place."""

    tree: Tree
    problems: list[Problem] = attrs.field(factory=list)

    def value(self, value: Any, kind: Any, path: Path) -> Any:
        """A value as some kind that the schema has: a leaf, a class, a list, a mapping, a choice or a union."""
        try:
            if kind in _VALUES:
                return _VALUES[kind](value)
            if kind is Any:
                return value
            if attrs.has(kind):
                return self.object(value, kind, path)
            origin = get_origin(kind)
            if origin is tuple:
                return self.listed(value, get_args(kind)[0], path)
            if origin is dict:
                names, of = get_args(kind)
                return self.mapped(value, names, of, path)
            if origin is Literal:
                return _chosen(get_args(kind), value)
            assert origin in _UNIONS, kind
            return self.either(value, [one for one in get_args(kind) if one is not type(None)], path)
        except _BadValueError as error:
            self.problems.append(self.tree.problem(error.code, path, str(error), error.suggestion))
            return None

    def object(self, value: Any, kind: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            raise _BadValueError("LC102", f"a mapping is expected here, not {_kind(value)}", "write key: value")
        fields = _fields(kind)
        self.problems += [_unknown(name, kind, path, self.tree) for name in value if name not in fields]
        known = {name: one for name, one in value.items() if name in fields}
        return kind(
            **{fields[name].name: self.value(one, fields[name].type, (*path, name)) for name, one in known.items()}
        )

    def listed(self, value: Any, kind: Any, path: Path) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _BadValueError("LC102", f"a list is expected here, not {_kind(value)}", "write [a, b]")
        return tuple([self.value(one, kind, (*path, index)) for index, one in enumerate(value)])

    def mapped(self, value: Any, names: Any, kind: Any, path: Path) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise _BadValueError("LC102", f"a mapping is expected here, not {_kind(value)}", "write name: value")
        for name in value:
            _VALUES[names](name)
        return {name: self.value(one, kind, (*path, name)) for name, one in value.items()}

    def either(self, value: Any, kinds: Sequence[Any], path: Path) -> Any:
        """Unions in the schema: optional values, one or a list of them, a memory or a count, a scalar."""
        if value is None:
            raise _BadValueError("LC102", "nothing stands here", "give a value or leave the key out")
        if {bool, int, float} <= set(kinds):
            return _scalar(value, _text if schema.Word in kinds else _line)
        if set(kinds) == {schema.Memory, schema.Count}:
            return _memory(value) if isinstance(value, str) else _count(value)
        lists = [one for one in kinds if get_origin(one) is tuple]
        others = [one for one in kinds if one not in lists]
        wanted = lists[0] if lists and (isinstance(value, list) or not others) else others[0]
        return self.value(value, wanted, path)


def _unknown(name: str, kind: type, path: Path, tree: Tree) -> Problem:
    import difflib

    names = list(_fields(kind))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"
    if name == "gpus" and "gpu" in names:
        hint = "did you mean gpu?"
    return tree.problem("LC101", (*path, name), f"unknown key {name!r}", hint, key=True)
