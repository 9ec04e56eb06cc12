"""Turn YAML into objects of attrs classes: strictly, with all problems at once and the place of each.

The classes are made of the kinds of value in `files.kinds`, of tuples, dicts and other such classes.
"""

from __future__ import annotations

import errno
import types
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cache, partial
from itertools import count, islice
from pathlib import Path as FilePath
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.cols import homogenous_tuple_structure_factory, mapping_structure_factory
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from launchers.files import kinds
from launchers.files.problems import MAX_PROBLEMS, ConfigError, Problem
from launchers.files.reading import read_named, read_stdin
from launchers.files.tree import MAX_KEY, MAX_LENGTH, KeyPath, Tree, read_tree
from launchers.files.values import (
    UNION_READERS,
    VALUE_READERS,
    BadValueError,
    Read,
    check_item,
    describe_type,
    read_choice,
)

T = TypeVar("T")
_refused: ContextVar[Iterator[int]] = ContextVar("refused")
"""Counts the values that were refused. Exceptions take time, so that there are no more than MAX_PROBLEMS of them."""


def read_text(path: FilePath) -> str:
    """The text of a UTF-8 file. Raises ConfigError when it cannot be read, and for more than MAX_LENGTH bytes."""
    return _text(str(path), partial(read_named, path, MAX_LENGTH))


def read_stdin_text() -> str:
    """The text on stdin. Raises ConfigError as `read_text`."""
    return _text("<stdin>", partial(read_stdin, MAX_LENGTH))


def _text(name: str, read: Callable[[], bytes]) -> str:
    try:
        return read().decode("utf-8-sig")
    except OSError as error:
        is_long = error.errno == errno.EFBIG
        message = f"the file is longer than {MAX_LENGTH >> 20} MiB" if is_long else error.strerror or str(error)
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 text (byte {error.start})"
    raise ConfigError([Problem(name, 1, 1, "LC100", "", message)])


def structure_text(text: str, file: str, kind: type[T], what: str) -> tuple[T, Tree]:
    """Read YAML text as an object of the class `kind`; also return the tree that knows the places.

    `file` names the file in messages; `what` says what the file should be ("a flow is a mapping with jobs:"). Raises
    ConfigError with all problems.
    """
    tree = read_tree(text, file)
    if tree.data is None:
        tree.data = {}
    return structure_tree(tree, kind, what), tree


def structure_tree(tree: Tree, kind: type[T], what: str) -> T:
    """Read a tree as an object of the class `kind`. Raises ConfigError with all problems."""
    if not isinstance(tree.data, dict):
        raise ConfigError([tree.problem("LC102", (), f"{what}, not {describe_type(tree.data)}")])
    document, problems = structure_leniently(tree, kind)
    if problems:
        raise ConfigError(problems)
    return document


def structure_leniently(tree: Tree, kind: type[T]) -> tuple[T, list[Problem]]:
    """Read a mapping as far as possible: the object, with None for each value that does not fit, and the problems."""
    _refused.set(count(1))
    try:
        return _converter(strict=True).structure(tree.data, kind), []
    except ClassValidationError as error:
        problems = list(islice(_problems(error, (), tree), MAX_PROBLEMS))
        return _converter(strict=False).structure(tree.data, kind), problems


# -- the schema ------------------------------------------------------------------------------------------------


@cache
def _converter(*, strict: bool) -> Converter:
    """A converter for all classes. Without `strict` it gives None for what does not fit, and raises nothing."""
    converter = Converter(forbid_extra_keys=strict)

    def hook(read: Read) -> Callable[[Any, Any], Any]:
        def structure(value: Any, _: Any) -> Any:
            try:
                return read(value)
            except (BadValueError, BadNamesError):
                if strict and next(_refused.get()) <= MAX_PROBLEMS:
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
    keys: Any = {field.name: override(rename=kinds.file_key(field.name)) for field in attrs.fields(kind)}
    structure = make_dict_structure_fn(kind, converter, **keys)

    def read(value: Any) -> Any:
        _require_type(dict, value, "a mapping", "write key: value")
        return structure(value, kind)

    return read


