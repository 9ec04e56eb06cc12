"""Making a run folder, in ESIS's layout: whoever has it can understand the run, and repeat it with
the scheduler alone.

setup, worker, generator   copies, with their paths below the definition
includes/                  copies of the includes
parameters/                parameters.<n>.json, one for each task
cwd/                       where tasks run, and their output
sbatch.sh or oarsub.sh     what was submitted, from cwd
README                     what all this is
__esis__/                  wf_status (what the name is the hash of), wf_starttime, jobid.tx, the definition
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from launchers.commands import CommandError, LocalConnector, Outcome
from launchers.scan.errors import ScanError
from launchers.scan.identity import Identity, Part, sha256_of
from launchers.scan.names import script_name

FOLDERS = ("cwd", "parameters", "includes", "__esis__")
DAY = 86400.0
"""Seconds that a generator or a setup may take: longer work is a job."""
_PARAMETERS = re.compile(r"parameters\.(\d+)\.json")

README = """{name}
{line}

One run of the scan {definition}.
Its folder's name is the sha256 of __esis__/wf_status: of the scripts, the
parameters, the includes and the runs it requires.

parameters/  one file for each of the {count} tasks; task n reads parameters.n.json
includes/    files that were shared with the generator and the tasks
cwd/         where the tasks run; their output ({output}) is there too
{script:<13}what was submitted
__esis__/    wf_status, wf_starttime, jobid.tx (the {scheduler} job), the definition.  A task may write 1 into
             completed.state to say that everything is done.

To run it again, without any tool but {scheduler}:

    cd cwd
    {submit}

Task 0 alone, on any machine{unless}:

    cd cwd
    {alone}
"""
SLURM_README = {
    "scheduler": "Slurm", "script": "sbatch.sh", "output": "slurm-*.out", "submit": "sbatch ../sbatch.sh",
    "alone": "SLURM_ARRAY_TASK_ID=0 ../sbatch.sh", "unless": ", where sbatch.sh does not call srun",
}  # fmt: skip
OAR_README = {
    "scheduler": "OAR", "script": "oarsub.sh", "output": "oar-*.out", "submit": "oarsub -S ../oarsub.sh",
    "alone": "../oarsub.sh 0", "unless": "",
}  # fmt: skip


def fill_run_folder(
    folder: Path, identity: Identity, required: Mapping[str, Path], readme: Mapping[str, str] = SLURM_README
) -> int:
    """Make everything but what is submitted in an empty folder: copy, generate, set up; how many tasks there are.

    `readme` has what README says of what is submitted, `SLURM_README` or `OAR_README`.  Raises ScanError when a script
    fails, or a source changed meanwhile.
    """
    definition = identity.definition
    for name in FOLDERS:
        (folder / name).mkdir(mode=0o700)
    for part in identity.parts:
        _copy(part, folder)
    private = folder / "__esis__"
    (private / "wf_status").write_text(identity.text, encoding="utf-8")
    (private / "wf_starttime").write_text(time.strftime("%d.%m.%Y-%H:%M:%S"), encoding="utf-8")
    shutil.copy(definition.file, private / f"workflow_definition{definition.file.suffix}")
    env = environment(folder, required)
    count = _generated(folder, identity, env)
    if definition.setup:
        done = _run(f"./{script_name(definition.setup)}", folder, env)
        if done.status:
            raise ScanError(f"setup {definition.setup} failed with exit status {done.status}:\n{_said(done)}")
    _write_readme(folder, identity, count, readme)
    return count


def _copy(part: Part, folder: Path) -> None:
    """Copy what was hashed, and nothing else."""
    if part.source is None or part.target is None:
        return
    target = folder / part.target
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if part.source.is_dir():
        shutil.copytree(part.source, target, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    else:
        shutil.copy(part.source, target)
    if sha256_of(target) != part.digest:
        raise ScanError(f"{part.source} changed while it was copied: run this again")


def environment(folder: Path, required: Mapping[str, Path]) -> dict[str, str]:
    """What generator and setup get beyond the user's environment, as ESIS names it; and our virtual environment."""
    includes = str(folder / "includes")
    path = os.environ.get("PYTHONPATH")
    env = {
        "ESIS2_REQUIREMENTS": json.dumps({name: str(place) for name, place in required.items()}),
        "PYTHONPATH": f"{path}:{includes}" if path else includes,
        "PATH": os.environ.get("PATH", os.defpath),
    }
    if "VIRTUAL_ENV" not in os.environ and sys.prefix != sys.base_prefix:
        env["VIRTUAL_ENV"] = sys.prefix
        env["PATH"] = f"{Path(sys.prefix) / 'bin'}:{env['PATH']}"
    return env


def _run(program: str, cwd: Path, env: Mapping[str, str]) -> Outcome:
    try:
        return LocalConnector().run([program], timeout=DAY, env=env, cwd=str(cwd))
    except CommandError as error:
        raise ScanError(f"{error} (in {cwd}; is there a #! line, and a program of that name?)") from None


def _said(done: Outcome) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()[-20:]
    return "\n".join(f"  {line}" for line in lines) or "  it printed nothing"


# -- parameters ------------------------------------------------------------------------------------------------


def _generated(folder: Path, identity: Identity, env: Mapping[str, str]) -> int:
    """Write the parameter files; how many there are."""
    definition = identity.definition
    place = folder / "parameters"
    if definition.rows is not None:
        for number, row in enumerate(definition.rows):
            (place / f"parameters.{number}.json").write_text(json.dumps(row), encoding="utf-8")
        return len(definition.rows)
    assert definition.generator is not None
    done = _run(f"../{script_name(definition.generator)}", place, env)
    if done.status:
        raise ScanError(f"generator {definition.generator} failed with exit status {done.status}:\n{_said(done)}")
    names = (_PARAMETERS.fullmatch(path.name) for path in place.iterdir())
    numbers = sorted(int(found[1]) for found in names if found)
    return counted(done.stdout, numbers)


def counted(printed: str, numbers: Sequence[int]) -> int:
    """How many tasks there are, from what the generator printed and the files it wrote.

    It prints how many it wrote (ESIS's documentation) or the last number (what ESIS's code goes by): the files tell
    which.  Raises ScanError when neither fits.
    """
    count = len(numbers)
    wrote = f"it wrote {count} files parameters.<n>.json"
    if not count or list(numbers) != list(range(count)):
        missing = next((n for n in range(count + 1) if n not in numbers), 0)
        raise ScanError(f"the generator's files are not parameters.0.json and so on: {wrote}, {missing} is not there")
    said = printed.strip()
    if not said.isdigit() or int(said) not in (count, count - 1):
        raise ScanError(
            f"the generator printed {said[:60]!r}, and {wrote}: "
            f"it prints {count} (how many) or {count - 1} (the last one)"
        )
    return count


def _write_readme(folder: Path, identity: Identity, count: int, readme: Mapping[str, str]) -> None:
    definition = identity.definition
    text = README.format(
        name=definition.name,
        line="=" * len(definition.name),
        definition=definition.file,
        count=count,
        **readme,
    )
    (folder / "README").write_text(text, encoding="utf-8")
