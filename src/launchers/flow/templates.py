"""Templates in a flow file: Jinja2 in any string, in a sandbox; what is not defined is an error with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sized
from datetime import date
from functools import lru_cache
from typing import Any

from attrs import define, field
from jinja2 import StrictUndefined, TemplateError, TemplateRuntimeError, UndefinedError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from launchers.files.problems import Problem
from launchers.files.tree import Path, Tree
from launchers.files.values import kind_of

ALONE = re.compile(r"\s*\{\{((?:(?!\}\}|\{\{).)*)\}\}\s*", re.S)
"""A string that is one expression and nothing else keeps the type of its value."""
LONGEST = 1_000_000
"""Characters, or items, that a value may have."""
LARGEST_POWER = 1000


class CircleError(Exception):
    """Values that are made of each other."""


@define
class Lazy(Mapping[str, Any]):
    """Values that may name each other, each worked out when it is asked for; `name` is what templates call it."""

    name: str
    raw: Mapping[str, Any]
    around: Mapping[str, Any] = field(factory=dict)
    known: dict[str, Any] = field(factory=dict)
    asked: list[str] = field(factory=list)

    def __getitem__(self, name: str) -> Any:
        if name in self.known:
            return self.known[name]
        value = self.raw[name]
        if name in self.asked:
            raise CircleError(" -> ".join([*self.asked[self.asked.index(name) :], name]))
        self.asked.append(name)
        try:
            self.known[name] = filled(value, self.around)
        finally:
            self.asked.pop()
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


class _Sandbox(SandboxedEnvironment):
    """Where ``args.items`` is the argument of that name and not a method of a mapping, and nothing grows for ever."""

    intercepted_binops = frozenset(["*", "**"])

    def getattr(self, obj: Any, attribute: str) -> Any:
        if not isinstance(obj, Lazy):
            return super().getattr(obj, attribute)
        if attribute in obj:
            return obj[attribute]
        known = ", ".join(one if one.isidentifier() else f"{obj.name}[{one!r}]" for one in obj)
        return self.undefined(f"{obj.name} has no {attribute!r}, it has: {known or 'nothing'}")

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Of values of ours a name, whichever way it is written."""
        return self.getattr(obj, argument) if isinstance(obj, Lazy) else super().getitem(obj, argument)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Powers and repetition, which the sandbox does not bound."""
        if operator == "**" and max(abs(left), abs(right)) > LARGEST_POWER and not isinstance(left, float):
            raise ValueError(f"{left} ** {right} is too large")
        if operator == "*" and isinstance(left, Sized | int) and isinstance(right, Sized | int):
            sizes = [len(one) if isinstance(one, Sized) else one for one in (left, right)]
            if (isinstance(left, Sized) or isinstance(right, Sized)) and sizes[0] * sizes[1] > LONGEST:
                raise ValueError(f"it becomes longer than {LONGEST}")
        return super().call_binop(context, operator, left, right)


class _Unknown(StrictUndefined):
    """What a template names and nothing has; said in our words."""

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: Any = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        has = "there is" if obj is missing else f"{kind_of(obj)} has"
        super().__init__(f"{has} no {name!r}" if hint is None else hint, obj, name, exc)


ENVIRONMENT = _Sandbox(undefined=_Unknown, keep_trailing_newline=True)


def rendered(text: str, scope: Mapping[str, Any]) -> Any:
    """The value of a template; raises jinja2's TemplateError, or what an expression in it raises."""
    if "{" not in text:
        return text
    used, compiled = _compiled(text)
    value = compiled(**{name: scope[name] for name in used if name in scope})
    if isinstance(value, str) and len(value) > LONGEST:
        raise ValueError(f"it becomes longer than {LONGEST} characters")
    return _plain(value)


def _plain(value: Any) -> Any:
    """A value as YAML can have it, mappings of ours too; raises TypeError for what is none, such as a function."""
    if isinstance(value, StrictUndefined):
        str(value)  # raises UndefinedError
    if value is None or isinstance(value, str | int | float | date):
        return value
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | range):
        if len(value) > LONGEST:
            raise ValueError(f"it becomes longer than {LONGEST} items")
        return [_plain(one) for one in value]
    raise TypeError(f"it is neither text, a number, a list nor a mapping but a {type(value).__name__}")


@lru_cache(maxsize=4096)  # the cells of a sweep have the same templates
def _compiled(text: str) -> tuple[frozenset[str], Callable[..., Any]]:
    """The names that a template uses, and what gives its value."""
    used = frozenset(find_undeclared_variables(ENVIRONMENT.parse(text)))
    alone = ALONE.fullmatch(text)
    if alone:
        return used, ENVIRONMENT.compile_expression(alone[1], undefined_to_none=False)
    return used, ENVIRONMENT.from_string(text).render


def filled(value: Any, scope: Mapping[str, Any]) -> Any:
    """A value with every string in it rendered; raises at the first that cannot be."""
    if isinstance(value, str):
        return rendered(value, scope)
    if isinstance(value, list):
        return [filled(one, scope) for one in value]
    if isinstance(value, dict):
        return {key: filled(one, scope) for key, one in value.items()}
    return value


@define
class Filler:
    """Renders parts of a file and keeps what cannot be rendered as problems, with their places.

    `failed` and `numbers` are where a template could not be rendered, and where it gave something else than text.
    """

    tree: Tree
    problems: list[Problem] = field(factory=list)
    failed: set[Path] = field(factory=set)
    numbers: set[Path] = field(factory=set)

    def fill(self, value: Any, scope: Mapping[str, Any], path: Path) -> Any:
        """A value with every string in it rendered."""
        if isinstance(value, list):
            return [self.fill(one, scope, (*path, index)) for index, one in enumerate(value)]
        if isinstance(value, dict):
            return {key: self.fill(one, scope, (*path, key)) for key, one in value.items()}
        if not isinstance(value, str):
            return value
        try:
            found = rendered(value, scope)
            if not isinstance(found, str):
                self.numbers.add(path)
            return found
        except CircleError as error:
            self.problem(path, f"these values are made of each other: {error}")
        except UndefinedError as error:
            known = ", ".join(dict.fromkeys(name for name in scope))
            self.problem(path, f"{value.strip()!r}: {error.message}", f"known here: {known}")
        except (
            TemplateError,
            ArithmeticError,
            TypeError,
            ValueError,
            LookupError,
            AttributeError,
            RecursionError,
        ) as error:
            self.problem(path, f"{value.strip()!r}: {' '.join(str(error).splitlines()[:1])}")
        return value

    def problem(self, path: Path, message: str, hint: str = "") -> None:
        """Keep one."""
        self.failed.add(path)
        self.problems.append(self.tree.problem("LC115", path, message, hint))
