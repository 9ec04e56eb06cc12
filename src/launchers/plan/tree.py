"""The tree that a person builds: Step, Map, Chain, Parallel and Plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import dropwhile
from typing import Any, Literal

from attrs import frozen

from launchers.launcher.launcher import Launcher
from launchers.requirement import Requirement, parse
from launchers.runs.call import Command, ResultOf
from launchers.slurm.args import SlurmArgs

On = Literal["ok", "any", "failed", "started", "each"]
"""When a node starts, of those before it: all succeeded, all ended, each step failed (a Map when all of it has ended
and any item failed, as Slurm has it for an array), all have started; "each": element-wise
for a Map after a Map of equal length, each item after its own."""
ONS = ("ok", "any", "failed", "started", "each")


@frozen
class Pinned:
    """A requirement with fields of SlurmArgs that are passed as they stand; the broker finds the rest.

    A partition, QoS or account narrows down where it looks.
    """

    requirement: Requirement
    options: tuple[tuple[str, Any], ...]


Need = Requirement | Pinned | SlurmArgs | Launcher | Mapping[str, Any] | None


class PlanError(ValueError):
    """Everything that is wrong with a plan, one thing a line, found before anything is submitted."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class PlacementError(PlanError):
    """A plan whose only fault is that no launcher group has a place for all of its steps."""


class UnreachableError(PlacementError):
    """The same, because none of them can be asked."""


@frozen
class Again:
    """How often a step that ended without success is submitted again, and what it asks for then ("mem*2")."""

    times: int
    escalate: str


def need_of(need: object) -> Need:
    """A need as a person writes it: text is a requirement; raises PlanError's text as TypeError for other things."""
    if isinstance(need, str):
        return parse(need)
    if _is_need(need):
        return need  # type: ignore[return-value]
    raise TypeError(f"a need is a requirement, SlurmArgs, a Launcher or a dict of submitit parameters, not {need!r}")


def _is_need(value: object) -> bool:
    return value is None or isinstance(value, Requirement | Pinned | SlurmArgs | Launcher | Mapping | str)


class Node:
    """A part of a plan."""

    on: On = "ok"

    def _check_on(self, on: str) -> None:
        if on not in ONS:
            raise ValueError(f"on={on!r}: it is one of {', '.join(ONS)}")


class Step(Node):
    """One job: ``Step(name, need, func, *args, **kwargs)`` calls ``func(*args, **kwargs)`` there.

    `need` is a requirement (text or object), SlurmArgs, a dict of submitit's Slurm parameters, or a Launcher; it may
    stand behind `func`, and None, or leaving it out, means the plan's default.  `on` says of the steps before it what
    has to have happened.  Positional only, so that keyword arguments are the function's own.

    `again`, `identity` (what the step is made of, to tell whether it was done before), `srun` (False: it runs once,
    in the batch script, however many tasks are asked for) and `rivals` (steps that are cancelled when it fails)
    are for those who make steps for others.
    """

    again: Again | None = None
    identity: str = ""
    srun: bool = True
    rivals: tuple[str, ...] = ()

    def __init__(self, name: str, need: Any, func: Any = None, /, *args: Any, on: On = "ok", **kwargs: Any) -> None:
        self._check_on(on)
        if callable(need) and not _is_need(need):
            if _is_need(func) and not isinstance(func, str):
                need, func = func, need
            else:  # Step(name, func, *args): the plan's default
                need, func, args = None, need, (func, *args) if func is not None else args
        if not callable(func):
            raise TypeError(f"step {name}: what it runs is not callable: {func!r}")
        self.name, self.need, self.func = name, need_of(need), func
        self.args, self.kwargs, self.on = args, kwargs, on

    @classmethod
    def command(cls, name: str, need: Any, command: str | Sequence[str], *, on: On = "ok") -> Step:
        """A step that runs a command: a list as it stands, text through the shell of the node."""
        if isinstance(command, str):
            return cls(name, need, Command(("/bin/sh", "-c", command, "sh")), on=on)
        return cls(name, need, Command(tuple(map(str, command))), on=on)

    def __repr__(self) -> str:
        return f"Step({self.name!r})"


class Map(Step):
    """One array: ``Map(name, need, func, items)`` calls ``func(item)`` for each item; `at_once` bounds how many run.

    With `fail_fast` the first item that fails has those cancelled that have not ended, so that what hangs on them
    cannot start; what hangs on an item that has succeeded goes on.
    """

    def __init__(
        self,
        name: str,
        need: Any,
        func: Any,
        items: Iterable[Any],
        /,
        *,
        at_once: int | None = None,
        fail_fast: bool = False,
        on: On = "ok",
    ) -> None:
        super().__init__(name, need, func, on=on)
        self.items = list(items)
        self.at_once, self.fail_fast = at_once, fail_fast

    def __repr__(self) -> str:
        return f"Map({self.name!r}, {len(self.items)} items)"


class Chain(Node):
    """Nodes one after another."""

    def __init__(self, *nodes: Node, on: On = "ok") -> None:
        self._check_on(on)
        self.nodes, self.on = nodes, on


class Parallel(Node):
    """Nodes side by side, all after the same ones."""

    def __init__(self, *nodes: Node, on: On = "ok") -> None:
        self._check_on(on)
        self.nodes, self.on = nodes, on


class Dag(Node):
    """Steps with any edges between them: `after` has, per step, the steps it waits for and what of each.

    ``Dag(a, b, c, after={"c": {"a": "ok", "b": "any"}})``.  Raises PlanError for edges to or from steps that are not
    among them, and for a circle, with its path.
    """

    def __init__(self, *steps: Step, after: Mapping[str, Mapping[str, On]]) -> None:
        self.after = {name: dict(waits) for name, waits in after.items()}
        names = [step.name for step in steps]
        named = {name for child, waits in self.after.items() for name in (child, *waits)}
        unknown = sorted(named.difference(names))
        if unknown:
            raise PlanError([f"there is no step {name} here: {', '.join(names)}" for name in unknown])
        for waits in self.after.values():
            for on in waits.values():
                self._check_on(on)
        order = {name: number for number, name in enumerate(sorted_names(names, self.after))}
        self.nodes = tuple(sorted(steps, key=lambda step: order[step.name]))


def sorted_names(names: Sequence[str], after: Mapping[str, Iterable[str]]) -> list[str]:
    """The names, each behind those it waits for, else in their order; raises PlanError with the path of a circle."""
    done: dict[str, None] = {}
    for name in names:
        path = {name: iter(after.get(name, ()))}  # each waits for the next, with what is left of what it waits for
        while path:
            last = next(reversed(path))
            if last in done:
                path.popitem()
            elif (parent := next(path[last], None)) is None:
                done[last] = None
            elif parent in path:
                raise PlanError(
                    [f"these wait for each other: {' -> '.join((*dropwhile(parent.__ne__, path), parent))}"]
                )
            elif parent not in done:
                path[parent] = iter(after.get(parent, ()))
    return list(done)


def result_of(step: Step | str) -> ResultOf:
    """What stands for a step's result."""
    return ResultOf(step if isinstance(step, str) else step.name)
