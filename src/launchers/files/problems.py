"""What can be wrong with a file: problems with a stable code, a place and a suggestion."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from launchers.terminal import printable

CODES = {
    "LC100": "the file cannot be read",
    "LC101": "unknown key",
    "LC102": "wrong type of value",
    "LC103": "not an amount of memory",
    "LC104": "not a duration",
    "LC105": "not a regular expression",
    "LC106": "key given twice",
    "LC107": "not YAML, or YAML that is not allowed (tags, several documents, too deep, too many aliases)",
    "LC108": "a name that is not defined",
    "LC109": "text that an sbatch file or a command would misread",
    "LC110": "value not among those allowed",
    "LC111": "a facts file that cannot be used",
    "LC112": "not a requirement",
    "LC113": "a file that is missing or cannot be used",
    "LC114": "a missing key, or two keys that exclude each other",
    "LC115": "a template that cannot be rendered",
    "LC116": "jobs that wait for each other, or for a job that does not exist",
    "LC117": "not a list of hosts, or a list of too many",
    "LC118": "an sbatch option that launchers sets itself, or that no file may give",
    "LC201": "a partition in which no job can start",
    "LC202": "a QoS or account that nothing uses",
    "LC203": "a regular expression with no known group",
    "LC204": "a regular expression that matches no feature",
    "LC205": "a tag that cannot be selected",
    "LC206": "a feature that no node has",
    "LC207": "a GPU model that the catalogue does not know, with no memory",
    "LC208": "a limit on something that launchers cannot check",
    "LC209": "a partition, queue or host that the facts file does not have",
    "LC210": "two groups with one id",
    "LC211": "a count that is not the number of the hosts",
    "LC212": "a host in two blocks of one partition",
    "LC213": "a regular expression that captures no number or amount from a feature",
    "LC214": "a key that has no effect yet",
}
"""Every code and its meaning; LC1xx are errors, LC2xx warnings."""


MAX_PROBLEMS = 1000
"""Most problems of one file that are looked for."""


@frozen(order=True)
class Problem:
    """One thing that is wrong with a file: where (line and column count from 1), what, and what to do about it.

    `code` is one of CODES. `path` is the place within the data, such as ``slurm[0].partitions.gpu``.
    """

    file: str
    line: int
    column: int
    code: str
    path: str
    message: str
    suggestion: str = ""

    @property
    def is_error(self) -> bool:
        """Whether the file cannot be used; otherwise this is a warning."""
        return self.code.startswith("LC1")

    def __str__(self) -> str:
        kind = "error" if self.is_error else "warning"
        hint = f" ({self.suggestion})" if self.suggestion else ""
        where = f"{self.path}: " if self.path else ""
        line = f"{self.file}:{self.line}:{self.column}: {kind} {self.code}: {where}{self.message}{hint}"
        return printable(line).replace("\n", "\\n")


class ConfigError(ValueError):
    """A file that cannot be used, with all its problems; `str()` lists them, one a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))
