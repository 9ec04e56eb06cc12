"""What became of the jobs of this machine (events.jsonl): it is read, mended and read again."""

from pathlib import Path

from attrs import evolve

from launchers.errors import RunError
from launchers.events import append, line_of, read_events
from launchers.local.journal import (
    JOB_EVENTS,
    JobEnd,
    JobEvent,
    JobIntent,
    JobRequeue,
    JobStart,
    journal_path,
    read_statuses,
)

EXPECTED = (RunError,)


def corpus() -> list[bytes]:
    """Jobs that ended well, were queued again, and never started; and lines that were cut off."""
    events: list[JobEvent] = [JobIntent("a", 1, ["0"], time=1.0), _start("a"), JobEnd("a", "COMPLETED", 0, time=3.0)]
    again = [
        JobIntent("b", 1, time=1.0),
        _start("b"),
        JobRequeue("b", "checkpoint", time=4.0),
        JobIntent("b", 2, time=5.0),
    ]
    never = [
        JobEnd("c", "CANCELLED", None, "DependencyNeverSatisfied", time=6.0),
        JobEnd("d", "FAILED", 1, "x", 1.5, 9, time=7),
    ]
    journals = ["".join(line_of(event, JOB_EVENTS) for event in part) for part in (events, again, never)]
    return [*(text.encode() for text in journals), (journals[0][:-9] + "\x18\n" + journals[2]).encode(), b""]


def _start(job: str) -> JobStart:
    return JobStart(job, time=2.0, **{name: value for name, value in STARTED.items() if name in JobStart.__slots__})


STARTED = {"pid": 7, "born": 8, "boot": "e0", "pids": "f0"}


def check(data: bytes, folder: Path) -> None:
    """What was read before an append is read after it, and the line that was appended."""
    path = journal_path(folder)
    path.write_bytes(data)
    read_statuses(folder)
    before = _events(path)
    append(path, line_of(JobRequeue("z", time=5.0), JOB_EVENTS))
    assert _events(path) == [*before, JobRequeue("z", time=0.0)], "an append changed what was read"


def _events(path: Path) -> list[JobEvent]:
    return [evolve(event, time=0.0) for event in read_events(path, JOB_EVENTS)]