class BadNamesError(ValueError):
    """Keys of a mapping that are not names, each with its error."""

    def __init__(self, bad: list[tuple[str, BadValueError]]) -> None:
        super().__init__(str(bad[0][1]))
        self.bad = bad


def _dict(kind: Any, converter: Converter) -> Read:
    key_kind = get_args(kind)[0]
    read_name = VALUE_READERS[key_kind]
    structure = mapping_structure_factory(kind, converter)

    def read(value: Any) -> Any:
        _require_type(dict, value, "a mapping", "write name: value")
        bad = []
        for name in value:
            try:
                read_name(name)
                check_item(key_kind, name, value[name])
            except BadValueError as error:
                bad.append((name, error))
        if bad:
            raise BadNamesError(bad)  # their values are not checked
        return structure(value, kind)

    return read


def _tuple(kind: Any, converter: Converter) -> Read:
    structure = homogenous_tuple_structure_factory(kind, converter)
    is_hosts = get_args(kind)[0] is kinds.Hosts

    def read(value: Any) -> Any:
        _require_type(list, value, "a list", "write [a, b]")
        if not value and is_hosts:
            raise BadValueError("LC117", "a list of hosts needs a host", "leave the key out where hosts are not known")
        return structure(value, kind)

    return read


def _require_type(kind: type, value: Any, what: str, hint: str) -> None:
    """Raise BadValueError unless a value is of this type."""
    if not isinstance(value, kind):
        raise BadValueError("LC102", f"{what} is expected here, not {describe_type(value)}", hint)


def _literal(kind: Any, _: Converter) -> Read:
    return partial(read_choice, get_args(kind))


def _union(kind: Any, converter: Converter) -> Read:
    """A reader of ``Kind | None``, of a union in UNION_READERS, or of a list or one value (``tuple[K, ...] | K``)."""
    members = [member for member in get_args(kind) if member is not types.NoneType]
    read_union = UNION_READERS.get(Union[tuple(members)])  # noqa: UP007 - made of a list

    def read(value: Any) -> Any:
        if value is None:
            raise BadValueError("LC102", "the value is missing", "give a value or leave the key out")
        if read_union is not None:
            return read_union(value)
        # The converter is looked up late, so that none is made for a class that the file does not use.
        return converter.structure(value, members[0] if isinstance(value, list) else members[-1])

    return read


# -- problems --------------------------------------------------------------------------------------------------


def _problems(error: Exception, path: KeyPath, tree: Tree) -> Iterator[Problem]:
    """The problems in cattrs' groups of errors, which note the field, index or name of each."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        noted, others = error.group_exceptions()
        for inner, note in noted:
            at = note.index if isinstance(note, IterableValidationNote) else kinds.file_key(note.name)
            yield from _problems(inner, (*path, at), tree)
        for inner in others:
            yield from _problems(inner, path, tree)
    elif isinstance(error, ForbiddenExtraKeysError):
        for name in sorted(error.extra_fields)[:MAX_PROBLEMS]:
            yield _unknown_key(name, error.cl, path, tree)
    elif isinstance(error, BadNamesError):
        for name, inner in error.bad:
            yield tree.problem(inner.code, (*path, name), str(inner), inner.suggestion, key=True)
    elif isinstance(error, BadValueError):
        yield tree.problem(error.code, path, str(error), error.suggestion)
    else:
        raise error


def _unknown_key(name: str, kind: type, path: KeyPath, tree: Tree) -> Problem:
    import difflib

    known = [kinds.file_key(field.name) for field in attrs.fields(kind)]
    near = difflib.get_close_matches(name[:MAX_KEY], known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    if name == "gpus" and "gpu" in known:
        hint = "did you mean gpu?"
    return tree.problem("LC101", (*path, name), f"unknown key {name[:MAX_KEY]!r}", hint, key=True)
