"""`launchers probe`: ask the drivers on a cluster's nodes for GPU memory that Slurm does not know."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from launchers.cli.convert import OWN_ENTRY, write_facts
from launchers.cli.output import add_force
from launchers.commands import LocalConnector
from launchers.config.emit import Converted, to_yaml
from launchers.config.facts_file import load_slurm_facts
from launchers.files.output import YAML, check_output, seal
from launchers.launcher.conversion import facts_path
from launchers.slurm.probe import fill_in_probed, needed_probes, run_probe

HEAD = "Written by `launchers convert`, GPU memory filled in by `launchers probe`."


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    command.add_argument("file", metavar="FILE", help="a facts file, or the launchers.yaml that names one with facts:")
    command.add_argument("--dry-run", action="store_true", help="print the jobs that would run, and run none")
    add_force(command)


def run(options: argparse.Namespace) -> int:
    """Probe the GPUs of unknown memory and write it into the facts file; 1 when some stay unknown."""
    path = Path(options.file)
    group = load_slurm_facts(path)
    if group.facts is not None:
        path = facts_path(path)
        group = load_slurm_facts(path)
    probes = needed_probes(group)
    if options.dry_run and probes:
        for probe in probes.values():
            print(" ".join(probe.command()[:-3]))
        return 0
    if not probes:
        print("launchers probe: the memory of every GPU is known", file=sys.stderr)
        return 0
    check_output(str(path), OWN_ENTRY, force=options.force)
    results = {}
    for key, probe in probes.items():
        result = run_probe(probe, LocalConnector())
        if isinstance(result, str):
            print(f"launchers probe: {probe.host}: {result}", file=sys.stderr)
        else:
            results[key] = (probe, result)
    if results:
        text = seal(to_yaml(Converted(fill_in_probed(group, results)), HEAD), YAML)
        write_facts("launchers probe", str(path), text, force=options.force)
    return 0 if len(results) == len(probes) else 1
