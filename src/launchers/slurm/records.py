"""The records that scontrol prints, ``NodeName=... Key=Value ...``, as keys and values.

Reads the texts of Slurm 15 to 26: a record on one line or on many, values with blanks in them (OS, Reason, Comment),
kinds of record in any order, shell prompts in between (docs/slurm-facts.md#what-slurm-prints).
"""

from __future__ import annotations

from attrs import field, frozen

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
_IGNORED = " "
"""Stands for the key of a value that is given twice: no real key is a blank."""


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
class ScontrolRecord:
    """One record: its kind (NodeName, ...), its keys and values as they were printed, the line where it begins."""

    kind: str
    pairs: dict[str, str]
    line: int


@frozen
class ScontrolRecords:
    """The records of a text, the parts that cannot be read, and the lines that belong to no record."""

    records: list[ScontrolRecord] = field(factory=list)
    problems: list[ReadProblem] = field(factory=list)
    rest: list[tuple[int, str]] = field(factory=list)


def read_records(text: str) -> ScontrolRecords:
    """Every record of a text, in order. Never raises."""
    result = ScontrolRecords()
    record: ScontrolRecord | None = None
    key = ""
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words:
            record = None
            continue
        if kind := _begun_record(line, words[0], record):
            record, key = ScontrolRecord(kind, {}, number), ""
            result.records.append(record)
        elif record is None or not line[0].isspace():
            record = None
            result.rest.append((number, line))
            continue
        key = _add_words(record, words, key, number, result.problems)
    return result


def _begun_record(line: str, word: str, record: ScontrolRecord | None) -> str:
    """The kind of the record that this line begins; "" where it begins none."""
    key, equals, _ = word.partition("=")
    if not equals or key not in STARTS:
        return ""
    # an indented ReservationName in a node's record only says which reservation the node is in
    names_reservation = key == "ReservationName" and record is not None and record.kind == "NodeName"
    return "" if names_reservation and line[0].isspace() else key


def _add_words(record: ScontrolRecord, words: list[str], key: str, number: int, problems: list[ReadProblem]) -> str:
    """Put the words of one line into a record. Returns the key whose value the next line may continue."""
    pairs = record.pairs
    for word in words:
        name, equals, value = word.partition("=")
        if equals and (key not in FREE_TEXT or name in AFTER_FREE_TEXT) and _is_key(name):
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
