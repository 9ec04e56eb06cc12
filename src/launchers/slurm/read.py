"""Read what Slurm prints, whatever it is: scontrol records, sacctmgr and sinfo tables, JSON, in any order and mixed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from launchers.slurm import facts as fact
from launchers.slurm import from_json, tables
from launchers.slurm.facts import Facts
from launchers.slurm.records import Problem, read_records

_BUILD: dict[str, tuple[str, Callable[[Mapping[str, str], int, list[Problem]], Any]]] = {
    "NodeName": ("nodes", fact.node),
    "PartitionName": ("partitions", fact.partition),
    "ReservationName": ("reservations", fact.reservation),
    "Qos": ("qos", fact.qos),
    "Association": ("associations", fact.association),
}


def read(*texts: str) -> Facts:
    """The facts of one or several texts together; what cannot be understood is in `problems`; never raises."""
    found = Facts()
    seen: dict[tuple[str, str], tuple[int, Mapping[str, str]]] = {}
    for text in texts:
        if text.lstrip()[:1] in ("{", "["):
            _read_json(text, found, seen)
        else:
            _read_text(text, found, seen)
    _merge_partitions(found)
    return found


Seen = dict[tuple[str, str], tuple[int, Mapping[str, str]]]


def _add(kind: str, pairs: Mapping[str, str], line: int, found: Facts, seen: Seen) -> None:
    """Turn one record into its fact, unless it says again what is known."""
    listed, build = _BUILD[kind]
    name = pairs.get(kind) or pairs.get("Name") or ""
    if kind == "Association":
        name = "|".join(pairs.get(key, "") for key in ("Cluster", "Account", "User", "Partition"))
    if not name.strip() or name == "(null)":
        found.problems.append(Problem(line, str(dict(pairs))[:80], f"a record without {kind}"))
        return
    before = seen.get((kind, name))
    if before is None:
        seen[kind, name] = (line, pairs)
        getattr(found, listed).append(build(pairs, line, found.problems))
        return
    if kind == "NodeName" and pairs.get("Partitions", "") not in before[1].get("Partitions", "").split(","):
        found.nodes[:] = [one if one.name != name else _also_in(one, pairs["Partitions"]) for one in found.nodes]
        return
    differing = [key for key, value in pairs.items() if before[1].get(key, value) != value and key != "Partitions"]
    if differing and kind != "PartitionName":
        message = f"{name} is described twice, first on line {before[0]}, and differs in {', '.join(differing[:3])}"
        found.problems.append(Problem(line, name, message))


def _also_in(node: fact.Node, partition: str) -> fact.Node:
    from attrs import evolve

    names = tuple(dict.fromkeys([*node.partitions, *partition.split(",")]))
    return evolve(node, partitions=names)


# -- text ------------------------------------------------------------------------------------------------------


def _read_text(text: str, found: Facts, seen: Seen) -> None:
    records = read_records(text)
    found.problems.extend(records.problems)
    for record in records.records:
        _add(record.kind, record.pairs, record.line, found, seen)
    rest = [(number, line) for number, line in records.rest if not tables.is_noise(line) or set(line) <= {"-", " "}]
    index = 0
    while index < len(rest):
        if tables.header(rest[index][1]):
            end = index + 1
            while end < len(rest) and not tables.header(rest[end][1]) and rest[end][0] <= rest[end - 1][0] + 1:
                end += 1
            for kind, number, pairs in tables.rows(rest[index:end], found.problems):
                _add(kind, pairs, number, found, seen)
            index = end
            continue
        number, line = rest[index]
        if (pair := tables.config_pair(line)) is not None:
            found.config.setdefault(*pair)
        elif line.lstrip().startswith("{"):
            _read_json(line, found, seen, number)
        elif not set(line) <= {"-", " ", "="}:
            end = index + 1
            while end < len(rest) and _same_kind(rest[end - 1], rest[end]):
                end += 1
            lines = f"{end - index} lines" if end > index + 1 else "a line"
            found.problems.append(Problem(number, line, f"{lines} not understood (a table needs its header)"))
            index = end
            continue
        index += 1


def _same_kind(above: tuple[int, str], below: tuple[int, str]) -> bool:
    """Whether a line goes on with what the line above began, as far as can be told: nothing known starts there."""
    number, line = below
    starts = tables.header(line) or tables.config_pair(line) is not None or line.lstrip().startswith("{")
    return number == above[0] + 1 and not starts


# -- JSON ------------------------------------------------------------------------------------------------------


def _read_json(text: str, found: Facts, seen: Seen, line: int = 1) -> None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = text.splitlines()
        if len(lines) > 1 and all(one.strip()[:1] in ("{", "") for one in lines):
            for number, one in enumerate(lines, line):
                if one.strip():
                    _read_json(one, found, seen, number)
            return
        where = getattr(error, "lineno", 1) + line - 1
        found.problems.append(Problem(where, text[:80], f"not JSON: {error}"))
        return
    if not isinstance(data, dict):
        found.problems.append(Problem(line, text[:80], "JSON that is not an object"))
        return
    if isinstance(data.get("stdout"), str):
        _read_text(data["stdout"], found, seen)
        return
    found.problems.extend(
        Problem(line, json.dumps(odd)[:80], f"an entry of {key} that is not an object")
        for key, odd in from_json.odd(data)
    )
    known = False
    for kind, pairs in from_json.records(data):
        known = True
        _add(kind, pairs, line, found, seen)
    if not known and not any(isinstance(data.get(key), list) for key in ("nodes", "partitions", "sinfo", "qos")):
        found.problems.append(Problem(line, text[:80], f"JSON about nothing known here: {', '.join(list(data)[:5])}"))


# -- what records say of each other ----------------------------------------------------------------------------


def _merge_partitions(found: Facts) -> None:
    """Nodes say which partitions they are in, partitions which nodes they have; a partition that only nodes name is
    one of which nothing else is known.
    """
    known = {partition.name for partition in found.partitions}
    for node in found.nodes:
        for name in node.partitions:
            if name not in known:
                known.add(name)
                found.partitions.append(fact.partition({"PartitionName": name}, node.line, found.problems))
