"""Plan: a tree of steps with the verbs that describe, submit and follow it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from launchers.plan.tree import Node, PlanError, Step, need_of, result_of
from launchers.runs.call import ResultOf

if TYPE_CHECKING:
    from launchers.runs.run import Run


class Plan:
    """A name and a tree of steps; `need` is for the steps that have none of their own."""

    def __init__(self, name: str, root: Node, *, need: Any = None) -> None:
        self.name, self.root, self.need = name, root, need_of(need)
        self.run: Run | None = None

    def result_of(self, step: Step | str) -> ResultOf:
        """What stands for a step's result in the arguments of a later one."""
        return result_of(step)

    def describe(self, *, config: str | Path | None = None, place: bool = True) -> str:
        """The tree with its times and the partition of each step; printed and returned.

        Where nothing can place it, or with `place=False`, it is the tree and its times alone.
        """
        from launchers.plan.describe import described
        from launchers.plan.place import placed_or_not

        text = described(self, placed_or_not(self, config) if place else None)
        print(text)
        return text

    def graph(self, form: Literal["mermaid", "dot", "svg"] = "mermaid") -> str:
        """The DAG as text in one of three forms."""
        from launchers.plan.describe import drawn

        return drawn(self, form)

    def dry_run(self, *, config: str | Path | None = None, tags: Iterable[str] = ()) -> str:
        """Per submission the whole sbatch file that would be sent; raises PlanError."""
        from launchers.plan.submit import dry_run

        return dry_run(self, config=config, tags=tags)

    def submit(
        self,
        executor: Any = None,
        *,
        config: str | Path | None = None,
        tags: Iterable[str] = (),
        folder: str | Path = "runs",
        on_refusal: Literal["cancel", "leave"] = "cancel",
        jobs: int | None = None,
    ) -> Run:
        """Check everything, then submit every step; what is returned follows the run.

        `executor` is planit's: of a submitit executor only its folder is used, as the place for the run folder.
        `on_refusal` says what becomes of what is queued already when the cluster refuses a later step; `jobs` bounds
        how many run at once on this machine.  Raises
        PlanError before anything is submitted, LauncherNotFoundError, SubmitError afterwards.
        """
        from launchers.plan.submit import submit

        place = Path(getattr(executor, "folder", folder)) if executor is not None else Path(folder)
        self.run = submit(self, config=config, tags=tags, folder=place, on_refusal=on_refusal, jobs=jobs)
        return self.run

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every step has ended; whether all succeeded."""
        if self.run is None:
            raise PlanError([f"plan {self.name} has not been submitted"])
        return self.run.wait(timeout)

    def __getitem__(self, name: str) -> Any:
        """A submitted step: ``plan["train"].result()``."""
        if self.run is None:
            raise PlanError([f"plan {self.name} has not been submitted"])
        return self.run[name]
