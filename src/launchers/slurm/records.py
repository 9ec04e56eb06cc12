"""The records that scontrol prints, ``NodeName=... Key=Value ...``, as keys and values.

Reads the texts of Slurm 15 to 26: a record on one line or on many, values with blanks in them (OS, Reason, Comment),
kinds of record in any order, also where a paste lost the blanks at the start of lines, or broke long lines in two
(docs/slurm-facts.md#what-slurm-prints).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from enum import Enum

from attrs import field, frozen

from launchers.quantities.hosts import count_hosts, expand_hosts
from launchers.slurm.pasted import is_noise, is_prompt

Line = tuple[int, str]
"""A line of a text and its number, from 1."""
STARTS = ("NodeName", "PartitionName", "ReservationName")
"""The keys that begin a record."""
FREE_TEXT = frozenset({"OS", "Reason", "Comment", "Extra", "AdminComment"})
"""Keys whose values may hold blanks and equals signs. Such a value ends at a key of AFTER_FREE_TEXT."""
AFTER_FREE_TEXT = frozenset(
    {
        "RealMemory", "AllocMem", "FreeMem", "Sockets", "Boards", "State", "ThreadsPerCore", "TmpDisk", "Weight",
        "Owner", "MCS_label", "Partitions", "BootTime", "SlurmdStartTime", "LastBusyTime", "CfgTRES", "AllocTRES",
        "CapWatts", "CurrentWatts", "AveWatts", "ExtSensorsJoules", "ExtSensorsWatts", "ExtSensorsTemp", "Comment",
        "Reason", "Extra", "ReservationName", "NextState", "CoreSpecCount", "CPUSpecList", "MemSpecLimit",
        "ResumeAfterTime", "InstanceId", "InstanceType", "ActiveFeatures", "AvailableFeatures", "Gres", "GresDrain",
        "GresUsed", "BcastAddr", "Topology", "ResCoresPerGPU",
    }
)  # fmt: skip
"""The keys that Slurm prints behind free text."""
KEYS = AFTER_FREE_TEXT | frozenset(
    {
        "Arch", "CoresPerSocket", "CPUAlloc", "CPUEfctv", "CPUTot", "CPULoad", "CPUErr", "NodeAddr", "NodeHostName",
        "Port", "Version", "OS", "Features", "AllowGroups", "AllowAccounts", "AllowQos", "DenyAccounts", "DenyQos",
        "AllocNodes", "Default", "QoS", "DefaultTime", "DisableRootJobs", "Exclusive", "ExclusiveUser",
        "ExclusiveTopo", "GraceTime", "Hidden", "MaxNodes", "MaxTime", "MinNodes", "LLN", "MaxCPUsPerNode",
        "MaxCPUsPerSocket", "Nodes", "NodeSets", "PriorityJobFactor", "PriorityTier", "Priority", "RootOnly",
        "ReqResv", "OverSubscribe", "Shared", "OverTimeLimit", "PreemptMode", "TotalCPUs", "TotalNodes",
        "SelectTypeParameters", "JobDefaults", "DefMemPerCPU", "DefMemPerNode", "MaxMemPerCPU", "MaxMemPerNode",
        "TRES", "TRESBillingWeights", "ResumeTimeout", "SuspendTimeout", "SuspendTime", "PowerDownOnIdle",
        "Alternate", "CpuBind", "StartTime", "EndTime", "Duration", "NodeCnt", "CoreCnt", "PartitionName", "Flags",
        "Users", "Groups", "Accounts", "Licenses", "BurstBuffer", "Watts", "MaxStartDelay", "NodeName",
    }
)  # fmt: skip
"""The keys of nodes, partitions and reservations: a line that begins with one of them is whole."""
CUT = "..."
"""Stands in a list for what was cut off."""
_IGNORED = " "
"""Stands for the key of a value that is given twice: no real key is a blank."""
_BEGINNINGS = tuple(f"{start}=" for start in STARTS)
_NARROWEST = 40
"""Characters of the narrowest terminal that is taken to have broken lines at its width."""
_USUAL_WIDTHS = frozenset({72, 76, 78, 79, 80, 90, 100, 120, 132, 140, 150, 160, 180, 200, 240})
"""Widths at which a single line is taken to be broken; at another width two lines must be as long."""


MOST_HOSTS = 30_000
"""Hosts in one record: three times as many as the largest clusters have, and few enough to be converted in seconds."""


class Source(Enum):
    """What printed a record: scontrol whole, or a table of some columns, or JSON."""

    SCONTROL = "scontrol"
    TABLE = "table"
    JSON = "JSON"


@frozen
class ReadProblem:
    """A part of a text that cannot be read: the line, that part, and why. The rest of the text is read.

    `source` names the text, where there are several.
    """

    line: int
    text: str
    reason: str
    source: str = ""

    def __str__(self) -> str:
        return f"{place(self.source, self.line)}: {self.reason}: {self.text[:80]}"


def place(source: str, line: int) -> str:
    """A line for people, with the name of its text where that has one: ``line 3``, ``nodes.txt:3``."""
    return f"{source}:{line}" if source else f"line {line}"


@frozen
class Record:
    """One record: its kind (NodeName, ...), its keys and values as they were printed, the line where it begins.

    `text` is the name of the text that it is in, where there are several.
    """

    kind: str
    pairs: dict[str, str]
    line: int
    source: Source = Source.SCONTROL
    text: str = ""


@frozen
class Records:
    """The records among some lines, the parts that cannot be read, and the lines that belong to no record.

    In `rest` a blank line stands also where a record was: what is behind it is something else.
    """

    records: list[Record] = field(factory=list)
    problems: list[ReadProblem] = field(factory=list)
    rest: list[Line] = field(factory=list)


def read_hosts(hosts: str) -> list[str]:
    """The hosts that a record names. Raises ValueError for what is no host list, and for more than MOST_HOSTS."""
    if (count := count_hosts(hosts)) > MOST_HOSTS:
        raise ValueError(f"there are {count} hosts in one line; at most {MOST_HOSTS} are read")
    return expand_hosts(hosts)


def read_records(lines: Sequence[str], numbers: range, is_other: Callable[[str], bool]) -> Records:
    """Every record among lines, in order. Never raises.

    Arguments:
        lines: the lines
        numbers: their numbers in the text
        is_other: says of a line that it is no part of a record

    """
    result = Records()
    record: Record | None = None
    interrupted: Record | None = None
    key, flat = "", False
    for number, line in _rejoined(lines, numbers, is_other):
        words = line.split()
        if record is None and interrupted is not None and _goes_on(line):
            record, key = interrupted, ""
        if not words:
            record = interrupted = None
            result.rest.append((number, ""))
            continue
        if kind := _begun_record(line, words, record, flat):
            record, key, flat = Record(kind, {}, number), "", False
            result.records.append(record)
            result.rest.append((number, ""))
        elif record is None or not _continues(line, words[0], key, flat, is_other):
            record, interrupted = None, None if is_prompt(line) else record or interrupted
            result.rest.append((number, line))
            continue
        else:
            flat = flat or not line[0].isspace()
        key = _add_words(record, words, key, number, result.problems)
    return result


def _begun_record(line: str, words: Sequence[str], record: Record | None, flat: bool) -> str:
    """The kind of the record that this line begins; "" where it begins none."""
    key, equals, _ = words[0].partition("=")
    if not equals or key not in STARTS:
        return ""
    # inside a node's record, ReservationName only says which reservation the node is in
    if key == "ReservationName" and record is not None and record.kind == "NodeName":
        return "" if line[0].isspace() or (flat and len(words) == 1) else key
    return key


def _goes_on(line: str) -> bool:
    """Whether a line goes on with a record that another line interrupted: it is indented, and begins with a key."""
    return line[:1].isspace() and line.split("=", 1)[0].strip() in KEYS


def _continues(line: str, word: str, key: str, flat: bool, is_other: Callable[[str], bool]) -> bool:
    """Whether a line goes on with the record before it, whose last key is `key`.

    `flat` is a record that lost its indentation: its free text may go on without a blank at the start.
    """
    name, equals, _ = word.partition("=")
    if line[0].isspace():
        return bool(equals) or not is_other(line)
    if equals:
        return _is_key(name)
    return flat and key in FREE_TEXT and not is_other(line)


def _rejoined(lines: Sequence[str], numbers: range, is_other: Callable[[str], bool]) -> Iterable[Line]:
    """The lines, with those of records made whole again that a terminal broke in two at its width."""
    numbered = zip(numbers, lines, strict=True)
    ends = _ends_of_broken_lines(lines, is_other)
    if not ends:
        return numbered
    width = max(len(lines[at]) for at in ends)
    broken = {at for at in ends if len(lines[at]) == width}
    return _joined(numbered, broken) if len(broken) > 1 or width in _USUAL_WIDTHS else numbered


def _ends_of_broken_lines(lines: Sequence[str], is_other: Callable[[str], bool]) -> list[int]:
    """The indices of long lines of records behind which a line without indentation begins with no key."""
    found: list[int] = []
    in_record = False
    for at, line in enumerate(lines):
        if not line or line[0].isspace():
            in_record = in_record and bool(line) and not line.isspace()
        elif line.startswith(_BEGINNINGS):
            in_record = True
        elif in_record and len(lines[at - 1]) >= _NARROWEST and _is_rest(lines[at - 1], line, is_other):
            found.append(at - 1)
        elif in_record and (is_prompt(line) or (is_other(line) and not is_noise(line))):
            in_record = False
    return found


def _is_rest(line: str, after: str, is_other: Callable[[str], bool]) -> bool:
    """Whether the line `after` a long one can be the rest of it."""
    words = line.split()
    key, equals, _ = after.split()[0].partition("=")
    if not equals:
        return after.startswith("#") or not is_other(after)  # OS=Linux ... #1 SMP
    is_key = key in KEYS or (key[:1].isupper() and key.isidentifier())
    return not is_key or (bool(words) and words[-1] + key in KEYS)


def _joined(lines: Iterable[Line], broken: Container[int]) -> Iterator[Line]:
    """The lines, each of which has an index in `broken` together with the next."""
    parts: list[str] = []
    first = 0
    for at, (number, line) in enumerate(lines):
        first = first if parts else number
        parts.append(line)
        if at not in broken:
            yield first, "".join(parts)
            parts = []


def _add_words(record: Record, words: Sequence[str], key: str, number: int, problems: list[ReadProblem]) -> str:
    """Put the words of one line into a record. Returns the key whose value the next line may continue."""
    pairs = record.pairs
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        ends_text = name in AFTER_FREE_TEXT and (at == 0 or name not in pairs)
        if equals and (key not in FREE_TEXT or ends_text) and _is_key(name):
            key = _IGNORED if name in pairs else name
            if name not in pairs:
                pairs[name] = value
            elif pairs[name] != value:
                problems.append(ReadProblem(number, word, f"{name} is given twice; the first value is used"))
        elif key in pairs and (key in FREE_TEXT or record.kind == "ReservationName"):
            pairs[key] = f"{pairs[key]} {word}" if pairs[key] else word
        elif key != _IGNORED:
            problems.append(ReadProblem(number, word, "this word belongs to no key"))
    return key


def _is_key(name: str) -> bool:
    """Whether this can be a key; older versions have one with colons, S:C:T."""
    return name.isidentifier() or name.replace(":", "").isidentifier()
