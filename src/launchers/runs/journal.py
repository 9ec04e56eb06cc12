"""What was done about a run since its plan.json was written: the events of journal.jsonl."""

from __future__ import annotations

import time

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, optional

from launchers.events import is_time

_text = instance_of(str)
_texts = deep_iterable(instance_of(str), instance_of(list))


@frozen
class Event:
    """Something that was done, or is about to be, and when (seconds of the epoch)."""

    time: float = field(factory=time.time, validator=is_time, kw_only=True)


@frozen
class Intent(Event):
    """A submission is about to be made."""

    unit: str = field(validator=_text)
    token: str = field(validator=_text)


@frozen
class Submitted(Event):
    """The scheduler has taken a submission, as this job."""

    unit: str = field(validator=_text)
    job: str = field(validator=_text)


@frozen
class Never(Event):
    """A submission is not made, as what it waits for cannot come about."""

    unit: str = field(validator=_text)
    reason: str = field(validator=_text)


@frozen
class Refused(Event):
    """The scheduler has refused a submission: its own words, and our code for the reason, if there is one."""

    unit: str = field(validator=_text)
    said: list[str] = field(validator=_texts)
    code: str | None = field(default=None, validator=optional(_text))


@frozen
class Cancelled(Event):
    """Submissions were cancelled whole, since a later one was refused."""

    units: list[str] = field(validator=_texts)


@frozen
class Cancel(Event):
    """Somebody is about to cancel steps."""

    steps: list[str] = field(validator=_texts)


@frozen
class Starting(Event):
    """This machine's scheduler is about to be started for an attempt."""

    attempt: int = field(validator=instance_of(int))


@frozen
class Started(Event):
    """This machine's scheduler was started for an attempt."""

    attempt: int = field(validator=instance_of(int))


EVENTS: dict[str, type[Event]] = {
    "intent": Intent,
    "submitted": Submitted,
    "never": Never,
    "refused": Refused,
    "cancelled": Cancelled,
    "cancel": Cancel,
    "starting": Starting,
    "started": Started,
}
