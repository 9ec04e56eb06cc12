"""Submissions whose script is a file of the run folder, made by others and run as it stands.

It runs in the folder `cwd`, once for each item.  So whoever has the folder can run it again with the scheduler alone.

What launchers submits runs `gate.sh` before it.  That takes the name of the item as launchers.runs.gate has it, but is
a shell script: the node of a script needs no Python.  Who submits the script by hand meets no gate.
"""

from __future__ import annotations

import re
from pathlib import Path

from launchers.files.atomic import write_atomically
from launchers.jobs.backend import GATE
from launchers.jobs.submission import NOT_RUN, PARENT_FAILED, Submission
from launchers.runs.gate import WHOLE, runner
from launchers.runs.stored import StoredRun

GATE_TEXT = f"""\
#!/bin/sh
# gate.sh FOLDER NUMBER JOB COMMAND...: run a command for a task unless another job does, or the task is cancelled.
# A job takes the name of its task by a hard link to a file that is whole already, and then looks whose name it is:
# a shared file system may make the link and lose the answer.
folder=$1 name=$1/runner.$2 all=$1/runner.{WHOLE} job=$3 fresh=$1/.runner.$2.$3.$$
shift 3

fail() {{
    rm -f "$fresh" 2>/dev/null
    echo "launchers: nothing is run, as $folder cannot be read or written" >&2
    exit {NOT_RUN}
}}

stop() {{
    echo "launchers: $1" >&2
    exit {PARENT_FAILED}
}}

stop_if_all_is_cancelled() {{
    [ -e "$all" ] || return 0
    reason=$(cat "$all") || fail
    stop "this job is cancelled: ${{reason#withheld }}"
}}

(umask 077 && mkdir -p "$folder") || fail
stop_if_all_is_cancelled  # before the name is taken, so that it shows that this task never ran
rm -f "$fresh"
echo "job $job" >"$fresh" || fail
ln "$fresh" "$name" 2>/dev/null
runner=$(cat "$name") || fail
rm -f "$fresh"
case $runner in
    "job $job") ;;
    "job "*) stop "job ${{runner#job }} runs this already, so job $job does not" ;;
    *) stop "this job is cancelled: ${{runner#withheld }}" ;;
esac
stop_if_all_is_cancelled  # who cancels all of them looks at the names afterwards: one of the two sees the other
exec "$@"
"""


def write_gate(folder: Path) -> None:
    """Write gate.sh into a run folder.  Raises OSError."""
    write_atomically(folder / GATE, GATE_TEXT, mode=0o700)


def withheld(run: StoredRun, submission: Submission, element: int | None) -> str:
    """Why an element of a script was not run though its job came; "" where it was, or may have been."""
    folder = run.folder.job_folder(submission.name)
    try:
        has = runner(folder, element) or runner(folder, WHOLE)
    except OSError:  # then its exit status says so
        return ""
    return has.withheld if has else ""


def script_logs(run: StoredRun, submission: Submission, item: int | None, job: str | None) -> list[Path]:
    """The output of one element, wherever the script sends it."""
    assert submission.script is not None
    text = (run.folder.path / submission.script).read_text(encoding="utf-8", errors="replace")
    known = {"A": job or "*", "a": str(item), "j": "*", "%": "%"}
    request = run.request(submission)
    logs: list[Path] = []
    for pattern in run.backend.output_patterns(request, text):
        path = request.script_folder / re.sub(r"%\d*(.)", lambda match: known.get(match[1], "*"), pattern)
        logs += sorted(path.parent.glob(path.name))
    return logs


def states_completed(folder: Path) -> bool:
    """Whether the run itself has written that it is done, as ESIS has it: what nobody else knows any more."""
    try:
        return (folder / "__esis__" / "completed.state").read_text(encoding="utf-8").strip() == "1"
    except (OSError, UnicodeDecodeError):
        return False
