"""Templates in a flow file: any string may be a Jinja2 template.  Jinja2's sandbox runs it; undefined names are errors.

A page with templates is read in a child process, since a sandbox bounds neither time nor memory (`launchers.bounded`).

What Jinja2 does: https://jinja.palletsprojects.com/en/stable/templates/ and .../sandbox/.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import nullcontext
from datetime import date
from functools import lru_cache
from typing import Any

from attrs import define, field
from jinja2 import StrictUndefined, TemplateRuntimeError, UndefinedError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from launchers.bounded import Meter
from launchers.files.problems import MAX_PROBLEMS, Problem
from launchers.files.tree import KeyPath, Tree
from launchers.files.values import describe_type

SINGLE_EXPRESSION = re.compile(r"\s*\{\{((?:(?!\}\}|\{\{).)*)\}\}\s*", re.S)
"""A string that is one expression and nothing else: it keeps the type of its value."""
MAX_LENGTH = 1_000_000
"""The most characters that a value may have, and the most items that ``*`` makes."""
MAX_ITEMS = 100_000
"""The most items that a value may have, those inside of others included."""
SHOWN = 200
"""The most characters of a template that a message repeats."""
MAX_POWER = 1000
"""The largest base and exponent of ``**``."""
MAX_BITS = 1024
"""The longest whole number."""
OWN_NAMES = ("args", "run", "sweep", "deps")
"""The names that templates see besides the arguments."""

TemplateScope = ChainMap[str, Any]
"""What templates see: args, run, sweep and, in a job, deps; and each argument by its own name."""


def new_scope(args: Mapping[str, Any], cell: Mapping[str, Any], run_folder: str) -> TemplateScope:
    """What the templates of a cell see; arguments may use other arguments."""
    scope: TemplateScope = ChainMap()
    values = TemplateValues("args", args, scope)
    own = {"args": values, "run": {"dir": run_folder}, "sweep": dict(cell)}
    scope.maps[:] = [own, values]  # type: ignore[list-item]
    return scope


class CircularValuesError(Exception):
    """Values whose templates refer to each other; the text is the circle, ``a -> b -> a``."""


@define
class TemplateValues(Mapping[str, Any]):
    """Values whose templates may use each other: each is rendered when it is first asked for.

    `name` is what templates call the mapping, `scope` what its templates see.
    """

    name: str
    templates: Mapping[str, Any]
    scope: Mapping[str, Any] = field(factory=dict)
    _rendered: dict[str, Any] = field(factory=dict, init=False)
    _in_progress: list[str] = field(factory=list, init=False)

    def __getitem__(self, name: str) -> Any:
        if name in self._rendered:
            return self._rendered[name]
        template = self.templates[name]
        if name in self._in_progress:
            start = self._in_progress.index(name)
            raise CircularValuesError(" -> ".join([*self._in_progress[start:], name]))
        self._in_progress.append(name)
        try:
            self._rendered[name] = render_all(template, self.scope)
        finally:
            self._in_progress.pop()
        return self._rendered[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.templates)

    def __len__(self) -> int:
        return len(self.templates)


# -- Jinja2 ----------------------------------------------------------------------------------------------------


class _Sandbox(ImmutableSandboxedEnvironment):
    """A sandbox in which values are bounded and none of the page changes.

    ``args.items`` is the argument of that name, not a method.
    """

    intercepted_binops = frozenset(["*", "**"])

    def getattr(self, obj: Any, attribute: str) -> Any:
        if not isinstance(obj, TemplateValues):
            return super().getattr(obj, attribute)
        if attribute in obj:
            return obj[attribute]
        known = ", ".join(name if name.isidentifier() else f"{obj.name}[{name!r}]" for name in obj)
        return self.undefined(f"{obj.name} has no {attribute!r}; it has: {known or 'nothing'}")

    def getitem(self, obj: Any, argument: Any) -> Any:
        """``args['x']`` is the same as ``args.x``."""
        return self.getattr(obj, argument) if isinstance(obj, TemplateValues) else super().getitem(obj, argument)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Bound powers and repetition, which Jinja2's sandbox does not."""
        if operator == "**" and max(abs(left), abs(right)) > MAX_POWER and not isinstance(left, float):
            raise ValueError(f"{left} ** {right} is too large")
        if operator == "*" and isinstance(left, Sized | int) and isinstance(right, Sized | int):
            sizes = [len(operand) if isinstance(operand, Sized) else operand for operand in (left, right)]
            if (isinstance(left, Sized) or isinstance(right, Sized)) and sizes[0] * sizes[1] > MAX_LENGTH:
                raise ValueError(f"the result is longer than {MAX_LENGTH}")
        return super().call_binop(context, operator, left, right)


class _UndefinedName(StrictUndefined):
    """A name or attribute that is not defined; its message is in our words."""

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: Any = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        message = f"{name!r} is not defined" if obj is missing else f"{describe_type(obj)} has no {name!r}"
        super().__init__(hint or message, obj, name, exc)


