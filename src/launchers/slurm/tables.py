"""The tables that Slurm prints: `sacctmgr` with and without -P, `sinfo` with its header, `scontrol show config`.

A row becomes keys and values under scontrol's names.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence

from attrs import field, frozen

from launchers.quantities.hosts import count_hosts
from launchers.quantities.numbers import whole_number
from launchers.slurm.columns import (
    SEPARATORS,
    Columns,
    Row,
    full_cells,
    padded_columns,
    read_rows,
    rule_fields,
    split_list,
)
from launchers.slurm.records import CUT, Line, ReadProblem, read_hosts
from launchers.slurm.version import VERSION

Rows = Iterator[tuple[str, int, dict[str, str]]]
"""Kind of record, line, keys and values."""
GROUP = "NodeGroup"
"""The kind of a row about several nodes together: sinfo counts them."""
USAGE = "NODES(A/I/O/T)"
"""The column in which sinfo counts the nodes that are allocated, idle, in another state, and all of them."""
_CPU_USAGE = "CPUS(A/I/O/T)"
CPU_NOTE = "CPUs of several nodes"
"""The key under which a row keeps what the CPUs of each node were worked out from: no key of Slurm has blanks."""
_SINFO_KEYS = {
    "NODELIST": "NodeName", "HOSTNAMES": "NodeName", "HOSTNAME": "NodeName", "CPUS": "CPUTot", "MEMORY": "RealMemory",
    "GRES": "Gres", "AVAIL_FEATURES": "AvailableFeatures", "ACTIVE_FEATURES": "ActiveFeatures", "STATE": "State",
    "PARTITION": "Partitions", "TIMELIMIT": "MaxTime", "WEIGHT": "Weight", "THREADS": "ThreadsPerCore",
    "REASON": "Reason", "FEATURES": "AvailableFeatures", "TMP_DISK": "TmpDisk", "DEFAULTTIME": "DefaultTime",
    "AVAIL": "Avail", "SOCKETS": "Sockets", "CORES": "CoresPerSocket", "VERSION": "Version", "NODE_ADDR": "NodeAddr",
    "FREE_MEM": "FreeMem", "ALLOCMEM": "AllocMem", "CPU_LOAD": "CPULoad", "GRES_USED": "GresUsed",
    "RESERVATION": "ReservationName", "COMMENT": "Comment", "EXTRA": "Extra", "STATECOMPLETE": "State",
    "ROOT": "RootOnly", "GROUPS": "AllowGroups", "OVERSUBSCRIBE": "OverSubscribe", "SHARE": "OverSubscribe",
    "EXCLUSIVE": "Exclusive", "EXCLUSIVE_USER": "ExclusiveUser", "MAX_CPUS_PER_NODE": "MaxCPUsPerNode",
    "PRIO_TIER": "PriorityTier", "PRIO_JOB_FACTOR": "PriorityJobFactor", "PREEMPT_MODE": "PreemptMode",
    "ALLOCNODES": "AllocNodes", "PRIORITY": "PriorityTier",
}  # fmt: skip
_COLUMNS = (
    *_SINFO_KEYS, "NODES", "NODES(A/I)", USAGE, _CPU_USAGE, "JOB_SIZE", "S:C:T", "TIMESTAMP", "USER", "CLUSTER", "PORT",
    "INSTANCE_ID", "INSTANCE_TYPE",
)  # fmt: skip
"""The names of sinfo's columns (man sinfo, and its headers)."""
_ABOUT_PARTITIONS = (
    "MaxTime", "DefaultTime", "MinNodes", "MaxNodes", "RootOnly", "AllowGroups", "OverSubscribe", "Exclusive",
    "ExclusiveUser", "MaxCPUsPerNode", "PriorityTier", "PriorityJobFactor", "PreemptMode", "AllocNodes",
)  # fmt: skip
_ABOUT_GROUPS = ("NODES", USAGE, "Avail")
UNREAD = {
    "nameless": "these rows name neither nodes nor partitions; run sinfo with -N -l, or with %N and %P in its format",
    "other": "this is no table of sinfo or sacctmgr",
}
"""Why the table under a header cannot be read, by what the header is about."""
_FOREIGN = frozenset({"JOBID", "NAME", "ST", "SCHEDNODES", "NODELIST(REASON)", "JOBS", "START_TIME", "RESV_NAME"})
"""Columns of squeue and others, which name partitions and nodes too."""
_COUNTING = frozenset({"NODES", USAGE, "NODELIST", "HOSTNAMES", "HOSTNAME"})
_OF_NODES = frozenset({"CPUS", "MEMORY", "GRES", "S:C:T", "AVAIL_FEATURES", _CPU_USAGE})
_FIELDS = {
    "GRES": "gres", "AVAIL_FEATURES": "features", "FEATURES": "features", "ACTIVE_FEATURES": "features_act",
    "NODELIST": "nodelist", "HOSTNAMES": "nodehost", "PARTITION": "partition", "GROUPS": "groups",
}  # fmt: skip
"""Columns whose cells are not believed where they may be cut off, by their names in ``sinfo --Format``."""
_STATE = re.compile(r"(?:idle|mix(?:ed)?|alloc(?:ated)?|down|drain(?:ed|ing)?|drng|comp|maint)[*~#!%$@^+-]?")
_SETTING = re.compile(r"^\s*([A-Za-z][\w/.()\[\]-]*)\s+= ?(.*)$", re.ASCII)
_CLUSTER = re.compile(r"CLUSTER: ([\w.-]+)\s*")
_RELEASE = re.compile(r"slurm (\d\d\.\d\d\.\S+)\s*", re.ASCII)
_NODE_COUNT = re.compile(r"(\d{1,9})(K?)", re.ASCII)
_NARROWEST = 40
"""Characters of the narrowest terminal that is taken to have broken lines at its width."""
_AVAIL = re.compile(r"up|[a-z]{4,}|n/a|unk", re.I | re.ASCII)
MOST_ROWS = 300_000
"""Nodes in the rows of one table: sinfo names a node once in each of its partitions."""


