"""How fast is launchers, beside its peers, on this machine and in one run?

    tools/bench                   all of it (some minutes), and docs/performance.md and .json written anew
    tools/bench --only find       some measures; nothing is written
    tools/bench --quick           fewer rounds; nothing is written
    tools/bench --check           compare with docs/performance.json by ratio, and name what got worse (exit status 1)

Peers are installed in virtual environments of their own in $LAUNCHERS_BENCH_CACHE (default ~/.cache/launchers-bench).
A Slurm is started for the measures that need one; LAUNCHERS_TESTBED=DIR uses one that runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import asdict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_suite import finding, jobs
from bench_suite.peers import versions
from bench_suite.timing import Row

MEASURES: dict[str, Callable[[int], Iterator[Row]]] = {
    "find": finding.find,
    "import": finding.imported,
    "parse": finding.parse,
    "warm": finding.warm,
    "nodes": finding.nodes,
    "convert": finding.convert,
    "submit": jobs.submit,
    "many": jobs.many,
    "local": jobs.local,
}
DOCS = Path(__file__).resolve().parents[2] / "docs"
WORSE = 1.5
"""A value grown by more than this is named: smaller changes are the machine's."""
MARKS = "<!-- written by tools/bench -->\n", "<!-- until here -->\n"


def amount(value: float | None, unit: str) -> str:
    """A number for people, with three figures."""
    if value is None:
        return "-"
    if unit == "x":
        return f"{value:.3g}x"
    return f"{value:.3g} {unit}"


def cells(row: Row) -> tuple[str, ...]:
    """A row for people."""
    size = "bytes" in row.measure

    def told(value: float | None) -> str:
        if value is None:
            return "-"
        if size:
            return f"{value / 2**20:.3g} MiB"
        return amount(value * 1000, "ms") if value < 1 else amount(value, "s")

    verdict = "not measured" if row.value is None else {True: "reached", False: "**missed**", None: ""}[row.met]
    goal = "" if row.goal is None else f"at most {amount(row.goal, row.unit)}"
    shown = (row.measure, told(row.ours), row.beside, told(row.theirs), amount(row.value, row.unit), goal)
    return (*shown, "; ".join(filter(None, (verdict, row.note))))


HEAD = ("measure", "ours", "beside", "theirs", "relation", "goal", "")


def markdown(rows: list[Row]) -> str:
    """The table."""
    lines = [" | ".join(one) for one in (HEAD, ("--",) * len(HEAD), *map(cells, rows))]
    return "".join(f"| {line} |\n" for line in lines)


def about() -> dict[str, str]:
    """The machine, the date and the versions."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.M)
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=DOCS, capture_output=True, text=True, check=False)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "launchers": git.stdout.strip(),
        **versions(),
    }


def write(rows: list[Row]) -> None:
    """Put the numbers into docs/performance.md, between its marks, and beside it as JSON."""
    facts = about()
    numbers = {"about": facts, "rows": [asdict(row) | {"met": row.met} for row in rows]}
    (DOCS / "performance.json").write_text(json.dumps(numbers, indent=1) + "\n")
    page = DOCS / "performance.md"
    head, _, rest = page.read_text().partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    told = "; ".join(f"{name} {value}" for name, value in facts.items())
    page.write_text(f"{head}{MARKS[0]}{markdown(rows)}\n{told}\n{MARKS[1]}{tail}")


def compared(rows: list[Row]) -> list[str]:
    """What got worse than the committed numbers say."""
    committed = json.loads((DOCS / "performance.json").read_text())["rows"]
    before = {(one["measure"], one["beside"]): one["value"] for one in committed}
    worse = []
    for row in rows:
        old = before.get((row.measure, row.beside))
        if old is None or row.value is None:
            continue
        if row.value > max(old * WORSE, old + (row.goal or 0) / 20):
            now, then = amount(row.value, row.unit), amount(old, row.unit)
            worse.append(f"{row.measure} beside {row.beside}: {now}, was {then}")
    return worse


def main() -> int:
    """The command line."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", action="append", choices=MEASURES, help=", ".join(MEASURES))
    parser.add_argument("--quick", action="store_true", help="a third of the rounds")
    parser.add_argument("--check", action="store_true", help="compare with the committed numbers")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    rows: list[Row] = []
    for name in options.only or MEASURES:
        for row in MEASURES[name](5 if options.quick else 15):
            rows.append(row)
            if not options.json:
                print("  ".join(filter(None, cells(row))), flush=True)
    if options.json:
        print(json.dumps([asdict(row) | {"met": row.met} for row in rows], indent=1))
    if options.check:
        worse = compared(rows)
        for line in worse:
            print(f"worse: {line}", file=sys.stderr)
        return 1 if worse else 0
    if not options.only and not options.quick:
        write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