ENVIRONMENT = _Sandbox(undefined=_UndefinedName, keep_trailing_newline=True)


@lru_cache(maxsize=4096)  # the cells of a sweep have the same templates
def _compile(text: str) -> tuple[frozenset[str], Callable[..., Any]]:
    """The names that a template uses, and a function that gives its value."""
    names = frozenset(find_undeclared_variables(ENVIRONMENT.parse(text)))
    single = SINGLE_EXPRESSION.fullmatch(text)
    if single:
        return names, ENVIRONMENT.compile_expression(single[1], undefined_to_none=False)
    return names, ENVIRONMENT.from_string(text).render


# -- rendering -------------------------------------------------------------------------------------------------


def is_template(text: str) -> bool:
    """Whether there is something in a text that Jinja2 would replace."""
    return "{{" in text or "{%" in text or "{#" in text


def has_templates(value: Any) -> bool:
    """Whether a value has a template anywhere in it."""
    if isinstance(value, Mapping):
        return any(map(has_templates, value.values()))
    if isinstance(value, list | tuple):
        return any(map(has_templates, value))
    return isinstance(value, str) and is_template(value)


def render(text: str, scope: Mapping[str, Any]) -> Any:
    """The value of a template.  Raises Jinja2's TemplateError, and whatever an expression in it raises."""
    if not is_template(text):
        return text
    names, evaluate = _compile(text)
    value = evaluate(**{name: scope[name] for name in names if name in scope})
    if isinstance(value, str) and len(value) > MAX_LENGTH:
        raise ValueError(f"the result is longer than {MAX_LENGTH} characters")
    return _plain_value(value)


def render_all(value: Any, scope: Mapping[str, Any]) -> Any:
    """A value with every string in it rendered.  Raises what `render` raises, at the first string that fails."""
    if isinstance(value, str):
        return render(value, scope)
    if isinstance(value, list):
        return [render_all(item, scope) for item in value]
    if isinstance(value, dict):
        return {key: render_all(item, scope) for key, item in value.items()}
    return value


def _plain_value(value: Any, room: list[int] | None = None) -> Any:
    """A value as YAML can have it.  Raises TypeError for anything else, such as a function.

    `room` has the number of items that may still come: a list that holds one list many times is copied item by item.
    """
    room = [MAX_ITEMS] if room is None else room
    if isinstance(value, StrictUndefined):
        str(value)  # raises UndefinedError
    if isinstance(value, str):
        return str.__str__(value)  # Markup, as filters make it, is text with operators of its own
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ValueError("the result is a number of too many digits")
    if value is None or isinstance(value, int | float | date):
        return value
    if not isinstance(value, Mapping | list | tuple | range):
        raise TypeError(f"the result is a {type(value).__name__}; it must be text, a number, a list or a mapping")
    room[0] -= len(value)
    if room[0] < 0:
        raise ValueError(f"the result is longer than {MAX_ITEMS} items")
    if isinstance(value, Mapping):
        return {str(name): _plain_value(item, room) for name, item in value.items()}
    return [_plain_value(item, room) for item in value]


@define
class Renderer:
    """Renders parts of a file; what cannot be rendered becomes a problem with its place.

    `failed` has the paths of templates that could not be rendered, `typed` those of templates whose value is no text.
    """

    tree: Tree
    meter: Meter | None = None
    problems: list[Problem] = field(factory=list)
    failed: set[KeyPath] = field(factory=set)
    typed: set[KeyPath] = field(factory=set)

    def render(self, value: Any, scope: Mapping[str, Any], path: KeyPath) -> Any:
        """A value with every string in it rendered; a string that cannot be rendered stays as it is."""
        if isinstance(value, list):
            return [self.render(item, scope, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: self.render(item, scope, (*path, key)) for key, item in value.items()}
        if not isinstance(value, str) or not is_template(value) or len(self.problems) >= MAX_PROBLEMS:
            return value
        try:
            with self.meter.part(path) if self.meter else nullcontext():
                rendered = render(value, scope)
        except CircularValuesError as error:
            self._report(path, f"these values refer to each other: {error}")
        except UndefinedError as error:
            self._report(path, f"{shorten(value)}: {error.message}", f"known here: {', '.join(dict.fromkeys(scope))}")
        except MemoryError:
            self._report(path, f"{shorten(value)}: it takes more memory than the templates of a page may")
        except Exception as error:  # an expression may raise anything
            reason = " ".join(str(error).splitlines()[:1])
            self._report(path, f"{shorten(value)}: {reason or type(error).__name__}")
        else:
            if not isinstance(rendered, str):
                self.typed.add(path)
            return rendered
        return value

    def _report(self, path: KeyPath, message: str, hint: str = "") -> None:
        self.failed.add(path)
        self.problems.append(self.tree.problem("LC115", path, message, hint))


def shorten(template: str) -> str:
    """A template for messages."""
    text = template.strip()
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
