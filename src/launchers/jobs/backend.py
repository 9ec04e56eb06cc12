"""What a scheduler must provide so that plans can run on it."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from attrs import field, frozen

from launchers.jobs.submission import Submission
from launchers.jobs.usage import Usage

if TYPE_CHECKING:
    from submitit import Executor

    from launchers.matching import Selection
    from launchers.offer.model import Group, Signal

GATE = "gate.sh"
"""The file of a run folder that takes the name of an element of a script (launchers.runs.script)."""
SLURM_OPTIONS = ("partition", "nodelist", "qos", "account", "constraint", "gres", "reservation")
"""Options of sbatch that mean nothing to another scheduler."""

Element = tuple[str, int | None]
"""A job id as it was when the job was submitted and, of an array, the number of the element."""


@frozen
class JobInfo:
    """What is known of one job: state in Slurm's words, reason or exit code, nodes, elapsed time as printed.

    Times are seconds of the epoch, None where nobody says; `eligible` is when it waited for no other job any more.
    `job` is the id to show where that is not the one that the job was submitted under.
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
class JobAnswer:
    """What a scheduler answers about jobs: `infos` has those that it knows and that carry their token.

    `problem` says why it could not be asked, or not about all ("": it could).  Without one, a job that is missing is
    not known to the scheduler (any more); with one, nobody knows about the job.
    """

    infos: Mapping[Element, JobInfo] = field(factory=dict)
    problem: str = ""


@frozen
class Wait:
    """A dependency of a submission: its type in Slurm's words (afterok and friends), and the job."""

    kind: str
    on: Element


@frozen(eq=False)
class SubmissionRequest:
    """A submission on its way to the scheduler.

    `run` is the run folder, `run_id` the run's id and `plan` the plan's name.  `waits` are its dependencies.  `cwd` is
    the folder in which the job runs.  `submissions` are all of the run, by name.  `count` is how many items its step
    has, and `jobs` how many jobs of the run may run at once where the scheduler is ours (None: no limit).
    """

    run: Path
    run_id: str
    plan: str
    submission: Submission
    waits: tuple[Wait, ...] = ()
    cwd: str = ""
    submissions: Mapping[str, Submission] = field(factory=dict)
    count: int = 1
    jobs: int | None = None

    @property
    def folder(self) -> Path:
        """Its submitit folder, where its logs and results go."""
        return self.run / "jobs" / self.submission.name

    @property
    def script_folder(self) -> Path:
        """The folder in which a script of the run folder runs."""
        return self.run / "cwd"

    @property
    def script(self) -> Path:
        """The script of the run folder."""
        assert self.submission.script is not None
        return self.run / self.submission.script

    @property
    def gate(self) -> tuple[str, str]:
        """What runs a script for one element, once: behind it come the element, the job and the script."""
        return str(self.run / GATE), str(self.folder)


@runtime_checkable
class Resources(Protocol):
    """What a scheduler is asked for one job, typed: SlurmArgs, OarArgs, LocalArgs."""

    def submitit(self) -> dict[str, Any]:
        """The parameters of the submission."""

    def flags(self) -> list[str]:
        """The options of the submit command."""

    def directives(self) -> list[str]:
        """The options as lines of a script."""


class RefusedError(RuntimeError):
    """The scheduler did not take a submission.

    `lines` are the last lines that it printed and `code` the matcher's reason code for them ("": none is known).
    `transient` says that it could not be reached or was busy: asking again is worth it, and the job may have been
    accepted all the same.
    """

    def __init__(self, lines: Sequence[str], code: str = "", *, transient: bool = False) -> None:
        super().__init__("\n".join(lines))
        self.lines, self.code, self.transient = tuple(lines), code, transient


class UnmetOptionError(ValueError):
    """Options that were given by hand leave nothing of a group; the message says which, and why."""


