"""`launchers schema`: the JSON Schema of launchers.yaml, or of a flow."""

from __future__ import annotations

import argparse

from launchers.cli import show
from launchers.files.json_schema import json_schema


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    command.add_argument("--flow", action="store_true", help="print the schema of a flow instead")


def run(options: argparse.Namespace) -> int:
    """Print the schema."""
    if options.flow:
        from launchers.flow.schema import FlowDocument

        show.print_json(json_schema(FlowDocument, "flow", templates=True))
    else:
        from launchers.config.schema import Document

        show.print_json(json_schema(Document, "launchers.yaml"))
    return 0
