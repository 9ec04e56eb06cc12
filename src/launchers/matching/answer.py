"""What matching finds out: trials, candidates, the selection."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from launchers.matching.fit import Fit, Waste
from launchers.matching.node_filter import NodeFilter
from launchers.matching.rejection import Rejection
from launchers.matching.request import Allocation, Request
from launchers.offer.assumption import Assumption
from launchers.offer.model import Group, Offer
from launchers.requirement import Alternative, Requirement

Rank = tuple[int, float, float, bool, Waste]
"""What orders candidates: see `launchers.matching.rank.RANKS`."""


@frozen(eq=False)
class Trial:
    """One offer tried against one alternative: a Fit, or the reasons why not.

    `pooled`: its shape has too few nodes for the job, but several shapes of the partition have enough together.
    """

    offer: Offer
    outcome: Fit | tuple[Rejection, ...]
    pooled: bool = False

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """Why the job can run neither there nor partly there; empty where it can."""
        return () if self.pooled or isinstance(self.outcome, Fit) else self.outcome


@frozen(eq=False)
class Candidate:
    """Offers that serve together: one, or several shapes of a partition for a job that none of them can hold."""

    fits: tuple[Fit, ...]
    rank: Rank

    @property
    def best(self) -> Fit:
        """The fit that stands for the candidate."""
        return self.fits[0]

    @property
    def group(self) -> Group:
        """The launcher group of all its offers."""
        return self.best.offer.group


@frozen(eq=False)
class Selection:
    """The answer: where the job goes and what is requested there.

    `fits` are the offers merged into it, best first. `node_filter` keeps the job off nodes that do not fit.
    `passed_over` are the other candidates that fit, each with the rank (of RANKS, "live" or "name") that decided.
    """

    alternative: Alternative
    fits: tuple[Fit, ...]
    node_filter: NodeFilter
    passed_over: tuple[tuple[Candidate, str], ...] = field(repr=False)

    @property
    def group(self) -> Group:
        """The launcher group of the answer."""
        return self.fits[0].offer.group

    @property
    def request(self) -> Request:
        """What the scheduler is asked for."""
        return self.fits[0].request

    @property
    def allocation(self) -> Allocation:
        """What the scheduler allocates on the best offer."""
        return self.fits[0].allocation

    @property
    def partitions(self) -> tuple[str, ...]:
        """The names of the partitions merged into the answer, sorted."""
        return tuple(sorted({fit.offer.partition.name for fit in self.fits}))

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The offers merged into the answer, best first."""
        return tuple(fit.offer for fit in self.fits)

    @property
    def assumed(self) -> tuple[Assumption, ...]:
        """What nobody stated and the answer relies on, without repeats."""
        return tuple(dict.fromkeys(assumption for fit in self.fits for assumption in fit.assumed))


class SkipReason(Enum):
    """Why a group was not considered."""

    TAGS = "tags"
    """It has none of the requested tags."""
    UNREACHABLE = "unreachable"
    """Its cluster could not be read; `Group.unreachable` says why."""


@frozen(eq=False)
class Skipped:
    """A group that was not considered."""

    group: Group
    reason: SkipReason


@frozen(eq=False)
class Answer:
    """Everything that matching found out: the selection if there is one, and every trial behind it.

    `trials` has a tuple for each alternative that was tried: those after the matching one only on demand. `tags` are
    the requested tags; empty: any group was considered.
    """

    requirement: Requirement
    trials: tuple[tuple[Trial, ...], ...] = field(repr=False)
    selection: Selection | None
    skipped: tuple[Skipped, ...]
    tags: frozenset[str] = frozenset()
