"""Plans on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import evolve

from launchers.jobs.submission import Unit
from launchers.jobs.usage import Usage
from launchers.local.jobs import LocalJob, Status
from launchers.runs.folder import Store
from launchers.runs.script import _cwd

# -- on this machine -------------------------------------------------------------------------------------------


def local_jobs(store: Store, units: Iterable[Unit], templates: Mapping[str, LocalJob | None]) -> list[LocalJob]:
    """The jobs of this machine's scheduler; their ids are the units' names."""
    kinds = {"afterok": "ok", "aftercorr": "ok", "afterany": "any", "after": "started"}
    units = list(units)
    here = {unit.name for unit in units}
    names = {
        one.name: one.name if one.name in here else str(store.local_folder(one.attempt) / one.name)
        for one in (*store.units, *units)
    }
    steps = {one.name: one.members[0][0] for one in (*store.units, *units)}
    jobs = []
    for unit in units:
        template = templates[unit.name]
        assert template is not None
        folder = store.job_folder(unit.name)
        after = tuple((kinds[one.kind], names[one.unit]) for one in unit.parents if one.kind != "afternotok")
        failing: dict[str, list[str]] = {}
        for one in unit.parents:
            if one.kind == "afternotok":
                failing.setdefault(steps[one.unit], []).append(names[one.unit])
        after += tuple(("notok", "\n".join(some)) for some in failing.values())
        after += tuple(("ok", str(Path(run) / "local")) for run in unit.after)
        if unit.script:
            jobs.append(evolve(local_job(store, unit, template), after=after))
            continue
        env = {
            "SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": unit.name, "SUBMITIT_LOCAL_NTASKS": "1",
            "SUBMITIT_LOCAL_JOB_NUM_NODES": "1", "SUBMITIT_LOCAL_NODEID": "0", "SUBMITIT_LOCAL_LOCALID": "0",
            "SUBMITIT_LOCAL_GLOBALID": "0",
        }  # fmt: skip
        tokens = dict(template.tokens)
        if unit.at_once:
            tokens[f"{store.id} {unit.members[0][0]}"] = 1
        jobs.append(
            evolve(
                template,
                tokens=tuple(tokens.items()),
                id=unit.name,
                name=unit.name,
                argv=(sys.executable, "-u", "-m", "launchers.runs.node", str(store.folder), unit.name),
                cwd=store.cwd,
                stdout=str(folder / f"{unit.name}_0_log.out"),
                stderr=str(folder / f"{unit.name}_0_log.err"),
                env=(*template.env, *env.items()),
                after=after,
            )
        )
    return jobs


def _local_usage(job: LocalJob, status: Status) -> Usage:
    return Usage(
        cores=job.cores,
        memory=job.memory or None,
        gpus=len(job.wanted),
        limit=job.time_limit,
        reserved=job.cores,
        peak=status.memory,
        cpu=status.cpu,
    )


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
