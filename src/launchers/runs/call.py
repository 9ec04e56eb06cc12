"""What a step calls: a function or a command, with results of earlier steps among its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen


@frozen
class ResultOf:
    """Stands for another step's result among a step's arguments; it is read on the node when the step starts."""

    name: str


def fill_results(value: Any, result: Callable[[str], Any]) -> Any:
    """A value with the results that it stands for, also inside of lists, tuples and dicts (of exactly these types)."""
    if isinstance(value, ResultOf):
        return result(value.name)
    if type(value) in (list, tuple):
        return type(value)(fill_results(part, result) for part in value)
    if type(value) is dict:
        return {key: fill_results(part, result) for key, part in value.items()}
    return value


class StepCommandError(RuntimeError):
    """A command that ended with another exit status than 0, which becomes the job's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}" if status >= 0 else f"ended by signal {-status}")
        self.status = status


@frozen
class Command:
    """A command as the function of a step: it fails when the command's exit status is not 0."""

    argv: tuple[str, ...]

    def __call__(self, *more: object) -> int:
        """Run it with `more` as further arguments, its output in the step's log; raises StepCommandError."""
        import subprocess

        status = subprocess.run([*self.argv, *map(str, more)], check=False).returncode
        if status:
            raise StepCommandError(status)
        return 0


def function_name(func: Callable[..., Any]) -> str:
    """What a function is called, for people."""
    if isinstance(func, Command):
        return " ".join(func.argv)
    return getattr(func, "__qualname__", None) or type(func).__name__
