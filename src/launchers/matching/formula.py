"""Say which nodes a job may start on: clauses of features (Slurm) or properties (OAR), and hosts to exclude.

Slurm itself keeps a job off nodes with too few cores, too little memory or the wrong GRES; what it cannot know is
GPU memory, model, and the owner's `min_mem_ratio`.  A formula is needed only against nodes that Slurm would admit
and that do not fit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from attrs import frozen

from launchers.matching.ask import Ask
from launchers.offer.model import Shape

SLURM_FEATURE = re.compile(r"[A-Za-z0-9_.+-]+", re.ASCII)
"""Features that a formula can name: `&|*[]():,` have meanings of their own in ``sbatch --constraint``."""
OAR_PROPERTY = re.compile(r"[A-Za-z_]\w*=.*", re.ASCII | re.DOTALL)
"""A property and its value, which is quoted when it is rendered."""


@frozen
class Formula:
    """Nodes with all features of any clause (no clauses: all nodes), less those excluded; and whether that is exact."""

    clauses: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[str, ...] = ()
    exact: bool = True

    @property
    def constraint(self) -> str:
        """The clauses in Slurm's words, such as ``(A&B)|(C)``."""
        if len(self.clauses) == 1:
            return "&".join(self.clauses[0])
        return "|".join(f"({'&'.join(names)})" for names in self.clauses)


def admits(ask: Ask, shape: Shape) -> bool:
    """Whether Slurm would place this request on these nodes, were there no constraint; unknown facts admit."""
    if shape.cores is not None and (ask.cores or 1) > shape.cores:
        return False
    if shape.memory is not None and ask.memory > shape.memory:
        return False
    counts: dict[str | None, int] = {}
    for device in shape.devices:
        number = ask_total(ask) if device.count is None else device.count
        for key in {device.type, None}:
            counts[key] = counts.get(key, 0) + number
    return all(counts.get(kind, 0) >= number for kind, number in ask.devices)


def ask_total(ask: Ask) -> int:
    """Devices asked on one node, of every type together."""
    return sum(number for _, number in ask.devices)


def formula(
    selected: Sequence[Shape],
    bad: Collection[Shape],
    wasteful: Collection[Shape] = (),
    nameable: re.Pattern[str] = SLURM_FEATURE,
) -> Formula:
    """A formula that admits every selected shape, no bad one, and no wasteful one where features can tell.

    `bad` are shapes that Slurm would admit though they do not fit.  Where features cannot keep one out, its
    hosts are excluded by name; where it has no known hosts either, the result is not exact.
    """
    if not bad and not wasteful:
        return Formula()
    said: tuple[tuple[str, ...], ...] = ()
    clauses = [_clause(shape, bad, wasteful, nameable) for shape in selected]
    if not all(clauses):
        leaks = list(bad)
    else:
        leaks = [shape for shape in bad if any(clause <= shape.features for clause in clauses)]
        said = _minimal(clauses)
    hosts = tuple(sorted({shape.hosts for shape in leaks}))
    named = all(hosts) and not {shape.hosts for shape in selected} & set(hosts)
    return Formula(said, hosts if named else (), exact=named)


def _clause(shape: Shape, bad: Iterable[Shape], wasteful: Iterable[Shape], nameable: re.Pattern[str]) -> frozenset[str]:
    """The features to name for one shape: those that say something about its devices, then what tells it apart."""
    clause = {feature for feature in shape.hints if nameable.fullmatch(feature)}
    usable = sorted(feature for feature in shape.features - clause if nameable.fullmatch(feature))
    rivals = [other for other in (*bad, *wasteful) if clause <= other.features]
    while rivals and usable:
        telling = min(usable, key=lambda feature: sum(feature in other.features for other in rivals))
        left = [other for other in rivals if telling in other.features]
        if len(left) == len(rivals):
            break
        clause.add(telling)
        usable.remove(telling)
        rivals = left
    return frozenset(clause)


def _minimal(clauses: Iterable[frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    """The clauses in a fixed order; one that another one implies is left out."""
    distinct = set(clauses)
    minimal = (sorted(clause) for clause in distinct if not any(other < clause for other in distinct))
    return tuple(tuple(names) for names in sorted(minimal, key=lambda names: "&".join(names)))
