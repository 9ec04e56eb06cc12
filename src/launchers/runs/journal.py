"""What was done about a run since its plan.json was written: the events of journal.jsonl, and what they come to."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from attrs import define, field, frozen
from attrs.validators import deep_iterable, deep_mapping, instance_of, optional

from launchers.events import append, is_time, line_of, read_events

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
    """Somebody is about to cancel steps."""

    steps: list[str] = field(validator=_texts)


EVENTS: dict[str, type[Event]] = {
    "intent": Intent,
    "submitted": Submitted,
    "never": Never,
    "refused": Refused,
    "cancelled": Cancelled,
    "cancel": Cancel,
}


@define
class JournalState:
    """What the events of a journal come to, by the names of submissions.

    `jobs` are the ids under which they were submitted, `sent` when.  `intended` is when those without an id were about
    to be.  `never` has why some are not made, `refused` what the scheduler printed.  `cancelled` were cancelled whole.
    `orders` are the orders to cancel steps: (how many submissions there were then, the steps); to pair them with the
    submissions here would make millions.
    """

    jobs: dict[str, str] = field(factory=dict)
    sent: dict[str, float] = field(factory=dict)
    intended: dict[str, float] = field(factory=dict)
    never: dict[str, str] = field(factory=dict)
    refused: dict[str, list[str]] = field(factory=dict)
    cancelled: set[str] = field(factory=set)
    orders: list[tuple[int, frozenset[str]]] = field(factory=list)
    _positions: dict[str, int] = field(factory=dict)

    def was_cancelled(self, submission: str, step: str) -> bool:
        """Whether the jobs of a step in a submission were cancelled."""
        position = self._positions.get(submission)
        return submission in self.cancelled or any(
            position is not None and position < count and step in steps for count, steps in self.orders
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
                    self._positions.setdefault(name, len(self._positions))
            case Never():
                self.never[event.submission] = event.reason
            case Refused():
                self.refused[event.submission] = event.lines
            case Cancelled():
                self.cancelled.update(event.submissions)
            case Cancel():
                self.orders.append((len(self._positions), frozenset(event.steps)))


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

    def events(self) -> list[Event]:
        """All events, in order.  Raises BadLineError."""
        return read_events(self.path, EVENTS)

    def state(self) -> JournalState:
        """What the events come to.  Raises BadLineError."""
        return fold(self.events())
