"""The tree that a person builds: Step, Map, Chain, Parallel and Dag, and the Tree that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from reprlib import repr as short_repr
from typing import Any

from attrs import frozen

from launchers.jobs.submission import DEPENDENCY_TYPES, Condition
from launchers.launcher.launcher import Launcher
from launchers.order import CircularWaitError, sort_by_waits
from launchers.requirement import Requirement, parse
from launchers.runs.call import Command, ResultOf
from launchers.slurm.args import SlurmArgs


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
class RetryPolicy:
    """How often a step that ended without success is submitted again, and what it asks for then ("mem*2")."""

    times: int
    escalate: str


def read_need(need: object) -> Need:
    """A need as a person writes it: text is a requirement.  Raises RequirementSyntaxError, and TypeError for others."""
    if isinstance(need, str):
        return parse(need)
    if need is None or isinstance(need, Requirement | Pinned | SlurmArgs | Launcher | Mapping):
        return need
    raise TypeError(
        f"a need is a requirement, SlurmArgs, a Launcher or a dict of submitit parameters, not {short_repr(need)}"
    )


def _check_condition(on: str) -> None:
    if on not in DEPENDENCY_TYPES:
        raise ValueError(f"on={on!r} is not a condition; write one of {', '.join(DEPENDENCY_TYPES)}")


class Node:
    """A part of a plan."""

    on: Condition = "ok"


class Step(Node):
    """One job: ``Step(name, need, func, *args, **kwargs)`` calls ``func(*args, **kwargs)`` there.

    `need` is a requirement (text or object), SlurmArgs, a dict of submitit's Slurm parameters, or a Launcher; None
    stands for the plan's default.  `on` says what has to have happened to the steps before it.  The first three are
    positional only, so that keyword arguments are the function's own.  Raises TypeError and ValueError.

    `retry`, `identity` (what the step is made of, to tell whether it was done before), `srun` (False: it runs once,
    in the batch script, however many tasks are asked for) and `rivals` (steps that are cancelled when it fails)
    are for those who make steps for others.
    """

    retry: RetryPolicy | None = None
    identity: str = ""
    srun: bool = True
    rivals: tuple[str, ...] = ()
    _usage = "Step(name, need, func, *args)"

    def __init__(
        self, name: str, need: Any, func: Callable[..., Any], /, *args: Any, on: Condition = "ok", **kwargs: Any
    ) -> None:
        _check_condition(on)
        if not callable(func):
            raise TypeError(
                f"step {name}: {short_repr(func)} is not a function; write {self._usage}, with None for the plan's need"
            )
        try:
            self.need = read_need(need)
        except TypeError as error:
            raise TypeError(f"step {name}: {error}; write {self._usage}") from None
        self.name, self.func = name, func
        self.args, self.kwargs, self.on = args, kwargs, on

    @classmethod
    def command(cls, name: str, need: Any, command: str | Sequence[str], *, on: Condition = "ok") -> Step:
        """A step that runs a command: a list as it stands, text through the shell of the node."""
        if isinstance(command, str):
            return cls(name, need, Command(("/bin/sh", "-c", command, "sh")), on=on)
        return cls(name, need, Command(tuple(map(str, command))), on=on)

    @property
    def count(self) -> int:
        """How many jobs it is."""
        return 1

    def __repr__(self) -> str:
        return f"Step({self.name!r})"


class Map(Step):
    """One array: ``Map(name, need, func, items)`` calls ``func(item)`` for each item; `at_once` bounds how many run.

    With `fail_fast` the first item that fails has those cancelled that have not ended, so that what hangs on them
    cannot start; what hangs on an item that has succeeded goes on.
    """

    _usage = "Map(name, need, func, items)"

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
        on: Condition = "ok",
    ) -> None:
        super().__init__(name, need, func, on=on)
        self.items = list(items)
        self.at_once, self.fail_fast = at_once, fail_fast

    @property
    def count(self) -> int:
        """How many jobs it is: one for each item."""
        return len(self.items)

    def __repr__(self) -> str:
        return f"Map({self.name!r}, {len(self.items)} items)"


class Chain(Node):
    """Nodes one after another."""

    def __init__(self, *nodes: Node, on: Condition = "ok") -> None:
        _check_condition(on)
        self.nodes, self.on = nodes, on


class Parallel(Node):
    """Nodes side by side, all after the same ones."""

    def __init__(self, *nodes: Node, on: Condition = "ok") -> None:
        _check_condition(on)
        self.nodes, self.on = nodes, on


class Dag(Node):
    """Steps with any edges between them: `after` has, per step, the steps it waits for and what of each.

    ``Dag(a, b, c, after={"c": {"a": "ok", "b": "any"}})``.  Raises PlanError for edges to or from steps that are not
    among them, and for a circle, with its path.
    """

    def __init__(self, *steps: Step, after: Mapping[str, Mapping[str, Condition]]) -> None:
        self.after = {name: dict(waits) for name, waits in after.items()}
        names = [step.name for step in steps]
        named = {name for child, waits in self.after.items() for name in (child, *waits)}
        unknown = sorted(named.difference(names))
        if unknown:
            raise PlanError([f"there is no step {name} here: {', '.join(names)}" for name in unknown])
        for waits in self.after.values():
            for on in waits.values():
                _check_condition(on)
        try:
            order = {name: number for number, name in enumerate(sort_by_waits(names, self.after))}
        except CircularWaitError as error:
            raise PlanError([str(error)]) from None
        self.nodes = tuple(sorted(steps, key=lambda step: order[step.name]))


class StepTree:
    """A name and a tree of steps; `need` is for the steps that have none of their own."""

    def __init__(self, name: str, root: Node, *, need: Any = None) -> None:
        self.name, self.root, self.need = name, root, read_need(need)


def result_of(step: Step | str) -> ResultOf:
    """What stands for a step's result."""
    return ResultOf(step if isinstance(step, str) else step.name)
