"""The tree that a person builds: Step, Map, Chain, Parallel and Plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from launchers.launcher import Launcher
from launchers.requirement import Requirement, parse
from launchers.slurm.args import SlurmArgs

if TYPE_CHECKING:
    from launchers.plan.run import Run

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
class ResultOf:
    """Stands for another step's result among a step's arguments; it is read on the node when the step starts."""

    name: str


def filled(value: Any, result: Callable[[str], Any]) -> Any:
    """A value with the results that it stands for, also inside of lists, tuples and dicts (of exactly these types)."""
    if isinstance(value, ResultOf):
        return result(value.name)
    if type(value) in (list, tuple):
        return type(value)(filled(one, result) for one in value)
    if type(value) is dict:
        return {key: filled(one, result) for key, one in value.items()}
    return value


class CommandError(RuntimeError):
    """A command that ended with another exit status than 0, which becomes the job's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}" if status >= 0 else f"ended by signal {-status}")
        self.status = status


@frozen
class Command:
    """A command as the function of a step: it fails when the command's exit status is not 0."""

    argv: tuple[str, ...]

    def __call__(self, *more: object) -> int:
        """Run it with `more` as further arguments, its output in the step's log; raises CommandError."""
        import subprocess

        status = subprocess.run([*self.argv, *map(str, more)], check=False).returncode
        if status:
            raise CommandError(status)
        return 0


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


class Plan:
    """A name and a tree of steps; `need` is for the steps that have none of their own."""

    def __init__(self, name: str, root: Node, *, need: Any = None) -> None:
        self.name, self.root, self.need = name, root, need_of(need)
        self.run: Run | None = None

    def result_of(self, step: Step | str) -> ResultOf:
        """What stands for a step's result in the arguments of a later one."""
        return result_of(step)

    def describe(self, *, config: str | Path | None = None, place: bool = True) -> str:
        """The tree with its times and the partition of each step; printed and returned.

        Where nothing can place it, or with `place=False`, it is the tree and its times alone.
        """
        from launchers.plan.describe import described
        from launchers.plan.place import placed_or_not

        text = described(self, placed_or_not(self, config) if place else None)
        print(text)
        return text

    def graph(self, form: Literal["mermaid", "dot", "svg"] = "mermaid") -> str:
        """The DAG as text in one of three forms."""
        from launchers.plan.describe import drawn

        return drawn(self, form)

    def dry_run(self, *, config: str | Path | None = None, tags: Iterable[str] = ()) -> str:
        """Per submission the whole sbatch file that would be sent; raises PlanError."""
        from launchers.plan.submit import dry_run

        return dry_run(self, config=config, tags=tags)

    def submit(
        self,
        executor: Any = None,
        *,
        config: str | Path | None = None,
        tags: Iterable[str] = (),
        folder: str | Path = "runs",
        on_refusal: Literal["cancel", "leave"] = "cancel",
        jobs: int | None = None,
    ) -> Run:
        """Check everything, then submit every step; what is returned follows the run.

        `executor` is planit's: of a submitit executor only its folder is used, as the place for the run folder.
        `on_refusal` says what becomes of what is queued already when the cluster refuses a later step; `jobs` bounds
        how many run at once on this machine.  Raises
        PlanError before anything is submitted, LauncherNotFoundError, SubmitError afterwards.
        """
        from launchers.plan.submit import submit

        place = Path(getattr(executor, "folder", folder)) if executor is not None else Path(folder)
        self.run = submit(self, config=config, tags=tags, folder=place, on_refusal=on_refusal, jobs=jobs)
        return self.run

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every step has ended; whether all succeeded."""
        if self.run is None:
            raise PlanError([f"plan {self.name} has not been submitted"])
        return self.run.wait(timeout)

    def __getitem__(self, name: str) -> Any:
        """A submitted step: ``plan["train"].result()``."""
        if self.run is None:
            raise PlanError([f"plan {self.name} has not been submitted"])
        return self.run[name]


def result_of(step: Step | str) -> ResultOf:
    """What stands for a step's result."""
    return ResultOf(step if isinstance(step, str) else step.name)


def function_name(func: Callable[..., Any]) -> str:
    """What a function is called, for people."""
    if isinstance(func, Command):
        return " ".join(func.argv)
    return getattr(func, "__qualname__", None) or type(func).__name__
