"""Tables that Slurm prints: `sacctmgr -P` and its fixed columns, `sinfo` with a header, `scontrol show config`.

A row becomes keys and values under scontrol's names, so that there is one reading of facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from launchers.quantities.hosts import expand
from launchers.slurm.records import Problem

Line = tuple[int, str]
Rows = Iterator[tuple[str, int, dict[str, str]]]

_SINFO = {
    "NODELIST": "NodeName", "HOSTNAMES": "NodeName", "HOSTNAME": "NodeName", "CPUS": "CPUTot", "MEMORY": "RealMemory",
    "GRES": "Gres", "AVAIL_FEATURES": "AvailableFeatures", "ACTIVE_FEATURES": "ActiveFeatures", "STATE": "State",
    "PARTITION": "Partitions", "TIMELIMIT": "MaxTime", "WEIGHT": "Weight", "THREADS": "ThreadsPerCore",
    "REASON": "Reason", "FEATURES": "AvailableFeatures", "TMP_DISK": "TmpDisk", "DEFAULTTIME": "DefaultTime",
}  # fmt: skip
_CONFIG = re.compile(r"^([A-Za-z][\w/.()\[\]-]*)\s+= ?(.*)$", re.ASCII)
_NOISE = re.compile(
    r"^\s*(\$ .*|# .*|rc=-?\d+|```.*|\{: .*\}|[-= ]+|Configuration data as of .*|[\w/ ]+ Configuration:|Slurmctld\(.*)$"
)


def is_noise(text: str) -> bool:
    """A shell prompt, a fence, a rule: what stands around output and says nothing about a cluster."""
    return bool(_NOISE.match(text))


def config_pair(text: str) -> tuple[str, str] | None:
    """A line of ``scontrol show config``."""
    found = _CONFIG.match(text)
    return (found[1], found[2].strip()) if found else None


def header(text: str) -> str:
    """What the table under this line is about: "Qos", "Association", "sinfo", or "" when it is no header."""
    cells = {cell.strip() for cell in text.split("|")} if "|" in text else set(text.split())
    if "Name" in cells and cells & {"Priority", "MaxWall", "MaxTRES", "GrpTRES"}:
        return "Qos"
    if "Account" in cells and cells & {"User", "Cluster", "QOS"}:
        return "Association"
    if cells & {"NODELIST", "HOSTNAMES", "PARTITION"} and cells & {"STATE", "CPUS", "NODES", "GRES", "MEMORY", "AVAIL"}:
        return "sinfo"
    return ""


def rows(lines: Sequence[Line], problems: list[Problem]) -> Rows:
    """The rows of the table that starts with its header at `lines[0]`, as (kind, line, keys and values)."""
    kind = header(lines[0][1])
    columns, body = _columns(lines)
    for number, text in body:
        cells = _cells(text, columns, lines[0][1])
        if cells is None:
            problems.append(Problem(number, text, "a row that does not have the columns of its table"))
            continue
        pairs = {name: value for name, value in zip([c[0] for c in columns], cells, strict=False) if name}
        if kind == "sinfo":
            yield from _sinfo(number, pairs, problems)
            continue
        for name, value in list(pairs.items()):
            if value.endswith("+") and "|" not in lines[0][1]:
                problems.append(Problem(number, f"{name}={value}", "sacctmgr cut this value off: print it with -P"))
                pairs[name] = ""
        if pairs.get("Name" if kind == "Qos" else "Account"):
            yield kind, number, pairs


def _columns(lines: Sequence[Line]) -> tuple[list[tuple[str, int, int]], Sequence[Line]]:
    """Names with where they start and end; fixed widths are told by the rule under the header, or by its words."""
    head = lines[0][1]
    if "|" in head:
        return [(name.strip(), 0, 0) for name in head.split("|")], lines[1:]
    if len(lines) > 1 and re.fullmatch(r"[- ]+", lines[1][1]):
        spans = [(found.start(), found.end()) for found in re.finditer(r"-+", lines[1][1])]
        return [(head[start:end].strip(), start, end) for start, end in spans], lines[2:]
    return [(name, 0, 0) for name in head.split()], lines[1:]


def _cells(text: str, columns: list[tuple[str, int, int]], head: str) -> list[str] | None:
    if "|" in head:
        cells = [cell.strip() for cell in text.split("|")]
        return cells if len(cells) >= len(columns) - 1 else None
    if columns and columns[0][2]:
        return [text[start:end].strip() for _, start, end in columns]
    cells = text.split()
    return cells if len(cells) == len(columns) else None


def _sinfo(number: int, row: dict[str, str], problems: list[Problem]) -> Rows:
    """A row of sinfo: its partition, and each of its nodes."""
    pairs = {_SINFO.get(name.split("(")[0].strip().upper(), name): value for name, value in row.items()}
    share = next((value for name, value in row.items() if name.upper().startswith("CPUS(A/I/O/T)")), "")
    if share:
        pairs["CPUTot"] = share.rpartition("/")[2]
    for key in ("CPUTot", "RealMemory"):
        pairs[key] = pairs.get(key, "").rstrip("+")
    sct = next((value for name, value in row.items() if name.upper() == "S:C:T"), "")
    if sct.count(":") == 2:
        pairs["ThreadsPerCore"] = sct.rpartition(":")[2].rstrip("+")
    name = pairs.get("Partitions", "")
    pairs["Partitions"] = name.rstrip("*")
    if name:
        limits: dict[str, str] = {key: pairs[key] for key in ("MaxTime", "DefaultTime") if key in pairs}
        default = "YES" if name.endswith("*") else "NO"
        yield "PartitionName", number, {"PartitionName": name.rstrip("*"), "Default": default, **limits}
    hosts = pairs.pop("NodeName", "")
    if "..." in hosts:
        problems.append(Problem(number, hosts, "sinfo cut this host list off: print it with -o '%N'"))
        return
    try:
        names = expand(hosts)
    except ValueError as error:
        problems.append(Problem(number, hosts, str(error)))
        return
    for host in names:
        yield "NodeName", number, {"NodeName": host, **{key: value for key, value in pairs.items() if value}}
