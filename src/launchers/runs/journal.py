"""What was done about a run since its plan.json was written: the events of journal.jsonl, and what they come to."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from pathlib import Path

from attrs import define, field, frozen
from attrs.validators import deep_iterable, deep_mapping, instance_of, optional

from launchers.events import append, is_time, line_of, read_events
from launchers.files.atomic import write_atomically

_text = instance_of(str)
_texts = deep_iterable(instance_of(str), instance_of(list))


@frozen
class Event:
    """Something that was done, or is about to be, and when (seconds of the epoch)."""

    time: float = field(factory=time.time, validator=is_time, kw_only=True)


@frozen
class Intent(Event):
    """Submissions are about to be made, in one request."""

    submissions: list[str] = field(validator=_texts)


@frozen
class Submitted(Event):
    """The scheduler has taken submissions, as these jobs."""

    jobs: dict[str, str] = field(validator=deep_mapping(_text, _text, instance_of(dict)))


@frozen
class Never(Event):
    """A submission is not made, as what it waits for cannot come about."""

    submission: str = field(validator=_text)
    reason: str = field(validator=_text)


@frozen
class Refused(Event):
    """The scheduler has refused a submission: the lines that it printed, and our code for the reason, if any."""

    submission: str = field(validator=_text)
    lines: list[str] = field(validator=_texts)
    code: str | None = field(default=None, validator=optional(_text))


@frozen
class Cancelled(Event):
    """Submissions were cancelled whole, since a later one was refused."""

    submissions: list[str] = field(validator=_texts)


@frozen
class Cancel(Event):
    """Somebody is about to cancel steps, in the first `submissions` submissions of the plan; `done`: the scheduler did.

    Without the second event nobody knows whether the first was carried out.
    """

    steps: list[str] = field(validator=_texts)
    submissions: int = field(validator=instance_of(int))
    done: bool = field(default=False, validator=instance_of(bool))


@frozen
class Lost(Event):
    """Nobody will know any more what became of jobs: the positions of members of a submission."""

    submission: str = field(validator=_text)
    positions: list[int] = field(validator=deep_iterable(instance_of(int), instance_of(list)))
    reason: str = field(validator=_text)


EVENTS: dict[str, type[Event]] = {
    "intent": Intent,
    "submitted": Submitted,
    "never": Never,
    "refused": Refused,
    "cancelled": Cancelled,
    "cancel": Cancel,
    "lost": Lost,
}


@define
class JournalState:
    """What the events of a journal come to, by the names of submissions.

    `jobs` are the ids under which they were submitted, `sent` when.  `intended` is when those without an id were about
    to be.  `never` has why some are not made, `refused` what the scheduler printed.  `cancelled` were cancelled whole.
    `orders` are the orders to cancel steps: (how many submissions there were then, the steps), and `carried_out` those
    of them that the scheduler took; to pair them with the submissions here would make millions.  `lost` has, by
    submission and position, why a job is taken for lost.
    """

    jobs: dict[str, str] = field(factory=dict)
    sent: dict[str, float] = field(factory=dict)
    intended: dict[str, float] = field(factory=dict)
    never: dict[str, str] = field(factory=dict)
    refused: dict[str, list[str]] = field(factory=dict)
    cancelled: set[str] = field(factory=set)
    orders: list[tuple[int, frozenset[str]]] = field(factory=list)
    carried_out: list[tuple[int, frozenset[str]]] = field(factory=list)
    lost: dict[tuple[str, int], str] = field(factory=dict)

    def is_to_be_cancelled(self, number: int, step: str) -> bool:
        """Whether somebody ordered to cancel the jobs of a step in the submission with this number in the plan."""
        return any(number < count and step in steps for count, steps in self.orders)

    def was_cancelled(self, submission: str, number: int, step: str) -> bool:
        """Whether the scheduler has cancelled the jobs of a step in a submission, or was told to as they ended."""
        return submission in self.cancelled or any(
            number < count and step in steps for count, steps in self.carried_out
        )

    def apply(self, event: Event) -> None:
        """Bring the state up to date with one more event."""
        match event:
            case Intent():
                self.intended.update(dict.fromkeys(event.submissions, event.time))
            case Submitted():
                for name, job in event.jobs.items():
                    self.jobs[name] = job
                    self.sent[name] = event.time
                    self.intended.pop(name, None)
            case Never():
                self.never[event.submission] = event.reason
            case Refused():
                self.refused[event.submission] = event.lines
            case Cancelled():
                self.cancelled.update(event.submissions)
            case Cancel():
                (self.carried_out if event.done else self.orders).append((event.submissions, frozenset(event.steps)))
            case Lost():
                for position in event.positions:
                    self.lost[event.submission, position] = event.reason


def fold(events: Iterable[Event]) -> JournalState:
    """What events come to, in their order."""
    state = JournalState()
    for event in events:
        state.apply(event)
    return state


@frozen
class Journal:
    """The file of a run's events; to append one reads nothing of it but its end."""

    path: Path

    def append(self, event: Event) -> None:
        """Write down what is about to be done, or was; on disk when this returns.  Raises OSError."""
        append(self.path, line_of(event, EVENTS))

    def note(self, events: Iterable[Event]) -> None:
        """Write down events without the run's lock, in a file of their own; on disk when this returns.  Raises OSError.

        Two clients that append to one file on a network file system overwrite each other (man open, O_APPEND).  What
        is noted so comes to the same in whatever order: orders to cancel, and what is lost.
        """
        lines = "".join(line_of(event, EVENTS) for event in events)
        write_atomically(self.path.with_name(f"{self.path.stem}.{secrets.token_hex(8)}{self.path.suffix}"), lines)

    def events(self) -> list[Event]:
        """All events, in order, and then what was noted beside them.  Raises BadLineError."""
        paths = sorted(self.path.parent.glob(f"{self.path.stem}.*{self.path.suffix}"))
        notes = [event for path in paths for event in read_events(path, EVENTS)]
        return read_events(self.path, EVENTS) + sorted(notes, key=lambda event: event.time)

    def state(self) -> JournalState:
        """What the events come to.  Raises BadLineError."""
        return fold(self.events())
