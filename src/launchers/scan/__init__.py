"""Scans: one worker over a space of parameters, each run in a folder that is named by everything that went into it."""

from launchers.scan.definition import Definition, RequiredScan, load_definition
from launchers.scan.edit import add_requirement, freeze_requirement, unfreeze_requirement, write_definition
from launchers.scan.errors import DefinitionError, ScanError
from launchers.scan.identity import Family, Identity, read_family
from launchers.scan.listing import ScanRun, clean_runs, list_runs
from launchers.scan.running import LaunchOutcome, launch, launch_all, run_scan

__all__ = [
    "Definition",
    "DefinitionError",
    "Family",
    "Identity",
    "LaunchOutcome",
    "RequiredScan",
    "ScanError",
    "ScanRun",
    "add_requirement",
    "clean_runs",
    "freeze_requirement",
    "launch",
    "launch_all",
    "list_runs",
    "load_definition",
    "read_family",
    "run_scan",
    "unfreeze_requirement",
    "write_definition",
]