def cluster_of(text: str) -> str:
    """The name of the cluster that sinfo -M prints above a table; "" for any other line."""
    found = _CLUSTER.fullmatch(text)
    return found[1] if found else ""


def config_pair(text: str) -> tuple[str, str] | None:
    """Key and value of a line of ``scontrol show config``, of sinfo -M's above a table, or of --version; else None."""
    if cluster := cluster_of(text):
        return "ClusterName", cluster
    if release := _RELEASE.fullmatch(text):
        return VERSION, release[1]
    setting = _SETTING.match(text)
    return (setting[1], setting[2].strip()) if setting else None


def is_rule(text: str) -> bool:
    """Whether this is the rule under the header of a table."""
    return bool(rule_fields(text)) or (bool(text) and set(text) <= set("-=|+: "))


def header(text: str) -> str:
    """What the table under this header is about; "" for a line that is no header.

    "Qos", "Association" and "sinfo" are read. "nameless" is sinfo without a name of node or partition, "other" squeue.
    """
    if not (text.isupper() or "Name" in text or "Account" in text or "NODELIST" in text or "PARTITION" in text):
        return ""
    return _read_header(text)[0]


def begins_table(text: str) -> bool:
    """Whether this is a header, or the line that sinfo -M prints above one."""
    return bool(header(text)) or bool(cluster_of(text))


def is_row_of_sinfo(text: str) -> bool:
    """Whether a line looks like a row of sinfo: it has the state of a node among other cells."""
    cells = re.split(r"[\s|;,]+", text.strip()[:1000])
    return len(cells) > 1 and any(_STATE.fullmatch(cell) for cell in cells)


def _read_header(text: str) -> tuple[str, str]:
    """What a table is about, and the separator of its columns."""
    for separator in SEPARATORS:
        if separator in text and (kind := _kind([cell.strip() for cell in text.split(separator)])):
            return kind, separator
    return _kind(_words(text.expandtabs())), ""


