"""`launchers probe`: GPU memory from the drivers, one tiny job per shape of node."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from launchers.cli.convert import facts_file, update
from launchers.commands import LocalConnector
from launchers.config.emit import Converted, to_yaml
from launchers.config.facts_file import load_slurm_facts
from launchers.slurm import probe

HEAD = "Written by `launchers convert`, GPU memory filled in by `launchers probe`."


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    command.add_argument("file", metavar="FILE", help="a facts file, or the launchers.yaml that names one with facts:")
    command.add_argument("--dry-run", action="store_true", help="print the jobs that would be run, and run none")


def run(options: argparse.Namespace) -> int:
    """Probe what is not known and write it into the facts; 1 when something stays unknown."""
    path = Path(options.file)
    group = load_slurm_facts(path)
    if group.facts is not None:
        path = facts_file(path)
        group = load_slurm_facts(path)
    probes = probe.needed(group)
    if not probes:
        print("launchers probe: the memory of every GPU is known", file=sys.stderr)
        return 0
    told = {}
    for key, one in probes.items():
        if options.dry_run:
            print(" ".join(one.command()[:-3]))
            continue
        answer = probe.run(one, LocalConnector())
        if isinstance(answer, str):
            print(f"launchers probe: {one.host}: {answer}", file=sys.stderr)
        else:
            told[key] = (one, answer)
    if options.dry_run:
        return 0
    if told and (status := update(path, to_yaml(Converted(probe.filled(group, told)), HEAD))):
        return status
    return 0 if len(told) == len(probes) else 1
