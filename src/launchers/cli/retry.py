"""`launchers retry`: submit the failed steps of a run again."""

from __future__ import annotations

import argparse

from launchers.cli.run_argument import add_run, find_run


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_run(command)
    text = 'multiply what the last attempt asked for, e.g. "mem*2, duration*1.5"'
    command.add_argument("--escalate", metavar="FACTORS", default="", help=text)
    command.add_argument("--config", metavar="FILE", help="the launchers.yaml used to place the larger steps")


def run(options: argparse.Namespace) -> int:
    """Submit again what failed and what depends on it, and print the names of the steps."""
    from launchers.plan.retry import retry

    names = retry(find_run(options.run), escalate=options.escalate, config=options.config)
    print(f"submitted again: {', '.join(names)}" if names else "nothing failed: nothing to retry")
    return 0
