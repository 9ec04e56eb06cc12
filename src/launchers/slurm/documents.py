"""A text that somebody pasted, split into what Slurm prints: records, tables, settings and JSON, mixed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from launchers.slurm import from_json, tables
from launchers.slurm.json_parts import JsonPart, TextPart, split_json
from launchers.slurm.pasted import clean, is_fence, is_noise, is_prompt
from launchers.slurm.records import Line, ReadProblem, Record, Source, read_hosts, read_records

SETTING = "Config"
"""The kind of a record of one setting of the cluster."""
_NAME_KEYS = {"Qos": "Name", "Association": "Account"}
"""The key of the name, where it is not the kind."""
_LETTER = r"[^\s,\"'`$\\;|&<>(){}*?\[\]\x00-\x1f\x7f-\x9f]"
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_NAME = re.compile(f"{_LETTER}{{1,255}}")
_NAMES = re.compile(f"(?:{_LETTER}{{0,255}}(?:,|$))*")


@frozen
class Contents:
    """The records of a text, of each table of sinfo its rows about several nodes, and what could not be read."""

    records: list[Record] = field(factory=list)
    groups: list[list[Mapping[str, str]]] = field(factory=list)
    problems: list[ReadProblem] = field(factory=list)

    def problem(self, line: int, text: str, reason: str) -> None:
        """Report a part that cannot be read."""
        self.problems.append(ReadProblem(line, text, reason))

    def add(self, record: Record) -> None:
        """Add a record, unless its name can be none; slurm.conf names several nodes in one record."""
        name = record.pairs.get(_NAME_KEYS.get(record.kind, record.kind), "")
        form = {"NodeName": _HOST, "Association": _NAMES}.get(record.kind, _NAME)
        if name == "DEFAULT" and record.source is Source.SCONTROL:
            reason = "the defaults of slurm.conf are not read; use what `scontrol show nodes` and `partitions` print"
            self.problem(record.line, f"{record.kind}={name}", reason)
        elif not name or name == "(null)" or form.fullmatch(name):
            self.records.append(_with_readable_partitions(record, self.problems))
        elif record.kind == "NodeName" and set(name) & {"[", ","}:
            self._add_nodes(record, name)
        else:
            self.problem(record.line, f"{record.kind}={name}", "this cannot be a name of Slurm's")

    def _add_nodes(self, record: Record, names: str) -> None:
        try:
            hosts = read_hosts(names)
        except ValueError as error:
            self.problem(record.line, f"NodeName={names}", str(error))
            return
        self.records.extend(evolve(record, pairs={**record.pairs, "NodeName": host}) for host in hosts)


def contents_of(text: str) -> Contents:
    """What a text holds. Never raises: what cannot be read is in `problems`."""
    contents = Contents()
    for part in split_json(clean(text), from_json.is_document):
        match part:
            case TextPart():
                _add_text(part, contents)
            case JsonPart():
                _add_json(part, contents)
    return contents


# -- JSON ----------------------------------------------------------------------------------------------------------


def _add_json(part: JsonPart, contents: Contents) -> None:
    """Add the records of a JSON document, or those of the text that a tool recorded in one."""
    document = from_json.as_document(part.value)
    if part.broken:
        contents.problem(part.broken[0], part.beginning, f"cannot be read as JSON: {part.broken[1]}")
    if isinstance(recorded := document.get("stdout"), str):
        inner = contents_of(recorded)
        contents.records.extend(evolve(record, line=part.line) for record in inner.records)
        contents.problems.extend(evolve(problem, line=part.line) for problem in inner.problems)
        contents.groups.extend(inner.groups)
        return
    for setting, value in from_json.settings(document).items():
        contents.records.append(Record(SETTING, {setting: value}, part.line, Source.JSON))
    unread: from_json.Unread = []
    before = len(contents.records)
    groups: list[Mapping[str, str]] = []
    for kind, pairs in from_json.records(document, unread):
        if kind == tables.GROUP:
            groups.append(pairs)
        else:
            contents.add(Record(kind, pairs, part.line, Source.JSON))
    contents.groups.append(groups)
    for where, piece in unread:
        contents.problem(part.line, f"{where}: {_shown(piece)}", "this has another shape than Slurm prints")
    is_empty = before == len(contents.records) and not from_json.is_document(document)
    if is_empty and not part.broken and not part.after_broken:
        keys = ", ".join(list(document)[:5])
        contents.problem(
            part.line, part.beginning, f"this JSON has nothing that launchers knows; its keys are {keys or 'not there'}"
        )


def _shown(piece: Any) -> str:
    """The beginning of a piece of JSON."""
    if isinstance(piece, dict | list) and len(piece) > 20:
        return "{...}" if isinstance(piece, dict) else "[...]"
    try:
        return json.dumps(piece)[:80]
    except (RecursionError, ValueError):
        return "..."


# -- text ----------------------------------------------------------------------------------------------------------


def _add_text(part: TextPart, contents: Contents) -> None:
    """Add records, tables and settings."""
    if not part.text.strip():
        return
    lines = part.text.split("\n")
    start = 0
    if part.after_broken:
        start = next((at for at, line in enumerate(lines) if _begins_something(line)), len(lines))
    step = 2 if _is_double_spaced(lines) else 1
    numbers = range(part.line, part.line + len(lines))[start::step]
    found = read_records(lines[start::step], numbers, _is_other)
    contents.problems.extend(found.problems)
    for record in found.records:
        contents.add(record)
    rest = tables.unbroken(_of_one_cluster(list(_blocks(found.rest)), contents))
    at = 0
    while at < len(rest):
        at = _add_lines(rest, at, contents)


def _is_double_spaced(lines: Sequence[str]) -> bool:
    """Whether every second line is blank, and no other."""
    return len(lines) > 6 and not any(map(str.strip, lines[1::2])) and all(map(str.strip, lines[:-1:2]))


def _with_readable_partitions(record: Record, problems: list[ReadProblem]) -> Record:
    """A node without the Partitions that can be no names."""
    partitions = record.pairs.get("Partitions", "")
    if record.kind != "NodeName" or _NAMES.fullmatch(partitions) or partitions == "(null)":
        return record
    problems.append(ReadProblem(record.line, f"Partitions={partitions}", "these cannot be names of partitions"))
    return evolve(record, pairs={key: value for key, value in record.pairs.items() if key != "Partitions"})


def _blocks(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines without noise; a blank line stands where another output begins."""
    for number, line in lines:
        if not line or is_fence(line) or is_prompt(line):
            yield number, ""
        elif tables.is_rule(line) or not is_noise(line):
            yield number, line


