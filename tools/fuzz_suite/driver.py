"""Checks many inputs in a process that may hang, die or fill its memory, and tells which of them did what.

The number of an input and the seed make it again: `tools/fuzz SUBJECT --seed S --only NUMBER`.
"""

from __future__ import annotations

import contextlib
import importlib
import mmap
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzz_suite.mutations import mutate_json

SECONDS = 2.0
"""CPU time that one check may take."""
WAIT = 120.0
"""Time that one check may take, on a machine that may have much else to do."""
MEMORY = 500 * 10**6
"""Bytes that checks may have beside what their process has before the first one."""
SHOWN = 5
"""Failures that are shown whole."""
SUBJECTS = Path(__file__).parent / "subjects"


def names() -> list[str]:
    """The subjects."""
    return sorted(path.stem for path in SUBJECTS.glob("[a-z]*.py"))


def fuzz(name: str, count: int, seed: int, only: int | None = None) -> int:
    """Check so many inputs of a subject; how many failed.  Prints what failed."""
    subject = importlib.import_module(f"fuzz_suite.subjects.{name}")
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    before, tempfile.tempdir = tempfile.tempdir, str(folder)  # what the checks leave behind goes with the folder
    corpus = subject.corpus()
    done = mmap.mmap(-1, 8)  # shared with the workers: the number of the input that is being checked
    failures: list[str] = []
    numbers = range(count) if only is None else range(only, only + 1)
    at = numbers.start
    while at < numbers.stop:
        report = folder / "report"
        worker = os.fork()
        if not worker:
            _work(subject, corpus, range(at, numbers.stop), seed, folder, done)
        status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        at = struct.unpack("q", done[:8])[0] + 1
        if status:
            failures.append(_failure(name, seed, at - 1, status, report))
            if len(failures) <= SHOWN:
                kept = _keep(make_input(subject, corpus, seed, at - 1), name, folder)
                print(f"{failures[-1]}; the input: {kept}\n", flush=True)
    tempfile.tempdir = before
    shutil.rmtree(folder)
    print(f"{name}: {len(numbers)} inputs (seed {seed}), {len(failures)} failures")
    return len(failures)


def _failure(name: str, seed: int, number: int, status: int, report: Path) -> str:
    """What became of an input, and how to try it again."""
    if status == 1:
        what = report.read_text(errors="replace")
    elif status == -signal.SIGPROF:
        what = "it takes too long\n"
    elif status == -signal.SIGALRM:
        what = "it waits for ever\n"
    else:
        what = f"the process ended with {status}\n"
    return f"{name}: {what}again: tools/fuzz {name} --seed {seed} --only {number}"


def _keep(data: bytes, name: str, folder: Path) -> Path:
    """A file with an input that failed, which stays."""
    descriptor, path = tempfile.mkstemp(prefix=f"fuzz-failed-{name}-", dir=folder.parent)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
    return Path(path)


def make_input(subject: Any, corpus: Sequence[bytes], seed: int, number: int) -> bytes:
    """The input with a number."""
    mutate = getattr(subject, "mutate", mutate_json)
    return bytes(mutate(random.Random(f"{seed}:{number}"), corpus))


def _work(subject: Any, corpus: Sequence[bytes], numbers: range, seed: int, folder: Path, done: mmap.mmap) -> None:
    """Check inputs until one fails; ends this process, with status 1 after a failure that is in the report."""
    seconds = getattr(subject, "SECONDS", SECONDS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    status = 1
    try:
        for number in numbers:
            done[:8] = struct.pack("q", number)
            data = make_input(subject, corpus, seed, number)
            own = folder / "input"
            shutil.rmtree(own, ignore_errors=True)
            own.mkdir()
            # The kernel ends a check that takes too long, also one that computes in C.
            signal.setitimer(signal.ITIMER_PROF, seconds)
            signal.setitimer(signal.ITIMER_REAL, seconds + WAIT)
            with contextlib.suppress(*subject.EXPECTED):
                subject.check(data, own)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
        status = 0
    except BaseException:
        (folder / "report").write_text(traceback.format_exc(limit=-8), errors="replace")
    finally:
        sys.stdout.flush()
        os._exit(status)