def _kind(cells: Sequence[str]) -> str:
    found = set(cells)
    if "Name" in found and found & {"Priority", "MaxWall", "MaxTRES", "GrpTRES", "MaxTRESPU"}:
        return "Qos"
    if "Account" in found and found & {"User", "Cluster", "QOS"}:
        return "Association"
    columns = {sinfo_column(cell) for cell in found} - {""}
    if found & _FOREIGN:
        return "other" if len(found) > 2 and columns else ""
    if not columns & {"NODELIST", "HOSTNAMES", "HOSTNAME", "PARTITION"}:
        return "nameless" if len(columns) == len(found) > 1 else ""
    return "sinfo" if len(found) == 1 or (len(columns) > 1 and 2 * len(columns) > len(found)) else ""


def sinfo_column(name: str) -> str:
    """The whole name of a column of sinfo, whose header is cut off at the width of the column; "" for any other."""
    bare = name if name in _COLUMNS else name.partition(" (")[0].strip()
    if bare in _COLUMNS or not 2 < len(bare) < 20 or not bare.isupper():
        return bare if bare in _COLUMNS else ""
    whole = sorted((column for column in _COLUMNS if column.startswith(bare)), key=len)
    return whole[0] if whole and len(whole[0]) < min([len(column) for column in whole[1:]], default=99) else ""


def _words(text: str) -> list[str]:
    """The names in a header between blanks, also those between which ``--Format`` left none."""
    return [text[start:end] for start, end in _places(text)]


def _places(text: str) -> list[tuple[int, int]]:
    places: list[tuple[int, int]] = []
    for word in re.finditer(r"\S+", text):
        if sinfo_column(word[0]) or not _TOUCHING.fullmatch(word[0]):
            places.append(word.span())
        else:
            places += [(word.start() + part.start(), word.start() + part.end()) for part in _ONE.finditer(word[0])]
    return places


_ONE = re.compile("|".join(re.escape(name) for name in sorted(_COLUMNS, key=len, reverse=True)))
_TOUCHING = re.compile(f"(?:{_ONE.pattern}){{2,}}")


# -- tables that a terminal broke ----------------------------------------------------------------------------------


def unbroken(lines: Sequence[Line]) -> Sequence[Line]:
    """The lines; those of tables of sinfo are whole again where a terminal broke the header, and rows, at its width."""
    if not any(_is_broken_header(lines, at) for at in range(len(lines))):
        return lines
    whole: list[Line] = []
    at = 0
    while at < len(lines):
        width = len(lines[at][1]) if _is_broken_header(lines, at) else 0
        while width and at < len(lines) and lines[at][1]:
            number, text = lines[at]
            at += 1
            while len(lines[at - 1][1]) == width and at < len(lines):
                text, at = text + lines[at][1], at + 1
            whole.append((number, text))
        if at < len(lines):
            whole.append(lines[at])
            at += 1
    return whole


def _is_broken_header(lines: Sequence[Line], at: int) -> bool:
    """Whether the header on this line goes on behind it: every word of both together is a column, or only blanks do."""
    head, after, next_row = (lines[index][1] if index < len(lines) else "" for index in (at, at + 1, at + 2))
    if len(head) < _NARROWEST or len(after) > len(head) or not header(head):
        return False
    if not after:
        return len(next_row) == len(head)
    return after.isupper() and all(map(sinfo_column, _words(head + after)))


# -- rows ----------------------------------------------------------------------------------------------------------


