"""The records that scontrol prints, as keys and values: ``NodeName=... Key=Value ...``, on one line or on many.

Written for the texts of Slurm 15 to 25: values with blanks in them (OS, Reason, Comment), records that are indented,
keys apart by two blanks, several kinds of record in any order, shell prompts in between.
"""

from __future__ import annotations

from attrs import field, frozen

STARTS = ("NodeName", "PartitionName", "ReservationName")
FREE = frozenset({"OS", "Reason", "Comment", "Extra", "AdminComment"})
"""Keys whose values may hold blanks and equals signs; only a key that Slurm prints after them ends them."""
AFTER_FREE = frozenset(
    {
        "RealMemory", "AllocMem", "FreeMem", "Sockets", "Boards", "State", "ThreadsPerCore", "TmpDisk", "Weight",
        "Owner", "MCS_label", "Partitions", "BootTime", "SlurmdStartTime", "LastBusyTime", "CfgTRES", "AllocTRES",
        "CapWatts", "CurrentWatts", "AveWatts", "ExtSensorsJoules", "ExtSensorsWatts", "ExtSensorsTemp", "Comment",
        "Reason", "Extra", "ReservationName", "NextState", "CoreSpecCount", "CPUSpecList", "MemSpecLimit",
        "ResumeAfterTime", "InstanceId", "InstanceType", "ActiveFeatures", "AvailableFeatures", "Gres", "GresDrain",
        "GresUsed", "BcastAddr", "Topology", "ResCoresPerGPU",
    }
)  # fmt: skip


@frozen
class Problem:
    """Something in a text that is not understood; the rest goes on."""

    line: int
    text: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}: {self.text[:80]}"


@frozen
class Record:
    """One record: what it is about (NodeName, ...), its keys and values as they were printed, where it starts."""

    kind: str
    pairs: dict[str, str]
    line: int

    @property
    def name(self) -> str:
        """The name of the node, partition or reservation."""
        return self.pairs[self.kind]


@frozen
class Records:
    """All records of a text, what could not be understood, and the lines that belong to no record."""

    records: list[Record] = field(factory=list)
    problems: list[Problem] = field(factory=list)
    rest: list[tuple[int, str]] = field(factory=list)


def read_records(text: str) -> Records:
    """Every record of a text, in order; never raises."""
    found = Records()
    current: Record | None = None
    key = ""
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words:
            current = None
            continue
        head = words[0].partition("=")
        if head[1] and head[0] in STARTS and not (head[0] == "ReservationName" and _indented_in(current, line)):
            current, key = Record(head[0], {}, number), ""
            found.records.append(current)
        elif current is None or not line[0].isspace():
            current = None
            found.rest.append((number, line))
            continue
        key = _take(current, words, key, number, found.problems)
    return found


def _indented_in(current: Record | None, line: str) -> bool:
    """Whether a line that names a reservation only says that the node above is in it."""
    return current is not None and current.kind == "NodeName" and line[0].isspace()


def _is_compound(name: str) -> bool:
    """A key with a colon in it: S:C:T in older versions."""
    return name.replace(":", "").isidentifier()


def _take(record: Record, words: list[str], key: str, number: int, problems: list[Problem]) -> str:
    """Put the words of one line into a record; the key that a following line may go on with."""
    pairs = record.pairs
    for word in words:
        name, equals, value = word.partition("=")
        if equals and (key not in FREE or name in AFTER_FREE) and (name.isidentifier() or _is_compound(name)):
            if name in pairs:
                if pairs[name] != value:
                    problems.append(Problem(number, word, f"{name} is given twice, the first is kept"))
                key = f"{name} again"
                continue
            pairs[name] = value
            key = name
        elif key in pairs and (key in FREE or record.kind == "ReservationName"):
            pairs[key] = f"{pairs[key]} {word}" if pairs[key] else word
        elif not key.endswith(" again"):
            problems.append(Problem(number, word, "a word that belongs to no key"))
    return key
