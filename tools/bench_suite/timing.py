"""Time work alternately, and say it as rows: the machine is noisy, so what counts is a ratio taken in one run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from attrs import frozen

OURS = Path(sys.executable)
"""The Python that has launchers."""
HARNESS = """
import sys, time
{setup}
def work():
    {work}
{first}
count = 1
while True:
    start = time.perf_counter()
    for _ in range(count):
        work()
    spent = time.perf_counter() - start
    if spent > {least}:
        break
    count *= 4
print(spent / count)
"""


@frozen
class Row:
    """One measure: ours, what stood beside it (both in seconds unless `unit` says otherwise), and their relation.

    `value` is what the goal is about, less is better: a ratio (x), or an amount (ms, s).  None: it could not be
    measured, and `note` says why.
    """

    measure: str
    ours: float | None
    beside: str
    theirs: float | None
    value: float | None
    goal: float | None
    unit: str = "x"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none, or nothing was measured."""
        return None if self.value is None or self.goal is None else self.value <= self.goal


def missing(measure: str, beside: str, goal: float | None, why: str) -> Row:
    """A row for what cannot be measured here."""
    return Row(measure, None, beside, None, None, goal, note=why)


def alternately(works: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run all works in turn, `rounds` times; each tells the seconds it took."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            spent[name].append(work())
    return spent


def row(
    measure: str, ours: Sequence[float], beside: str, theirs: Sequence[float], goal: float | None, *, note: str = ""
) -> Row:
    """The median of the ratios of pairs, which a slow moment of the machine hits together."""
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return Row(measure, median(ours), beside, median(theirs), ratio, goal, note=note)


def process(*argv: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Callable[[], float]:
    """The seconds that a command takes; RuntimeError with what it said when it fails."""

    def work() -> float:
        start = time.perf_counter()
        done = subprocess.run([str(one) for one in argv], capture_output=True, cwd=cwd, env=env, check=False)
        spent = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, argv))[:200]}: {done.stderr.decode(errors='replace')[-800:]}")
        return spent

    return work


def printed(python: Path, code: str, *argv: str | Path) -> Callable[[], float]:
    """The number that a Python program prints."""

    def work() -> float:
        words = [str(python), "-c", code, *map(str, argv)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{code[:200]}: {done.stderr[-800:]}")
        return float(done.stdout.split()[-1])

    return work


def repeated(
    python: Path, setup: str, work: str, *argv: str | Path, first: str = "work()", least: float = 0.2
) -> Callable[[], float]:
    """The seconds that a statement takes in a process warm from `first`, repeated until `least` seconds are over."""
    return printed(python, HARNESS.format(setup=setup, work=work, first=first, least=least), *argv)
