"""Read what Slurm prints: scontrol records, sacctmgr and sinfo tables, JSON, in any order and mixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from attrs import evolve

from launchers.slurm import from_pairs
from launchers.slurm.documents import SETTING, contents_of
from launchers.slurm.facts import SlurmFacts
from launchers.slurm.groups import groups_by_partition
from launchers.slurm.merge import merge
from launchers.slurm.records import ReadProblem, Record

_TYPED: dict[str, tuple[str, Callable[[Mapping[str, str], int, list[ReadProblem]], Any]]] = {
    "NodeName": ("nodes", from_pairs.read_node),
    "PartitionName": ("partitions", from_pairs.read_partition),
    "ReservationName": ("reservations", from_pairs.read_reservation),
    "Qos": ("qos", from_pairs.read_qos),
    "Association": ("associations", from_pairs.read_association),
}
"""By kind of record: the list of `SlurmFacts` that it goes to, and how it is read."""


def read(*texts: str, names: Sequence[str] = ()) -> SlurmFacts:
    """The facts of several texts together: what describes one thing is first merged, then typed.

    The facts depend neither on the order of the texts nor on that of the records in them. Never raises: what cannot be
    read is in `problems`. `names` are those of the texts, in the same order, by which problems name their places.
    """
    facts = SlurmFacts()
    records: dict[tuple[str, str], list[Record]] = {}
    tables: list[list[Mapping[str, str]]] = []
    for text, name in zip_longest(texts, names, fillvalue=""):
        contents = contents_of(text)
        facts.problems.extend(evolve(problem, source=name) for problem in contents.problems)
        for record in contents.records:
            _add_by_name(evolve(record, text=name) if name else record, records, facts.problems)
        tables.extend(contents.groups)
    for (kind, name), alike in records.items():
        merged = merge(name, alike, facts.problems)
        if kind == SETTING:
            facts.config[name] = merged.pairs[name]
        else:
            _add_fact(merged, facts)
    _add_named_partitions(facts)
    groups = groups_by_partition(tables)
    facts.partitions[:] = [evolve(partition, groups=groups.get(partition.name, ())) for partition in facts.partitions]
    return facts


def _add_by_name(record: Record, records: dict[tuple[str, str], list[Record]], problems: list[ReadProblem]) -> None:
    """Put a record beside those of the same thing; one without a name becomes a problem."""
    name = _name_of(record.kind, record.pairs)
    if not name.strip() or name == "(null)":
        reason = f"this record has no {record.kind}"
        problems.append(ReadProblem(record.line, str(dict(record.pairs))[:80], reason, record.text))
    else:
        records.setdefault((record.kind, name), []).append(record)


def _add_fact(record: Record, facts: SlurmFacts) -> None:
    attribute, read_fact = _TYPED[record.kind]
    problems: list[ReadProblem] = []
    getattr(facts, attribute).append(read_fact(record.pairs, record.line, problems))
    facts.problems.extend(evolve(problem, source=record.text) for problem in problems)


def _name_of(kind: str, pairs: Mapping[str, str]) -> str:
    """What tells a record from others of its kind."""
    if kind == SETTING:
        return next(iter(pairs))
    if kind == "Association":
        return "|".join(pairs.get(key, "") for key in ("Cluster", "Account", "User", "Partition"))
    return pairs.get(kind) or pairs.get("Name") or ""


def _add_named_partitions(facts: SlurmFacts) -> None:
    """Add the partitions that only nodes name; nothing else is known of them."""
    known = {partition.name for partition in facts.partitions}
    for node in facts.nodes:
        for name in node.partitions:
            if name not in known:
                known.add(name)
                facts.partitions.append(from_pairs.read_partition({"PartitionName": name}, node.line, facts.problems))
