"""`launchers schema`: the JSON Schema of launchers.yaml."""

from __future__ import annotations

import argparse

from launchers.cli import show
from launchers.offer.jsonschema import json_schema


def arguments(command: argparse.ArgumentParser) -> None:
    """No options."""


def run(options: argparse.Namespace) -> int:
    """Print the schema."""
    show.emit(json_schema())
    return 0
