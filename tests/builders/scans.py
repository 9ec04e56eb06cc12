"""Scans that tests are made of: four scripts in ESIS's manner, in a folder of their own."""

import json
import os
from pathlib import Path

from launchers.cli import main

SETUP = """#!/bin/sh
echo set up >> setup.log
"""
GENERATOR = """#!/usr/bin/env python3
import json, os, sys
required = json.loads(os.environ["ESIS2_REQUIREMENTS"])
for n in range(3):
    with open(f"parameters.{n}.json", "w") as out:
        json.dump({"x": n * n, "required": required}, out)
print(3)
"""
WORKER = """import json, os
n = os.environ["SLURM_ARRAY_TASK_ID"]
with open(f"../parameters/parameters.{n}.json") as file:
    x = json.load(file)["x"]
with open(f"out.{n}", "w") as out:
    out.write(str(2 * x))
print("task", n, "has", x)
"""
TEMPLATE = """#!/bin/bash
#SBATCH -J scanned
#SBATCH --time=0:09:00
#SBATCH --array TASKARRAYDEFINITION
#ESIS_PRIVATE

srun python3 WORKERSCRIPT
"""
YAML = "setup: setup.sh\ngenerator: generate.py\ntemplate: template.sh\nworker: work.py\n"
WAITS = 'import os, sys, time\nwhile not os.path.exists("{gate}"):\n    time.sleep(0.05)\n'


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def scan(folder, *, more="", yaml=YAML, setup=SETUP, generator=GENERATOR, worker=WORKER, template=TEMPLATE):
    """Write the four scripts and a scan.yaml; its path, as text."""
    for name, text in (("setup.sh", setup), ("generate.py", generator), ("work.py", worker), ("template.sh", template)):
        executable(Path(folder) / name, text)
    (Path(folder) / "scan.yaml").write_text(yaml + more)
    return f"{folder}/scan.yaml"


def shown(capfd, file, *options):
    """What `scan show --json` says."""
    capfd.readouterr()
    assert main(["scan", "show", file, "--json", *options]) == 0
    return json.loads(capfd.readouterr().out)


def listed(capfd, file):
    capfd.readouterr()
    assert main(["scan", "list", file, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def folder_of(capfd, file, *options):
    return Path(shown(capfd, file, *options)["folder"])


def finished(capfd, file):
    """Run a scan and wait for it; its folder."""
    assert main(["scan", "run", file]) == 0, capfd.readouterr().err
    folder = folder_of(capfd, file)
    assert main(["wait", str(folder)]) == 0, capfd.readouterr().err
    return folder


def plain_environment():
    """An environment in which nothing of ours can be found."""
    return {"PATH": "/usr/bin:/bin", "SLURM_CONF": os.environ.get("SLURM_CONF", "")}
