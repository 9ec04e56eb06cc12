"""OAR's commands for tests: records of oarstat, an oarsub that answers as told, and a whole OAR that runs nothing."""

import json
import os
import shlex
from pathlib import Path

from scans import executable

GRID = "oar: [{id: grid, nodes: [{hosts: 'n[1-2]', cpu: {cores: 4, memory: 9G}}]}]\n"
"""A launchers.yaml for the whole OAR."""
FIRST = 7
"""The id of its first job."""


def record(id, *, array=None, index=1, state="Running", **more):
    """A record of oarstat; single jobs are arrays of one."""
    return {"Job_Id": id, "array_id": array or id, "array_index": index, "state": state, "events": [], **more}


LAST = record(10**6, name="the last job of all")
"""A job of somebody else, which every answer has."""


def oarstat(*records):
    """What oarstat prints of these jobs."""
    return json.dumps({str(job["Job_Id"]): job for job in (*records, LAST)})


class Oarsub:
    """An oarsub on PATH that writes down what it was asked, and where, and answers as it is told."""

    def __init__(self, folder, monkeypatch):
        self.folder = Path(folder)
        monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")

    def answer(self, answer, *, first=""):
        """Print an answer, or end with (status, stderr) or (status, stderr, stdout); None: there is no such command.

        `first` is done before that, by a shell.
        """
        path = self.folder / "bin" / "oarsub"
        if answer is None:
            path.unlink(missing_ok=True)
            return
        status, stderr, stdout = (0, "", answer) if isinstance(answer, str) else (*answer, "")[:3]
        asked = shlex.quote(str(self.folder / "asked"))
        executable(
            path,
            f'#!/bin/sh\nprintf "%s\\0" "$PWD" "$@" >> {asked}; printf "\\n\\0" >> {asked}\n{first}\n'
            f"printf %s {shlex.quote(stdout)}; printf %s {shlex.quote(stderr)} >&2; exit {status}\n",
        )

    def _calls(self):
        path = self.folder / "asked"
        text = path.read_text() if path.exists() else ""
        return [call.split("\0")[:-1] for call in text.split("\n\0")[:-1]]

    @property
    def asked(self):
        """The arguments of each call."""
        return [call[1:] for call in self._calls()]

    @property
    def folders(self):
        """The folder of each call."""
        return [call[0] for call in self._calls()]


def fake_oar(folder, monkeypatch, jobs):
    """Put OAR's commands on PATH; `jobs` are (array, index) of its jobs, by id.  The file to which oarsub writes.

    Its jobs run, under the names that they were submitted with.
    """
    asked = Path(folder) / "asked"
    oarsub = f"""#!/bin/sh
pwd >> {asked}
printf "%s\\n" "$@" >> {asked}
echo x >> {asked}.count
id=$(({FIRST - 1} + $(wc -l < {asked}.count)))
tasks=../oar/tasks
while [ $# -gt 0 ]; do
    [ "$1" != -n ] || echo "$id $2" >> {asked}.names
    [ "$1" != --array-param-file ] || tasks=$2
    shift
done
count=$(cat $tasks 2>/dev/null | wc -l)
for number in $(seq 0 $((count - 1))); do echo OAR_JOB_ID=$((id + number)); done
[ $count -ne 0 ] || echo OAR_JOB_ID=$id
[ $count -lt 2 ] || echo OAR_ARRAY_ID=$id
"""
    states = f"""import json, pathlib
names = dict(line.split() for line in pathlib.Path("{asked}.names").read_text().splitlines())
jobs = {jobs!r}
print(json.dumps({{id: {{"Job_Id": id, "array_id": array, "array_index": index, "state": "Running",
    "name": names.get(str(array), "")}} for id, (array, index) in jobs.items()}}))
"""
    executable(Path(folder) / "bin" / "oarsub", oarsub)
    executable(Path(folder) / "bin" / "oarstat", f"#!/usr/bin/env python3\n{states}")
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
    (Path(folder) / "launchers.yaml").write_text(GRID)
    return asked
