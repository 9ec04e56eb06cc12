"""YAML text to plain data and the place of every value in it.

Only plain YAML is read: no tags, one document, no key twice, no nesting or aliasing that grows without bound.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

import yaml
from attrs import define, field

from launchers.files.problems import ConfigError, Problem

MAX_DEPTH = 40
MAX_VALUES = 500_000
MAX_BYTES = 64 * 1024**2
KeyPath = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp")}


@define
class Tree:
    """Plain data and, for each path, the (line, column) of its value and of its key."""

    file: str
    data: Any = None
    places: dict[KeyPath, tuple[int, int]] = field(factory=dict)
    keys: dict[KeyPath, tuple[int, int]] = field(factory=dict)

    def problem(self, code: str, path: KeyPath, message: str, suggestion: str = "", *, key: bool = False) -> Problem:
        """A problem at the value (or key) of `path`, or at the nearest place above it that is known."""
        place = self.keys.get(path) if key else None
        above = path
        while place is None:
            place = self.places.get(above)
            if place is None and not above:
                place = (1, 1)
            above = above[:-1]
        return Problem(self.file, *place, code, format_path(path), message, suggestion)


def format_path(path: KeyPath) -> str:
    """A path as people write it: ``slurm[0].partitions.gpu.weight``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_tree(text: str, file: str) -> Tree:
    """Read YAML; raises ConfigError with every problem that can be told at this stage."""
    if len(text) > MAX_BYTES:
        raise ConfigError([Problem(file, 1, 1, "LC100", "", f"the file has more than {MAX_BYTES >> 20} MiB")])
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
    if node is None:
        return tree
    reader = _Reader(tree)
    tree.data = reader.value(node, ())
    if reader.problems:
        raise ConfigError(reader.problems)
    return tree


def _refuse_depth(text: str, file: str) -> None:
    """Composing is recursive, so nesting is counted first, on events; only text that could be deep pays for it."""
    brackets = text.count("[") + text.count("{")
    if brackets <= MAX_DEPTH and not re.search(r"(?m)^ {80}|^(?: *- *){20}|^(?: *\? *){20}", text):
        return
    try:
        _count_depth(text, _LOADER, file)
    except yaml.MarkedYAMLError as error:
        # libyaml reads ahead and has a limit of its own, which may answer first. PyYAML's own parser has none.
        mark = error.problem_mark or error.context_mark
        before = text[: mark.index] if mark else ""
        if sum(map(before.count, "[{")) - sum(map(before.count, "]}")) > MAX_DEPTH:
            with contextlib.suppress(yaml.YAMLError):
                _count_depth(before, yaml.SafeLoader, file)
        raise


def _count_depth(text: str, loader: Any, file: str) -> None:
    """Raise ConfigError where a text is nested too deep, and what the parser raises."""
    depth = 0
    for event in yaml.parse(text, loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            mark = event.start_mark
            if depth > MAX_DEPTH and mark:
                message = f"nested more than {MAX_DEPTH} deep"
                raise ConfigError([Problem(file, mark.line + 1, mark.column + 1, "LC107", "", message)])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


@define
class _Reader:
    """Walks composed nodes; counts values, since aliases may repeat a node any number of times."""

    tree: Tree
    problems: list[Problem] = field(factory=list)
    scalars: Any = field(factory=lambda: yaml.constructor.SafeConstructor())
    count: int = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.count += 1
        place = node.start_mark.line + 1, node.start_mark.column + 1
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            message = "aliases that repeat so often, or so deep, are not read"
            raise ConfigError([Problem(self.tree.file, *place, "LC107", format_path(path), message)])
        self.tree.places[path] = place
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self.plain(node, "tag:yaml.org,2002:seq", path)
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node, path)

    def plain(self, node: yaml.Node, tag: str, path: KeyPath) -> None:
        if node.tag != tag:
            self.problems.append(self.tree.problem("LC107", path, f"the tag {node.tag} is not read", "leave it out"))

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        self.plain(node, "tag:yaml.org,2002:map", path)
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(self.tree.problem("LC107", path, "a key is a plain word, not a list or mapping"))
                continue
            key = key_node.value
            place = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if key in found:
                first = self.tree.keys[(*path, key)][0]
                message = f"{key!r} is given twice, first on line {first}"
                self.problems.append(Problem(self.tree.file, *place, "LC106", format_path((*path, key)), message))
                continue
            self.tree.keys[(*path, key)] = place
            found[key] = self.value(value_node, (*path, key))
        return found

    def scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        if node.tag not in _PLAIN:
            self.problems.append(self.tree.problem("LC107", path, f"the tag {node.tag} is not read", "leave it out"))
            return None
        if node.tag.endswith((":timestamp", ":str")):
            return node.value
        if node.tag.endswith(":int") and ":" in node.value:
            return node.value  # YAML 1.1 reads 1:30:00 as a number to base 60
        try:
            return self.scalars.construct_object(node)
        except (ValueError, yaml.YAMLError):
            return node.value
