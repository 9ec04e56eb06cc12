"""The parser of the command line. Each command has a module, which is imported when it runs."""

from __future__ import annotations

import argparse
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


class Parser(argparse.ArgumentParser):
    """A parser of a command: it has --verbose, and its errors end with the command that prints its help."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        text = "print each command that is run on stderr, with its exit status and time"
        self.add_argument("-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help=text)

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 2."""
        self.exit(BAD_INPUT, f"{self.prog}: {message}\nTry '{self.prog} --help'.\n")


def parser(only: str | None = None) -> argparse.ArgumentParser:
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
