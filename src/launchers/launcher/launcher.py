"""A launcher: one chosen placement, and submitting there."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from launchers.errors import NOTHING_MATCHES, UNREACHABLE, LauncherNotFoundError, RunError
from launchers.files.paths import unusable
from launchers.jobs.backend import Backend, RefusedError, Resources
from launchers.launcher.groups import check_commands
from launchers.matching import Answer, Selection
from launchers.offer.model import Group
from launchers.schedulers import backend

if TYPE_CHECKING:
    from submitit import Executor, Job

    from launchers.oar.args import OarArgs
    from launchers.slurm.args import SlurmArgs


def new_token() -> str:
    """What the jobs of one executor carry, as no others do."""
    return f"launchers-{secrets.token_hex(6)}"


def _job_folder(given: str | Path | None, token: str) -> Path:
    """The folder for logs and pickles of what carries a token; what is above it may name the job (``logs/%j``).

    Raises RunError.
    """
    path = (Path.cwd() / ".launchers" / "jobs" if given is None else Path(given)) / token
    has_pattern = given is not None and "%" in str(given)
    if reason := unusable(Path.cwd() if has_pattern else path.absolute()):
        raise RunError(f"{Path.cwd() if has_pattern else path} {reason}: submit from another folder")
    if not has_pattern:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


@frozen(eq=False, slots=False, repr=False)
class Launcher:
    """One chosen placement: where a job goes and what is asked there."""

    answer: Answer
    selection: Selection

    def __repr__(self) -> str:
        partitions = ",".join(name for name in self.selection.partitions if name)
        where = f"{self.group.name}{f' ({partitions})' if partitions else ''}"
        return f"Launcher({where!r}, for {str(self.selection.alternative)!r})"

    @property
    def group(self) -> Group:
        """The launcher group that was chosen."""
        return self.selection.group

    @property
    def backend(self) -> Backend:
        """The scheduler that jobs go to."""
        return backend(self.group.scheduler)

    @cached_property
    def resources(self) -> Resources:
        """What the scheduler is asked: SlurmArgs, OarArgs or LocalArgs."""
        return self.backend.render(self.selection)

    @property
    def slurm_args(self) -> SlurmArgs | None:
        """What sbatch is asked; None elsewhere."""
        from launchers.slurm.args import SlurmArgs

        return self.resources if isinstance(self.resources, SlurmArgs) else None

    @property
    def oar_args(self) -> OarArgs | None:
        """What oarsub is asked; None elsewhere."""
        from launchers.oar.args import OarArgs

        return self.resources if isinstance(self.resources, OarArgs) else None

    def sbatch(self) -> str:
        """The ``#SBATCH`` lines that are sent; empty elsewhere."""
        return "\n".join(self.slurm_args.directives()) if self.slurm_args else ""

    def oarsub(self) -> str:
        """The ``#OAR`` lines that are sent; empty elsewhere."""
        return "\n".join(self.oar_args.directives()) if self.oar_args else ""

    def executor(
        self,
        folder: str | Path | None = None,
        *,
        name: str = "",
        token: str = "",
        early_signal: bool = True,
        **parameters: Any,
    ) -> Executor:
        """A fresh submitit executor with every parameter set: they persist, so use one for one kind of job.

        `name` is the jobs' name.  They carry `token`, by which the scheduler is asked about them (by default one that
        is made up).  Logs and pickles go into a folder that is named by the token, so that no job finds what an old job
        with its id has left.  It is below `folder`, by default ``./.launchers/jobs``, which on a cluster must be on a
        file system that the nodes see.  `early_signal` has jobs told before their time is up, which ends those that
        cannot go on from a checkpoint.  `parameters` are further parameters of submitit.  Raises LauncherNotFoundError
        when the cluster cannot be reached from here, and RunError for a folder that jobs cannot have their
        files in.
        """
        token = token or new_token()
        path = _job_folder(folder, token)
        check_commands(self.group, self.answer)
        executor = self.backend.executor(path, self.resources, name=name, token=token, early_signal=early_signal)
        if parameters:
            executor.update_parameters(**parameters)
        return executor

    def submit(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Job[Any]:
        """Run a function there: a submitit Job, with `result()`, `state`, `cancel()` and the logs.

        Raises LauncherNotFoundError with the cluster's own words when it refuses the job.
        """
        executor = self.executor(early_signal=hasattr(function, "checkpoint"))
        return self.submit_with(executor, function, *args, **kwargs)

    def submit_with(self, executor: Executor, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Job[Any]:
        """Submit with an executor of this launcher.  Raises LauncherNotFoundError for what the scheduler refuses."""
        try:
            job: Job[Any] = self.backend.submit_function(executor, self.resources, function, *args, **kwargs)
        except RefusedError as error:
            raise self._not_found(error) from error
        return job

    def _not_found(self, error: RefusedError) -> LauncherNotFoundError:
        """What the scheduler printed when it refused, what that is about, and what it was asked."""
        lines = "\n  ".join(error.lines)
        if error.transient:
            message = f"{self.group.name} matches but cannot be reached: {lines}"
            return LauncherNotFoundError(message, UNREACHABLE, self.answer)
        code = f"\nreason code: {error.code}" if error.code else ""
        flags = "\n  ".join(self.resources.flags())
        message = f"{self.backend.submit_command} refused what was chosen:\n  {lines}{code}\nit was asked:\n  {flags}"
        return LauncherNotFoundError(message, NOTHING_MATCHES, self.answer)
