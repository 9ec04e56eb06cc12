"""The kinds of value that a file may hold, and how a schema documents its fields."""

from typing import TYPE_CHECKING, Any, NewType, TypeAlias

from attrs import field

# The loader reads each kind in its own way. For all other code they are plain integers, text and numbers.
if TYPE_CHECKING:
    Memory: TypeAlias = int
    Duration: TypeAlias = int
    Count: TypeAlias = int
    Name: TypeAlias = str
    Hosts: TypeAlias = str
    Option: TypeAlias = str
    Line: TypeAlias = str
    Word: TypeAlias = str
    Regex: TypeAlias = str
    Property: TypeAlias = str
    Value: TypeAlias = str
    Ratio: TypeAlias = float
else:
    Memory = NewType("Memory", int)  # text with a unit in the file (24G, 8116MiB), bytes here
    Duration = NewType("Duration", int)  # text in the file (20h, 4 days, 2-00:00:00), seconds here
    Name = NewType("Name", str)  # a name of a partition, QoS, account or feature in Slurm
    Hosts = NewType("Hosts", str)  # a host name, or a folded list of them
    Option = NewType("Option", str)  # the long name of an sbatch option that launchers does not set itself
    Line = NewType("Line", str)  # text that may end up in an sbatch file: one line, printable
    Word = NewType("Word", str)  # any text that never reaches an sbatch file
    Regex = NewType("Regex", str)  # a regular expression (Python's)
    Property = NewType("Property", str)  # the name of a resource property of OAR: a column in its SQL
    Value = NewType(
        "Value", str
    )  # a value of such a property: text, a number, or YES and NO, which YAML reads as booleans
    Count = NewType("Count", int)  # a whole number, zero or more
    Ratio = NewType("Ratio", float)  # a number from 0 to 1


Scalar = bool | int | float | str


def documented(doc: str) -> Any:
    """An optional field with its documentation."""
    return field(default=None, metadata={"doc": doc}, kw_only=True)


def file_key(field_name: str) -> str:
    """The key of a field in a file: a field named like a Python keyword ends in an underscore, its key does not."""
    return field_name.rstrip("_")
