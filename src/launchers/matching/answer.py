"""What matching finds out: trials, candidates, the selection."""

from __future__ import annotations

from attrs import field, frozen

from launchers.matching.ask import Ask
from launchers.matching.fit import Fit
from launchers.matching.formula import Formula
from launchers.matching.rejection import Rejection
from launchers.offer.model import Group, Offer
from launchers.requirement import Alternative, Requirement

Rank = tuple[int, float, float, bool, tuple[int, int, int, int]]


@frozen(eq=False)
class Trial:
    """One offer tried against one alternative: a Fit, or the reasons why not.

    `together`: its shape has too few nodes for the job, which other shapes of the partition make up for.
    """

    offer: Offer
    outcome: Fit | tuple[Rejection, ...]
    together: bool = False

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """Why the job can run neither there nor partly there; empty where it can."""
        return () if self.together or isinstance(self.outcome, Fit) else self.outcome


@frozen(eq=False)
class Candidate:
    """Offers that serve together: one, or several shapes of one partition for a job that no single one can hold."""

    fits: tuple[Fit, ...]
    rank: Rank

    @property
    def best(self) -> Fit:
        """The fit that names the candidate."""
        return self.fits[0]


@frozen(eq=False)
class Selection:
    """The answer: where the job goes and what is asked there.

    `fits` are the offers merged into it, the first being the best one.
    `passed_over` are the other candidates that fit, each with the rank (of RANKS, "live" or "name") that decided.
    """

    alternative: Alternative
    group: Group
    fits: tuple[Fit, ...]
    ask: Ask
    formula: Formula
    assumed: tuple[str, ...]
    passed_over: tuple[tuple[Candidate, str], ...] = field(repr=False)

    @property
    def partitions(self) -> tuple[str, ...]:
        """The names of the partitions merged into the answer, sorted."""
        return tuple(sorted({fit.offer.partition.name for fit in self.fits}))

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The offers merged into the answer, best first."""
        return tuple(fit.offer for fit in self.fits)


@frozen(eq=False)
class Answer:
    """Everything that matching found out: the selection if there is one, and every trial behind it.

    `trials` has one tuple per alternative that was tried; after a match the later ones are tried only when asked.
    `skipped` are groups that were not considered, with the reason.
    """

    requirement: Requirement
    trials: tuple[tuple[Trial, ...], ...] = field(repr=False)
    selection: Selection | None
    skipped: tuple[tuple[Group, str], ...]
