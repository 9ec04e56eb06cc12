"""seen.json: what a scheduler that has forgotten its jobs said of them."""

import json
from pathlib import Path
from unittest import mock

from fake_backend import FakeBackend, after, stored_run, submission

from launchers.errors import RunError
from launchers.runs.journal import Submitted
from launchers.runs.status import member_states, step_states
from launchers.runs.stored import load_run

EXPECTED = (RunError,)


def corpus() -> list[bytes]:
    """Some states and times."""
    seen = {"7": ["RUNNING", 1.7e9], "8_0": ["COMPLETED", 1], "8_1": ["FAILED", 2.5], "9": ["PENDING", 1700000000]}
    return [json.dumps(seen).encode(), b"{}"]


def check(data: bytes, folder: Path) -> None:
    """Ask for the states of a run of a scheduler that knows none of its jobs."""
    run = stored_run(folder, submission("a"), submission("m", after("a"), items=[0, 1]), submission("z"))
    run.folder.journal.append(Submitted({"a": "7", "m": "8", "z": "9"}))
    run.folder.seen_path.write_bytes(data)
    with mock.patch("launchers.runs.stored.backend", return_value=FakeBackend()):
        again = load_run(run.folder.path)
        for state in step_states(again, member_states(again)):
            state.reason, state.state, state.counts  # noqa: B018
