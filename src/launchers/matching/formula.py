"""Say in Slurm's words which nodes a job may start on: a constraint formula, and an exclude list where it must be.

Slurm itself keeps a job off nodes with too few cores, too little memory or the wrong GRES; what it cannot know is
GPU memory, model, and the owner's `min_mem_ratio`.  A formula is needed only against nodes that Slurm would admit
and that do not fit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from attrs import frozen

from launchers.matching.fit import Ask
from launchers.offer.model import Shape

_SAFE_FEATURE = re.compile(r"[A-Za-z0-9_.+-]+", re.ASCII)
"""Features that a formula can name: `&|*[]():,` have meanings of their own in ``sbatch --constraint``."""


@frozen
class Formula:
    """A constraint such as ``(A&B)|(C)`` ("" for none), hosts to exclude, and whether the two say it exactly."""

    constraint: str = ""
    exclude: tuple[str, ...] = ()
    exact: bool = True


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


def formula(selected: Sequence[Shape], bad: Collection[Shape], wasteful: Collection[Shape] = ()) -> Formula:
    """A formula that admits every selected shape, no bad one, and no wasteful one where features can tell.

    `bad` are shapes that Slurm would admit though they do not fit.  Where features cannot keep one out, its
    hosts are excluded by name; where it has no known hosts either, the result is not exact.
    """
    if not bad and not wasteful:
        return Formula()
    clauses = [_clause(shape, bad, wasteful) for shape in selected]
    if not all(clauses):
        leaks, text = list(bad), ""
    else:
        leaks = [shape for shape in bad if any(clause <= shape.features for clause in clauses)]
        text = _disjunction(clauses)
    hosts = tuple(sorted({shape.hosts for shape in leaks}))
    named = all(hosts) and not {shape.hosts for shape in selected} & set(hosts)
    return Formula(text, hosts if named else (), exact=named)


def _clause(shape: Shape, bad: Iterable[Shape], wasteful: Iterable[Shape]) -> frozenset[str]:
    """The features to name for one shape: those that say something about its devices, then what tells it apart."""
    clause = {feature for feature in shape.hints if _SAFE_FEATURE.fullmatch(feature)}
    usable = sorted(feature for feature in shape.features - clause if _SAFE_FEATURE.fullmatch(feature))
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


def _disjunction(clauses: Iterable[frozenset[str]]) -> str:
    """``A&B`` for one clause, ``(A&B)|(C)`` for several; a clause that another one implies is left out."""
    distinct = set(clauses)
    minimal = sorted(
        (sorted(clause) for clause in distinct if not any(other < clause for other in distinct)),
        key=lambda names: "&".join(names),
    )
    if len(minimal) == 1:
        return "&".join(minimal[0])
    return "|".join(f"({'&'.join(names)})" for names in minimal)
