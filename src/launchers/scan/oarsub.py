"""oarsub.sh: made from what the broker chose, with the variables of a Slurm array, so that a worker runs on either.

OAR starts a job when those before it have ended, however they did.  So each task leaves a mark in `oar/` when it has
succeeded, and looks for those of the runs that are required.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from launchers.jobs.submission import PARENT_FAILED
from launchers.oar.args import OarArgs, environment_prefix
from launchers.oar.backend import LONGEST_NAME
from launchers.runs.results import RESULT_PATIENCE
from launchers.scan.definition import Definition
from launchers.scan.errors import ScanError
from launchers.scan.names import script_name
from launchers.schedulers import OAR

UNQUOTED = set("'\"\\$`\n")
"""What OAR's own scripts on the node do not quote in the path of a job's folder (oarexec, OAR 2.5.9)."""
REQUIRED_LOOP = """
# OAR starts this when the jobs before it have ended, however they did
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
[ $status -ne {failed} ] || status=1  # that one stands for a required run that has failed
exit $status
"""


def write_oarsub(folder: Path, definition: Definition, args: OarArgs, count: int, after: Sequence[str]) -> None:
    """Write oarsub.sh and the list of its tasks; `after` are the folders of runs that have to succeed first.

    Raises ScanError for a line break in something that the file has to hold, and for a folder that OAR cannot enter.
    """
    if found := set(str(folder)) & UNQUOTED:
        raise ScanError(
            f"OAR cannot work in {folder}, whose path has {' '.join(sorted(found))}: say workdir: elsewhere"
        )
    (folder / OAR).mkdir(mode=0o700)
    (folder / OAR / "tasks").write_text("".join(f"{number}\n" for number in range(count)))
    script = folder / "oarsub.sh"
    script.write_text(render_oarsub(definition, args, count, after), encoding="utf-8", errors="surrogateescape")
    script.chmod(0o700)


def render_oarsub(definition: Definition, args: OarArgs, count: int, after: Sequence[str]) -> str:
    """The file, whose first argument is the number of the task."""
    variables = environment_prefix(os.environ)[1:]
    for one in (*variables, *after):
        if "\n" in one:
            raise ScanError(f"a line break cannot be said to OAR: {one!r}")
    head = ["#!/bin/sh", f"#OAR -n {definition.name[:LONGEST_NAME]}", *args.directives()]
    head += ["#OAR --array-param-file ../oar/tasks", "#OAR -O ../oar/%jobid%", "#OAR -E ../oar/%jobid%", ""]
    head += ['[ -z "$OAR_ARRAY_ID" ] || exec >>"oar-${OAR_ARRAY_ID}_$1.out" 2>&1']
    head += ["# of the environment OAR passes on nothing", *(f"export {shlex.quote(one)}" for one in variables)]
    head += [f"export SLURM_ARRAY_TASK_ID=$1 SLURM_ARRAY_TASK_COUNT={count}"]
    head += [f"export SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX={count - 1}", ""]
    looks = REQUIRED_LOOP.format(runs=shlex.join(after), patience=int(RESULT_PATIENCE), failed=PARENT_FAILED) if after else ""
    worker = shlex.quote(f"../{script_name(definition.worker)}")
    return "\n".join(head) + looks + TASK_SCRIPT.format(worker=worker, failed=PARENT_FAILED)
