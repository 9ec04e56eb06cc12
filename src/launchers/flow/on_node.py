"""What runs on the node for a job of a flow."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

from attrs import frozen

from launchers.runs.call import CommandError
from launchers.runs.results import output
from launchers.variables import ITEM, OUTPUT, RUN_DIR, STEP

LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII)


@frozen
class Shell:
    """Runs a script with bash; `parents` are (run folder, step, item) of the jobs whose values it is given.

    "" as a run folder is its own.  A script that fails is tried again `retry` times, `delay` seconds later, in the
    same allocation.
    """

    script: str
    parents: tuple[tuple[str, str, int | None], ...] = ()
    retry: int = 0
    delay: int = 0

    def __call__(self) -> None:
        """Run it; raises CommandError with its exit status."""
        run, step = Path(os.environ[RUN_DIR]), os.environ[STEP]
        item = os.environ.get(ITEM)
        path = run / "steps" / step / ("script.sh" if item is None else f"script.{item}.sh")
        path.write_text(self.script, encoding="utf-8")
        path.chmod(0o700)
        given = Path(os.environ[OUTPUT])
        handed: dict[str, str] = {}
        for folder, parent, number in self.parents:
            handed |= values(output(Path(folder) if folder else run, parent, number))
        for left in range(self.retry, -1, -1):
            given.write_text("")
            status = subprocess.run(["/bin/bash", str(path)], env={**os.environ, **handed}, check=False).returncode
            if status == 0:
                values(given)  # what cannot be read is said here, and not by the jobs that want it
                return
            if left:
                print(f"launchers: exit status {status}, tried again in {self.delay} s, {left} times left", flush=True)
                time.sleep(self.delay)
        raise CommandError(status)


def call(shell: Shell) -> None:
    """Run one cell of a sweep."""
    shell()


def values(path: Path) -> dict[str, str]:
    """The KEY=VALUE lines of a file; raises ValueError for a line that is none."""
    found = {}
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        matched = LINE.fullmatch(line)
        if not matched:
            raise ValueError(f"{path}:{number}: {line!r} is not KEY=VALUE (what is written to $LAUNCHERS_OUTPUT)")
        found[matched[1]] = matched[2]
    return found
