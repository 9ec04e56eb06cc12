"""`launchers completion`: a completion script for a shell, written by shtab."""

from __future__ import annotations

import argparse


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    text = 'the shell; to use the script: eval "$(launchers completion bash)"'
    command.add_argument("shell", choices=("bash", "zsh", "tcsh"), help=text)


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    from launchers.cli.parsing import parser

    print(shtab.complete(parser(), shell=options.shell))
    return 0
