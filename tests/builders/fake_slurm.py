"""A Slurm whose jobs stay pending, in a folder: its commands answer in the form that the real ones do (Slurm 22.05).

The folder has `jobs` (a line for each: id, comment, name, dependency, array), `calls` (how often sbatch was called) and
`cancelled` (the arguments of scancel).  Tests write `trouble` there (a line for each: the number of a call of sbatch,
`no` or `lost`, and what it says; `lost` takes the job all the same) and `takes` (the seconds that sbatch takes).
"""

import os
import stat
import sys
from pathlib import Path

from launchers import SlurmArgs
from launchers.plan import Chain, Map, Parallel, Plan, Step

SBATCH = """#!{python} -IS
import fcntl, os, re, sys, time
text = open(sys.argv[-1]).read()
state = os.environ["FAKE_SLURM"]
os.path.isdir(state) or sys.exit("sbatch: fatal: there is no such cluster")
time.sleep(float(open(state + "/takes").read()) if os.path.exists(state + "/takes") else 0)
with open(state + "/lock", "a") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    calls = int(open(state + "/calls").read() or 0) if os.path.exists(state + "/calls") else 0
    open(state + "/calls", "w").write(str(calls + 1))
    trouble = open(state + "/trouble").read().split("\\n") if os.path.exists(state + "/trouble") else []
    mine = [line.split(" ", 2)[1:] for line in trouble if line.startswith(str(calls) + " ")]
    jobs = state + "/jobs"
    number = 100 + (sum(1 for _ in open(jobs)) if os.path.exists(jobs) else 0)
    options = {key: value.strip('"') for key, value in re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", text, re.M)}
    if not mine or mine[0][0] == "lost":
        words = [options["comment"], options["job-name"], options.get("dependency", ""), options.get("array", "")]
        with open(jobs, "a") as out:
            out.write("|".join([str(number), *words]) + "\\n")
    if mine:
        print("sbatch: error: Batch job submission failed: " + mine[0][1], file=sys.stderr)
        sys.exit(1)
print(number)
"""
SQUEUE = """#!{python} -IS
import os, sys
form = sys.argv[sys.argv.index("-o") + 1]
state = os.environ["FAKE_SLURM"]
wanted = sys.argv[sys.argv.index("-j") + 1].split(",") if "-j" in sys.argv else None
read = lambda name: open(state + "/" + name).read().split("\\n")[:-1] if os.path.exists(state + "/" + name) else []
cancelled = set(" ".join(read("cancelled")).split())
for line in read("jobs"):
    id, comment, name, dependency, array = line.split("|")
    if wanted is not None and id not in wanted:
        continue
    elements = range(int(array.split("%")[0].split("-")[1]) + 1) if array and "-r" in sys.argv else ["N/A"]
    for element in elements:
        is_cancelled = {id, f"{id}_{element}"} & cancelled
        text = form
        known = {"%F": id, "%k": comment, "%j": name, "%K": str(element), "%P": "p", "%r": "None", "%Z": "/"}
        known |= {"%T": "CANCELLED" if is_cancelled else "PENDING", "%N": "", "%M": "0:00"}
        known |= {"%V": "1", "%S": "N/A", "%e": "N/A"}
        for key, value in known.items():
            text = text.replace(key, value)
        print(text)
"""
SCANCEL = """#!/bin/sh
echo "$@" >> "$FAKE_SLURM/cancelled"
"""
SCONTROL = """#!/bin/sh
echo "AccountingStorageType = accounting_storage/none"
echo "ClusterName = fake"
echo "MaxArraySize = 1001"
echo "MinJobAge = 300 sec"
"""
NONE = """#!/bin/sh
echo "accounting storage is disabled" >&2; exit 1
"""
COMMANDS = {"sbatch": SBATCH, "squeue": SQUEUE, "scancel": SCANCEL, "sacct": NONE, "srun": NONE, "scontrol": SCONTROL}


def fake_slurm(folder, monkeypatch):
    """Put its commands on PATH; the folder of what it knows."""
    commands, state = folder / "bin", folder / "slurm"
    commands.mkdir(), state.mkdir()
    for name, text in COMMANDS.items():
        path = commands / name
        path.write_text(text.replace("{python}", sys.executable))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(state))
    return state


def jobs(state):
    """What was submitted: (id, comment, name, dependency, array) of each job."""
    path = Path(state) / "jobs"
    return [line.split("|") for line in path.read_text().splitlines()] if path.exists() else []


def plan():
    """A plan of four submissions."""
    cpu = SlurmArgs(time=5, partition="p", cpus_per_task=1)
    big = SlurmArgs(time=5, partition="p", cpus_per_task=2)
    beside = Parallel(Step("b", cpu, print), Step("c", big, print))
    return Plan("p", Chain(Step("a", cpu, print), beside, Map("m", cpu, print, [1, 2])))


def submit_plan():
    """What a client does."""
    plan().submit()
