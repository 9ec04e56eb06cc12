"""Name the nodes that a job may start on: clauses of features (Slurm) or properties (OAR), and hosts to exclude.

Slurm itself keeps a job off nodes with too few cores, too little memory or other GRES. It does not know the memory or
the model of a GPU, nor the owner's `min_mem_ratio`. So a filter is needed only against nodes that Slurm would admit
although they do not fit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from attrs import frozen

from launchers.matching.request import Request
from launchers.offer.model import Shape

SLURM_FEATURE = re.compile(r"[A-Za-z0-9_.+-]+", re.ASCII)
"""Features that a filter can name: `&|*[]():,` are operators in ``sbatch --constraint`` (man sbatch)."""
OAR_PROPERTY = re.compile(r"[A-Za-z_]\w*=.*", re.ASCII | re.DOTALL)
"""A property and its value, which is quoted when it is rendered."""


@frozen
class NodeFilter:
    """The nodes that have all features of any clause (no clauses: all nodes), without the excluded hosts.

    `exact` is False where nodes that do not fit pass the filter all the same.
    """

    clauses: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[str, ...] = ()
    exact: bool = True

    @property
    def constraint(self) -> str:
        """The clauses as ``sbatch --constraint`` takes them, such as ``(A&B)|(C)``."""
        if len(self.clauses) == 1:
            return "&".join(self.clauses[0])
        return "|".join(f"({'&'.join(names)})" for names in self.clauses)


def admits(request: Request, shape: Shape) -> bool:
    """Whether Slurm would place this request on these nodes without a constraint; unknown facts admit."""
    if shape.cores is not None and (request.cores or 1) > shape.cores:
        return False
    if shape.memory is not None and request.memory > shape.memory:
        return False
    counts: dict[str | None, int] = {}
    for device in shape.devices:
        number = request.gpus if device.count is None else device.count
        for key in {device.type, None}:
            counts[key] = counts.get(key, 0) + number
    return all(counts.get(gres_type, 0) >= number for gres_type, number in request.devices)


def separate(
    selected: Sequence[Shape],
    unfit: Collection[Shape],
    wasteful: Collection[Shape] = (),
    nameable: re.Pattern[str] = SLURM_FEATURE,
) -> NodeFilter:
    """A filter that passes every selected shape, no unfit one, and no wasteful one where features can tell.

    `unfit` are shapes that the scheduler would admit although they do not fit; `nameable` are the features that a
    clause can name. Hosts of an unfit shape that features cannot keep out are excluded by name. Where those are not
    known, or are also hosts of a selected shape, the filter is not exact.
    """
    if not unfit and not wasteful:
        return NodeFilter()
    clauses = [_clause(shape, unfit, wasteful, nameable) for shape in selected]
    if all(clauses):
        leaks = [shape for shape in unfit if any(clause <= shape.features for clause in clauses)]
        named = _without_implied(clauses)
    else:
        leaks, named = list(unfit), ()
    hosts = tuple(sorted({shape.hosts for shape in leaks}))
    excludable = all(hosts) and not {shape.hosts for shape in selected} & set(hosts)
    return NodeFilter(named, hosts if excludable else (), exact=excludable)


def _clause(
    shape: Shape, unfit: Iterable[Shape], wasteful: Iterable[Shape], nameable: re.Pattern[str]
) -> frozenset[str]:
    """The features to name for a shape: those that describe its devices, then those that set it apart."""
    clause = {feature for feature in shape.hints if nameable.fullmatch(feature)}
    usable = sorted(feature for feature in shape.features - clause if nameable.fullmatch(feature))
    rivals = [rival for rival in (*unfit, *wasteful) if clause <= rival.features]
    while rivals and usable:
        rarest = min(usable, key=lambda feature: sum(feature in rival.features for rival in rivals))
        left = [rival for rival in rivals if rarest in rival.features]
        if len(left) == len(rivals):
            break
        clause.add(rarest)
        usable.remove(rarest)
        rivals = left
    return frozenset(clause)


def _without_implied(clauses: Iterable[frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    """The clauses in a fixed order, without those that another one implies."""
    distinct = set(clauses)
    minimal = (sorted(clause) for clause in distinct if not any(other < clause for other in distinct))
    return tuple(tuple(names) for names in sorted(minimal, key=lambda names: "&".join(names)))
