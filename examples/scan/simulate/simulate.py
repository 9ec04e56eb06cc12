#!/usr/bin/env python3
"""One oscillator: read the parameters of this task, write its path beside the other tasks'."""

import json
import math
import os
from pathlib import Path

task = os.environ["SLURM_ARRAY_TASK_ID"]
parameters = json.loads(Path(f"../parameters/parameters.{task}.json").read_text())
omega, damping = parameters["omega"], parameters["damping"]
path = [math.exp(-damping * t / 10) * math.cos(omega * t / 10) for t in range(1000)]
Path(f"path.{task}.json").write_text(json.dumps({**parameters, "path": path}))
print(f"omega={omega} damping={damping}: ends at {path[-1]:.3g}")
