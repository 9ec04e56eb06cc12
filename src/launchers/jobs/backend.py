"""What a batch scheduler must offer a plan: the modules `on_slurm` and `on_oar` do, and only they know its commands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen

from launchers.commands import Connector
from launchers.jobs.submission import Unit
from launchers.jobs.usage import Usage
from launchers.offer.model import Group

Element = tuple[str, int | None]
"""A job id as it was when the job was submitted and, of an array, the element."""


@frozen
class JobInfo:
    """What is known of one job: state in Slurm's words, reason or exit code, nodes, elapsed and limit as printed.

    Times are seconds of the epoch, None where nobody says; `eligible` is when it waited for no other job any more.
    `job` is the id that it has now, where that is not the one it was submitted under.
    """

    state: str
    reason: str = ""
    nodes: str = ""
    elapsed: str = ""
    exit: str = ""
    partition: str = ""
    submitted: float | None = None
    eligible: float | None = None
    started: float | None = None
    ended: float | None = None
    usage: Usage | None = None
    job: str = ""


@frozen
class Wait:
    """What a submission waits for, in Slurm's words (afterok and friends), and of which job."""

    kind: str
    on: Element


@frozen(eq=False)
class Submission:
    """One unit on its way to the scheduler: of which run and plan, what it waits for, and in which folder it runs."""

    run: Path
    plan: str
    unit: Unit
    waits: tuple[Wait, ...] = ()
    cwd: str = ""

    @property
    def folder(self) -> Path:
        """Its submitit folder."""
        return self.run / "jobs" / self.unit.name


class Batch(Protocol):
    """A batch scheduler: its refusals are told under `submit_command`, and `cannot` are the `on` it cannot wait for.

    `bounds_arrays` says whether it can be told how many jobs of an array may run at once.
    """

    submit_command: str
    cannot: frozenset[str]
    bounds_arrays: bool

    def reach(self, group: Group) -> None:
        """Raise LauncherNotFoundError unless the scheduler's commands are here."""

    def array_size(self) -> int:
        """The most elements of one array."""

    def barrier(self, first: Mapping[str, Any]) -> dict[str, Any] | None:
        """The parameters of a tiny job where the plan's first step may run, or None: no barriers."""

    def checkpointing(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parameters of a step whose function can go on from a checkpoint."""

    def text(self, job: Submission) -> str:
        """What would be sent."""

    def send(self, job: Submission) -> str:
        """Submit; the job's id.  Raises submitit's FailedJobError with what the scheduler said."""

    def outputs(self, script: str) -> list[str]:
        """Where a script of the run folder sends its output: names in sbatch's words (%A the array, %a the item)."""

    def transient(self, said: str) -> bool:
        """Whether asking again is worth it; the job may have been accepted all the same."""

    def reason_code(self, said: str) -> str:
        """The matcher's reason code that a refusal stands for; "" for none."""

    def states(
        self, connector: Connector, ids: Iterable[str], elements: Collection[Element] = (), *, usage: bool = False
    ) -> dict[Element, JobInfo]:
        """What is known of these jobs and all their elements, in few questions however many there are.

        `elements` are those that there are, if that is known; `usage` asks also what they used, where accounting
        tells.
        """

    def find_token(self, connector: Connector, token: str, since: float) -> str | None:
        """The id of the job that carries a token; None when the scheduler knows none.

        Raises CommandError when it cannot be asked: then nobody knows.
        """

    def cancel(self, connector: Connector, elements: Iterable[Element]) -> None:
        """Cancel jobs, whole arrays (no element named) or elements of them."""
