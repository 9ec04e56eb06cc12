"""A copy of the checkout, with a Python of its own, where mutations are tried: the checkout itself is never changed."""

import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from .mutations import Mutation
from .rooms import CHECKOUT, tests_of

MEMORY = 4 * 2**30
"""Bytes that a process of a trial may have: some mutations make lists without end."""

PATIENCE = (15, 5)
"""A test or a trial may take so many seconds, and so many times what it took without a mutation."""

PTH = """\
import sys; sys.path.insert(0, {source!r})
{tools}
import site; site.addsitedir({packages!r})
"""
"""What makes a Python take the copy's code and the checkout's packages, whatever a test does to PYTHONPATH."""


class Outcome(Enum):
    """What the tests say of a mutation."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    SURVIVED = "survived"


@dataclass(frozen=True)
class Notes:
    """The tests of a room: how long each takes, and which of them run a line."""

    seconds: dict[str, float]
    failed: list[str]
    lines: dict[str, dict[str, list[str]]]

    def tests_for(self, mutation: Mutation) -> dict[str, float]:
        """Return the tests to try a mutation with, the quick ones first, and how long each may take.

        They are those that run its line. What runs on import concerns every test, and so does a line that no test was
        seen to run: a process that is killed leaves no trace of it.
        """
        lines = self.lines.get(str(mutation.path), {})
        tests: set[str] = set()
        if mutation.in_function:
            place, statement = ({test for line in each for test in lines.get(str(line), ())} for each in mutation.lines)
            tests = place or statement
        chosen = sorted(tests or self.seconds, key=lambda test: (self.seconds[test], test))
        return {test: allowed(self.seconds[test]) for test in chosen}

    def time_for(self, tests: dict[str, float]) -> float:
        """Return the seconds that these tests may take together."""
        return allowed(sum(self.seconds[test] for test in tests))


class BaselineError(Exception):
    """No test of a room passes before anything is changed."""


@dataclass
class Copy:
    """A copy of the checkout in a temporary folder."""

    folder: Path
    checkout: Path = field(init=False)
    python: Path = field(init=False)
    clock: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.checkout, self.python = self.folder / "checkout", self.folder / "python" / "bin" / "python"
        shutil.copytree(CHECKOUT, self.checkout, ignore=left_out, symlinks=True)
        shared = CHECKOUT.parent / "shared"
        if shared.exists():
            (self.folder / "shared").symlink_to(shared)
        own = CHECKOUT / ".venv"
        subprocess.run([own / "bin" / "python", "-m", "venv", "--without-pip", self.folder / "python"], check=True)
        packages = next((self.folder / "python").glob("lib/python*/site-packages"))
        theirs = next(own.glob("lib/python*/site-packages"))
        tools = Path(__file__).parent
        pth = PTH.format(source=str(self.checkout / "src"), tools=tools, packages=str(theirs))
        (packages / "copy.pth").write_text(pth)

    def read_notes(self, room: str) -> Notes:
        """Run all tests of a room and return what they do. Raise BaselineError when none passes."""
        target = self.folder / f"{room}.json"
        _, output = self._run(tests_of(room), {"MUTATION_NOTES": str(target)}, limit=None)
        notes = Notes(**json.loads(target.read_text())) if target.exists() else None
        if notes is None or not notes.seconds:
            raise BaselineError(f"no test of {room} passes, without any mutation:\n{output}")
        return notes

    def try_mutation(self, mutation: Mutation, notes: Notes) -> Outcome:
        """Run the tests that have to notice a mutation until one does."""
        chosen = self.folder / "tests.json"
        tests = notes.tests_for(mutation)
        chosen.write_text(json.dumps(tests))
        files = ["-x", *sorted({test.partition("::")[0] for test in tests})]
        target = self.checkout / mutation.path
        before, status = target.read_bytes(), target.stat()
        try:
            target.write_text(mutation.text, encoding="utf-8")
            # Python takes a .pyc for current that has the source's size and time in whole seconds.
            os.utime(target, (status.st_atime, status.st_mtime + next(self.clock)))
            return self._run(files, {"MUTATION_TESTS": str(chosen)}, limit=notes.time_for(tests))[0]
        finally:
            target.write_bytes(before)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _run(self, tests: Sequence[str | Path], more: dict[str, str], limit: float | None) -> tuple[Outcome, str]:
        """Run tests, and end whatever they leave behind. Return the outcome and the end of the output."""
        mark = f"MUTATION_TRIAL={self.folder}"
        environment = {**os.environ, "MUTATION_TRIAL": str(self.folder), **more}
        environment.pop("PYTHONPATH", None)
        argv = [self.python, "-m", "pytest", "-q", "--tb=short", "--hypothesis-seed=0", "-p", "pytest_trial"]
        argv += ["-p", "no:xdist", "-p", "no:cacheprovider", f"--basetemp={self.folder / 'tmp'}", *tests]
        output = self.folder / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                argv,
                cwd=self.checkout,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
            )
            try:
                outcome = Outcome.SURVIVED if process.wait(limit) == 0 else Outcome.KILLED
            except subprocess.TimeoutExpired:
                outcome = Outcome.TIMEOUT
            finally:
                end_all(mark)
                process.wait()
        return outcome, output.read_text(encoding="utf-8", errors="replace")[-4000:]


def allowed(seconds: float) -> float:
    """Return how long something may take that takes so long without a mutation."""
    least, times = PATIENCE
    return least + times * seconds


def left_out(folder: str, names: list[str]) -> list[str]:
    """Return what is not copied: what can be made anew, and git's own."""
    top = Path(folder) == CHECKOUT
    return [name for name in names if name == "__pycache__" or (top and (name[0] == "." or name in ("dist", "build")))]


def end_all(mark: str) -> None:
    """Kill every process that has this in its environment, those that a test left in the background too."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and has_mark(entry, mark)]
        if not found:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def has_mark(entry: Path, mark: str) -> bool:
    """Tell whether a process has a variable in its environment; that of a zombie is empty."""
    try:
        return mark.encode() in (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
