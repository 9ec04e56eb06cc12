"""Kinds of value that a file may hold, and how a schema documents its fields."""

from typing import TYPE_CHECKING, Any, NewType, TypeAlias

from attrs import field

# Kinds of value that the loader tells apart; to everything else they are what they are made of.
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
    Name = NewType("Name", str)  # what Slurm takes for a partition, QoS, account or feature
    Hosts = NewType("Hosts", str)  # a host name, or a folded list of them
    Option = NewType("Option", str)  # the long name of an sbatch option that launchers itself says nothing about
    Line = NewType("Line", str)  # text that may end up in an sbatch file: one line, printable
    Word = NewType("Word", str)  # any text: what a job is told and an sbatch file never holds
    Regex = NewType("Regex", str)  # a regular expression (Python's)
    Property = NewType("Property", str)  # the name of a resource property of OAR: a column in its SQL
    Value = NewType("Value", str)  # a property's value: text, a number, or YES and NO, which YAML may read as a truth
    Count = NewType("Count", int)  # a whole number, zero or more
    Ratio = NewType("Ratio", float)  # a number from 0 to 1


Scalar = bool | int | float | str


def documented(doc: str) -> Any:
    """An optional field with its documentation."""
    return field(default=None, metadata={"doc": doc}, kw_only=True)


def file_key(field_name: str) -> str:
    """The key of a field in a file: a field that Python does not let be called so has an underscore more."""
    return field_name.rstrip("_")
