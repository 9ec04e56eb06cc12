"""A run folder of which a file or two were spoilt, and the commands about runs: none of them is surprised.

An input is JSON: which run, what is done to which of its files, and which command looks at it then.  The runs are real
ones, of this machine, and one of a Slurm that is made of small scripts (tests/builders/fake_slurm.py).
"""

import contextlib
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import pytest
import steps
from fake_slurm import fake_slurm, submit_plan

from fuzz_suite.mutations import change_bytes, change_lines, change_structure
from launchers.cli import main
from launchers.plan import Chain, Map, Plan, Step

EXPECTED = ()
SECONDS = 6.0
STATUSES = (0, 1, 2, 3, 130)
"""docs/explaining.md; 70 is a bug."""
NOBODY = 65534
COMMANDS = [
    ["status"], ["logs", "RUN", "a"], ["logs", "RUN", "m:0"], ["report", "-o", "OUT"], ["advise"], ["runs", "RUNS"],
    ["wait", "--timeout", "1"], ["resume"], ["retry"], ["retry", "--lost"], ["cancel"], ["cancel", "RUN", "a"], ["clean"],
]  # fmt: skip
"""RUN is the run folder, which is also what comes last where it is not named; RUNS is the folder of run folders."""


def corpus() -> list[bytes]:
    """A run of this machine that has ended, one of which a step failed, and one that Slurm has."""
    root = Path(tempfile.mkdtemp(prefix="fuzz-views-"))
    os.environ["LAUNCHERS_LOCAL_STATE"] = str(root / "ledger")
    os.chdir(root)
    good = Plan("good", Chain(Step("a", steps.CPU, steps.double, 1), Map("m", steps.CPU, steps.double, [1, 2])))
    bad = Plan("bad", Chain(Step("a", steps.CPU, steps.fail, 1), Map("m", steps.CPU, steps.double, [1, 2])))
    for plan in (good, bad):
        plan.submit(config=None).wait(check=False)
    (root / "fake").mkdir()
    patch = pytest.MonkeyPatch()
    fake_slurm(root / "fake", patch)
    submit_plan()
    runs = sorted((root / "runs").iterdir())
    shutil.copytree(root / "runs", root / "pristine", symlinks=True)
    return [json.dumps({"root": str(root), "run": run.name, "files": _files(run)}).encode() for run in runs]


def _files(run: Path) -> list[str]:
    return [str(path.relative_to(run)) for path in sorted(run.rglob("*"))]


def mutate(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    """A command on a run of which one file was spoilt, or two."""
    entry = json.loads(chance.choice(corpus))
    files = entry.pop("files")
    important = [name for name in files if name.endswith((".json", ".jsonl", ".pkl", ".out"))]
    chosen = [chance.choice(chance.choice([important, files])) for _ in range(chance.choice([1, 1, 1, 2]))]
    spoilt = [[name, chance.choice(list(WAYS)), chance.randrange(10**6)] for name in chosen]
    return json.dumps({**entry, "spoilt": spoilt, "command": chance.choice(COMMANDS)}).encode()


def check(data: bytes, folder: Path) -> None:
    """Spoil the run, and give the command."""
    entry = json.loads(data)
    root = Path(entry["root"])
    os.chdir(root)
    runs, run = root / "runs", root / "runs" / entry["run"]
    shutil.rmtree(runs)
    shutil.copytree(root / "pristine", runs, symlinks=True)
    for name, way, seed in entry["spoilt"]:
        with contextlib.suppress(OSError):  # the folder that it is in was spoilt before
            WAYS[way](run / name, random.Random(seed))
    words = [
        {"RUN": str(run), "RUNS": str(runs), "OUT": str(folder / "out.html")}.get(word, word)
        for word in entry["command"]
    ]
    if not {"RUN", "RUNS"} & {*entry["command"]}:
        words.append(str(run))
    with _watched(folder), mock.patch("launchers.local.control.start_scheduler"):
        status = main(words)
    assert status in STATUSES, f"{words}: {status}: {entry['spoilt']}: {(folder / 'err').read_text()}"
    assert status == 0 or any((folder / name).read_text() for name in ("out", "err")), f"{words}: {status} and silence"


@contextlib.contextmanager
def _watched(folder: Path) -> Iterator[None]:
    """Have what is printed in files, and tracebacks of bugs as well."""
    os.environ["LAUNCHERS_DEBUG"] = "1"
    with (
        (folder / "out").open("w") as out,
        (folder / "err").open("w") as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        yield


# -- ways to spoil a file --------------------------------------------------------------------------------------


def _changed(change: Callable[[random.Random, bytes, Sequence[bytes]], bytes]) -> Callable[[Path, random.Random], None]:
    """Change what is in a file; a folder is left."""

    def spoil(path: Path, chance: random.Random) -> None:
        if path.is_file():
            data = path.read_bytes()
            path.write_bytes(change(chance, data, [data]))

    return spoil


def _replaced(make: Callable[[Path], None]) -> Callable[[Path, random.Random], None]:
    """Put something else in its place."""

    def spoil(path: Path, chance: random.Random) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        make(path)

    return spoil


def _give_away(path: Path, chance: random.Random) -> None:
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


WAYS: dict[str, Callable[[Path, random.Random], None]] = {
    "cut off": _changed(lambda chance, data, _: data[: chance.randrange(len(data) + 1)]),
    "zeros": _changed(lambda chance, data, _: bytes(len(data))),
    "empty": _changed(lambda chance, data, _: b""),
    "NUL bytes": _changed(
        lambda chance, data, _: data + b"\0" * 1000 if chance.random() < 0.5 else b"\0" * 1000 + data
    ),
    "huge numbers": _changed(lambda chance, data, _: data.replace(b"1", b"9" * chance.choice([30, 400, 5000]), 3)),
    "bytes": _changed(change_bytes),
    "lines": _changed(change_lines),
    "structure": _changed(change_structure),
    "other JSON": _changed(
        lambda chance, data, _: chance.choice([b"[]", b"{}", b"null", b"1", b'"x"', b'{"a": [1]}\n'])
    ),
    "garbage": _changed(lambda chance, data, _: chance.randbytes(10_000_000)),
    "text": _changed(lambda chance, data, _: b"x" * 10_000_000),
    "gone": _replaced(lambda path: None),
    "folder": _replaced(lambda path: path.mkdir()),
    "file": _replaced(lambda path: path.touch()),
    "pipe": _replaced(lambda path: os.mkfifo(path)),
    "loop": _replaced(lambda path: path.symlink_to(path.name)),
    "nowhere": _replaced(lambda path: path.symlink_to("/nowhere/at/all")),
    "device": _replaced(lambda path: path.symlink_to("/dev/zero")),
    "another's": _give_away,
    "writable by all": lambda path, chance: path.chmod(0o777),
    "readable by nobody": lambda path, chance: path.chmod(0),
}
"""What can become of a file."""
