"""The tables that Slurm prints: `sacctmgr` with and without -P, `sinfo` with its header, `scontrol show config`.

A row becomes keys and values under scontrol's names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from launchers.quantities.hosts import expand_hosts
from launchers.slurm.records import ReadProblem

Line = tuple[int, str]
"""A line of a text and its number, from 1."""
Rows = Iterator[tuple[str, int, dict[str, str]]]
"""Kind of record, line, keys and values."""

_SINFO_KEYS = {
    "NODELIST": "NodeName", "HOSTNAMES": "NodeName", "HOSTNAME": "NodeName", "CPUS": "CPUTot", "MEMORY": "RealMemory",
    "GRES": "Gres", "AVAIL_FEATURES": "AvailableFeatures", "ACTIVE_FEATURES": "ActiveFeatures", "STATE": "State",
    "PARTITION": "Partitions", "TIMELIMIT": "MaxTime", "WEIGHT": "Weight", "THREADS": "ThreadsPerCore",
    "REASON": "Reason", "FEATURES": "AvailableFeatures", "TMP_DISK": "TmpDisk", "DEFAULTTIME": "DefaultTime",
}  # fmt: skip
_SETTING = re.compile(r"^([A-Za-z][\w/.()\[\]-]*)\s+= ?(.*)$", re.ASCII)
_NOISE = re.compile(
    r"(\$ .*|# .*|rc=-?\d+|```.*|\{: .*\}|[-= ]+|Configuration data as of .*|[\w/ ]+ Configuration:|Slurmctld\(.*)$"
)


def is_noise(text: str) -> bool:
    """Whether a line is around Slurm's output and says nothing of a cluster: a shell prompt, a fence, a rule."""
    return text.isspace() or bool(_NOISE.match(text.lstrip()))


def config_pair(text: str) -> tuple[str, str] | None:
    """Key and value of a line of ``scontrol show config``; None for any other line."""
    setting = _SETTING.match(text)
    return (setting[1], setting[2].strip()) if setting else None


def header(text: str) -> str:
    """What the table under this header is about: "Qos", "Association", "sinfo"; "" for a line that is no header."""
    cells = {cell.strip() for cell in text.split("|")} if "|" in text else set(text.split())
    if "Name" in cells and cells & {"Priority", "MaxWall", "MaxTRES", "GrpTRES"}:
        return "Qos"
    if "Account" in cells and cells & {"User", "Cluster", "QOS"}:
        return "Association"
    if cells & {"NODELIST", "HOSTNAMES", "PARTITION"} and cells & {"STATE", "CPUS", "NODES", "GRES", "MEMORY", "AVAIL"}:
        return "sinfo"
    return ""


def rows(lines: Sequence[Line], problems: list[ReadProblem]) -> Rows:
    """The records of the table whose header is `lines[0]`."""
    kind = header(lines[0][1])
    columns = _Columns.of(lines)
    for number, text in lines[columns.header_lines :]:
        cells = columns.cells(text)
        if cells is None:
            problems.append(ReadProblem(number, text, "this row does not have the columns of its table"))
            continue
        pairs = {name: value for name, value in zip(columns.names, cells, strict=False) if name}
        if kind == "sinfo":
            yield from _sinfo_records(number, pairs, problems)
            continue
        if not columns.separated:
            _drop_cut_values(number, pairs, problems)
        if pairs.get("Name" if kind == "Qos" else "Account"):
            yield kind, number, pairs


@frozen
class _Columns:
    """The columns of a table: `separated` by bars, or at fixed `spans`, or by blanks."""

    names: tuple[str, ...]
    separated: bool = False
    spans: tuple[tuple[int, int], ...] = ()
    header_lines: int = 1

    @classmethod
    def of(cls, lines: Sequence[Line]) -> _Columns:
        head = lines[0][1]
        if "|" in head:
            return cls(tuple(name.strip() for name in head.split("|")), separated=True)
        if len(lines) > 1 and re.fullmatch(r"[- ]+", lines[1][1]):
            spans = tuple(rule.span() for rule in re.finditer(r"-+", lines[1][1]))
            return cls(tuple(head[start:end].strip() for start, end in spans), spans=spans, header_lines=2)
        return cls(tuple(head.split()))

    def cells(self, text: str) -> list[str] | None:
        """The cells of a row; None where it does not have these columns."""
        if self.separated:
            cells = [cell.strip() for cell in text.split("|")]
            return cells if len(cells) >= len(self.names) - 1 else None
        if self.spans:
            return [text[start:end].strip() for start, end in self.spans]
        cells = text.split()
        return cells if len(cells) == len(self.names) else None


def _drop_cut_values(number: int, pairs: dict[str, str], problems: list[ReadProblem]) -> None:
    """Empty the values that sacctmgr cut off to fit a column: it ends them with a plus sign."""
    for name, value in pairs.items():
        if value.endswith("+"):
            problems.append(ReadProblem(number, f"{name}={value}", "sacctmgr cut this value off; run it with -P"))
            pairs[name] = ""


def _sinfo_records(number: int, row: Mapping[str, str], problems: list[ReadProblem]) -> Rows:
    """A row of sinfo as the record of its partition and one of each of its nodes."""
    pairs = _sinfo_pairs(row)
    partition = pairs.get("Partitions", "")
    pairs["Partitions"] = partition.rstrip("*")
    if partition:
        limits: dict[str, str] = {key: pairs[key] for key in ("MaxTime", "DefaultTime") if key in pairs}
        default = "YES" if partition.endswith("*") else "NO"
        yield "PartitionName", number, {"PartitionName": partition.rstrip("*"), "Default": default, **limits}
    hosts = pairs.pop("NodeName", "")
    if "..." in hosts:
        problems.append(ReadProblem(number, hosts, "sinfo cut this host list off; run it with -o and %N"))
        return
    try:
        names = expand_hosts(hosts)
    except ValueError as error:
        problems.append(ReadProblem(number, hosts, str(error)))
        return
    for host in names:
        yield "NodeName", number, {"NodeName": host, **{key: value for key, value in pairs.items() if value}}


def _sinfo_pairs(row: Mapping[str, str]) -> dict[str, str]:
    """A row of sinfo under scontrol's names; ``128+`` (128 or more) counts as 128."""
    pairs = {_SINFO_KEYS.get(name.split("(")[0].strip().upper(), name): value for name, value in row.items()}
    by_use = next((value for name, value in row.items() if name.upper().startswith("CPUS(A/I/O/T)")), "")
    if by_use:
        pairs["CPUTot"] = by_use.rpartition("/")[2]
    for key in ("CPUTot", "RealMemory"):
        pairs[key] = pairs.get(key, "").rstrip("+")
    layout = next((value for name, value in row.items() if name.upper() == "S:C:T"), "")
    if layout.count(":") == 2:
        pairs["ThreadsPerCore"] = layout.rpartition(":")[2].rstrip("+")
    return pairs
