"""plan.json: what it says can be written and read again, and everything that is asked of it has an answer."""

import tempfile
from pathlib import Path

from fake_backend import after, step, stored_run, submission
from recorded import Recorder

from launchers.errors import RunError
from launchers.runs.record import SourceRevision, dumps, loads
from launchers.runs.status import elements_of
from launchers.runs.stored import load_run

EXPECTED = (RunError,)


def corpus() -> list[bytes]:
    """A run of this machine, one of arrays that wait for each other, and one with almost every key."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder), start=1.7e9)
        recorder.step("a")
        recorder.step("m", waits=[("a", "ok")], jobs=((0, 60), (0, 60), (0, None)), gpus=1)
        arrays = [
            submission("a"),
            submission("m", after("a"), items=[0, 1, 2]),
            submission("z", after("m", "afterany", 1)),
        ]
        steps = [
            step("a", need="cpu(cores=2, mem=1G) & duration=1h", retry=(2, "mem*2"), identity="i", rivals=("z",)),
            step("m", [("a", "ok")], 3, options=(("gres", "gpu:1"),), fail_fast=True, srun=False),
            step("z", [("m", "any")]),
        ]
        runs = [recorder.run().record, stored_run(folder, *arrays), stored_run(folder, *arrays, steps=steps, jobs=3)]
        runs[-1].source = SourceRevision("0" * 40, True)
        return [dumps(run).replace(run.id, "0123abcd").encode() for run in runs]


def check(data: bytes, folder: Path) -> None:
    """Read it, and ask what commands ask."""
    (folder / "plan.json").write_bytes(data)
    run = load_run(folder)
    elements_of(run.submissions, {name: str(number) for number, name in enumerate(run.submissions_by_name)})
    for (name, _), (latest, position) in run.latest().items():
        run.step(name)
        latest.element(position)
    assert dumps(loads(dumps(run), folder / "plan.json")) == dumps(run), "it is not what was written"
