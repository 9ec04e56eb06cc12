"""launchers.yaml to schema objects: strict, every problem at once, each with its place in the file."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path as FilePath
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.cols import homogenous_tuple_structure_factory, mapping_structure_factory
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

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
    try:
        return _converter(strict=True).structure(tree.data, kind), []
    except ClassValidationError as error:
        return _converter(strict=False).structure(tree.data, kind), list(_problems(error, (), tree))


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


def _scalar(value: Any, text: Callable[[Any], str] = _line) -> Any:
    if isinstance(value, str):
        return text(value)
    if not isinstance(value, bool | int | float):
        raise _BadValueError("LC102", f"text, a number, or true is expected here, not {_kind(value)}")
    return value


def _amount(value: Any) -> int:
    return _memory(value) if isinstance(value, str) else _count(value)


def _chosen(choices: tuple[str, ...], value: Any) -> str:
    if value in choices and isinstance(value, str):
        return value
    import difflib

    near = difflib.get_close_matches(str(value).lower(), [str(one).lower() for one in choices], n=1)
    hint = next((f"did you mean {one}?" for one in choices if near and one.lower() == near[0]), "")
    raise _BadValueError("LC110", f"one of {', '.join(choices)} is expected here, not {_kind(value)}", hint)


Read = Callable[[Any], Any]
"""Plain data to what it stands for; raises _BadValueError."""
_VALUES: dict[Any, Read] = {
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
_UNIONS: dict[Any, Read] = {
    schema.Scalar: _scalar,
    bool | int | float | schema.Word: partial(_scalar, text=_text),
    schema.Memory | schema.Count: _amount,
}
T = TypeVar("T")


# -- the schema ------------------------------------------------------------------------------------------------


@cache
def _converter(*, strict: bool) -> Converter:
    """Structures all that the schema has.  One that is not strict has None for what does not fit, and tells nobody."""
    converter = Converter(forbid_extra_keys=strict)

    def hook(read: Read) -> Callable[[Any, Any], Any]:
        def structure(value: Any, _: Any) -> Any:
            try:
                return read(value)
            except _BadValueError:
                if strict:
                    raise
                return None

        return structure

    for kind, read in _VALUES.items():
        converter.register_structure_hook(kind, hook(read))
    generic = {tuple: _tuple, dict: _dict, Literal: _literal, Union: _union, types.UnionType: _union}
    converter.register_structure_hook_factory(
        lambda kind: get_origin(kind) in generic, lambda kind: hook(generic[get_origin(kind)](kind, converter))
    )
    converter.register_structure_hook_factory(attrs.has, lambda kind: hook(_class(kind, converter)))
    return converter


def _class(kind: Any, converter: Converter) -> Read:
    keys: Any = {one.name: override(rename=schema.key_of(one.name)) for one in attrs.fields(kind)}
    structure = make_dict_structure_fn(kind, converter, **keys)

    def read(value: Any) -> Any:
        _demand(dict, value, "a mapping", "write key: value")
        return structure(value, kind)

    return read


def _dict(kind: Any, converter: Converter) -> Read:
    names = _VALUES[get_args(kind)[0]]
    structure = mapping_structure_factory(kind, converter)

    def read(value: Any) -> Any:
        _demand(dict, value, "a mapping", "write name: value")
        for name in value:
            names(name)  # what is under a bad name is not looked at
        return structure(value, kind)

    return read


def _tuple(kind: Any, converter: Converter) -> Read:
    structure = homogenous_tuple_structure_factory(kind, converter)

    def read(value: Any) -> Any:
        _demand(list, value, "a list", "write [a, b]")
        return structure(value, kind)

    return read


def _demand(kind: type, value: Any, what: str, hint: str) -> None:
    if not isinstance(value, kind):
        raise _BadValueError("LC102", f"{what} is expected here, not {_kind(value)}", hint)


def _literal(kind: Any, _: Converter) -> Read:
    return partial(_chosen, get_args(kind))


def _union(kind: Any, converter: Converter) -> Read:
    """An optional value, one of _UNIONS, or a list or one: the schema writes `tuple[Kind, ...] | Kind`."""
    kinds = [one for one in get_args(kind) if one is not types.NoneType]
    ours = _UNIONS.get(Union[tuple(kinds)])  # noqa: UP007 - made of a list

    def read(value: Any) -> Any:
        if value is None:
            raise _BadValueError("LC102", "nothing stands here", "give a value or leave the key out")
        if ours is not None:
            return ours(value)
        # Looked up only now: cattrs makes no function for a class that the file does not have.
        return converter.structure(value, kinds[0] if isinstance(value, list) else kinds[-1])

    return read


# -- problems --------------------------------------------------------------------------------------------------


def _problems(error: Exception, path: Path, tree: Tree) -> Iterator[Problem]:
    """The errors in cattrs' groups of errors, which note the field, index or name of each."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        noted, others = error.group_exceptions()
        for inner, note in noted:
            at = note.index if isinstance(note, IterableValidationNote) else schema.key_of(note.name)
            yield from _problems(inner, (*path, at), tree)
        for inner in others:
            yield from _problems(inner, path, tree)
    elif isinstance(error, ForbiddenExtraKeysError):
        for name in error.extra_fields:
            yield _unknown(name, error.cl, path, tree)
    elif isinstance(error, _BadValueError):
        yield tree.problem(error.code, path, str(error), error.suggestion)
    else:
        raise error


def _unknown(name: str, kind: type, path: Path, tree: Tree) -> Problem:
    import difflib

    names = [schema.key_of(one.name) for one in attrs.fields(kind)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"
    if name == "gpus" and "gpu" in names:
        hint = "did you mean gpu?"
    return tree.problem("LC101", (*path, name), f"unknown key {name!r}", hint, key=True)
