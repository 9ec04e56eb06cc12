"""`-o FILE` and `--force` of every command that writes a file which the user names."""

from __future__ import annotations

import argparse
import sys

from launchers.files.output import write_output

OTHER_NAME = "name another file with -o"


def add_output(command: argparse.ArgumentParser, help: str, default: str | None = None) -> None:
    """Add -o, under the long name --output, and --force."""
    command.add_argument("-o", "--output", metavar="FILE", help=help, default=default)
    add_force(command)


def add_force(command: argparse.ArgumentParser) -> None:
    """Add --force."""
    text = "replace a file that launchers did not write or that was edited since; the old one is kept as FILE.bak"
    command.add_argument("--force", action="store_true", help=text)


def write(command: str, name: str, content: str | bytes, *, force: bool, advice: str = OTHER_NAME) -> None:
    """Write the file that the user names; `command` writes it, for the message that the old one was kept.

    Raises OSError (`files.output.write_output`).
    """
    kept = write_output(name, content, advice, force=force)
    if kept is not None:
        print(f"{command}: the old {name} is now {kept}", file=sys.stderr)
