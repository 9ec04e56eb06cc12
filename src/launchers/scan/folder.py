"""Make a run folder, in ESIS's layout.  It explains the run, and the scheduler alone can repeat it.

setup, worker, generator   copies, with their paths below the definition
includes/                  copies of the includes
parameters/                parameters.<n>.json, one for each task
cwd/                       where tasks run, and their output
sbatch.sh or oarsub.sh     what each task runs, from cwd
gate.sh                    what takes the name of a task before that (launchers.runs.script)
README                     explains the folder
__esis__/                  wf_status (the text whose hash names the folder), wf_starttime, jobid.tx, the definition
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
from launchers.scan.definition import Definition
from launchers.scan.errors import ScanError
from launchers.scan.identity import Identity, Part, sha256_of
from launchers.scan.names import script_name

FOLDERS = ("cwd", "parameters", "includes", "__esis__")
PROGRAM_LIMIT = 86400.0
"""Seconds that a generator or a setup may take.  Longer work should be a job."""
SHOWN_LINES = 20
"""Lines of a failed program's output that an error shows."""
_PARAMETERS = re.compile(r"parameters\.(\d+)\.json")

README = """{name}
{line}

One run of the scan {definition}.
Its folder's name is the sha256 of __esis__/wf_status: of the scripts, the
parameters, the includes and the runs it requires.

parameters/  one file for each of the {count} tasks; task n reads parameters.n.json
includes/    files that were shared with the generator and the tasks
cwd/         where the tasks run; their output ({output}) is there too
{script:<13}what each task runs
gate.sh      lets launchers run each task once; by hand it is not needed
__esis__/    wf_status, wf_starttime, jobid.tx (the {scheduler} job), the definition. A task may write 1 into
             completed.state when everything is done.

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
    """Fill an empty folder with everything but the file to submit, run generator and setup, and count the tasks.

    `required` are the folders of required runs, by name; `readme` is `SLURM_README` or `OAR_README`.  Raises ScanError
    when a program fails, or when a file changes meanwhile.
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
    env = program_environment(folder, required)
    count = _write_parameters(folder, definition, env)
    if definition.setup:
        _run_program("setup", definition.setup, folder, ".", env)
    _write_readme(folder, identity, count, readme)
    return count


def _copy(part: Part, folder: Path) -> None:
    """Copy a file or folder, and make sure that the copy is what was hashed."""
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


def program_environment(folder: Path, required: Mapping[str, Path]) -> dict[str, str]:
    """The variables that generator and setup get, in addition to the user's: those of ESIS, our virtual environment."""
    includes = str(folder / "includes")
    path = os.environ.get("PYTHONPATH")
    env = {
        "ESIS2_REQUIREMENTS": json.dumps({name: str(run) for name, run in required.items()}),
        "PYTHONPATH": f"{path}:{includes}" if path else includes,
        "PATH": os.environ.get("PATH", os.defpath),
    }
    if "VIRTUAL_ENV" not in os.environ and sys.prefix != sys.base_prefix:
        env["VIRTUAL_ENV"] = sys.prefix
        env["PATH"] = f"{Path(sys.prefix) / 'bin'}:{env['PATH']}"
    return env


def _run_program(role: str, written: str, cwd: Path, root: str, env: Mapping[str, str]) -> Outcome:
    """Run the copy of a script in `cwd`, from which `root` leads to the run folder.  Raises ScanError when it fails."""
    try:
        outcome = LocalConnector().run([f"{root}/{script_name(written)}"], timeout=PROGRAM_LIMIT, env=env, cwd=str(cwd))
    except CommandError as error:
        raise ScanError(f"{error} (in {cwd}; does it start with #!, and does the program there exist?)") from None
    if outcome.status:
        raise ScanError(f"{role} {written} failed with exit status {outcome.status}:\n{_last_lines(outcome)}")
    return outcome


def _last_lines(outcome: Outcome) -> str:
    lines = (outcome.stderr or outcome.stdout).strip().splitlines()[-SHOWN_LINES:]
    return "\n".join(f"  {line}" for line in lines) or "  it printed nothing"


# -- parameters ------------------------------------------------------------------------------------------------


def _write_parameters(folder: Path, definition: Definition, env: Mapping[str, str]) -> int:
    """Write the parameter files, or let the generator write them.  Returns how many there are."""
    parameters = folder / "parameters"
    if definition.rows is not None:
        for number, row in enumerate(definition.rows):
            (parameters / f"parameters.{number}.json").write_text(json.dumps(row), encoding="utf-8")
        return len(definition.rows)
    assert definition.generator is not None
    outcome = _run_program("generator", definition.generator, parameters, "..", env)
    names = (_PARAMETERS.fullmatch(path.name) for path in parameters.iterdir())
    return count_tasks(outcome.stdout, sorted(int(name[1]) for name in names if name))


def count_tasks(printed: str, numbers: Sequence[int]) -> int:
    """The number of tasks, from what the generator printed and the numbers of its files.

    A generator prints how many files it wrote (so ESIS's documentation) or the number of the last one (so ESIS's code).
    Raises ScanError when the files fit neither.
    """
    count = len(numbers)
    if not count or list(numbers) != list(range(count)):
        missing = next((number for number in range(count + 1) if number not in numbers), 0)
        raise ScanError(
            f"the generator wrote {count} files parameters.<n>.json, but number {missing} is missing: "
            "it must number them 0, 1, 2 and so on"
        )
    text = printed.strip()
    if not text.isdigit() or int(text) not in (count, count - 1):
        raise ScanError(
            f"the generator wrote {count} files parameters.<n>.json, but printed {text[:60]!r}: "
            f"it must print {count} (how many) or {count - 1} (the last number)"
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