def rows(lines: Sequence[Line], problems: list[ReadProblem]) -> Rows:
    """The records of the table whose header is `lines[0]`."""
    kind, separator = _read_header(lines[0][1])
    if not separator:
        lines = [(number, text.expandtabs()) for number, text in lines]
    columns, first = _columns(lines, kind, separator)
    body = [(number, text) for number, text in lines[first:] if not is_rule(text)]
    found = list(read_rows(body, columns))
    for row in found:
        if row.cells is None:
            problems.append(ReadProblem(row.line, row.text, "this row does not have the columns of its table"))
    whole = [row for row in found if row.cells is not None]
    if kind == "sinfo":
        yield from _sinfo_rows(columns, whole, lines[0][1], problems)
        return
    for row in whole:
        pairs = _pairs(columns, row)
        if not columns.separator:
            _drop_cut_values(row.line, pairs, problems)
        if pairs.get("Name" if kind == "Qos" else "Account"):
            yield kind, row.line, pairs


def _columns(lines: Sequence[Line], kind: str, separator: str) -> tuple[Columns, int]:
    """The columns of a table, and the number of lines that its header has."""
    head = lines[0][1]
    if separator:
        names = tuple(name.strip() for name in head.split(separator))
        return Columns(_whole_names(names, kind), separator), 1
    if len(lines) > 1 and (fields := rule_fields(lines[1][1])):
        return Columns(tuple(head[start:end].strip() for start, end in fields), fields=fields), 2
    places = _places(head)
    names = _whole_names([head[start:end] for start, end in places], kind)
    return Columns(names, places=tuple(places), any_empty=kind != "sinfo"), 1


def _whole_names(names: Sequence[str], kind: str) -> tuple[str, ...]:
    return tuple(sinfo_column(name) or name for name in names) if kind == "sinfo" else tuple(names)


def _pairs(columns: Columns, row: Row) -> dict[str, str]:
    """The cells of a row by the names of their columns; of two columns of one name, the first that is not empty."""
    pairs: dict[str, str] = {}
    for name, value in zip(columns.names, row.cells or (), strict=False):
        if name and not pairs.get(name):
            pairs[name] = value
    return pairs


def _drop_cut_values(number: int, pairs: dict[str, str], problems: list[ReadProblem]) -> None:
    """Empty the values that sacctmgr cut off to fit a column: it ends them with a plus sign."""
    for name, value in pairs.items():
        if value.endswith("+"):
            problems.append(ReadProblem(number, f"{name}={value}", "sacctmgr cut this value off; run it with -P"))
            pairs[name] = ""


# -- sinfo ---------------------------------------------------------------------------------------------------------


@frozen
class _Cut:
    """The cells of a table that sinfo may have cut off, by column: of each the first, and how many there are."""

    found: dict[str, tuple[Row, str, int]] = field(factory=dict)

    def add(self, row: Row, column: str, value: str) -> None:
        first, cell, count = self.found.get(column, (row, value, 0))
        self.found[column] = (first, cell, count + 1)

    def problems(self) -> Iterator[ReadProblem]:
        for column, (row, value, count) in self.found.items():
            more = f" (and {count - 1} more in this column)" if count > 1 else ""
            remedy = f"run it with --Format={_FIELDS[column]}:200"
            reason = f"sinfo may have cut this value off after {len(value)} characters{more}; {remedy}"
            yield ReadProblem(row.line, f"{column}={value}", reason)


def _sinfo_rows(columns: Columns, found: Sequence[Row], head: str, problems: list[ReadProblem]) -> Rows:
    """The records of the rows of sinfo."""
    cut, nodes = _Cut(), 0
    if found and not _COUNTING.intersection(columns.names) and _OF_NODES.intersection(columns.names):
        reason = "these rows say neither which nodes they are about nor how many; run sinfo with %D or %N in its format"
        problems.append(ReadProblem(found[0].line, found[0].text, reason))
    seen: set[tuple[str, ...]] = set()
    narrow = padded_columns(columns, found)
    for row, full in zip(found, full_cells(columns, found, head), strict=True):
        cells = row.cells or ()
        if cells in seen:
            continue
        seen.add(cells)
        pairs = _pairs(columns, row)
        _drop_cut_cells(columns, row, full, narrow, pairs, cut)
        for record in _sinfo_records(row.line, pairs, problems):
            nodes += 1
            if nodes > MOST_ROWS:
                problems.append(ReadProblem(row.line, row.text, f"only {MOST_ROWS} nodes of one table are read"))
                return
            yield record
    problems.extend(cut.problems())


