"""Read YAML text as plain data, with the place of every value.

Only plain YAML is allowed: one document, no tags, no key twice, and bounds on nesting, aliases and size.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

import yaml
from attrs import define, field

from launchers.files.problems import MAX_PROBLEMS, ConfigError, Problem

MAX_DEPTH = 40
"""Most mappings and lists inside each other."""
MAX_VALUES = 100_000
"""Most values, each counted as often as aliases repeat it."""
MAX_LENGTH = 32 * 1024**2
"""Most characters of a file."""
MAX_KEY = 100
"""Most characters of a key that a message repeats."""
MAX_UNREAD = 100_000
"""Most characters that PyYAML's own parser reads, which is slow."""
MAX_BITS = 256
"""Longest whole number; a longer one is text."""
KeyPath = tuple[str | int, ...]
"""The keys and indices that lead to a value: ``("slurm", 0, "partitions")``."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEP = re.compile("(?:^|[\n\r\x85\u2028\u2029])(?: {80}|(?: *[-?:]){20})")
"""A line that begins with much indentation, or with many lists and keys inside each other."""
_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp")}


@define
class Tree:
    """Plain data and, for each path, where its value (`places`) and its key (`keys`) stand: (line, column) from 1."""

    file: str
    data: Any = None
    places: dict[KeyPath, tuple[int, int]] = field(factory=dict)
    keys: dict[KeyPath, tuple[int, int]] = field(factory=dict)

    def problem(self, code: str, path: KeyPath, message: str, suggestion: str = "", *, key: bool = False) -> Problem:
        """A problem at the value of `path` (or at its `key`), or at the nearest known place above it."""
        place = self.keys.get(path) if key else None
        return Problem(self.file, *(place or self._place(path)), code, format_path(path), message, suggestion)

    def _place(self, path: KeyPath) -> tuple[int, int]:
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return (1, 1)


def format_path(path: KeyPath) -> str:
    """A path as people write it: ``slurm[0].partitions.gpu.weight``. A long key is cut off."""
    text = ""
    for part in (key[:MAX_KEY] if isinstance(key, str) else key for key in path):
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_tree(text: str, file: str) -> Tree:
    """Read YAML. Raises ConfigError: for what is not YAML at once, and with all values that are not allowed."""
    if len(text) > MAX_LENGTH:
        raise ConfigError([Problem(file, 1, 1, "LC100", "", f"the file is longer than {MAX_LENGTH >> 20} MiB")])
    tree = Tree(file)
    try:
        _refuse_depth(text, file)
        node = yaml.compose(text, _LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        reason = " ".join(filter(None, [error.context, error.problem]))
        hint = "YAML indents with spaces, not tabs" if mark and text[mark.index : mark.index + 1] == "\t" else ""
        raise ConfigError([Problem(file, line, column, "LC107", "", reason, hint)]) from None
    except yaml.YAMLError as error:
        raise ConfigError([Problem(file, 1, 1, "LC107", "", str(error).replace("\n", " "))]) from None
    except UnicodeEncodeError as error:  # half of a pair that stands for one character, as Python's own text may have
        line, column = text.count("\n", 0, error.start) + 1, error.start - text.rfind("\n", 0, error.start)
        message = "half a character (a lone surrogate) is no text"
        raise ConfigError([Problem(file, line, column, "LC107", "", message)]) from None
    if node is None:
        return tree
    reader = _Reader(tree)
    tree.data = reader.value(node, ())
    if reader.problems:
        raise ConfigError(reader.problems)
    return tree


def _refuse_depth(text: str, file: str) -> None:
    """Raise ConfigError for text that is nested too deep, or has too many values, before yaml.compose reads it.

    yaml.compose is recursive, and keeps all values. The exact count takes time, so it is made only where brackets or
    indentation could be deep, or the values many.
    """
    brackets = text.count("[") + text.count("{")
    values = sum(map(text.count, "\n\r,:-?")) + brackets
    if brackets <= MAX_DEPTH and values <= MAX_VALUES and not _DEEP.search(text):
        return
    try:
        _count_values(text, _LOADER, file)
    except yaml.MarkedYAMLError as error:
        # libyaml reads ahead and has a limit of its own, which may come first. PyYAML's own parser has none.
        mark = error.problem_mark or error.context_mark
        before = text[: mark.index] if mark else ""
        if sum(map(before.count, "[{")) - sum(map(before.count, "]}")) > MAX_DEPTH:
            with contextlib.suppress(yaml.YAMLError):
                _count_values(before[:MAX_UNREAD], yaml.SafeLoader, file)
        raise


def _count_values(text: str, loader: Any, file: str) -> None:
    """Raise ConfigError where a text is nested too deep or has too many values; yaml.YAMLError where it is no YAML."""
    depth = values = 0
    for event in yaml.parse(text, loader):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.NodeEvent):
            values += 1
            depth += isinstance(event, yaml.CollectionStartEvent)
            if depth <= MAX_DEPTH and values <= MAX_VALUES:
                continue
            message = f"nested more than {MAX_DEPTH} deep" if depth > MAX_DEPTH else f"more than {MAX_VALUES} values"
            mark = event.start_mark
            place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise ConfigError([Problem(file, *place, "LC107", "", message)])


@define
class _Reader:
    """Turns YAML nodes into data. It counts the values, since aliases may repeat a node any number of times."""

    tree: Tree
    problems: list[Problem] = field(factory=list)
    scalars: Any = field(factory=lambda: yaml.constructor.SafeConstructor())
    count: int = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.count += 1
        place = node.start_mark.line + 1, node.start_mark.column + 1
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            message = "aliases repeat too often or too deep here"
            raise ConfigError([Problem(self.tree.file, *place, "LC107", format_path(path), message)])
        self.tree.places[path] = place
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            if node.tag != "tag:yaml.org,2002:seq":
                self.refuse_tag(node, path)
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node, path)

    def refuse(self, problem: Problem) -> None:
        """Note a problem. Raises ConfigError with all of them where there are too many."""
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise ConfigError(self.problems)

    def refuse_tag(self, node: yaml.Node, path: KeyPath) -> None:
        """Note a tag that is not allowed."""
        self.refuse(self.tree.problem("LC107", path, f"the tag {node.tag[:60]} is not allowed", "leave it out"))

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        if node.tag != "tag:yaml.org,2002:map":
            self.refuse_tag(node, path)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.refuse(self.tree.problem("LC107", path, "a key must be plain text, not a list or a mapping"))
                continue
            key = key_node.value
            place = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if key in values:
                first = self.tree.keys[(*path, key)][0]
                message = f"the key {key[:MAX_KEY]!r} is given twice, first on line {first}"
                self.refuse(Problem(self.tree.file, *place, "LC106", format_path((*path, key)), message))
                continue
            self.tree.keys[(*path, key)] = place
            values[key] = self.value(value_node, (*path, key))
        return values

    def scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        if node.tag not in _PLAIN:
            self.refuse_tag(node, path)
            return None
        if node.tag.endswith((":timestamp", ":str")):
            return node.value
        if node.tag.endswith((":int", ":float")) and ":" in node.value:
            return node.value  # YAML 1.1 would read 1:30:00 as a number to base 60
        try:
            value = self.scalars.construct_object(node)
        except (ValueError, yaml.YAMLError):
            return node.value
        return node.value if isinstance(value, int) and value.bit_length() > MAX_BITS else value
