"""One submission to a scheduler: a job or an array, and what it waits for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen

Condition = Literal["ok", "any", "failed", "started", "each"]
"""What has to have happened to the steps before a step: all succeeded, all ended, each failed (a Map when all of it has
ended and any item failed, as Slurm has it for an array), all have started; "each": each item of a Map after the same
item of the Map before it."""
DEPENDENCY_TYPES: Mapping[str, str] = {
    "ok": "afterok",
    "any": "afterany",
    "failed": "afternotok",
    "started": "after",
    "each": "aftercorr",
}
"""The conditions in Slurm's words (man sbatch, --dependency)."""
NEEDS_SUCCESS = ("afterok", "aftercorr")
"""The types of dependency that can never be met once the job has ended without success."""

STEP_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=-]*", re.ASCII)
"""Names of steps become names of folders and parts of the names of jobs."""

PARENT_FAILED = 113
"""The exit status of a job that was cancelled before it ran its step, as on OAR one whose parents failed."""

NOT_RUN = 74
"""The exit status of a job that could not take its name, or write its result (EX_IOERR of sysexits.h)."""

Member = tuple[str, int | None]
"""One job of a step: the step's name and, of a Map, the number of the item."""


@frozen
class Parent:
    """What a submission waits for: another one as a whole, or the element `index` of it where that is an array."""

    submission: str
    kind: str
    index: int | None = None


@frozen(eq=False)
class Submission:
    """One job, or an array of `members`, as a scheduler is asked for it.

    `token` is how it is found again in the scheduler.  `parameters` are what its backend made of the need.  `attempt`
    counts retries from 1: the last submission that has a member is the one that counts.  `barrier` says that it is a
    tiny job of ours between many submissions and many that wait for them.  `script` is a file of the run folder that
    is submitted as it stands (see `launchers.runs.script`), and `after` are the folders of other runs that have to
    succeed first.  `numbered` says that the elements of a script's array have the numbers of the items, as sbatch can;
    otherwise they are counted from 0.  `need` and the time limit `seconds` belong to a further attempt that asks for
    more than its step does.
    """

    name: str
    token: str
    members: tuple[Member, ...]
    parents: tuple[Parent, ...]
    parameters: Mapping[str, Any]
    at_once: int | None = None
    barrier: bool = False
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

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps whose jobs it has."""
        return tuple(dict.fromkeys(step for step, _ in self.members))

    def element(self, position: int) -> int | None:
        """The number in the array of the member at a position; None where it is not an array."""
        if self.script is not None and self.numbered:
            return self.members[position][1]
        return position if self.array else None
