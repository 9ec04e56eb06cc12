"""What OAR cannot quote: its scripts put some texts into Perl and shell programs as they are.

A quote in one of them ends a text there. At best the job fails, and the node is suspected, for everybody. At worst the
rest is run, as the user `oar` (docs/oar-facts.md#quoting). So such a text is refused before OAR has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

UNQUOTED = "'\"\\$`"
"""The characters that end or change a text in Perl's and the shell's quotes."""
WORDS = {"'": "a quote (')", '"': 'a double quote (")', "\\": "a backslash", "$": "a $", "`": "a backquote (`)"}
UNQUOTED_OPTIONS = ("n", "name", "project", "d", "directory", "O", "stdout", "E", "stderr")
"""The options of oarsub whose values OAR does not quote."""
_OUTPUT = re.compile(r"[a-zA-Z0-9_./ -]+", re.ASCII)
"""The names that oarsub takes for the output of a job, without the % and the backslash that it would replace."""
_LABEL = re.compile(r"[^A-Za-z0-9_.+@=,:-]", re.ASCII)


class UnquotableError(ValueError):
    """A text that OAR cannot be told: which, why and what to do."""


def unquotable(text: str) -> str:
    """Why OAR cannot be told a text, in words to be read after it; "" where it can."""
    found = next((character for character in text if character in UNQUOTED), None)
    return "" if found is None else f"has {WORDS[found]} in it, which OAR does not quote on its nodes"


def folder_problem(role: str, folder: str | Path) -> str:
    """Why jobs cannot work with a folder on OAR, and what to do; "" where they can."""
    reason = unquotable(str(folder))
    return reason and f"the {role} {folder} {reason}: use a folder without it"


def option_problems(options: Mapping[str, str | list[str]]) -> Iterator[str]:
    """The options of oarsub, by their names without hyphens, that OAR cannot be told, and why."""
    for name, values in options.items():
        for value in values if isinstance(values, list) else [str(values)]:
            reason = unquotable(value) if name in UNQUOTED_OPTIONS else ""
            if not value.isprintable():
                reason = "has a line break or control character in it"
            if reason:
                yield f"the option {name} of oarsub, {value!r}, {reason}"


def takes_output(path: str | Path) -> bool:
    """Whether oarsub takes a path for the output of a job."""
    return _OUTPUT.fullmatch(str(path)) is not None


def label(name: str) -> str:
    """A name of a job, with another character in the place of each that OAR might read."""
    return _LABEL.sub("_", name)
