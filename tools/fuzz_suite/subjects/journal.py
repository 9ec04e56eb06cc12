"""A run's journal.jsonl: its events, and what they come to; and the next append mends what was cut."""

from pathlib import Path

from attrs import evolve

from launchers.errors import RunError
from launchers.events import append, line_of
from launchers.runs.journal import EVENTS, Cancel, Cancelled, Event, Intent, Journal, Lost, Never, Refused, Submitted

EXPECTED = (RunError,)


def corpus() -> list[bytes]:
    """Journals of a run that was submitted, of one that was refused, and one with lines that were cut off."""
    submitted = [Intent(["a", "b"], time=1.0), Submitted({"a": "1", "b": "2_7"}, time=2.0), Cancel(["a"], 2, time=3.0)]
    refused = [
        Intent(["a"], time=1.0),
        Refused("a", ["sbatch: error: no", ""], "QOS", time=2.5),
        Cancelled(["a"], time=3),
    ]
    never = [
        Never("c", "its parent failed", time=4.0),
        Lost("b", [7], "forgotten", time=5.0),
        Cancel(["a"], 2, done=True),
    ]
    journals = ["".join(line_of(event, EVENTS) for event in events) for events in (submitted, refused, never)]
    return [*(text.encode() for text in journals), (journals[0][:-20] + "\x18\n" + journals[2]).encode(), b""]


def check(data: bytes, folder: Path) -> None:
    """What was read before an append is read after it, and the line that was appended."""
    path = folder / "journal.jsonl"
    path.write_bytes(data)
    journal = Journal(path)
    before = _events(journal)
    journal.state()
    append(path, line_of(Cancel(["z"], 1, time=5.0), EVENTS))
    assert _events(journal) == [*before, Cancel(["z"], 1, time=0.0)], "an append changed what was read"


def _events(journal: Journal) -> list[Event]:
    """Without the times, as a line that lacks its time gets that of the moment."""
    return [evolve(event, time=0.0) for event in journal.events()]