def _drop_cut_cells(
    columns: Columns, row: Row, full: set[int], narrow: Container[int], pairs: dict[str, str], cut: _Cut
) -> None:
    """Leave of the cells that sinfo may have cut off what is whole for sure.

    Columns of names are as wide as the longest name, but with --Format, and those of partitions in `narrow` columns: of
    a width that was asked for, as with %12P.
    """
    for at, column in enumerate(columns.names):
        value = pairs.get(column, "")
        if column not in _FIELDS or columns.separator or value in ("", "(null)", "N/A") or value.endswith(CUT):
            continue
        is_full = at in full or _is_cut_header(columns, at, value) or _fills_to_the_left(columns, row, at, value)
        if not is_full and not value.endswith("+"):
            continue
        if column in ("NODELIST", "HOSTNAMES") and _is_whole(value, pairs.get("NODES", "")):
            continue
        if column in ("NODELIST", "HOSTNAMES") and not (value.endswith("+") or _is_format(columns, row, at)):
            continue
        is_whole = at not in narrow or value.endswith("*")
        if column == "PARTITION" and is_whole and not (value.endswith("+") or _is_format(columns, row, at)):
            continue
        cut.add(row, column, value)
        pairs[column] = _whole_part(column, value)


def _is_format(columns: Columns, row: Row, at: int) -> bool:
    """Whether this is of --Format: its columns are 20 wide without a width, and have no blank between them."""
    starts = [start for start, _ in columns.places]
    touches = at + 1 < len(row.spans) and row.spans[at][1] == starts[at + 1]
    return touches or (len(starts) > 1 and all(start % 20 == 0 for start in starts))


def _is_cut_header(columns: Columns, at: int, value: str) -> bool:
    """Whether the name of the column is cut off (AVAIL_FE), which tells its width, and the value is as wide."""
    start, end = columns.places[at] if columns.places else (0, 99)
    return end - start < len(columns.names[at]) and len(value) == end - start


def _fills_to_the_left(columns: Columns, row: Row, at: int, value: str) -> bool:
    """Whether a cell of GROUPS, aligned to the right, is as wide as its column: sinfo -l has 10 characters."""
    if columns.names[at] != "GROUPS" or not row.spans or at == 0:
        return False
    return len(value) >= 10 and row.spans[at][0] <= columns.places[at - 1][1] + 1


def _is_whole(hosts: str, count: str) -> bool:
    """Whether a host list has as many hosts as its row says."""
    try:
        return count_hosts(hosts) == whole_number(count)
    except ValueError:
        return False


def _whole_part(column: str, value: str) -> str:
    """The items of a list before the last one, which may be cut off; the last as well where nothing can follow it.

    Three dots stand for the rest.
    """
    *items, last = split_list(value)
    if column == "GRES" and "(" in last:
        items.append(last if last.endswith(")") else last.partition("(")[0])
    items = [item for item in items if item]
    if column == "GROUPS" or (items and column not in ("NODELIST", "HOSTNAMES", "PARTITION")):
        items.append(CUT)
    return ",".join(items)


