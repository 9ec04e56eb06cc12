"""Scans that tests are made of: four scripts in ESIS's manner, in a folder of their own."""

import json
import os
from pathlib import Path

import yaml

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
SCRIPTS = {"setup": "setup.sh", "generator": "generate.py", "template": "template.sh", "worker": "work.py"}
"""A definition: the names of its scripts."""
WAITS = 'import os, sys, time\nwhile not os.path.exists("{gate}"):\n    time.sleep(0.05)\n'


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def write_yaml(path, entries):
    """Write a definition."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(entries, sort_keys=False))
    return str(path)


def scan(folder, more=None, *, entries=SCRIPTS, setup=SETUP, generator=GENERATOR, worker=WORKER, template=TEMPLATE):
    """Write four scripts, and a scan.yaml of `entries` and `more`; its path, as text."""
    for name, text in (("setup.sh", setup), ("generate.py", generator), ("work.py", worker), ("template.sh", template)):
        executable(Path(folder) / name, text)
    write_yaml(Path(folder) / "scan.yaml", {**entries, **(more or {})})
    return f"{folder}/scan.yaml"


def esis_scan(folder, requires=(), name="wf.esis.json"):
    """Write four scripts, and the file that `esis setup` and `esis require` write; `requires` are known as data."""
    Path(scan(folder)).unlink()
    entry = {
        "setupscript": "setup.sh", "sbatchtemplate": "template.sh", "workerscript": "work.py",
        "param_generator": "generate.py", "param_includes": [], "status": {}, "requires": list(requires),
        "maxparallel": "10", "workdirpath": "./", "requires_names": dict.fromkeys(requires, "data"),
    }  # fmt: skip
    Path(folder, name).write_text(json.dumps(entry))
    return f"{folder}/{name}"


def show(capfd, file, *options):
    """What `scan show --json` prints."""
    capfd.readouterr()
    assert main(["scan", "show", file, "--json", *options]) == 0
    return json.loads(capfd.readouterr().out)


def list_runs(capfd, file):
    """What `scan list --json` prints."""
    capfd.readouterr()
    assert main(["scan", "list", file, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def folder_of(capfd, file, *options):
    """The folder of the scan's run."""
    return Path(show(capfd, file, *options)["folder"])


def start(capfd, file, *options):
    """Submit a scan; the folder of its run."""
    assert main(["scan", "run", file, *options]) == 0, capfd.readouterr().err
    return folder_of(capfd, file)


def finish(capfd, file, *options):
    """Run a scan to its end; the folder of its run."""
    folder = start(capfd, file, *options)
    assert main(["wait", str(folder)]) == 0, capfd.readouterr().err
    return folder


def outputs(folder, count=3):
    """What the tasks wrote."""
    return [(folder / "cwd" / f"out.{number}").read_text() for number in range(count)]


def plain_environment():
    """An environment without launchers and its virtual environment."""
    return {"PATH": "/usr/bin:/bin", "SLURM_CONF": os.environ.get("SLURM_CONF", "")}
