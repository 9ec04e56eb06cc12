"""Read what Slurm prints: scontrol records, sacctmgr and sinfo tables, JSON, in any order and mixed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from attrs import define, evolve, field

from launchers.slurm import from_json, from_pairs, tables
from launchers.slurm.facts import SlurmFacts, SlurmNode
from launchers.slurm.records import ReadProblem, place, read_records

_LISTS: dict[str, tuple[str, Callable[[Mapping[str, str], int, list[ReadProblem]], Any]]] = {
    "NodeName": ("nodes", from_pairs.read_node),
    "PartitionName": ("partitions", from_pairs.read_partition),
    "ReservationName": ("reservations", from_pairs.read_reservation),
    "Qos": ("qos", from_pairs.read_qos),
    "Association": ("associations", from_pairs.read_association),
}
"""By kind of record: the list of `SlurmFacts` that it goes to, and how it is read."""


def read(*texts: str, names: Sequence[str] = ()) -> SlurmFacts:
    """The facts of several texts together. Never raises: what cannot be read is in `problems`.

    `names` are those of the texts, in the same order, by which problems name their places.
    """
    reading = _Reading()
    problems = reading.facts.problems
    for text, reading.source in zip_longest(texts, names, fillvalue=""):
        known = len(problems)
        if text.lstrip()[:1] in ("{", "["):
            reading.add_json(text)
        else:
            reading.add_text(text)
        problems[known:] = [evolve(problem, source=reading.source) for problem in problems[known:]]
    reading.add_named_partitions()
    return reading.facts


@define
class _Reading:
    """The facts so far, the name of the text that is read, and of each record its place and its keys and values."""

    facts: SlurmFacts = field(factory=SlurmFacts)
    source: str = ""
    seen: dict[tuple[str, str], tuple[str, Mapping[str, str]]] = field(factory=dict)

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
            self.seen[kind, name] = (place(self.source, line), pairs)
            attribute, read_fact = _LISTS[kind]
            getattr(self.facts, attribute).append(read_fact(pairs, line, self.facts.problems))

    def add_repeated_record(self, kind: str, name: str, pairs: Mapping[str, str], line: int) -> None:
        """sinfo names a node once for each of its partitions; any other difference is a problem."""
        first, known = self.seen[kind, name]
        if kind == "NodeName" and pairs.get("Partitions", "") not in known.get("Partitions", "").split(","):
            nodes = self.facts.nodes
            nodes[:] = [_also_in(node, pairs["Partitions"]) if node.name == name else node for node in nodes]
            return
        differing = [key for key, value in pairs.items() if known.get(key, value) != value and key != "Partitions"]
        if differing and kind != "PartitionName":
            keys = ", ".join(differing[:3])
            message = f"{name} is described on {first} too, and differs in {keys}; {first} is used"
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

    # -- text --------------------------------------------------------------------------------------------------

    def add_text(self, text: str) -> None:
        """Add records, tables, settings and lines of JSON."""
        records = read_records(text)
        self.facts.problems.extend(records.problems)
        for record in records.records:
            self.add_record(record.kind, record.pairs, record.line)
        rest = [(number, line) for number, line in records.rest if not tables.is_noise(line) or set(line) <= {"-", " "}]
        index = 0
        while index < len(rest):
            index = self.add_lines_from(rest, index)

    def add_lines_from(self, lines: Sequence[tables.Line], index: int) -> int:
        """Add what begins at `lines[index]`; the index behind it."""
        number, line = lines[index]
        if tables.header(line):
            end = _end_of_table(lines, index)
            for kind, row_number, pairs in tables.rows(lines[index:end], self.facts.problems):
                self.add_record(kind, pairs, row_number)
            return end
        if (setting := tables.config_pair(line)) is not None:
            self.facts.config.setdefault(*setting)
            return index + 1
        if line.lstrip().startswith("{"):
            self.add_json(line, number)
            return index + 1
        if set(line) <= {"-", " ", "="}:
            return index + 1
        end = _end_of_unknown(lines, index)
        which = f"these {end - index} lines" if end > index + 1 else "this line"
        self.problem(number, line, f"cannot read {which} (a table needs the line with its header)")
        return end

    # -- JSON --------------------------------------------------------------------------------------------------

    def add_json(self, text: str, line: int = 1) -> None:
        """Add a JSON document that begins on `line`, or several, one a line."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            if _has_one_document_a_line(text):
                for number, part in enumerate(text.splitlines(), line):
                    if part.strip():
                        self.add_json(part, number)
            else:
                self.problem(getattr(error, "lineno", 1) + line - 1, text[:80], f"cannot be read as JSON: {error}")
            return
        if not isinstance(document, dict):
            self.problem(line, text[:80], "this JSON is not an object")
        elif isinstance(document.get("stdout"), str):
            self.add_text(document["stdout"])
        else:
            self.add_document(document, text, line)

    def add_document(self, document: Mapping[str, Any], text: str, line: int) -> None:
        """Add the records of a JSON document."""
        for key, malformed in from_json.malformed_records(document):
            self.problem(line, json.dumps(malformed)[:80], f"an entry of {key} is not an object")
        records = list(from_json.records(document))
        for kind, pairs in records:
            self.add_record(kind, pairs, line)
        if not records and not any(isinstance(document.get(key), list) for key in from_json.MAIN_LISTS):
            keys = ", ".join(list(document)[:5])
            self.problem(line, text[:80], f"this JSON has nothing that launchers knows; its keys are {keys}")


def _name_of(kind: str, pairs: Mapping[str, str]) -> str:
    """What tells a record from others of its kind."""
    if kind == "Association":
        return "|".join(pairs.get(key, "") for key in ("Cluster", "Account", "User", "Partition"))
    return pairs.get(kind) or pairs.get("Name") or ""


def _also_in(node: SlurmNode, partitions: str) -> SlurmNode:
    return evolve(node, partitions=tuple(dict.fromkeys([*node.partitions, *partitions.split(",")])))


def _end_of_table(lines: Sequence[tables.Line], start: int) -> int:
    """The index behind a table: it ends at a blank line or at the header of another one."""
    end = start + 1
    while end < len(lines) and not tables.header(lines[end][1]) and lines[end][0] <= lines[end - 1][0] + 1:
        end += 1
    return end


def _end_of_unknown(lines: Sequence[tables.Line], start: int) -> int:
    """The index behind lines that cannot be read: they end at a blank line or where something known begins."""
    end = start + 1
    while end < len(lines) and lines[end][0] == lines[end - 1][0] + 1 and not _begins_something(lines[end][1]):
        end += 1
    return end


def _begins_something(line: str) -> bool:
    return bool(tables.header(line)) or tables.config_pair(line) is not None or line.lstrip().startswith("{")


def _has_one_document_a_line(text: str) -> bool:
    lines = text.splitlines()
    return len(lines) > 1 and all(line.strip()[:1] in ("{", "") for line in lines)
