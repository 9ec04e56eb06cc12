"""launchers.yaml to schema objects: strict, every problem at once, each with its place in the file."""

from __future__ import annotations

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

from launchers.files import kinds
from launchers.files.problems import ConfigError, Problem
from launchers.files.tree import KeyPath, Tree, read_tree
from launchers.files.values import UNION_READERS, VALUE_READERS, BadValueError, Read, describe_type, read_choice

T = TypeVar("T")


def read_text(path: FilePath) -> str:
    """The text of a file of ours; raises ConfigError when it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, 1, "LC100", "", error.strerror or str(error))]) from None
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text (byte {error.start})"
        raise ConfigError([Problem(str(path), 1, 1, "LC100", "", message)]) from None


def structure_text(text: str, file: str, kind: type[T], what: str) -> tuple[T, Tree]:
    """YAML as an object of an attrs class made of the schema's kinds of value; `what` says what the file should be.

    Raises ConfigError with all problems.
    """
    tree = read_tree(text, file)
    if tree.data is None:
        tree.data = {}
    return structure_tree(tree, kind, what), tree


def structure_tree(tree: Tree, kind: type[T], what: str) -> T:
    """The same for data that was read already."""
    if not isinstance(tree.data, dict):
        raise ConfigError([tree.problem("LC102", (), f"{what}, not {describe_type(tree.data)}")])
    found, problems = structure_leniently(tree, kind)
    if problems:
        raise ConfigError(problems)
    return found


def structure_leniently(tree: Tree, kind: type[T]) -> tuple[T, list[Problem]]:
    """What can be read of a mapping, with None for what cannot be, and what is wrong with that."""
    try:
        return _converter(strict=True).structure(tree.data, kind), []
    except ClassValidationError as error:
        return _converter(strict=False).structure(tree.data, kind), list(_problems(error, (), tree))


# -- the schema ------------------------------------------------------------------------------------------------


@cache
def _converter(*, strict: bool) -> Converter:
    """Structures all that the schema has.  One that is not strict has None for what does not fit, and tells nobody."""
    converter = Converter(forbid_extra_keys=strict)

    def hook(read: Read) -> Callable[[Any, Any], Any]:
        def structure(value: Any, _: Any) -> Any:
            try:
                return read(value)
            except (BadValueError, BadNamesError):
                if strict:
                    raise
                return None

        return structure

    for kind, read in VALUE_READERS.items():
        converter.register_structure_hook(kind, hook(read))
    generic = {tuple: _tuple, dict: _dict, Literal: _literal, Union: _union, types.UnionType: _union}
    converter.register_structure_hook_factory(
        lambda kind: get_origin(kind) in generic, lambda kind: hook(generic[get_origin(kind)](kind, converter))
    )
    converter.register_structure_hook_factory(attrs.has, lambda kind: hook(_class(kind, converter)))
    return converter


def _class(kind: Any, converter: Converter) -> Read:
    keys: Any = {one.name: override(rename=kinds.file_key(one.name)) for one in attrs.fields(kind)}
    structure = make_dict_structure_fn(kind, converter, **keys)

    def read(value: Any) -> Any:
        _demand(dict, value, "a mapping", "write key: value")
        return structure(value, kind)

    return read


class BadNamesError(ValueError):
    """Names in a mapping that are none, each with what is wrong with it."""

    def __init__(self, bad: list[tuple[str, BadValueError]]) -> None:
        super().__init__(str(bad[0][1]))
        self.bad = bad


def _dict(kind: Any, converter: Converter) -> Read:
    names = VALUE_READERS[get_args(kind)[0]]
    structure = mapping_structure_factory(kind, converter)

    def read(value: Any) -> Any:
        _demand(dict, value, "a mapping", "write name: value")
        bad = []
        for name in value:
            try:
                names(name)
            except BadValueError as error:
                bad.append((name, error))
        if bad:
            raise BadNamesError(bad)  # what is under a bad name is not looked at
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
        raise BadValueError("LC102", f"{what} is expected here, not {describe_type(value)}", hint)


def _literal(kind: Any, _: Converter) -> Read:
    return partial(read_choice, get_args(kind))


def _union(kind: Any, converter: Converter) -> Read:
    """An optional value, one of UNIONS, or a list or one: the schema writes `tuple[Kind, ...] | Kind`."""
    kinds = [one for one in get_args(kind) if one is not types.NoneType]
    ours = UNION_READERS.get(Union[tuple(kinds)])  # noqa: UP007 - made of a list

    def read(value: Any) -> Any:
        if value is None:
            raise BadValueError("LC102", "nothing stands here", "give a value or leave the key out")
        if ours is not None:
            return ours(value)
        # Looked up only now: cattrs makes no function for a class that the file does not have.
        return converter.structure(value, kinds[0] if isinstance(value, list) else kinds[-1])

    return read


# -- problems --------------------------------------------------------------------------------------------------


def _problems(error: Exception, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    """The errors in cattrs' groups of errors, which note the field, index or name of each."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        noted, others = error.group_exceptions()
        for inner, note in noted:
            at = note.index if isinstance(note, IterableValidationNote) else kinds.file_key(note.name)
            yield from _problems(inner, (*path, at), tree)
        for inner in others:
            yield from _problems(inner, path, tree)
    elif isinstance(error, ForbiddenExtraKeysError):
        for name in error.extra_fields:
            yield _unknown(name, error.cl, path, tree)
    elif isinstance(error, BadNamesError):
        for name, inner in error.bad:
            yield tree.problem(inner.code, (*path, name), str(inner), inner.suggestion, key=True)
    elif isinstance(error, BadValueError):
        yield tree.problem(error.code, path, str(error), error.suggestion)
    else:
        raise error


def _unknown(name: str, kind: type, path: KeyPath, tree: Tree) -> Problem:
    import difflib

    names = [kinds.file_key(one.name) for one in attrs.fields(kind)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"
    if name == "gpus" and "gpu" in names:
        hint = "did you mean gpu?"
    return tree.problem("LC101", (*path, name), f"unknown key {name!r}", hint, key=True)