def _of_one_cluster(lines: Sequence[Line], contents: Contents) -> Sequence[Line]:
    """The lines without the tables of all clusters but one, of several that sinfo -M printed."""
    names = {name for _, line in lines if (name := tables.cluster_of(line))}
    if len(names) < 2:
        return lines
    mine = current = min(names)
    kept: list[Line] = []
    for number, line in lines:
        name = tables.cluster_of(line)
        if name and name != mine:
            contents.problem(number, line, f"only what is about {mine} is read; give each cluster by itself")
        current = name or current
        if current == mine:
            kept.append((number, line))
    return kept


def _add_lines(lines: Sequence[Line], at: int, contents: Contents) -> int:
    """Add what begins at `lines[at]`; the index behind it."""
    number, line = lines[at]
    if not line or tables.is_rule(line):
        return at + 1
    if kind := tables.header(line):
        end = _end(lines, at, tables.begins_table)
        if reason := tables.UNREAD.get(kind):
            contents.problem(number, line, reason)
            return end
        groups: list[Mapping[str, str]] = []
        for kind, row_number, pairs in tables.rows(lines[at:end], contents.problems):
            if kind == tables.GROUP:
                groups.append(pairs)
            else:
                contents.add(Record(kind, pairs, row_number, Source.TABLE))
        contents.groups.append(groups)
        return end
    if (setting := tables.config_pair(line)) is not None:
        contents.records.append(Record(SETTING, dict([setting]), number))
        return at + 1
    end = _end(lines, at, _begins_something)
    which = f"these {end - at} lines" if end > at + 1 else "this line"
    remedy = ": run sinfo without -h" if tables.is_row_of_sinfo(line) else ""
    contents.problem(number, line, f"cannot read {which} (a table needs the line with its header{remedy})")
    return end


def _end(lines: Sequence[Line], start: int, begins: Any) -> int:
    """The index behind lines that belong together: they end at a blank line or where something else begins."""
    end = start + 1
    while end < len(lines) and lines[end][1] and not begins(lines[end][1]):
        end += 1
    return end


def _is_other(line: str) -> bool:
    """Whether a line can be no part of a record."""
    return is_noise(line) or bool(tables.header(line)) or tables.config_pair(line) is not None


def _begins_something(line: str) -> bool:
    """Whether something that launchers reads begins on this line."""
    starts = ("NodeName=", "PartitionName=", "ReservationName=")
    return (
        bool(tables.header(line))
        or tables.config_pair(line) is not None
        or line.lstrip().startswith(starts)
        or is_prompt(line)
    )
