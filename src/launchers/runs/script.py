"""Submissions whose script is a file of the run folder, made by others and submitted as it stands.

It is submitted from the folder `cwd`, one element of its array for each item; a retry names the items.  So whoever
has the folder can run it again with the scheduler alone.  On this machine the file itself is run, once for each item.
"""

from __future__ import annotations

import re
from pathlib import Path

from launchers.jobs.submission import Submission
from launchers.runs.stored import StoredRun


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
