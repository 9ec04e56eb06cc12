"""The command `launchers`: it parses options and prints. Each command has a module, which is imported when it runs."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

FOUND, NO_MATCH, BAD_INPUT, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses. NO_MATCH is also that of a submission that the scheduler refused."""
WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""How a write to stdout fails when the disk is full or broken."""

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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status, which is one of the five above unless the command has its own."""
    words = [*(sys.argv[1:] if argv is None else argv)]
    cut = words.index("--") if "--" in words else len(words)
    words, behind = words[:cut], words[cut + 1 :]
    name = next((word for word in words if not word.startswith("-")), "")
    if isinstance(sys.stdout, io.TextIOWrapper):  # in a pipe too, stdout and stderr keep their order
        sys.stdout.reconfigure(line_buffering=True)
    try:
        options = parser(name).parse_args(words, argparse.Namespace(argv=behind, verbose=False))
        with _commands_on_stderr(options.verbose):
            status = int(module(options.command).run(options))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return FOUND
    except OSError as error:
        if error.errno not in WRITE_ERRORS or error.filename is not None:
            raise
        _close_stdout()
        print(f"launchers: cannot write the output: {error.strerror}", file=sys.stderr)
        return NO_MATCH
    except Exception as error:
        status, message = _user_error(error, name)
        print(message, file=sys.stderr)
        return status


@contextmanager
def _commands_on_stderr(verbose: bool) -> Iterator[None]:
    """Print what `launchers` logs on stderr; it logs the commands that it runs."""
    if not verbose:
        yield
        return
    import logging

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("launchers: %(message)s"))
    log = logging.getLogger("launchers")
    before = log.level
    log.setLevel(logging.DEBUG)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def _close_stdout() -> None:
    """Send what is still buffered to /dev/null: Python would fail to write it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _user_error(error: Exception, command: str) -> tuple[int, str]:
    """The exit status and the message of an error that a user can mend; raises any other error."""
    from launchers.errors import UNREACHABLE as OUT_OF_REACH
    from launchers.errors import LauncherNotFoundError, RunError
    from launchers.files.problems import ConfigError
    from launchers.requirement import RequirementSyntaxError
    from launchers.runs.run import NoSuchStepError
    from launchers.runs.send import SubmitError

    if isinstance(error, LauncherNotFoundError):
        return (UNREACHABLE if error.kind == OUT_OF_REACH else NO_MATCH), f"launchers: {error}"
    if isinstance(error, RequirementSyntaxError):
        return BAD_INPUT, f"launchers: {error}"
    if isinstance(error, ConfigError):
        return BAD_INPUT, str(error)
    if isinstance(error, RunError | NoSuchStepError):
        return BAD_INPUT, f"launchers {command}: {error.args[0]}"
    if isinstance(error, SubmitError):
        return NO_MATCH, f"launchers {command}: {error}"
    raise error
