"""An OAR that takes every job, writes down what it was asked for, and runs nothing."""

import json
import os
from pathlib import Path

from scans import executable

GRID = "oar: [{id: grid, nodes: [{hosts: 'n[1-2]', cpu: {cores: 4, memory: 9G}}]}]\n"
"""A launchers.yaml for it."""
FIRST = 7
"""The id of its first job."""


def fake_oar(folder, monkeypatch, jobs):
    """Put its commands on PATH; `jobs` are (array, index) of its jobs, by id.  The file to which it writes."""
    asked = Path(folder) / "asked"
    oarsub = (
        f'#!/bin/sh\npwd >> {asked}\nprintf "%s\\n" "$@" >> {asked}\necho x >> {asked}.count\n'
        f"echo OAR_JOB_ID=$(({FIRST - 1} + $(wc -l < {asked}.count)))\n"
    )
    states = {
        id: {"Job_Id": id, "array_id": array, "array_index": index, "state": "Running"}
        for id, (array, index) in jobs.items()
    }
    executable(Path(folder) / "bin" / "oarsub", oarsub)
    executable(Path(folder) / "bin" / "oarstat", f"#!/bin/sh\necho '{json.dumps(states)}'\n")
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
    (Path(folder) / "launchers.yaml").write_text(GRID)
    return asked
