"""What can be wrong with a file of ours: problems with a stable code, a place and a suggestion."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

CODES = {
    "LC100": "the file cannot be read",
    "LC101": "unknown key",
    "LC102": "wrong type of value",
    "LC103": "not an amount of memory",
    "LC104": "not a duration",
    "LC105": "not a regular expression",
    "LC106": "key given twice",
    "LC107": "not YAML, or YAML that is not read (tags, several documents, too deep, aliases that blow up)",
    "LC108": "a name that is defined nowhere",
    "LC109": "text that would be misread in an sbatch file",
    "LC110": "value not among those allowed",
    "LC111": "a facts file that cannot be used",
    "LC112": "not a requirement",
    "LC113": "a file that is not there, or not as it has to be",
    "LC114": "a key that is missing, or two that cannot stand together",
    "LC115": "a template that cannot be worked out",
    "LC116": "jobs that wait for each other, or for one that there is not",
    "LC117": "not a list of hosts, or one of too many",
    "LC118": "an sbatch option that launchers itself says",
    "LC201": "a partition that no requirement can reach",
    "LC202": "a QoS or account that nothing uses",
    "LC203": "a regular expression with no known group",
    "LC204": "a regular expression that matches no feature",
    "LC205": "a tag that nobody can select",
    "LC206": "a feature that no node has",
    "LC207": "a GPU model that the catalogue does not know, with no memory",
    "LC208": "a limit on something that launchers cannot judge",
    "LC209": "a partition, queue or host that the facts file does not have",
    "LC210": "two groups with one id",
    "LC211": "a number of nodes that is not that of their hosts",
    "LC212": "a host in two blocks of one partition",
    "LC213": "a feature of which a regular expression reads what is no number or amount",
    "LC214": "a key that is read and does nothing yet",
}
"""Every code and its meaning; LC1xx are errors, LC2xx warnings."""


@frozen(order=True)
class Problem:
    """One thing that is wrong: where (line and column count from 1), what, and what to do about it."""

    file: str
    line: int
    column: int
    code: str
    path: str
    message: str
    suggestion: str = ""

    @property
    def is_error(self) -> bool:
        """Whether the file cannot be used because of it."""
        return self.code.startswith("LC1")

    def __str__(self) -> str:
        kind = "error" if self.is_error else "warning"
        hint = f" ({self.suggestion})" if self.suggestion else ""
        where = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {kind} {self.code}: {where}{self.message}{hint}"


class ConfigError(ValueError):
    """A launchers.yaml that cannot be used, with every problem found; `str()` lists them all."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))
