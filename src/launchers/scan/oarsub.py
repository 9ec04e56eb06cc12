"""Make oarsub.sh, from what the broker chose.  It sets the variables of a Slurm array, which workers read.

OAR starts a job when the jobs before it have ended, whether they succeeded or not.  So a task that succeeds leaves a
file `oar/ok.<n>`, and each task looks for these files of the runs that are required.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from launchers.jobs.backend import GATE
from launchers.jobs.submission import PARENT_FAILED
from launchers.oar.args import OarArgs, environment_prefix
from launchers.oar.jobs import LONGEST_NAME
from launchers.oar.quoting import folder_problem, label
from launchers.runs.results import RESULT_PATIENCE
from launchers.scan.definition import Definition
from launchers.scan.errors import ScanError
from launchers.scan.names import script_name
from launchers.schedulers import OAR

TAKE_NAME = f"""
# what launchers submits names a folder: a task that is submitted twice does not run twice
[ -z "$2" ] || ../{GATE} "$2" "$3" "$OAR_ARRAY_ID" || exit
"""
REQUIRED_LOOP = """
# OAR starts this when the jobs before it have ended, whether they succeeded or not
for run in {runs}; do
    tasks=$(cat "$run/oar/tasks") || exit {failed}
    for task in $tasks; do
        [ -e "$run/oar/ok.$task" ] || sleep {patience}  # a shared file system may be late
        [ -e "$run/oar/ok.$task" ] || {{ echo "cancelled: task $task of $run did not succeed" >&2; exit {failed}; }}
    done
done
"""
TASK_SCRIPT = """
rm -f "../oar/ok.$1"
{worker}
status=$?
[ $status -ne 0 ] || touch "../oar/ok.$1"
[ $status -ne {failed} ] || status=1  # that status means that a required run has failed
exit $status
"""


def write_oarsub(folder: Path, definition: Definition, args: OarArgs, count: int, after: Sequence[str]) -> None:
    """Write oarsub.sh and the list of its tasks; `after` are the folders of runs that must succeed first.

    Raises ScanError for a line break in a variable or a path, and for a folder that OAR cannot enter.
    """
    if problem := folder_problem("run folder", folder):
        raise ScanError(f"{problem} (workdir: sets it)")
    (folder / OAR).mkdir(mode=0o700)
    (folder / OAR / "tasks").write_text("".join(f"{number}\n" for number in range(count)))
    script = folder / "oarsub.sh"
    script.write_text(render_oarsub(definition, args, count, after), encoding="utf-8", errors="surrogateescape")
    script.chmod(0o700)


def render_oarsub(definition: Definition, args: OarArgs, count: int, after: Sequence[str]) -> str:
    """The text of oarsub.sh, which is run with the number of a task."""
    variables = environment_prefix(os.environ)[1:]
    for text in (*variables, *after):
        if "\n" in text:
            raise ScanError(f"OAR cannot pass on a line break: {text!r}")
    head = ["#!/bin/sh", f"#OAR -n {label(definition.name)[:LONGEST_NAME]}", *args.directives()]
    head += ["#OAR --array-param-file ../oar/tasks", "#OAR -O ../oar/%jobid%", "#OAR -E ../oar/%jobid%", ""]
    head += ['[ -z "$OAR_ARRAY_ID" ] || exec >>"oar-${OAR_ARRAY_ID}_$1.out" 2>&1']
    head += ["# OAR does not pass on the environment", *(f"export {shlex.quote(text)}" for text in variables)]
    head += [f"export SLURM_ARRAY_TASK_ID=$1 SLURM_ARRAY_TASK_COUNT={count}"]
    head += [f"export SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX={count - 1}", ""]
    checks = TAKE_NAME
    if after:
        patience = int(RESULT_PATIENCE)
        checks += REQUIRED_LOOP.format(runs=shlex.join(after), patience=patience, failed=PARENT_FAILED)
    worker = shlex.quote(f"../{script_name(definition.worker)}")
    return "\n".join(head) + checks + TASK_SCRIPT.format(worker=worker, failed=PARENT_FAILED)
