"""OarArgs: the arguments of one OAR job, typed, rendered as oarsub options or as submitit parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import Attribute, field, frozen

from launchers.quantities.hosts import host_set
from launchers.quantities.words import format_walltime

_PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
PASSED_VARIABLES = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX")
"""The submitter's variables that a job gets. OAR itself passes on none (docs/oar-facts.md#environment)."""


def environment_prefix(environ: Mapping[str, str]) -> list[str]:
    """The words in front of a command that give it the PASSED_VARIABLES."""
    return ["env", *(f"{name}={environ[name]}" for name in PASSED_VARIABLES if environ.get(name))]


def sql_literal(value: str) -> str:
    """A value as an SQL string. The database converts it to a number where the property is a number.

    Raises ValueError for a control character, and for a backslash, which PostgreSQL and MySQL read differently.
    """
    if not value.isprintable() or "\\" in value:
        raise ValueError(f"{value!r} cannot stand in a condition for OAR: it has a control character or a backslash")
    return "'" + value.replace("'", "''") + "'"


def sql_condition(feature: str) -> str:
    """``gpu_model=Tesla V100`` in SQL. Raises ValueError for a text that is not a property and its value."""
    name, equals, value = feature.partition("=")
    if not equals or not _PROPERTY.fullmatch(name):
        raise ValueError(f"{feature!r} is not a property and its value")
    return f"{name} = {sql_literal(value)}"


def sql_where(clauses: Iterable[Iterable[str]], only: Iterable[str] = (), host: str = "host", exclude: str = "") -> str:
    """The SQL condition for nodes that have all properties of one clause, and all of `only`; "" for any node.

    `exclude` is a folded list of hosts that are not wanted, `host` the property with their names.
    """
    alternatives = [[sql_condition(feature) for feature in clause] for clause in clauses]
    parts = [sql_condition(feature) for feature in only]
    if len(alternatives) == 1:
        parts += alternatives[0]
    elif alternatives:
        parts.append("(" + " OR ".join(f"({' AND '.join(conditions)})" for conditions in alternatives) + ")")
    if exclude:
        parts.append(f"{host} NOT IN ({', '.join(sql_literal(name) for name in host_set(exclude))})")
    return " AND ".join(dict.fromkeys(parts))


def _check_printable(_: Any, attribute: Attribute[Any], value: str | None) -> None:
    if value is not None and not value.isprintable():
        raise ValueError(f"{attribute.name} has a line break or control character: {value!r}")


@frozen(kw_only=True)
class OarArgs:
    """What one job asks of oarsub.

    `walltime` is in seconds. `levels` are pairs of a level of resources and a number, hosts first. `guard` and
    `properties` are SQL conditions: for the resources, and for the nodes.
    """

    levels: tuple[tuple[str, int], ...] = (("host", 1),)
    walltime: int | None = None
    guard: str = field(default="", validator=_check_printable)
    properties: str = field(default="", validator=_check_printable)
    queue: str | None = field(default=None, validator=_check_printable)
    types: tuple[str, ...] = ()
    project: str | None = field(default=None, validator=_check_printable)

    @property
    def resources(self) -> str:
        """The value of ``-l``."""
        path = "".join(f"/{level}={count}" for level, count in self.levels)
        guard = f"{{{self.guard}}}" if self.guard else ""
        return guard + path + ("" if self.walltime is None else f",walltime={format_walltime(self.walltime)}")

    def options(self) -> dict[str, str | list[str]]:
        """The options by their names, in a fixed order."""
        options: dict[str, str | list[str] | None] = {
            "l": self.resources, "p": self.properties, "q": self.queue, "t": list(self.types), "project": self.project
        }  # fmt: skip
        return {key: value for key, value in options.items() if value}

    def flags(self) -> list[str]:
        """The options as arguments of an oarsub command, for running it without a shell."""
        return option_words(self.options())

    def directives(self) -> list[str]:
        """The options as ``#OAR`` lines for ``oarsub -S``, which takes the rest of each line as the value."""
        words = self.flags()
        return [f"#OAR {flag} {value}" for flag, value in zip(words[::2], words[1::2], strict=True)]

    def submitit(self) -> dict[str, object]:
        """The parameters of submitit-oar's executor that ask for the same job; it tells jobs their `timeout_min`."""
        options = self.options()
        queue = options.pop("q", None)
        limit = None if self.walltime is None else -(-self.walltime // 60)
        return {"queue": queue, "additional_parameters": options, **({"timeout_min": limit} if limit else {})}


def option_words(options: Mapping[str, str | list[str]]) -> list[str]:
    """Options by their names as arguments: flag and value in turn, once for each value."""
    words = []
    for name, values in options.items():
        for value in values if isinstance(values, list) else [values]:
            words += [f"-{name}" if len(name) == 1 else f"--{name}", value]
    return words
