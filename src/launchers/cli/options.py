"""Options and warnings that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from launchers.matching import Answer, SkipReason
from launchers.offer.model import Group


def add_requirement(command: argparse.ArgumentParser, *, nargs: str = "+") -> None:
    """Add the requirement, and the options that say where to look and how to choose."""
    command.add_argument(
        "expr", metavar="EXPR", nargs=nargs, help="a requirement such as 'cuda(mem=24G)*2'; several are alternatives"
    )
    add_places(command)
    command.add_argument(
        "--live", action="store_true", help="prefer partitions with idle nodes, among offers that are equal otherwise"
    )
    command.add_argument("--widest", action="store_true", help="merge all offers that fit, not only the tightest")


def positive_number(text: str) -> int:
    """A whole number from 1 up, as a type for argparse."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return int(text)


def add_places(command: argparse.ArgumentParser) -> None:
    """Add the options that say which groups to look at."""
    add_tags(command)
    add_config(command)


def add_tags(command: argparse.ArgumentParser) -> None:
    """Add --tag."""
    command.add_argument(
        "--tag",
        metavar="T",
        action="append",
        default=[],
        help="look only at groups with this tag (repeat for: or this one)",
    )


def add_config(command: argparse.ArgumentParser) -> None:
    """Add --config and --refresh."""
    command.add_argument("--config", metavar="FILE", help="the launchers.yaml to use (see: launchers where)")
    command.add_argument(
        "--refresh", action="store_true", help="ask live clusters again instead of using cached answers"
    )


def add_json(command: argparse.ArgumentParser) -> None:
    """Add --json."""
    command.add_argument("--json", action="store_true", help="print JSON (its shape: docs/json.md)")


def warn_of_skipped_groups(answer: Answer) -> None:
    """Print a warning for each group that was skipped because it cannot be reached."""
    for skipped in answer.skipped:
        if skipped.reason is SkipReason.UNREACHABLE:
            group = skipped.group
            print(f"launchers: warning: skipped {group.name}: {group.unreachable}", file=sys.stderr)


def warn_of_missing_signals(groups: Iterable[Group]) -> None:
    """Print a warning for each group whose idle nodes and waiting jobs could not be read."""
    for group in groups:
        if group.signal_error is not None:
            print(f"launchers: warning: {group.name}: no live signal: {group.signal_error}", file=sys.stderr)
