"""One submission to a scheduler: a job or an array, and what it waits for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

Member = tuple[str, int | None]
"""A step and, of a Map, the item."""


@frozen
class Parent:
    """What a submission waits for: another one, or one element of it where it is an array."""

    unit: str
    kind: str
    index: int | None = None


@frozen(eq=False)
class Unit:
    """One submission: a job, or an array of `members`.  `token` is how it is found again in the scheduler.

    `parameters` are submitit's, None on this machine.  `attempt` counts retries: the last one that has
    a member is the one that counts.  `script` is a file of the run folder that is submitted as it stands (see
    `launchers.runs.script`), and `after` are the folders of other runs that have to succeed first.  `numbered` says
    that the elements of a script's array have the numbers of the items, as sbatch can; else they are counted.  `need`
    and the time limit `seconds` are a further attempt's that asks for more than its step does.
    """

    name: str
    token: str
    members: tuple[Member, ...]
    parents: tuple[Parent, ...]
    parameters: Mapping[str, Any] | None
    at_once: int | None = None
    barrier: bool = field(default=False)
    attempt: int = 1
    script: str | None = None
    after: tuple[str, ...] = ()
    numbered: bool = True
    need: str | None = None
    seconds: int | None = None

    @property
    def array(self) -> bool:
        """Whether it is submitted as an array."""
        return self.script is not None or len(self.members) > 1

    def element(self, position: int) -> int | None:
        """The number of a member in the array, None where it is none."""
        if self.script is not None and self.numbered:
            return self.members[position][1]
        return position if self.array else None


PARENT_FAILED = 113
"""The exit status of a job on OAR whose parents did not end as it waits for: it is cancelled, not failed."""


NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=-]*", re.ASCII)
"""Step names become folder names and parts of job names."""
