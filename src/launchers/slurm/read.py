"""Read what Slurm prints: scontrol records, sacctmgr and sinfo tables, JSON, in any order and mixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from launchers.slurm import from_pairs
from launchers.slurm.documents import SETTING, contents_of
from launchers.slurm.facts import SlurmFacts, SlurmNode
from launchers.slurm.records import ReadProblem

_LISTS: dict[str, tuple[str, Callable[[Mapping[str, str], int, list[ReadProblem]], Any]]] = {
    "NodeName": ("nodes", from_pairs.read_node),
    "PartitionName": ("partitions", from_pairs.read_partition),
    "ReservationName": ("reservations", from_pairs.read_reservation),
    "Qos": ("qos", from_pairs.read_qos),
    "Association": ("associations", from_pairs.read_association),
}
"""By kind of record: the list of `SlurmFacts` that it goes to, and how it is read."""


def read(*texts: str) -> SlurmFacts:
    """The facts of several texts together. Never raises: what cannot be read is in `problems`."""
    reading = _Reading()
    for text in texts:
        contents = contents_of(text)
        for record in contents.records:
            if record.kind == SETTING:
                for key, value in record.pairs.items():
                    reading.facts.config.setdefault(key, value)
            else:
                reading.add_record(record.kind, record.pairs, record.line)
        reading.facts.problems.extend(contents.problems)
    reading.add_named_partitions()
    return reading.facts


@frozen
class _Reading:
    """The facts so far, and of each record the line where it stands and its keys and values."""

    facts: SlurmFacts = field(factory=SlurmFacts)
    seen: dict[tuple[str, str], tuple[int, Mapping[str, str]]] = field(factory=dict)

    def problem(self, line: int, text: str, reason: str) -> None:
        self.facts.problems.append(ReadProblem(line, text, reason))

    # -- records -----------------------------------------------------------------------------------------------

    def add_record(self, kind: str, pairs: Mapping[str, str], line: int) -> None:
        """Add the fact of one record, unless the record repeats what is known."""
        name = _name_of(kind, pairs)
        if not name.strip() or name == "(null)":
            self.problem(line, str(dict(pairs))[:80], f"this record has no {kind}")
        elif (kind, name) in self.seen:
            self.add_repeated_record(kind, name, pairs, line)
        else:
            self.seen[kind, name] = (line, pairs)
            attribute, read_fact = _LISTS[kind]
            getattr(self.facts, attribute).append(read_fact(pairs, line, self.facts.problems))

    def add_repeated_record(self, kind: str, name: str, pairs: Mapping[str, str], line: int) -> None:
        """sinfo names a node once for each of its partitions; any other difference is a problem."""
        first_line, known = self.seen[kind, name]
        partition = pairs.get("Partitions")
        if kind == "NodeName" and partition and partition not in known.get("Partitions", "").split(","):
            nodes = self.facts.nodes
            nodes[:] = [_also_in(node, pairs["Partitions"]) if node.name == name else node for node in nodes]
            return
        differing = [key for key, value in pairs.items() if known.get(key, value) != value and key != "Partitions"]
        if differing and kind != "PartitionName":
            keys = ", ".join(differing[:3])
            message = f"{name} is described on line {first_line} too, and differs in {keys}; line {first_line} is used"
            self.problem(line, name, message)

    def add_named_partitions(self) -> None:
        """Add the partitions that only nodes name; nothing else is known of them."""
        known = {partition.name for partition in self.facts.partitions}
        for node in self.facts.nodes:
            for name in node.partitions:
                if name not in known:
                    known.add(name)
                    partition = from_pairs.read_partition({"PartitionName": name}, node.line, self.facts.problems)
                    self.facts.partitions.append(partition)


def _name_of(kind: str, pairs: Mapping[str, str]) -> str:
    """What tells a record from others of its kind."""
    if kind == "Association":
        return "|".join(pairs.get(key, "") for key in ("Cluster", "Account", "User", "Partition"))
    return pairs.get(kind) or pairs.get("Name") or ""


def _also_in(node: SlurmNode, partitions: str) -> SlurmNode:
    return evolve(node, partitions=tuple(dict.fromkeys([*node.partitions, *partitions.split(",")])))
