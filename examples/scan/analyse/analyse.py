#!/usr/bin/env python3
"""When an oscillator comes to rest."""

import json
import os
from pathlib import Path

parameters = json.loads(Path(f"../parameters/parameters.{os.environ['SLURM_ARRAY_TASK_ID']}.json").read_text())
found = json.loads(Path(parameters["path"]).read_text())
moving = [t for t, x in enumerate(found["path"]) if abs(x) > parameters["at_rest"]]
print(f"omega={found['omega']} damping={found['damping']}: at rest after {(moving[-1] + 1) / 10:.1f}")
