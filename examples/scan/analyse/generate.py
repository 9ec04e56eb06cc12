#!/usr/bin/env python3
"""A parameter file for each path of the required run; prints how many."""

import json
import os
from pathlib import Path

run = Path(json.loads(os.environ["ESIS2_REQUIREMENTS"])["paths"])
limits = json.loads(Path("../includes/limits.json").read_text())
tasks = sorted((run / "parameters").glob("parameters.*.json"))
for number in range(len(tasks)):
    entry = {"path": str(run / "cwd" / f"path.{number}.json"), **limits}
    Path(f"parameters.{number}.json").write_text(json.dumps(entry))
print(len(tasks))
