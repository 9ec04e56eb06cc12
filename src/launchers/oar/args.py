"""OarArgs: the arguments of one OAR job, typed, rendered as oarsub options or as submitit parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import Attribute, field, frozen

from launchers.quantities.words import format_walltime

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


PASSED_VARIABLES = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX")
"""What a job is given of the submitter's environment, of which OAR itself passes on nothing."""


def environment_prefix(environ: Mapping[str, str]) -> list[str]:
    """The words before a command that give it what is carried."""
    return ["env", *(f"{name}={environ[name]}" for name in PASSED_VARIABLES if environ.get(name))]


def sql_literal(value: str) -> str:
    """A value as an SQL string; the database reads a number in it as a number where the property is one.

    Raises ValueError for a control character or a backslash, which PostgreSQL and MySQL read differently.
    """
    if not value.isprintable() or "\\" in value:
        raise ValueError(f"{value!r} cannot be said to OAR: it has a control character or a backslash")
    return "'" + value.replace("'", "''") + "'"


def sql_condition(feature: str) -> str:
    """``gpu_model=Tesla V100`` in SQL; ValueError for what is no property and value."""
    name, found, value = feature.partition("=")
    if not found or not _NAME.fullmatch(name):
        raise ValueError(f"{feature!r} is not a property and its value")
    return f"{name} = {sql_literal(value)}"


def sql_where(clauses: Iterable[Iterable[str]], only: Iterable[str] = (), host: str = "host", exclude: str = "") -> str:
    """Nodes that have all properties of any clause and all of `only`, less the (folded) hosts `exclude`; "" for all."""
    listed = [[sql_condition(one) for one in clause] for clause in clauses]
    parts = [sql_condition(one) for one in only]
    if len(listed) == 1:
        parts += listed[0]
    elif listed:
        parts.append("(" + " OR ".join(f"({' AND '.join(clause)})" for clause in listed) + ")")
    if exclude:
        from ClusterShell.NodeSet import NodeSet

        parts.append(f"{host} NOT IN ({', '.join(sql_literal(name) for name in NodeSet(exclude))})")
    return " AND ".join(dict.fromkeys(parts))


def _one_line(_: Any, attribute: Attribute[Any], value: str | None) -> None:
    if value is not None and not value.isprintable():
        raise ValueError(f"{attribute.name} holds a line break or control character: {value!r}")


@frozen(kw_only=True)
class OarArgs:
    """What one job asks of oarsub.

    `walltime` is in seconds.  `levels` are pairs of a level of resources and how many of it, hosts first; `guard` and
    `properties` are SQL: what holds for the resources asked for, and what tells the nodes apart.
    """

    levels: tuple[tuple[str, int], ...] = (("host", 1),)
    walltime: int | None = None
    guard: str = field(default="", validator=_one_line)
    properties: str = field(default="", validator=_one_line)
    queue: str | None = field(default=None, validator=_one_line)
    types: tuple[str, ...] = ()
    project: str | None = field(default=None, validator=_one_line)

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
        """The options as arguments of one oarsub command; nothing here passes through a shell."""
        return option_words(self.options())

    def directives(self) -> list[str]:
        """The options as ``#OAR`` lines for ``oarsub -S``, which takes the rest of a line as it is."""
        words = self.flags()
        return [f"#OAR {flag} {value}" for flag, value in zip(words[::2], words[1::2], strict=True)]

    def submitit(self) -> dict[str, object]:
        """The parameters of submitit-oar's executor that ask for the same job; `timeout_min` is what it tells jobs."""
        options = self.options()
        queue = options.pop("q", None)
        limit = None if self.walltime is None else -(-self.walltime // 60)
        return {"queue": queue, "additional_parameters": options, **({"timeout_min": limit} if limit else {})}


def option_words(options: dict[str, str | list[str]]) -> list[str]:
    """Options by name as arguments, flag and value in turn."""
    found = []
    for key, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            found += [f"-{key}" if len(key) == 1 else f"--{key}", one]
    return found
