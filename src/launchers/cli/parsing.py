"""The parser of the command line. Each command has a module, which is imported when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

from launchers.cli.exit_status import BAD_INPUT

COMMANDS = {
    "find": "find the best launcher for a requirement",
    "explain": "explain why a requirement matches, or why nothing does",
    "run": "find the best launcher and run a command there",
    "flow": "run, check, draw and show flows: pipelines in YAML",
    "status": "show the steps of a run",
    "logs": "print the logs of a step",
    "cancel": "cancel a run, or some of its steps and all that depend on them",
    "wait": "wait until a run has ended",
    "retry": "submit failed steps again, and those that depend on them",
    "resume": "finish a submission whose client was killed",
    "runs": "list the runs",
    "clean": "remove the folders of runs that have ended",
    "report": "write one HTML page about a run: its graph, times, resources and logs",
    "advise": "compare what each step asked for with what it used",
    "scan": "run a program for each point of a parameter space, in folders named by their contents",
    "list": "list the launcher groups and what they offer",
    "check": "check a launchers.yaml and list everything that is wrong in it",
    "convert": "write a launchers.yaml from the output of a cluster's commands, or from the live cluster",
    "probe": "ask the drivers on a cluster's nodes for the GPU memory that Slurm does not know",
    "schema": "print the JSON Schema of launchers.yaml",
    "where": "show which launchers.yaml is used, and where launchers looks for it",
    "completion": "print a completion script for your shell",
}


LONGEST = 100
"""Characters of a word that an error repeats."""
LONGEST_ERROR = 1000
"""Characters of an error."""


class Parser(argparse.ArgumentParser):
    """A parser of a command: it has --verbose, and its errors say what to write, and how to print the help."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        text = "print each command that is run on stderr, with its exit status and time"
        self.add_argument("-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help=text)

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 2."""
        shown = message if len(message) <= LONGEST_ERROR else f"{message[:LONGEST_ERROR]}..."
        self.exit(BAD_INPUT, f"{self.prog}: {shown}\nTry '{self.prog} --help'.\n")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The options; what none of the parsers knows is an error of the command that was given."""
        first = next(iter(args or ()), "").partition("=")[0]
        if first.startswith("--") and not any(name.startswith(first) for name in self._option_string_actions):
            self.error(f"write options behind the command, as in: {self.prog} COMMAND {first[:LONGEST]}")
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            command = self._chosen(options)
            command.error(command._about_unknown(unknown))
        return options

    def commands(self) -> Iterator[Parser]:
        """The parsers of all commands that have no commands below them."""
        below = self._choices()
        yield from (command for choice in below.values() for command in choice.commands()) if below else (self,)

    def has_option(self, name: str) -> bool:
        """Whether an option has this name."""
        return name in self._option_string_actions

    def _choices(self) -> dict[str, Parser]:
        """The parsers of the commands below, by name."""
        return next(({**act.choices} for act in self._actions if isinstance(act, argparse._SubParsersAction)), {})

    def _chosen(self, options: argparse.Namespace) -> Parser:
        """The parser of the command that was given."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return self._choices()[getattr(options, action.dest)]._chosen(options)
        return self

    def _about_unknown(self, words: list[str]) -> str:
        """What to write in place of words that this command does not take."""
        option = next((word.partition("=")[0] for word in words if word.startswith("-") and word != "-"), None)
        if option is None:
            usage = " ".join(self.format_usage().split()).removeprefix("usage: ")
            return f"{words[0][:LONGEST]!r} is one argument too many; the command is: {usage}"
        return f"it has no option {option[:LONGEST]}{self._about_option(option)}"

    def _about_option(self, option: str) -> str:
        """What to write in place of an option that this command does not have, where anything is like it."""
        close = get_close_matches(option, self._option_string_actions, 1, 0.75)
        if close:
            return f": did you mean {close[0]}?"
        others = [command for command in parser().commands() if command.has_option(option)]
        if not others:
            return ""
        value = others[0]._option_string_actions[option].metavar
        if any(action.metavar == value and not action.option_strings for action in self._actions if value):
            return f": write the {value} without it, as in: {self.prog} {value}"
        names = [command.prog for command in others]
        return f"; these have it: {', '.join(names[:3])}{' and others' if names[3:] else ''}"


def parser(only: str | None = None) -> Parser:
    """The parser of all commands, or of one, so that no other command's module need be imported."""
    from launchers import __version__

    top = Parser(prog="launchers", description="Say what a job needs, get the launcher that really starts it.")
    top.add_argument("--version", action="version", version=f"launchers {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, prog=top.prog)
    for name, help in COMMANDS.items():
        command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        if only in (None, name):
            module(name).arguments(command)
    return top


def module(name: str) -> Any:
    """The module of a command."""
    return import_module(f"launchers.cli.{name}")
