"""What runs on the node for a job of a flow."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

from attrs import frozen

from launchers.files.atomic import write_atomically
from launchers.runs.call import StepCommandError
from launchers.runs.results import output_path
from launchers.variables import ITEM, OUTPUT, RUN_DIR, STEP

VALUE_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII)


@frozen
class Shell:
    """Runs a script with bash.

    `parents` are (run folder, step, item) of the jobs whose values become variables; "" is the run's own folder.
    A script that fails is tried again `retry` times in the same allocation, after `delay` seconds each.
    """

    script: str
    parents: tuple[tuple[str, str, int | None], ...] = ()
    retry: int = 0
    delay: int = 0

    def __call__(self) -> None:
        """Run the script.  Raises StepCommandError with its exit status, ValueError when its values cannot be read."""
        run, step, item = Path(os.environ[RUN_DIR]), os.environ[STEP], os.environ.get(ITEM)
        path = run / "steps" / step / ("script.sh" if item is None else f"script.{item}.sh")
        write_atomically(path, self.script, mode=0o700)  # each task of a job does
        own_values = Path(os.environ[OUTPUT])
        environment = dict(os.environ)
        for folder, parent, number in self.parents:
            environment |= read_values(output_path(Path(folder) if folder else run, parent, number))
        for tries_left in range(self.retry, -1, -1):
            write_atomically(own_values, "")
            status = subprocess.run(["/bin/bash", str(path)], env=environment, check=False).returncode
            if status == 0:
                read_values(own_values)  # a bad line is this job's failure, not that of the jobs that read it
                return
            if tries_left:
                print(
                    f"launchers: exit status {status}: trying again in {self.delay} s ({tries_left} left)", flush=True
                )
                time.sleep(self.delay)
        raise StepCommandError(status)


def run_cell(shell: Shell) -> None:
    """Run one cell of a sweep."""
    shell()


def read_values(path: Path) -> dict[str, str]:
    """Read the KEY=VALUE lines of a file that may not exist.  Raises ValueError for any other line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    values = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        matched = VALUE_LINE.fullmatch(line)
        if not matched:
            raise ValueError(f"{path}:{number}: {line!r} is not KEY=VALUE; $LAUNCHERS_OUTPUT takes only such lines")
        values[matched[1]] = matched[2]
    return values
