"""Options and warnings that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from launchers.matching import Answer, SkipReason
from launchers.offer.model import Group


def requirement(command: argparse.ArgumentParser, *, nargs: str = "+") -> None:
    """What is needed, and where it may be."""
    command.add_argument(
        "expr", metavar="EXPR", nargs=nargs, help="a requirement such as 'cuda(mem=24G)*2'; several are alternatives"
    )
    places(command)
    command.add_argument(
        "--live", action="store_true", help="let what the cluster is doing now order what is equal otherwise"
    )
    command.add_argument("--widest", action="store_true", help="merge everything that fits, not only the tightest fit")


def positive(text: str) -> int:
    """A number of jobs, for argparse."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return int(text)


def places(command: argparse.ArgumentParser) -> None:
    """Which groups are considered."""
    tags(command)
    config(command)


def tags(command: argparse.ArgumentParser) -> None:
    """Which groups by their tags."""
    command.add_argument(
        "--tag", metavar="T", action="append", default=[], help="only groups with this tag (repeat: any)"
    )


def config(command: argparse.ArgumentParser) -> None:
    """Which file is used."""
    command.add_argument("--config", metavar="FILE", help="the launchers.yaml to use (see: launchers where)")
    command.add_argument("--refresh", action="store_true", help="read live clusters again, whatever is cached")


def as_json(command: argparse.ArgumentParser) -> None:
    """For programs."""
    command.add_argument("--json", action="store_true", help="print JSON (its shape: docs/json.md)")


def warn(answer: Answer) -> None:
    """Name on stderr the groups that were passed over because they cannot be read."""
    for skipped in answer.skipped:
        if skipped.reason is SkipReason.UNREACHABLE:
            group = skipped.group
            print(f"launchers: warning: {group.name} is passed over: {group.unreachable}", file=sys.stderr)


def quiet_signals(groups: Iterable[Group]) -> None:
    """Name on stderr the groups whose live signals were wanted and could not be read."""
    for group in groups:
        if group.signal_error is not None:
            print(f"launchers: warning: {group.name}: no live signal: {group.signal_error}", file=sys.stderr)
