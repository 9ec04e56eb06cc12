"""What OAR's words mean: refusals of oarsub, as reason codes of the matcher.

The words are those of OAR 2.5.9 and 2.6.1 (docs/oar-facts.md#answers-of-oarsub).
"""

from __future__ import annotations

import re

from attrs import evolve

from launchers.commands import Outcome

_OARSUB = (
    (r"There are not enough resources", "limit"),
    (r"[Qq]ueue \S+ does not exist|queue is not active|not allowed to submit", "closed"),
    (r"[Ww]alltime too big|walltime .{1,200} (?:exceed|too)", "duration"),
    (r'column "(?:gpu|gpu_\w+)" does not exist', "gpu-model"),
)
_TRANSIENT = re.compile(
    r"could not connect|connection to server|server closed the connection|too many (clients|connections)|"
    r"Cannot connect|deadlock detected|Lost connection",
    re.I,
)
_PLACE = r" at (?:/\S+|\(eval \d+\)) line \d+(?:, <\S+> \w+ \d+)?\.$"
_PERL = re.compile(rf"(?!# |DB[DI]\b|Can't ).*{_PLACE}")
"""A line of perl's own has its place in the program, which no words of OAR have, but those of its database have it too.

What perl could not do ("Can't exec") may be why the command failed.
"""
_WARNING = re.compile(
    r"(?:Possible (?:precedence|attempt|unintended)|Use of uninitialized value|Useless use|Argument .* isn't numeric|"
    r"Name .* used only once|Wide character|Deep recursion|Odd number of elements|(?:Redundant|Missing) argument in|"
    r"Scalar value .* better written|Subroutine .* redefined|Prototype mismatch|Statement unlikely|Parentheses missing|"
    rf"Found = in|substr outside|.* is (?:deprecated|experimental)|.* masks earlier).*{_PLACE}"
)
"""What perl warns of and goes on (man perldiag), such as perl 5.42 of the source of OAR 2.6.1 when oarstat starts."""
_LOCALE = re.compile(r"^perl: warning: .*(?:\n[ \t]+\S.*)*\n?", re.M)
"""What perl says of a locale that this machine has not got, before anything else."""
_POINTER = re.compile(r"LINE \d+: .*|\s*[)^]\s*")
"""Where in its SQL a database sees an error: the user has not written that."""
REFUSALS = frozenset({4, 5, 6, 7, 8, 16, 17, 18, *range(240, 256)}) - {242}
"""The exit statuses of oarsub with which it has made no job that will run: its own, and what it says as a negative
number (docs/oar-facts.md#answers-of-oarsub).  Another one may come after it has made the job: 9 and 242 do."""


def without_noise(message: str) -> str:
    """A message of OAR without the "# " with which 2.6 begins its lines, and without what perl says beside it.

    A line of perl's own is a warning where words of OAR come after it; the last lines may be what a command died of.
    """
    lines = [line for line in _LOCALE.sub("", message).splitlines() if not _POINTER.fullmatch(line)]
    last = max((number for number, line in enumerate(lines) if line.strip() and not _PERL.match(line)), default=-1)
    return "\n".join(
        line.removeprefix("# ")
        for number, line in enumerate(lines)
        if not _WARNING.match(line) and (number >= last or not _PERL.match(line))
    )


def oar_complaint(outcome: Outcome) -> str:
    """Why a command of OAR failed, in its own words, on one line."""
    return evolve(outcome, stderr=without_noise(outcome.stderr)).complaint


def is_transient(message: str) -> bool:
    """Whether oarsub failed because the server or its database did not answer, so that it can be tried again.

    oarsub says that the job is killed while the server is away, but the job exists, and runs when the server is back
    (docs/oar-facts.md#answers-of-oarsub). So look for its token before submitting it again.
    """
    return _TRANSIENT.search(message) is not None


def refusal_of_oarsub(message: str) -> str:
    """The reason code of a refusal; "" where none fits."""
    return next((code for pattern, code in _OARSUB if re.search(pattern, message)), "")
