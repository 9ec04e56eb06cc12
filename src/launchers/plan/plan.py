"""Plan: a tree of steps with the verbs that describe, submit and follow it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from launchers.plan.tree import Node, PlanError, Step, StepTree, result_of
from launchers.runs.call import ResultOf

if TYPE_CHECKING:
    from launchers.runs.run import PlanRun, SubmittedStep


class Plan(StepTree):
    """A name and a tree of steps; `need` is for the steps that have none of their own.

    >>> from launchers import Chain, Plan, Step
    >>> plan = Plan("sums", Chain(Step("one", "cpu(cores=1)", sum, [1, 2]), Step("two", None, sum, [3, 4])))
    >>> plan
    Plan('sums', 2 steps)
    """

    def __init__(self, name: str, root: Node, *, need: Any = None) -> None:
        super().__init__(name, root, need=need)
        self.run: PlanRun | None = None

    def __repr__(self) -> str:
        from launchers.plan.graph import graph_of

        try:
            count = len(graph_of(self).tasks)
        except TypeError:  # the tree has a part that is none
            return f"Plan({self.name!r})"
        return f"Plan({self.name!r}, {count} {'step' if count == 1 else 'steps'})"

    def result_of(self, step: Step | str) -> ResultOf:
        """What stands for a step's result in the arguments of a later one."""
        return result_of(step)

    def describe(self, *, config: str | Path | None = None, place: bool = True) -> str:
        """The tree with its times and the partition of each step; printed and returned.

        Where nothing can place it, or with `place=False`, it is the tree and its times alone.
        """
        from launchers.plan.describe import describe_plan
        from launchers.plan.place import place_if_possible

        text = describe_plan(self, place_if_possible(self, config) if place else None)
        print(text)
        return text

    def graph(self, form: Literal["mermaid", "dot", "svg"] = "mermaid") -> str:
        """The graph of the steps as text in one of three forms.  Raises ValueError for another form."""
        from launchers.plan.describe import draw_plan

        return draw_plan(self, form)

    def dry_run(self, *, config: str | Path | None = None, tags: Iterable[str] = ()) -> str:
        """Per submission the whole sbatch file that would be sent.  Raises PlanError."""
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
    ) -> PlanRun:
        """Check everything, then submit every step; what is returned follows the run.

        `executor` is planit's: of a submitit executor only its folder is used, as the place for the run folder.
        `config` is the launchers.yaml, `tags` keep the groups that carry any of them, `folder` is where run folders go.
        `on_refusal` says what becomes of what is queued already when the cluster refuses a later step; `jobs` bounds
        how many run at once on this machine.  Raises PlanError before anything is submitted, LauncherNotFoundError,
        and SubmitError afterwards.
        """
        from launchers.plan.submit import submit

        root = Path(folder if executor is None else getattr(executor, "folder", folder))
        self.run = submit(self, config=config, tags=tags, folder=root, on_refusal=on_refusal, jobs=jobs)
        return self.run

    def wait(self, timeout: float | None = None, *, check: bool = True) -> bool:
        """Wait until every step has ended; whether all succeeded.

        Raises TimeoutError after `timeout` seconds (None: no limit) and, unless `check` is False, StepsFailedError
        when a step failed.
        """
        return self._submitted().wait(timeout, check=check)

    def __getitem__(self, name: str) -> SubmittedStep:
        """A submitted step: ``plan["train"].result()``."""
        return self._submitted()[name]

    def _submitted(self) -> PlanRun:
        if self.run is None:
            raise PlanError([f"plan {self.name} has not been submitted"])
        return self.run
