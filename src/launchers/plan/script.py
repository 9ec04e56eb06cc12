"""Submissions whose script is a file of the run folder, made by others and submitted as it stands.

It is submitted from the folder `cwd`, one element of its array for each item; a retry names the items.  So whoever
has the folder can run it again with the scheduler alone.  On this machine the file itself is run, once for each item.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from attrs import evolve

from launchers.local.jobs import LocalJob
from launchers.plan.batch import batch
from launchers.plan.store import Store
from launchers.plan.units import Unit

SRUN = r"""#!/bin/sh
# Stands for srun where there is no Slurm: run the command behind the options, once.
while [ $# -gt 0 ]; do
    case $1 in
        -[ABCcDdeGiJKLMmNnopqrSTtWwx]) shift; [ $# -gt 0 ] && shift ;;
        -*) shift ;;
        *) break ;;
    esac
done
exec "$@"
"""


def _cwd(store: Store) -> Path:
    return store.folder / "cwd"


def local_job(store: Store, unit: Unit, template: LocalJob) -> LocalJob:
    """One element on this machine, with the variables that Slurm gives it and an srun that needs no Slurm."""
    assert unit.script is not None
    ((step, number),) = unit.members
    count = store.task(step).count
    srun = store.local_folder(unit.attempt) / "bin" / "srun"
    if not srun.exists():
        srun.parent.mkdir(mode=0o700, parents=True)
        srun.write_text(SRUN)
        srun.chmod(0o700)
    env = {
        "PATH": f"{srun.parent}:{os.environ.get('PATH', os.defpath)}",
        "SLURM_ARRAY_TASK_ID": str(number),
        "SLURM_ARRAY_TASK_COUNT": str(count),
        "SLURM_ARRAY_TASK_MIN": "0",
        "SLURM_ARRAY_TASK_MAX": str(count - 1),
        "SLURM_ARRAY_JOB_ID": store.id,
        "SLURM_JOB_ID": f"{store.id}_{number}",
        "SLURM_JOB_NAME": store.plan,
        "SLURM_CPUS_PER_TASK": str(template.cores),
        "SLURM_SUBMIT_DIR": str(_cwd(store)),
    }
    log = str(_cwd(store) / f"slurm-{store.id}_{number}{'' if unit.attempt == 1 else f'~{unit.attempt}'}.out")
    return evolve(
        template,
        id=unit.name,
        name=unit.name,
        argv=(str(store.folder / unit.script),),
        cwd=str(_cwd(store)),
        stdout=log,
        stderr=log,
        env=tuple(env.items()),
    )


def logs(store: Store, unit: Unit, number: int | None, job: str | None) -> list[Path]:
    """The output of one element, wherever the script sends it."""
    assert unit.script is not None
    if store.scheduler == "local":
        job, patterns = store.id, [f"slurm-%A_%a{'' if unit.attempt == 1 else f'~{unit.attempt}'}.out"]
    else:
        text = (store.folder / unit.script).read_text(encoding="utf-8", errors="replace")
        patterns = batch(store.scheduler).outputs(text)
    known = {"A": job or "*", "a": str(number), "j": "*", "%": "%"}
    found: list[Path] = []
    for pattern in patterns:
        name = re.sub(r"%\d*(.)", lambda match: known.get(match[1], "*"), pattern)
        place = _cwd(store) / name
        found += sorted(place.parent.glob(place.name))
    return found


def said_completed(folder: Path) -> bool:
    """Whether the run itself has written that it is done, as ESIS has it: what nobody else knows any more."""
    try:
        return (folder / "__esis__" / "completed.state").read_text(encoding="utf-8").strip() == "1"
    except (OSError, UnicodeDecodeError):
        return False
