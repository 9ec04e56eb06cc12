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
_PERL = re.compile(r"Possible precedence problem .* line \d+\.")
"""The warning of perl 5.42 about the source of OAR 2.6.1, each time oarstat starts."""
REFUSALS = frozenset({4, 5, 6, 7, 8, 16, 17, *range(240, 256)}) - {242}
"""The exit statuses of oarsub with which it has made no job that will run: its own, and what it says as a negative
number (docs/oar-facts.md#answers-of-oarsub).  Another one may come after it has made the job: 9 and 242 do."""


def without_noise(message: str) -> str:
    """A message of OAR without the "# " with which 2.6 begins its lines, and without perl's warnings."""
    return "\n".join(line.removeprefix("# ") for line in message.splitlines() if not _PERL.fullmatch(line))


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
