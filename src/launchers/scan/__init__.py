"""Scans: one worker over a space of parameters, each run in a folder named by all that went into it (as ESIS)."""

from launchers.scan.definition import Definition, Required, load_definition
from launchers.scan.errors import DefinitionError, ScanError
from launchers.scan.running import LaunchOutcome, launch, launch_all, run_scan

__all__ = [
    "Definition",
    "DefinitionError",
    "LaunchOutcome",
    "Required",
    "ScanError",
    "launch",
    "launch_all",
    "load_definition",
    "run_scan",
]
