"""The command `launchers`: parses flags, prints.  Each command's module is imported only when it runs."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

FOUND, NO_MATCH, BAD_INPUT, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a write fails with when there is no room for it, or its device does not work."""

COMMANDS = {
    "find": "find the best launcher for a requirement",
    "explain": "say why a requirement matches what it matches, or nothing",
    "run": "find the best launcher and run a command there",
    "flow": "run, check, draw and show flows: pipelines in YAML",
    "status": "show the steps of a submitted plan",
    "logs": "print the logs of a step",
    "cancel": "cancel a run, or steps of it and what hangs on them",
    "wait": "wait for a run to end",
    "retry": "submit again what failed in a run and what hung on it",
    "resume": "finish a submission whose client was ended",
    "runs": "list the runs",
    "clean": "remove the folders of runs that have ended",
    "report": "write one HTML page about a run: its graph, times, resources and logs",
    "advise": "compare what the steps of a run asked with what they used",
    "scan": "run a worker over a space of parameters, in folders named by what went into them",
    "list": "list the launcher groups and what they offer",
    "check": "check a launchers.yaml and list everything that is wrong with it",
    "convert": "write a launchers.yaml from what a cluster prints, or from the live cluster",
    "probe": "ask the drivers on a cluster's nodes for GPU memory that Slurm does not tell",
    "schema": "print the JSON Schema of launchers.yaml",
    "where": "say which launchers.yaml is used, and where it is looked for",
    "completion": "print a completion script for your shell",
}

GROUPS = dict.fromkeys(("status", "logs", "cancel", "wait", "retry", "resume", "runs", "clean"), "runs")
GROUPS |= {"report": "usage", "advise": "usage"}
"""Commands that share a module."""


class Parser(argparse.ArgumentParser):
    """argparse, with errors that say what to do in the words of the command that was typed."""

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
    return import_module(f"launchers.cli.{GROUPS.get(name, name)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status is 0, 1 (nothing matches), 2 (the input is wrong) or 3 (cannot be reached)."""
    words = [*(sys.argv[1:] if argv is None else argv)]
    cut = words.index("--") if "--" in words else len(words)
    words, behind = words[:cut], words[cut + 1 :]
    name = next((word for word in words if not word.startswith("-")), "")
    if isinstance(sys.stdout, io.TextIOWrapper):  # what is said on stderr stands where it was said, in a pipe too
        sys.stdout.reconfigure(line_buffering=True)
    try:
        options = parser(name).parse_args(words, argparse.Namespace(argv=behind))
        status = int(module(options.command).run(options))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return FOUND
    except OSError as error:
        if error.errno not in FULL or error.filename is not None:
            raise
        _close_stdout()
        print(f"launchers: what there is to say cannot be written: {error.strerror}", file=sys.stderr)
        return NO_MATCH
    except Exception as error:
        return _told(error)


def _close_stdout() -> None:
    """Let what is still to be written there go nowhere: Python would complain about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(error: Exception) -> int:
    """Print a mistake of the user's on stderr and give its exit status; anything else is ours and goes on."""
    from launchers.errors import UNREACHABLE as OUT_OF_REACH
    from launchers.errors import LauncherNotFoundError
    from launchers.files.problems import ConfigError
    from launchers.requirement import RequirementSyntaxError

    if isinstance(error, LauncherNotFoundError):
        print(f"launchers: {error}", file=sys.stderr)
        return UNREACHABLE if error.kind == OUT_OF_REACH else NO_MATCH
    if isinstance(error, RequirementSyntaxError | ConfigError):
        print(f"launchers: {error}" if isinstance(error, RequirementSyntaxError) else error, file=sys.stderr)
        return BAD_INPUT
    raise error