class Backend(ABC):
    """A scheduler, as plans, runs and launchers use it.  One instance stands for each; it has no state of its own.

    `title` is its name for people and `submit_command` the command that its refusals come from; `commands` are those
    without which it cannot be used from here.  `unsupported_conditions` are the conditions of a plan that it cannot
    wait for.  `supports_arrays` says whether equal jobs are one submission, and `supports_array_limit` whether it can
    be told how many jobs of an array run at once.  `takes_options` says whether options of sbatch can be given by hand.

    `waits_for_one_failure` says whether a dependency on several arrays can be met by a failure in one of them.

    `sends_attempts_whole` says that it reads what it is to run, and what that waits for, from the run folder: all
    submissions of an attempt are one request then.  Otherwise each is a request of its own, with its dependencies.

    `proves_success` says that a job which it calls COMPLETED has run its command to the end.  srun may end with 0 and
    not have started its task, so on Slurm a job needs a result of its own.

    `forgets_jobs` says that it may know nothing any more of a job that has ended, `forget_after` tells when.

    `grace` is for how many seconds a submission may still be on its way after its client was killed, and
    `poll_interval` how many seconds to leave between two questions while somebody waits.
    """

    title: str
    submit_command: str
    commands: tuple[str, ...] = ()
    unsupported_conditions: frozenset[str] = frozenset()
    supports_arrays: bool = True
    supports_array_limit: bool = True
    takes_options: bool = False
    waits_for_one_failure: bool = True
    sends_attempts_whole: bool = False
    proves_success: bool = True
    forgets_jobs: bool = True
    grace: float = 15.0
    poll_interval: float = 2.0

    def cluster(self) -> str:
        """The name of the cluster that its commands talk to from here; "" where it has none, or cannot be asked."""
        return ""

    def forget_after(self) -> float:
        """Seconds after its end for which a job is certainly remembered, and can be waited for."""
        return float("inf")

    def missing_commands(self) -> tuple[str, ...]:
        """The commands of the scheduler that are not on PATH here."""
        return tuple(command for command in self.commands if shutil.which(command) is None)

    @abstractmethod
    def render(self, selection: Selection) -> Resources:
        """What the scheduler is asked for a selection."""

    def time_limit(self, selection: Selection) -> int | None:
        """The time limit of a job in seconds, be it asked for or what the scheduler sets; None: none, or not known."""
        return selection.allocation.duration

    def signals(self) -> Mapping[str, Signal] | str:
        """What its partitions are doing now, by their names, or why that cannot be said; {}: it is not looked at."""
        return {}

    def narrow(self, group: Group, options: Mapping[str, Any]) -> Group:
        """The part of a group that options given by hand leave.  Raises UnmetOptionError where they leave nothing."""
        if names := [name for name in SLURM_OPTIONS if options.get(name)]:
            raise UnmetOptionError(f"it names a {names[0]}, which only Slurm has")
        return group

    def with_options(self, resources: Resources, options: Mapping[str, Any]) -> Resources:
        """What the scheduler is asked, with options given by hand; those of sbatch mean nothing elsewhere."""
        return resources

    # -- functions, one by one

    @abstractmethod
    def executor(
        self, folder: Path, resources: Resources, *, name: str = "", token: str = "", early_signal: bool = True
    ) -> Executor:
        """A submitit executor that asks for these resources.  Its jobs carry `token`, by which `states` knows them.

        `early_signal` has jobs told before their time is up, which ends those that cannot go on from a checkpoint.
        Raises LauncherNotFoundError where a package that it needs is not installed.
        """

    @abstractmethod
    def submit_function(
        self, executor: Executor, resources: Resources, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Submit a call with an executor: the submitit job.  Raises RefusedError."""

    # -- plans

    @abstractmethod
    def largest_array(self) -> int:
        """The most elements of one array."""

    def barrier_parameters(self, first: Mapping[str, Any]) -> dict[str, Any] | None:
        """The parameters of a tiny job where the plan's first step may run; None: no barriers."""
        return None

    def checkpoint_parameters(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parameters of a step whose function can go on from a checkpoint."""
        return parameters

    @abstractmethod
    def render_script(self, request: SubmissionRequest) -> str:
        """What would be sent.  Raises ValueError, TypeError or NameError for parameters that cannot be."""

    def prepare(self, requests: Sequence[SubmissionRequest]) -> None:
        """Write what the scheduler reads from the run folder, for one attempt, before plan.json names it."""
        return

    @abstractmethod
    def send(self, requests: Sequence[SubmissionRequest]) -> list[str]:
        """Submit what is one request (`sends_attempts_whole`): the job ids.  Raises RefusedError."""

    def revive(self, run: Path, jobs: Iterable[str]) -> str:
        """See to it that jobs which were sent are worked on, where the scheduler is a process of ours.

        Why they do not go on all the same, for people ("": they do, as far as is known).  Raises RunError where its
        files cannot be read, and where nothing helps.
        """
        return ""

    @abstractmethod
    def find_token(self, token: str, since: float) -> str | None:
        """The id of the job that carries a token, submitted after `since`; None where there is none.

        Raises CommandError when the scheduler cannot be asked: then nobody knows.
        """

    @abstractmethod
    def states(
        self, run: Path, jobs: Mapping[str, str], elements: Collection[Element] = (), *, usage: bool = False
    ) -> JobAnswer:
        """What is known of these jobs and all their elements, in few questions however many there are.

        `jobs` has the token of each id.  An id is used again, so what does not carry the token is another job.
        `elements` are those that there are, if that is known.  `usage` asks also what they used, where that is told.
        """

    @abstractmethod
    def cancel(self, run: Path, elements: Iterable[Element], tokens: Mapping[str, str]) -> None:
        """Cancel jobs, whole arrays (no element named) or elements of them, where the id's job carries its token.

        Raises CommandError in the scheduler's words when that failed, and RunError.
        """

    @abstractmethod
    def output_patterns(self, request: SubmissionRequest, script: str) -> list[str]:
        """Where a script of the run folder sends its output, in sbatch's words (%A the job, %a the item)."""


def last_lines(text: str) -> list[str]:
    """The last lines that a scheduler printed, which say why it refused."""
    return [line.strip() for line in text.strip().splitlines() if line.strip()][-3:]
