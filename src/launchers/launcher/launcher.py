"""A launcher: one chosen placement, and submitting there."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import field, frozen

from launchers.errors import NOTHING_MATCHES, UNREACHABLE, LauncherNotFoundError
from launchers.jobs.reach import last_words, need_commands
from launchers.local.capacity import capacity
from launchers.matching import Answer, Selection
from launchers.oar.args import OarArgs
from launchers.offer.model import Group
from launchers.schedulers import _executor, render
from launchers.slurm.args import SlurmArgs

if TYPE_CHECKING:
    from submitit import Executor, Job

    from launchers.local.jobs import LocalJob

T = TypeVar("T")


@frozen(eq=False, slots=False)
class Launcher:
    """One chosen placement: where a job goes and what is asked there."""

    answer: Answer = field(repr=False)
    selection: Selection

    @property
    def group(self) -> Group:
        """The launcher group that was chosen."""
        return self.selection.group

    @cached_property
    def args(self) -> SlurmArgs | OarArgs | None:
        """What the scheduler will be asked; None on this machine."""
        return render(self.selection)

    @property
    def slurm_args(self) -> SlurmArgs | None:
        """What sbatch will be asked; None on this machine."""
        return self.args if isinstance(self.args, SlurmArgs) else None

    @property
    def oar_args(self) -> OarArgs | None:
        """What oarsub will be asked; None elsewhere."""
        return self.args if isinstance(self.args, OarArgs) else None

    def parameters(self) -> dict[str, object] | None:
        """The parameters of submitit's executor there; None on this machine."""
        return self.args.submitit() if self.args else None

    def oarsub(self) -> str:
        """The ``#OAR`` lines that will be sent; empty elsewhere."""
        return "\n".join(self.oar_args.directives()) if self.oar_args else ""

    def sbatch(self) -> str:
        """The ``#SBATCH`` lines that will be sent; empty on this machine."""
        return "\n".join(self.slurm_args.directives()) if self.slurm_args else ""

    def executor(self, folder: str | Path | None = None, **parameters: Any) -> Executor:
        """A fresh submitit executor with every parameter set: they persist, so one is used for one kind of job.

        `folder` is for logs and pickles (``./.launchers/jobs`` by default) and, on a cluster, must be on a file
        system that the nodes see.  `parameters` are further parameters of submitit.  Raises LauncherNotFoundError
        when the cluster cannot be reached from here.
        """
        place = Path(folder) if folder is not None else Path.cwd() / ".launchers" / "jobs"
        if "%" not in str(place):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = self.parameters()
        if told is None:
            from launchers.local.executor import Executor as LocalExecutor

            return LocalExecutor(place, self.local_job(), capacity(self.group))
        need_commands(self.group, self.answer)
        executor = _executor(self.group.scheduler, place)
        executor.update_parameters(**{**told, **parameters})
        return executor

    def submit(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Job[Any]:
        """Run a function there: a submitit Job, with `result()`, `state`, `cancel()` and the logs.

        Raises LauncherNotFoundError with the cluster's own words when it refuses the job.
        """
        if self.args is None:
            return self.executor().submit(function, *args, **kwargs)
        goes_on = hasattr(function, "checkpoint") or self.slurm_args is None
        executor = self.executor() if goes_on else self.executor(**TO_THE_END)
        return self.submitted(executor, function, *args, **kwargs)

    def submitted(self, executor: Executor, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Job[Any]:
        """Submit with an executor of this launcher; what the scheduler refuses is LauncherNotFoundError."""
        from submitit.core.utils import FailedJobError

        from launchers.slurm.environment import without_sbatch_overrides
        from launchers.slurm.refusals import is_controller_unreachable

        account = self.slurm_args is not None and bool(self.slurm_args.account)
        try:
            with without_sbatch_overrides(account=account):
                return executor.submit(function, *args, **kwargs)
        except FailedJobError as error:
            if self.slurm_args is not None and is_controller_unreachable(str(error)):
                said = "\n  ".join(last_words(str(error)))
                message = f"{self.group.name} matches but cannot be reached: {said}"
                raise LauncherNotFoundError(message, UNREACHABLE, self.answer) from error
            raise LauncherNotFoundError(self.refused(str(error)), NOTHING_MATCHES, self.answer) from error

    def refused(self, said: str) -> str:
        """What the scheduler said when it refused, what it is about, and what it was asked."""
        from launchers.oar.refusals import refusal_of_oarsub, without_noise
        from launchers.slurm.refusals import refusal_of_sbatch

        said = without_noise(said) if self.oar_args else said
        code = refusal_of_oarsub(said) if self.oar_args else refusal_of_sbatch(said).code
        about = f"\nreason code: {code}" if code else ""
        asked = self.args.flags() if self.args else []
        told, command = "\n  ".join(last_words(said)), "oarsub" if self.oar_args else "sbatch"
        return f"{command} refused what was chosen:\n  {told}{about}\nit was asked:\n  " + "\n  ".join(asked)

    def local_job(self) -> LocalJob:
        """The resources of one job of this machine."""
        from launchers.local.jobs import LocalJob, Wanted

        wanted = self.selection.alternative
        return LocalJob(
            id="",
            argv=(),
            cwd="",
            stdout=os.devnull,
            stderr=os.devnull,
            cores=wanted.cores or 1,
            memory=wanted.cpu_memory,
            wanted=tuple(Wanted(one.kind, one.memory, one.model) for one in wanted.accelerators),
            tokens=tuple((name, 1) for name, _ in self.group.tokens),
            time_limit=wanted.duration,
        )


TO_THE_END: dict[str, Any] = {"signal_delay_s": 0}
"""No signal before the time limit: submitit's, 90 seconds before, ends what cannot go on from a checkpoint."""