def _sinfo_records(number: int, row: Mapping[str, str], problems: list[ReadProblem]) -> Rows:
    """A row of sinfo as the record of its partition, of its nodes together, and of each of its nodes."""
    pairs = _sinfo_pairs(row)
    partition = pairs.get("Partitions", "").rstrip("*")
    if (avail := pairs.get("Avail")) and not _AVAIL.fullmatch(avail):
        problems.append(ReadProblem(number, avail, "this is no state of a partition; it is taken as not printed"))
        pairs["Avail"] = ""
    if partition:
        yield "PartitionName", number, _partition_of_row(pairs)
    pairs["Partitions"] = partition
    hosts = pairs.pop("NodeName", "")
    names: list[str] = []
    if CUT in hosts:
        problems.append(ReadProblem(number, hosts, "sinfo cut this host list off; run it with -o and %N"))
    elif hosts.lower() not in ("n/a", "(null)"):
        try:
            names = read_hosts(hosts) if hosts else []
        except ValueError as error:
            problems.append(ReadProblem(number, hosts, str(error)))
    about_nodes = {key: value for key, value in pairs.items() if value and key not in _ABOUT_PARTITIONS}
    if partition:
        yield GROUP, number, {**about_nodes, "Hosts": ",".join(names)}
    own = {key: value for key, value in about_nodes.items() if key not in _ABOUT_GROUPS}
    for host in names:
        yield "NodeName", number, {"NodeName": host, **own}


def _partition_of_row(pairs: Mapping[str, str]) -> dict[str, str]:
    """What a row of sinfo says of its partition. A star marks the default; without one, nothing is said of that."""
    partition = pairs["Partitions"]
    own = {"State": pairs.get("Avail", ""), **{key: pairs.get(key, "") for key in _ABOUT_PARTITIONS}}
    if partition.endswith("*"):
        own["Default"] = "YES"
    return {"PartitionName": partition.rstrip("*"), **{key: value for key, value in own.items() if value}}


def _sinfo_pairs(row: Mapping[str, str]) -> dict[str, str]:
    """A row of sinfo under scontrol's names. ``128+`` is the least of several nodes, and stays marked as that."""
    pairs = {_SINFO_KEYS.get(name, name): value for name, value in row.items()}
    if not pairs.get("CPUTot"):
        pairs |= _cpus_of_each(row)
    layout = row.get("S:C:T", "").split(":")
    if len(layout) == 3:
        numbers = zip(("Sockets", "CoresPerSocket", "ThreadsPerCore"), layout, strict=True)
        pairs |= {key: number.rstrip("+") for key, number in numbers if number.isdigit() or key == "ThreadsPerCore"}
    pairs |= _job_size(row.get("JOB_SIZE", ""))
    if pairs.get("OverSubscribe", "").upper().startswith("EXCLUSIV"):  # sinfo has eight characters for EXCLUSIVE
        pairs["OverSubscribe"] = "EXCLUSIVE"
    if pairs.get("Exclusive", "").upper() == "YES":
        pairs["Exclusive"] = "NODE"
    pairs["MaxTime"] = pairs.get("MaxTime", "").rstrip(":")  # 100-00:00:00 in ten characters
    return pairs


def _cpus_of_each(row: Mapping[str, str]) -> dict[str, str]:
    """The CPUs of one node from CPUS(A/I/O/T), which counts those of all nodes of the row; nothing if they differ."""
    total, nodes = whole_number(row.get(_CPU_USAGE, "").rpartition("/")[2]), _nodes_of_row(row)
    if total is None or not nodes or total % nodes:
        return {}
    note = {} if nodes == 1 else {CPU_NOTE: f"{_CPU_USAGE}: {total} CPUs on {nodes} nodes"}
    return {"CPUTot": str(total // nodes)} | note


def _nodes_of_row(row: Mapping[str, str]) -> int:
    """How many nodes a row is about; 0 where it does not say."""
    counted = whole_number(row.get("NODES") or row.get(USAGE, "").rpartition("/")[2])
    if counted is not None:
        return counted
    try:
        return count_hosts(row.get("NODELIST") or row.get("HOSTNAMES") or "")
    except ValueError:
        return 0


def _job_size(text: str) -> dict[str, str]:
    """MinNodes and MaxNodes of JOB_SIZE (man sinfo): ``1-2``, ``1-infinite``, or one number for both."""
    least, dash, most = text.partition("-")
    numbers = {"MinNodes": least, "MaxNodes": most if dash else least}
    found = {key: _NODE_COUNT.fullmatch(number) for key, number in numbers.items()}
    return {key: str(int(count[1]) * (1024 if count[2] else 1)) for key, count in found.items() if count}
