"""ticket.json: what a node and `result` know of a submission."""

import tempfile
from pathlib import Path

from fake_backend import after, submission

from launchers.errors import RunError
from launchers.runs.results import read_result, write_ticket

EXPECTED = (RunError, LookupError)


def corpus() -> list[bytes]:
    """Tickets of a job and of an array."""
    submissions = [submission("a", parameters={"time": 60}), submission("a", after("b"), items=[0, 1, 2])]
    with tempfile.TemporaryDirectory() as folder:
        tickets = []
        for one in submissions:
            write_ticket(Path(folder), one, fail_fast=True, rivals={"a": ["b"]}, check_parents=True)
            tickets.append(Path(folder, "ticket.json").read_bytes())
    return tickets


def check(data: bytes, folder: Path) -> None:
    """Look for the results of its step."""
    (folder / "jobs" / "a").mkdir(parents=True)
    (folder / "jobs" / "a" / "ticket.json").write_bytes(data)
    read_result(folder, "a")
